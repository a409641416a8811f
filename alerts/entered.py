"""Leads that no detector raised: tip-offs, inspections, transfers. They go through the same life as the others.

    name = enter(store, account, Told(source=Source.TIP_OFF, org="P33010210007", about="…", told="…"), now)

An entered lead stands among the alerts with its source in the detector's place, but nothing that is known of detectors
touches it: no verdict speaks of it, its row of alert_event is no revision, so the ``alerts`` topic, ``alerts export``,
and comparisons never hear of it. Messages do, without a word of what is confidential.

Who told is never kept, only the number of the paper. Where that number leads to an informant (``confidential``) it is
shown nowhere but to those who may ask for it (``paper_of``), and that they did is in the trail.
"""

import hashlib
import re
from datetime import date, datetime, time, timedelta

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, select, update

from alerts import repeat
from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.alert import Alert, alert_id, open_alert
from alerts.casework import WRITERS, NoLeadError, digest, is_repeated
from alerts.deadlines import CHINA
from alerts.involved import is_org
from alerts.kept import ENTERED, Note, Revision, area_of, areas_of, within
from alerts.life import LONGEST_NUMBER, MOST_FEN, MoveError
from alerts.source import Source
from alerts.store import Store
from alerts.writing import Writing
from detectors.finding import Certainty, Law, Lead, Level, Period, Subject

PAPER_ASKED = "paper_asked"  # kind of alert_event
SEES_PAPER = frozenset({Role.REVIEWER})  # besides whoever entered it
KINDS = ("org", "person", "doctor", "till")  # whom a lead may be entered about
LONGEST_ABOUT = 200  # characters of the sentence
LONGEST_TOLD = 2_000
LONGEST_SUBJECT = 80
MOST_ORGS = 10
OLDEST = date(2000, 1, 1)

_SUBJECT = re.compile(r"[A-Za-z0-9_./-]+")
_NUMBER = re.compile(r"[A-Za-z0-9_./〔〕\[\]()（）\-—年第号字医保举报信访受理登记]+")  # too few words for a name
_OF_A_PERSON = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|1[3-9]\d{9})(?!\d)")  # an identity or a telephone number


class Told(Struct, frozen=True, kw_only=True):
    """What somebody enters. ``about``: the sentence that lists and files show; ``told``: only on the lead's page.

    subject_id: of an institution may be left out, then it is the first of ``orgs``. area: six digits, needed where no
    institution is named. since, until: the days it happened on, both included; none: only the day it came in.
    """

    source: Source
    subject_kind: str = "org"
    subject_id: str = ""
    orgs: tuple[str, ...] = ()
    area: str = ""
    about: str
    told: str = ""
    level: Level = Level.YELLOW
    amount_fen: int = 0  # 0: not known
    since: date | None = None
    until: date | None = None
    received: date
    paper: str = ""
    confidential: bool = False


class Entered(Struct, frozen=True, kw_only=True):
    """What stands beside an entered lead; without the paper's number where that is confidential."""

    alert_id: str
    source: Source
    told: str
    paper: str
    received: date
    confidential: bool
    entered_by: str
    entered_at: datetime


def enter(store: Store, who: Account, told: Told, now: datetime, *, key: str = "") -> str:
    """Make a lead of it; its alert_id. A key sent again with the same words makes no second one.

    Raises MoveError, KeyReusedError.
    """
    told = checked(who, told, now)
    lead = lead_of(told, hashlib.sha256(msgspec.json.encode((who.name, key or now.isoformat(), told))).hexdigest()[:16])
    name = alert_id(lead)
    with store.writing() as writing:
        if is_repeated(writing, who, key, digest(ENTERED, told), 0, now):
            return name
        if writing.db.execute(select(t.alert.c.alert_id).where(t.alert.c.alert_id == name)).first():
            raise MoveError("entered_already")
        data = msgspec.json.encode({"source": told.source, "level": told.level, "confidential": told.confidential})
        (seq,) = writing.append([Note(kind=ENTERED, actor=who.name, at=now, alert_id=name, data=data)])
        put_lead(writing, open_alert(lead, 1, now), lead, told, seq, now, entered_by=who.name, entered_at=now)
        repeat.count(writing, {lead.subject})
    return name


def entered(store: Store, name: str) -> Entered | None:
    """What is known of where this lead comes from; None if a rule raised it."""
    found = _read(store, name)
    return structs.replace(found, paper="") if found and found.confidential else found


def may_ask_paper(who: Account, found: Entered) -> bool:
    """May this account see the number of a confidential paper?"""
    return who.role in SEES_PAPER or who.name == found.entered_by


def paper_of(store: Store, who: Account, name: str, now: datetime) -> str:
    """The number of the paper a lead came in; that it was asked for is written down. Raises NoLeadError, MoveError."""
    found, areas = _read(store, name), _areas(store, name)
    if found is None or not within(areas, who.areas):
        raise NoLeadError(name)
    if found.confidential and not may_ask_paper(who, found):
        raise MoveError("not_your_role")
    store.note(Note(kind=PAPER_ASKED, actor=who.name, at=now, alert_id=name))
    return found.paper


def put_lead(
    writing: Writing,
    alert: Alert,
    lead: Lead,
    told: Told,
    seq: int,
    now: datetime,
    *,
    entered_by: str,
    entered_at: datetime,
) -> None:
    """The alert, the areas it is seen in, and what stands beside it, as they are from this seq on."""
    name = alert.alert_id
    writing.put_alerts([Revision(alert, lead, msgspec.json.encode(alert), seq, now)])
    _put_area(writing, name, lead, told.area)
    beside = Entered(
        alert_id=name,
        source=told.source,
        told=told.told,
        paper=told.paper,
        received=told.received,
        confidential=told.confidential,
        entered_by=entered_by,
        entered_at=entered_at,
    )
    writing.upsert(t.entered, [structs.asdict(beside) | {"source": told.source.value}])


def _read(store: Store, name: str) -> Entered | None:
    with store.engine.connect() as db:
        return read_row(db, name)


def read_row(db: Connection, name: str) -> Entered | None:
    """With the paper's number, whoever asks."""
    row = db.execute(select(t.entered).where(t.entered.c.alert_id == name)).one_or_none()
    return None if row is None else Entered(**{**row._mapping, "source": Source(row.source)})


def _areas(store: Store, name: str) -> list[str]:
    with store.engine.connect() as db:
        found = db.execute(select(t.alert.c.areas).where(t.alert.c.alert_id == name)).scalar_one_or_none()
    return (found or "").split()


def checked(who: Account, told: Told, now: datetime) -> Told:
    """As it is kept. Raises MoveError."""
    told = _tidy(told)
    _check(who, told, now)
    return told


def _tidy(told: Told) -> Told:
    """Without blanks around, institutions in capitals and each once, the subject named."""
    orgs = tuple(dict.fromkeys(org.strip().upper() for org in told.orgs if org.strip()))
    subject = told.subject_id.strip()
    if told.subject_kind == "org":
        subject = subject.upper() or (orgs[0] if orgs else "")
        orgs = tuple(dict.fromkeys((subject, *orgs))) if subject else orgs
    texts = {name: getattr(told, name).strip() for name in ("area", "about", "told", "paper")}
    return structs.replace(told, orgs=orgs, subject_id=subject, **texts)


def _check(who: Account, told: Told, now: datetime) -> None:
    if who.role not in WRITERS:
        raise MoveError("not_your_role")
    _check_subject(told)
    if not all(within([area], who.areas) for area in _named_areas(told)):
        raise MoveError("not_your_area")
    if not told.about:
        raise MoveError("note_needed")
    if len(told.about) > LONGEST_ABOUT or len(told.told) > LONGEST_TOLD or len(told.paper) > LONGEST_NUMBER:
        raise MoveError("too_long")
    if any(map(_OF_A_PERSON.search, (told.about, told.told, told.paper))):
        raise MoveError("no_persons")
    if not told.paper or (told.confidential and not _NUMBER.fullmatch(told.paper)):
        raise MoveError("paper_needed")
    if not 0 <= told.amount_fen <= MOST_FEN:
        raise MoveError("amount_needed")
    _check_days(told, now.astimezone(CHINA).date())


def _check_subject(told: Told) -> None:
    if len(told.orgs) > MOST_ORGS or not all(is_org(org) and area_of(org).isdigit() for org in told.orgs):
        raise MoveError("org_needed")
    if told.area and not (len(told.area) == 6 and told.area.isascii() and told.area.isdigit()):
        raise MoveError("area_needed")
    if not told.orgs and not told.area:
        raise MoveError("org_needed" if told.subject_kind == "org" else "area_needed")
    named = told.subject_id
    fits = told.subject_kind in KINDS and 0 < len(named) <= LONGEST_SUBJECT and _SUBJECT.fullmatch(named)
    if not fits or _OF_A_PERSON.search(named) or (told.subject_kind == "org" and not is_org(named)):
        raise MoveError("subject_needed")


def _check_days(told: Told, today: date) -> None:
    since, until = told.since or told.received, told.until or told.since or told.received
    if not OLDEST <= since <= until <= today or not OLDEST <= told.received <= today:
        raise MoveError("days_needed")


def _named_areas(told: Told) -> list[str]:
    return [*map(area_of, told.orgs), *([told.area] if told.area else [])]


def lead_of(told: Told, token: str) -> Lead:
    """As a detector would say it. What is not known is empty, never made up."""
    first = told.since or told.received
    since, until = _midnight(first), _midnight((told.until or first) + timedelta(days=1))
    came = _midnight(told.received)
    return Lead(
        detector=told.source.value,
        rule_version="",
        level=told.level,
        certainty=Certainty.SUSPICIOUS,
        subject=Subject(told.subject_kind, told.subject_id),
        period=Period(token, since, until),
        first_seen=came,
        last_seen=came,
        hits=1,
        amount_at_risk_fen=told.amount_fen,
        fund_paid_fen=0,
        summary_zh=told.about,
        summary_en=told.about,
        figures=(),
        events=(),
        exclusions=(),
        law=Law("", ""),
        checks=(),
        orgs=told.orgs,
        evidence=(),
    )


def _put_area(writing: Writing, name: str, lead: Lead, area: str) -> None:
    """An area that none of its institutions is in."""
    areas = areas_of(lead)
    if not area or area in areas:
        return
    writing.upsert(t.alert_org, [{"alert_id": name, "org": "", "area": area}])
    here = update(t.alert).where(t.alert.c.alert_id == name)
    writing.db.execute(here.values(areas=" ".join((*areas, area))))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)
