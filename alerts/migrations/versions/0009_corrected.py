"""What entered leads said before somebody corrected them; accounts whose password somebody else chose."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

ALERT_ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "entered_before",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("corrected_by", sa.Text(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_entered_before_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", "version", name=op.f("pk_entered_before")),
    )
    op.add_column("account", sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("account", "must_change")
    op.drop_table("entered_before")
