"""Beside the alert: what inhibits it, how often its subject was named before, and snoozes."""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ALERT_ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)
GRAVEST = ["level_rank", "amount_at_risk_fen", "certainty_rank", "named_before", "last_seen", "alert_id"]
FORMER_GRAVEST = ["level_rank", "amount_at_risk_fen", "last_seen", "alert_id"]
AT_ONCE = 500

alert = sa.table("alert", *map(sa.column, ("alert_id", "status", "level_rank", "certainty_rank", "amount_at_risk_fen")))
alert_body = sa.table("alert_body", *map(sa.column, ("alert_id", "body", "evidence")))
rests_on = sa.table("rests_on", *map(sa.column, ("alert_id", "event_id")))


def upgrade() -> None:
    op.add_column("alert", sa.Column("certainty_rank", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", sa.Column("named_before", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", sa.Column("inhibited_by", ALERT_ID, nullable=True))
    op.add_column("alert", sa.Column("snoozed_until", INSTANT, nullable=True))
    op.create_table(
        "rests_on",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_rests_on_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", "event_id", name=op.f("pk_rests_on")),
    )
    op.create_index(op.f("ix_rests_on_event_id_alert_id"), "rests_on", ["event_id", "alert_id"])
    op.create_table(
        "snooze",
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("level_rank", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", "areas", name=op.f("pk_snooze")),
    )
    op.create_index(op.f("ix_snooze_until"), "snooze", ["until"])
    _work_out()
    for name, before in (("gravest", []), ("status_gravest", ["status"]), ("detector_gravest", ["detector"])):
        op.drop_index(f"ix_alert_{name}", "alert")
        op.create_index(f"ix_alert_{name}", "alert", [*before, *GRAVEST])
    op.drop_index(op.f("ix_alert_level_rank_detector_status"), "alert")
    op.create_index(
        "ix_alert_facets", "alert", ["level_rank", "detector", "status", "snoozed_until", "inhibited_by", "areas"]
    )
    op.create_index(op.f("ix_alert_inhibited_by"), "alert", ["inhibited_by"])
    op.create_index(op.f("ix_alert_snoozed_until"), "alert", ["snoozed_until"])


def _work_out() -> None:
    """For the alerts that there are, what is otherwise worked out whenever one changes."""
    op.execute("UPDATE alert SET certainty_rank = 1 WHERE certainty = 'definite'")
    op.execute(
        "UPDATE alert SET named_before = (SELECT count(*) FROM alert AS other"
        " WHERE other.subject_kind = alert.subject_kind AND other.subject_id = alert.subject_id"
        " AND other.status = 'open' AND (other.first_seen, other.alert_id) < (alert.first_seen, alert.alert_id))"
    )
    db = op.get_bind()
    for rows in _portions(_events(db)):
        db.execute(sa.insert(rests_on), rows)
    for rows in _portions(_inhibited(db)):
        db.execute(sa.text("UPDATE alert SET inhibited_by = :stronger WHERE alert_id = :weaker"), rows)


def _events(db: sa.Connection) -> Iterator[dict[str, str]]:
    """A lone admission is what an absence hangs on, not what an alert rests on."""
    query = sa.select(alert_body).join(alert, alert.c.alert_id == alert_body.c.alert_id)
    for name, body, evidence in db.execute(query.where(alert.c.status == "open")).fetchall():
        events = dict.fromkeys(json.loads(body)["events"])
        kinds = {one["event_id"]: one["event_type"] for one in json.loads(evidence)}
        if len(events) > 1 or not any(kinds.get(event) == "adm" for event in events):
            yield from ({"alert_id": name, "event_id": event} for event in events)


def _inhibited(db: sa.Connection) -> Iterator[dict[str, str]]:
    """The gravest of those that hold four fifths of what a weaker one rests on."""
    one, other = rests_on.alias("one"), rests_on.alias("other")
    pairs = (
        sa.select(one.c.alert_id, other.c.alert_id, sa.func.count())
        .join(other, sa.and_(other.c.event_id == one.c.event_id, other.c.alert_id != one.c.alert_id))
        .group_by(one.c.alert_id, other.c.alert_id)
    )
    counted = sa.select(rests_on.c.alert_id, sa.func.count()).group_by(rests_on.c.alert_id)
    sizes: dict[str, int] = {name: number for name, number in db.execute(counted)}  # noqa: C416
    strength = {
        row.alert_id: (row.level_rank, row.certainty_rank, row.amount_at_risk_fen, row.alert_id)
        for row in db.execute(sa.select(alert).where(alert.c.status == "open"))
    }
    best: dict[str, tuple[tuple[int, int], int, int, str]] = {}
    for weaker, stronger, shared in db.execute(pairs).fetchall():
        level, certainty, amount, name = strength[stronger]
        if (level, certainty) > strength[weaker][:2] and 5 * shared >= 4 * sizes[weaker]:
            found = ((level, certainty), shared, amount, name)
            best[weaker] = max(found, best.get(weaker, found))
    for weaker, (*_, name) in best.items():
        yield {"weaker": weaker, "stronger": name}


def _portions(rows: Iterator[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    some: list[dict[str, str]] = []
    for row in rows:
        some.append(row)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def downgrade() -> None:
    op.drop_table("snooze")
    op.drop_table("rests_on")
    op.drop_index(op.f("ix_alert_snoozed_until"), "alert")
    op.drop_index(op.f("ix_alert_inhibited_by"), "alert")
    op.drop_index("ix_alert_facets", "alert")
    for name in ("gravest", "status_gravest", "detector_gravest"):
        op.drop_index(f"ix_alert_{name}", "alert")
    for column in ("snoozed_until", "inhibited_by", "named_before", "certainty_rank"):
        op.drop_column("alert", column)
    for name, before in (("gravest", []), ("status_gravest", ["status"]), ("detector_gravest", ["detector"])):
        op.create_index(f"ix_alert_{name}", "alert", [*before, *FORMER_GRAVEST])
    op.create_index(op.f("ix_alert_level_rank_detector_status"), "alert", ["level_rank", "detector", "status"])
