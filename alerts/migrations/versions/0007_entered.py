"""Leads that somebody entered: what they were told of, and the paper it came in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ALERT_ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "entered",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("source", "told", "paper", "entered_by")),
        sa.Column("received", sa.Date(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_entered_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_entered")),
    )


def downgrade() -> None:
    op.drop_table("entered")
