"""What institutions' bills and bedside checks come to, what goods may cost, and an index for the overview."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "indicator",
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("of", sa.BigInteger(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("apart", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org", "kind", "since", name=op.f("pk_indicator")),
    )
    op.create_index(op.f("ix_indicator_since"), "indicator", ["since"])
    op.create_index(
        "ix_alert_overview",
        "alert",
        [
            *("status", "last_seen", "detector", "level_rank", "raised_at"),
            *("snoozed_until", "inhibited_by", "amount_at_risk_fen", "alert_id"),
        ],
    )
    op.create_table(
        "price_limit",
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("yuan", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item", "since", name=op.f("pk_price_limit")),
    )


def downgrade() -> None:
    op.drop_table("price_limit")
    op.drop_index("ix_alert_overview", "alert")
    op.drop_table("indicator")
