"""The tables of the alert store, for SQLite and PostgreSQL alike. ``alerts.migrations`` makes them."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)
from sqlalchemy.types import TypeDecorator

SCHEMA = "0011"  # the migration that makes these tables


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; what comes back is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r}: a time without a zone cannot be stored")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Plain(TypeDecorator[str]):
    """Text from outside. What a server would refuse (NUL on PostgreSQL, half characters) becomes U+FFFD or "?"."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\x00" not in value):
            return value
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()


# Ordered by bytes on both engines: a locale would skip the hyphens, and files would differ between sites.
ALERT_ID = String(36).with_variant(String(36, collation="C"), "postgresql")
SEQ = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is SQLite's own row number

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# The highest ticket heard of each unit, silent ones too: without it an older verdict would speak again.
unit_verdict = Table(
    "unit_verdict",
    metadata,
    Column("unit", Text, primary_key=True),  # JSON: ["detector","key","cell"]
    Column("ticket", BigInteger, nullable=False),
)

# What each unit says now. Several units may say one alert (a shop's month, from many trace codes).
said = Table(
    "said",
    metadata,
    Column("unit", Text, ForeignKey("unit_verdict.unit"), primary_key=True),
    Column("alert_id", ALERT_ID, primary_key=True),
    Column("lead", Text, nullable=False),  # JSON of detectors.finding.Lead
    Index(None, "alert_id"),
)

# The order of the work list: risk, then the later one; the id makes it an order.
GRAVEST = ("level_rank", "amount_at_risk_fen", "certainty_rank", "named_before", "last_seen", "alert_id")

# What lists, filters and counts need of an alert; what is long stands in alert_body, so that a scan stays short.
# all that the overview counts: it reads this index alone, not the rows with their sentences
OVERVIEW = (
    *("status", "last_seen", "detector", "level_rank", "raised_at"),
    *("snoozed_until", "inhibited_by", "amount_at_risk_fen", "alert_id"),
)

alert = Table(
    "alert",
    metadata,
    Column("alert_id", ALERT_ID, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of the newest revision in alert_event
    Column("revision", Integer, nullable=False),
    Column("detector", Plain, nullable=False),
    Column("level_rank", Integer, nullable=False),
    Column("certainty", Plain, nullable=False),
    Column("certainty_rank", Integer, nullable=False, server_default="0"),
    Column("status", Plain, nullable=False),
    Column("withdrawn_because", Plain),
    Column("subject_kind", Plain, nullable=False),
    Column("subject_id", Plain, nullable=False),
    Column("orgs", Plain, nullable=False),  # JSON: a list, the main one first
    Column("areas", Plain, nullable=False),  # 6 digits each, separated by blanks
    Column("period_name", Plain, nullable=False),
    Column("period_from", Instant, nullable=False),
    Column("period_to", Instant),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("amount_at_risk_fen", BigInteger, nullable=False),
    Column("fund_paid_fen", BigInteger, nullable=False),
    Column("summary_zh", Plain, nullable=False),
    Column("summary_en", Plain, nullable=False),
    Column("words", Plain, nullable=False),  # both sentences and the subject's id in small letters, to be searched
    Column("raised_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    # Beside what the alert itself says: worked out from the others that stand, or set by somebody. No revision of it.
    Column("named_before", Integer, nullable=False, server_default="0"),  # alerts.repeat
    Column("inhibited_by", ALERT_ID),  # alerts.inhibition
    Column("snoozed_until", Instant),  # alerts.snooze
    Index(None, "seq"),
    Index(None, "status", "seq"),
    Index("ix_alert_gravest", *GRAVEST),
    Index("ix_alert_status_gravest", "status", *GRAVEST),
    Index("ix_alert_detector_gravest", "detector", *GRAVEST),
    Index(None, "subject_id"),
    Index("ix_alert_facets", "level_rank", "detector", "status", "snoozed_until", "inhibited_by", "areas"),
    Index(None, "inhibited_by"),
    Index(None, "snoozed_until"),
    Index("ix_alert_overview", *OVERVIEW),
)

alert_body = Table(
    "alert_body",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("body", Text, nullable=False),  # JSON of alerts.alert.Alert, the newest revision
    Column("evidence", Text, nullable=False),  # JSON of a list of detectors.finding.Evidence
)

alert_org = Table(
    "alert_org",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("org", Plain, primary_key=True),  # "" for an area without an institution
    Column("area", String(6), nullable=False),
    Index(None, "org", "alert_id"),
    Index(None, "area", "alert_id"),
)

# What each open alert rests on, to find those that rest on the same; see alerts.inhibition.
rests_on = Table(
    "rests_on",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("event_id", Plain, primary_key=True),
    Index(None, "event_id", "alert_id"),
)

# Whom each alert names beside institutions: persons, tills, doctors, codes; see alerts.involved.
involved = Table(
    "involved",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("kind", Plain, primary_key=True),
    Column("id", Plain, primary_key=True),
    Index(None, "id", "kind", "alert_id"),
)

# Subjects that are to be left in peace for a while, at most one row for each set of areas; see alerts.snooze.
snooze = Table(
    "snooze",
    metadata,
    Column("subject_kind", Plain, primary_key=True),
    Column("subject_id", Plain, primary_key=True),
    Column("areas", Plain, primary_key=True),  # the limits of who set it, separated by blanks; empty: every area
    Column("level_rank", Integer, nullable=False),  # the gravest alert of the subject then; a graver one ends it
    Column("reason", Plain, nullable=False),
    Column("set_by", Plain, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Index(None, "until"),
)

# How far people have come with a lead; a lead without a row is new. See alerts.casework.
casework = Table(
    "casework",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("version", Integer, nullable=False),  # grows with each move
    Column("state", Plain, nullable=False),
    Column("entered_at", Instant, nullable=False),  # when this state was entered
    Column("due", Date),  # the last day, in China, for leaving it
    Column("screened_by", Plain, nullable=False),
    Column("officers", Plain, nullable=False),  # JSON: a list of accounts
    Column("extended", Boolean, nullable=False),
    Column("reason", Plain, nullable=False),  # of a dismissal, with its exclusion code
    Column("exclusion", Plain, nullable=False),
    Column("outcome", Plain, nullable=False),  # confirmed, partly, unfounded, dismissed; "" while open
    Column("found_fen", BigInteger),  # confirmed, or reported before that
    Column("changed_by", Plain, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index(None, "state", "due"),
)

# What was done about it; the sum of the points of a subject is its balance.
measure = Table(
    "measure",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", Plain, nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("points", Integer, nullable=False),
    Column("subject_kind", Plain, nullable=False),  # org, doctor, cashier; "" without points
    Column("subject_id", Plain, nullable=False),
    Column("document", Plain, nullable=False),
    Column("taken_by", Plain, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Index(None, "subject_kind", "subject_id"),
)

# Who has taken a lead in hand, or was given it; with an end only for a while. See alerts.claims.
claim = Table(
    "claim",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("holder", Plain, nullable=False),
    Column("given_by", Plain, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Index(None, "holder"),
)

# Choices of the feed that somebody keeps under a name; see alerts.views.
saved_view = Table(
    "saved_view",
    metadata,
    Column("owner", Plain, primary_key=True),
    Column("name", Plain, primary_key=True),
    Column("query", Plain, nullable=False),  # of the feed's address
    Column("shared", Boolean, nullable=False),
    Column("saved_at", Instant, nullable=False),
)

# What was answered to a write that named a key, so that sending it again changes nothing.
answered = Table(
    "answered",
    metadata,
    Column("account", Plain, primary_key=True),
    Column("key", Plain, primary_key=True),
    Column("asked", String(64), nullable=False),  # SHA-256 of what was asked
    Column("version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "at"),
)

# What stands beside a lead that somebody entered, and leaves its page by no message and no export; see alerts.entered.
entered = Table(
    "entered",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("source", Plain, nullable=False),  # of alerts.source
    Column("told", Plain, nullable=False),
    Column("paper", Plain, nullable=False),  # number of the paper it came in; of a confidential one all that is kept
    Column("received", Date, nullable=False),  # the day, in China
    Column("confidential", Boolean, nullable=False),
    Column("entered_by", Plain, nullable=False),
    Column("entered_at", Instant, nullable=False),
)

# What an entered lead said before it was corrected; see alerts.corrected.
entered_before = Table(
    "entered_before",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("told", Text, nullable=False),  # JSON of alerts.entered.Told
    Column("corrected_by", Plain, nullable=False),
    Column("corrected_at", Instant, nullable=False),
)

# Messages that leave the desk, one for each target, lead and level told of; see alerts.notify.
notification = Table(
    "notification",
    metadata,
    Column("target", Plain, primary_key=True),
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("told", Plain, primary_key=True),  # the level, or "withdrawn"
    Column("state", Plain, nullable=False),  # waiting, sent, dead (given up), dropped (no longer worth telling)
    Column("in_digest", Boolean, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),  # of a waiting one: not before
    Column("attempts", Integer, nullable=False),
    Column("tried_at", Instant),
    Column("error", Plain, nullable=False),  # of the last attempt; "" if it was taken
    Index(None, "target", "state", "next_at"),
    Index(None, "state", "queued_at"),
)

# Papers of a lead; their bytes are files beside the store, named by their digest. See alerts.papers.
paper = Table(
    "paper",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Plain, nullable=False),  # as it was handed in
    Column("kind", Plain, nullable=False),  # pdf, jpeg, png, docx, xlsx, text
    Column("size", BigInteger, nullable=False),  # bytes
    Column("sha256", String(64), nullable=False),
    Column("notice", Plain, nullable=False),  # made here from this template; "" if handed in
    Column("filed_by", Plain, nullable=False),
    Column("filed_at", Instant, nullable=False),
    Column("withdrawn_by", Plain, nullable=False),
    Column("withdrawn_because", Plain, nullable=False),
    Column("withdrawn_at", Instant),
)

# Calls to patients about a lead: what to ask, by when, and what they said; see alerts.callbacks.
callback = Table(
    "callback",
    metadata,
    Column("alert_id", ALERT_ID, ForeignKey("alert.alert_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("person", Plain, nullable=False),  # a pseudonym
    Column("ask", Plain, nullable=False),
    Column("assignee", Plain, nullable=False),
    Column("due", Date, nullable=False),
    Column("set_by", Plain, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("result", Plain, nullable=False),  # "" while open, else one of alerts.callbacks.Result
    Column("said", Plain, nullable=False),
    Column("done_by", Plain, nullable=False),
    Column("done_at", Instant),
    Index(None, "assignee", "due"),
    Index(None, "due"),
)

# Audit trail, outbox and feed log in one. Never updated, never deleted; each row's hash covers the one before.
alert_event = Table(
    "alert_event",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=False),
    Column("alert_id", ALERT_ID),  # none: about the system, such as a log-in
    Column("revision", Integer),
    Column("kind", Plain, nullable=False),
    Column("actor", Plain, nullable=False),
    Column("at", Instant, nullable=False),
    Column("data", Text, nullable=False),  # JSON; of created, changed, withdrawn, reopened: the alert itself
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "alert_id", "seq"),
    Index(None, "actor", "seq"),
    Index(None, "kind", "seq"),
)

# How far each reader of alert_event has come, and who reads at present.
reader_position = Table(
    "reader_position",
    metadata,
    Column("name", Plain, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("holder", Plain),
    Column("held_until", Instant),
)

# Where accounts are logged in (alerts/sessions.py); a session that is not here opens nothing.
session = Table(
    "session",
    metadata,
    Column("id", Plain, primary_key=True),
    Column("account", Plain, nullable=False),
    Column("agent", Plain, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Index(None, "account"),
)

# What institutions' bills and bedside checks come to (alerts/indicators.py); counted in the archive.
indicator = Table(
    "indicator",
    metadata,
    Column("org", Plain, primary_key=True),
    Column("kind", Plain, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("until", Date, nullable=False),  # the first day that is not in it
    Column("area", Plain, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("of", BigInteger, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("apart", Integer, nullable=False),
    Column("target", Plain, nullable=False),  # as agreed; "" for none
    Column("computed_at", Instant, nullable=False),
    Index(None, "since"),
)

# What a pack or a service may cost at most, from when on (alerts/price_limits.py); read from the archive.
price_limit = Table(
    "price_limit",
    metadata,
    Column("item", Plain, primary_key=True),
    Column("since", Instant, primary_key=True),
    Column("yuan", Plain, nullable=False),  # "": no longer any
)

account = Table(
    "account",
    metadata,
    Column("name", Plain, primary_key=True),
    Column("password_hash", Plain, nullable=False),
    Column("role", Plain, nullable=False),
    Column("areas", Plain, nullable=False),  # separated by blanks; empty: every area
    Column("disabled", Boolean, nullable=False),
    Column("failures", Integer, nullable=False),  # log-ins in a row that failed
    Column("locked_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),  # password, role, areas or disabled; ends older sessions
    Column("must_change", Boolean, nullable=False, server_default=false()),  # the password, which somebody else chose
)
