"""The trail is asked who did what: indexes by actor and by kind."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index(op.f("ix_alert_event_actor_seq"), "alert_event", ["actor", "seq"])
    op.create_index(op.f("ix_alert_event_kind_seq"), "alert_event", ["kind", "seq"])


def downgrade() -> None:
    op.drop_index(op.f("ix_alert_event_kind_seq"), "alert_event")
    op.drop_index(op.f("ix_alert_event_actor_seq"), "alert_event")
