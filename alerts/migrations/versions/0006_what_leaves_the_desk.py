"""Messages to others, papers and calls of a lead."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ALERT_ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def _of_alert(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    foreign = sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f(f"fk_{table}_alert_id"))
    return sa.Column("alert_id", ALERT_ID, nullable=False), foreign


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "notification",
        *_texts("target", "told", "state", "error"),
        *_of_alert("notification"),
        sa.Column("in_digest", sa.Boolean(), nullable=False),
        sa.Column("queued_at", INSTANT, nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("target", "alert_id", "told", name=op.f("pk_notification")),
    )
    op.create_index(op.f("ix_notification_target_state_next_at"), "notification", ["target", "state", "next_at"])
    op.create_index(op.f("ix_notification_state_queued_at"), "notification", ["state", "queued_at"])
    op.create_table(
        "paper",
        *_of_alert("paper"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_texts("name", "kind", "notice", "filed_by", "withdrawn_by", "withdrawn_because"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("filed_at", INSTANT, nullable=False),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("alert_id", "number", name=op.f("pk_paper")),
    )
    op.create_table(
        "callback",
        *_of_alert("callback"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_texts("person", "ask", "assignee", "set_by", "result", "said", "done_by"),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("alert_id", "number", name=op.f("pk_callback")),
    )
    op.create_index(op.f("ix_callback_assignee_due"), "callback", ["assignee", "due"])
    op.create_index(op.f("ix_callback_due"), "callback", ["due"])


def downgrade() -> None:
    for table in ("callback", "paper", "notification"):
        op.drop_table(table)
