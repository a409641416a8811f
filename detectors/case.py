"""How a detector's promises are written down: a story, and what is left of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from detectors.detector import Detector
from detectors.event import (
    CHINA,
    Admission,
    CalendarRecord,
    Count,
    Discharge,
    DrugRecord,
    Event,
    Fee,
    FeeReversal,
    Fen,
    Leave,
    Line,
    OrgRecord,
    PersonRecord,
    Presence,
    Price,
    Reference,
    Sale,
    Settlement,
    SettlementReversal,
    Swipe,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A story in order of arrival, and what is suspicious at its end.

    A line of ``fires``: "orange person P 2024-03-04: A08:00 B08:20", that is level, subject, name of the period, and
    the events that show it. None: an honest story. ``known``: reference records, told before it began.
    ``excluded``: exclusions that the leads must show, as "X02 applied".
    """

    name: str
    detector: Detector
    story: tuple[Event | Reference, ...]
    fires: tuple[str, ...] = ()
    known: tuple[Reference, ...] = ()
    excluded: tuple[str, ...] = ()


LONG_AGO = datetime(2023, 1, 1, tzinfo=CHINA)


def at(when: str) -> datetime:
    """ "04 09:15" or "04 09:15:30": March 2024, +08:00; "02-28 09:15": another month."""
    day, _, clock = when.partition(" ")
    return datetime.fromisoformat(f"2024-{day if '-' in day else f'03-{day}'}T{clock}").replace(tzinfo=CHINA)


def fen(yuan: str) -> Fen:
    """ "45.20" -> 4520."""
    return Fen(round(float(yuan) * 100))


def line(item: str, amount: str = "45", traces: tuple[str, ...] = (), **more: Any) -> Line:
    """One pack of ``item``. Any: any other field of a Line."""
    more = {"sn": f"line of {item}", "count": Count(1), "price": Price(amount), **more}
    return Line(item=item, amount=fen(amount), traces=traces, **more)


def settlement(
    when: str, org: str = "A", person: str = "P", yuan: str = "45", basket: str = "", **more: Any
) -> Settlement:
    """An ordinary bill, half of it paid by the fund; the one at A at 08:00 is called "A08:00".

    A basket: a letter an item. Any: any other field of a Settlement.
    """
    name = more.pop("event_id", f"{org}{when.partition(' ')[2]}")
    facts = {
        "bill": f"bill of {name}",
        "visit": f"visit of {name}",
        "med_type": "41",
        "fund": Fen(fen(yuan) // 2),
        "lines": tuple(line(item, sn=f"{name}/{item}") for item in basket),
        **more,
    }
    return Settlement(event_id=name, happened_at=at(when), org=org, person=person, total=fen(yuan), **facts)


def swipe(when: str, org: str = "A", person: str = "P", **more: Any) -> Swipe:
    """The swipe at A at 08:00 is called "sA08:00". Any: any other field of a Swipe."""
    name = more.pop("event_id", f"s{org}{when.partition(' ')[2]}")
    return Swipe(event_id=name, happened_at=at(when), org=org, person=person, **{"cert_type": "03", **more})


def reversal(when: str, of: Settlement) -> SettlementReversal:
    name = f"reversal of {of.event_id}"
    return SettlementReversal(event_id=name, happened_at=at(when), org=of.org, person=of.person, bill=of.bill)


def admission(when: str, person: str = "P", org: str = "H", ward: str = "W", **more: Any) -> Admission:
    """P's stay is called "stay of P", the event "adm P". Any: any other field of an Admission."""
    name = more.pop("event_id", f"adm {person}")
    facts = {"visit": f"stay of {person}", "med_type": "21", "dept": "D", "diagnosis": "I10.x00", **more}
    return Admission(event_id=name, happened_at=at(when), org=org, person=person, ward=ward, **facts)


def discharge(when: str, person: str = "P", org: str = "H", **more: Any) -> Discharge:
    """Called "dscg P". Any: any other field of a Discharge."""
    name = more.pop("event_id", f"dscg {person}")
    facts = {"visit": f"stay of {person}", "way": "1", **more}
    return Discharge(event_id=name, happened_at=at(when), org=org, person=person, **facts)


def check(when: str, result: Any, person: str = "P", org: str = "H", ward: str = "W", **more: Any) -> Presence:
    """A look at the bed. The one of P on the 4th at 09:00 is called "P/04/09:00". Any: other fields of a Presence."""
    name = more.pop("event_id", f"{person}/{when.replace(' ', '/')}")
    facts = {"visit": f"stay of {person}", "check": name, "check_type": "scheduled", **more}
    return Presence(event_id=name, happened_at=at(when), org=org, person=person, ward=ward, result=result, **facts)


def leave(since: str, to: str, person: str = "P", org: str = "H") -> Leave:
    """An approved leave, asked for an hour before."""
    name = f"leave of {person} {since}"
    return Leave(
        event_id=name,
        happened_at=at(since) - timedelta(hours=1),
        org=org,
        person=person,
        visit=f"stay of {person}",
        leave=name,
        since=at(since),
        to=at(to),
    )


def fee(when: str, *lines: Line, person: str = "P", org: str = "H", **more: Any) -> Fee:
    """Lines of P's stay, uploaded then. Called "fee 04 09:00". Any: any other field of a Fee."""
    name = more.pop("event_id", f"fee {when}")
    visit = more.pop("visit", f"stay of {person}")
    return Fee(event_id=name, happened_at=at(when), org=org, person=person, visit=visit, lines=lines, **more)


def line_reversal(when: str, of: Fee, sn: str) -> FeeReversal:
    name = f"reversal of {sn}"
    return FeeReversal(event_id=name, happened_at=at(when), org=of.org, person=of.person, visit=of.visit, sn=sn)


def sale(when: str, item: str = "X", traces: tuple[str, ...] = (), org: str = "A", **more: Any) -> Sale:
    """One pack over the counter, called "sale A08:00". Any: any other field of a Sale."""
    name = more.pop("event_id", f"{more.get('sale_type', 'sale')} {org}{when.partition(' ')[2]}")
    facts = {"sale_type": "sale", "count": Count(1), **more}
    return Sale(event_id=name, happened_at=at(when), org=org, item=item, traces=traces, **facts)


def person(name: str = "P", valid_from: datetime = LONG_AGO, **more: Any) -> PersonRecord:
    """Any: any other field of the record; likewise below."""
    more = {"event_id": f"record of {name} {valid_from:%m-%d}", "happened_at": valid_from, **more}
    return PersonRecord(person=name, valid_from=valid_from, **more)


def org(name: str, valid_from: datetime = LONG_AGO, **more: Any) -> OrgRecord:
    more = {"event_id": f"record of {name} {valid_from:%m-%d}", "happened_at": valid_from, **more}
    return OrgRecord(org=name, valid_from=valid_from, **more)


def drug(item: str, valid_from: datetime = LONG_AGO, **more: Any) -> DrugRecord:
    more = {"event_id": f"record of {item} {valid_from:%m-%d}", "happened_at": valid_from, **more}
    return DrugRecord(item=item, valid_from=valid_from, **more)


def mass_day(day: str, **more: Any) -> CalendarRecord:
    """ "04": a screening registered by the bureau; ``org`` or ``village`` says where."""
    more = {"kind": "mass_screening", "event_id": f"calendar {day}", "happened_at": LONG_AGO, **more}
    return CalendarRecord(day=at(f"{day} 00:00").date(), valid_from=LONG_AGO, **more)
