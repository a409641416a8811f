"""Whom leads name, who has taken them in hand, and choices of the feed kept under a name."""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ALERT_ID = sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)
AT_ONCE = 500
MOST = 400  # subjects of one lead

alert = sa.table("alert", *map(sa.column, ("alert_id", "subject_kind", "subject_id")))
alert_body = sa.table("alert_body", *map(sa.column, ("alert_id", "evidence")))
involved = sa.table("involved", *map(sa.column, ("alert_id", "kind", "id")))


def upgrade() -> None:
    op.create_table(
        "involved",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_involved_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", "kind", "id", name=op.f("pk_involved")),
    )
    op.create_index(op.f("ix_involved_id_kind_alert_id"), "involved", ["id", "kind", "alert_id"])
    op.create_table(
        "claim",
        sa.Column("alert_id", ALERT_ID, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("fk_claim_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_claim")),
    )
    op.create_index(op.f("ix_claim_holder"), "claim", ["holder"])
    op.create_table(
        "saved_view",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("saved_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_saved_view")),
    )
    db = op.get_bind()
    some: list[dict[str, str]] = []
    for row in _named(db):
        some.append(row)
        if len(some) == AT_ONCE:
            db.execute(sa.insert(involved), some)
            some = []
    if some:
        db.execute(sa.insert(involved), some)


def _named(db: sa.Connection) -> Iterator[dict[str, str]]:
    """Of the alerts that there are, as alerts.involved told it when this was written."""
    query = sa.select(alert, alert_body.c.evidence).join(alert_body, alert_body.c.alert_id == alert.c.alert_id)
    for name, kind, subject, evidence in db.execute(query).fetchall():
        named = dict.fromkeys([*_about(kind, subject), *_in_records(json.loads(evidence))])
        for kind, who in list(named)[:MOST]:
            yield {"alert_id": name, "kind": kind, "id": who}


def _about(kind: str, subject: str) -> Iterator[tuple[str, str]]:
    first, slash, rest = subject.partition("/")
    of_org = len(first) == 12 and first[:1].isalpha() and first[1:].isdigit()
    if kind == "person":
        yield "person", rest or first
    elif kind == "drug" and slash and not of_org:
        yield "person", first
    elif kind != "org" and not (kind in ("drug", "area") and of_org):
        yield kind, subject


def _in_records(evidence: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    for one in evidence:
        if one.get("person"):
            yield "person", one["person"]
        if one.get("till") and one.get("org"):
            yield "till", f"{one['org']}/{one['till']}"


def downgrade() -> None:
    op.drop_table("saved_view")
    op.drop_table("claim")
    op.drop_table("involved")
