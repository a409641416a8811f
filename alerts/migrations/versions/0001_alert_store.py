"""The alert store as it begins."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ALERT_ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
    )
    op.create_table(
        "alert",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("level_rank", sa.Integer(), nullable=False),
        sa.Column("certainty", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("withdrawn_because", sa.Text(), nullable=True),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("orgs", sa.Text(), nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("period_name", sa.Text(), nullable=False),
        sa.Column("period_from", INSTANT, nullable=False),
        sa.Column("period_to", INSTANT, nullable=True),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("last_seen", INSTANT, nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("amount_at_risk_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("summary_zh", sa.Text(), nullable=False),
        sa.Column("summary_en", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert")),
    )
    op.create_index(
        "ix_alert_detector_gravest", "alert", ["detector", "level_rank", "amount_at_risk_fen", "last_seen", "alert_id"]
    )
    op.create_index("ix_alert_gravest", "alert", ["level_rank", "amount_at_risk_fen", "last_seen", "alert_id"])
    op.create_index(op.f("ix_alert_level_rank_detector_status"), "alert", ["level_rank", "detector", "status"])
    op.create_index(op.f("ix_alert_seq"), "alert", ["seq"])
    op.create_index(
        "ix_alert_status_gravest", "alert", ["status", "level_rank", "amount_at_risk_fen", "last_seen", "alert_id"]
    )
    op.create_index(op.f("ix_alert_status_seq"), "alert", ["status", "seq"])
    op.create_index(op.f("ix_alert_subject_id"), "alert", ["subject_id"])
    op.create_table(
        "alert_event",
        sa.Column("seq", SEQ, autoincrement=False, nullable=False),
        sa.Column("alert_id", ALERT_ID, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alert_event")),
    )
    op.create_index(op.f("ix_alert_event_alert_id_seq"), "alert_event", ["alert_id", "seq"])
    op.create_table(
        "reader_position",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_reader_position")),
    )
    op.create_table(
        "unit_verdict",
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_unit_verdict")),
    )
    op.create_table(
        "alert_body",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_alert_body_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert_body")),
    )
    op.create_table(
        "alert_org",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("area", sa.String(length=6), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_alert_org_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", "org", name=op.f("pk_alert_org")),
    )
    op.create_index(op.f("ix_alert_org_area_alert_id"), "alert_org", ["area", "alert_id"])
    op.create_index(op.f("ix_alert_org_org_alert_id"), "alert_org", ["org", "alert_id"])
    op.create_table(
        "said",
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["unit_verdict.unit"], name=op.f("fk_said_unit")),
        sa.PrimaryKeyConstraint("unit", "alert_id", name=op.f("pk_said")),
    )
    op.create_index(op.f("ix_said_alert_id"), "said", ["alert_id"])


def downgrade() -> None:
    for table in (
        "said",
        "alert_org",
        "alert_body",
        "unit_verdict",
        "reader_position",
        "alert_event",
        "alert",
        "account",
    ):
        op.drop_table(table)
