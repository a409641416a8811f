"""What the bureau knows beforehand: the reference records (ref.*) of the city."""

from collections.abc import Callable, Iterator, Sequence

from replay.simulate.city import City
from replay.simulate.clock import DAY
from replay.simulate.goods import DRUGS, ITEMS, Drug
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import AREAS, Org
from replay.simulate.season import is_holiday
from replay.simulate.spells import Spell

KNOWN_PLACES = -400 * DAY  # second from which institutions, drugs and items are known
KNOWN_PERSONS = -300 * DAY
TARGETS = {  # agreed with a hospital of the first, second, third level (服务协议)
    "次均门诊费用": ("480.00", "560.00", "640.00"),
    "次均住院费用": ("9000.00", "12000.00", "16000.00"),
    "平均床日费用": ("1200.00", "1500.00", "1900.00"),
    "药占比": ("0.70", "0.65", "0.60"),
}


def records(city: City) -> Iterator[Event]:
    """Institutions first, then what they have and have agreed to, the year's holidays, and the people."""
    for org in city.orgs:
        yield from _versions(city, "ref.org", KNOWN_PLACES, _org(org), org.stops, _stopped)
        for till in org.tills:
            if till.dev_no:
                yield _record(city, "ref.device", KNOWN_PLACES, _device(org, till.dev_no))
        for doctor in org.doctors:
            body: Event = {"dr_code": doctor.code, "sites": [org.code], "dept": doctor.dept, "status": "active"}
            yield from _versions(city, "ref.doctor", KNOWN_PLACES, body, doctor.away, _not_active)
    for drug in DRUGS:
        yield _record(city, "ref.drug", KNOWN_PLACES, _drug(drug))
    for item in ITEMS.values():
        yield _record(city, "ref.item", KNOWN_PLACES, {"med_list_codg": item.code, "kind": item.kind, **item.limits})
    yield from _agreements(city)
    yield from _without_codes(city)
    yield from _holidays(city)
    for person in (*city.people.all, *city.people.visitors):
        yield from _versions(city, "ref.person", KNOWN_PERSONS, _person(person), person.spells, _of_person)


def calendar(city: City, day: int, known: int, **about: str) -> Event:
    """A registered activity of ``day``; about: village or fixmedins_code, and kind."""
    return _record(city, "ref.calendar", known * DAY, {"day": city.clock.date(day), **about})


def exception(city: City, kind: str, first: int, last: int, **about: object) -> Event:
    """A confirmed exception (X06, X14, X20) from ``first`` to ``last`` second; about: whom it names, and the value."""
    body: Event = {
        "exception_id": city.mint("x"),
        "kind": kind,
        "from": city.clock.text(first),
        "to": city.clock.text(last),
        "confirmer": f"OFFICE{first // DAY % 7}",
        **about,
    }
    return _record(city, "ref.exception", min(first, 0) - DAY, body)


def _record(city: City, kind: str, valid_from: int, body: Event, known: int | None = None) -> Event:
    """valid_from, known: seconds. Nothing is told before it is known."""
    known = valid_from + 2 if known is None else known
    return {
        "event_id": city.mint("r"),
        "event_type": kind,
        "biz_time": city.clock.text(min(valid_from, known)),
        "recv_time": city.clock.text(known),
        "valid_from": city.clock.text(valid_from),
        **body,
    }


def _versions(
    city: City,
    kind: str,
    known: int,
    body: Event,
    spells: Sequence[Spell],
    told: Callable[[City, Spell], Event],
) -> Iterator[Event]:
    """The record as it always was, then as it is while a spell lasts, and as it always was again."""
    yield _record(city, kind, known, body)
    for spell in sorted(spells, key=lambda spell: spell.first):
        yield _record(city, kind, spell.begins, {**body, **told(city, spell)}, spell.recorded)
        if spell.last < city.plan.days:
            yield _record(city, kind, (spell.last + 1) * DAY, body)


def _not_active(city: City, spell: Spell) -> Event:
    return {"status": spell.status}


def _of_person(city: City, spell: Spell) -> Event:
    died: Event = {"die_date": city.clock.date(spell.first)} if spell.status == "dead" else {}
    return {"status": spell.status, **died}


def _stopped(city: City, spell: Spell) -> Event:
    return {"contract": spell.status, "contract_doc": spell.paper or f"N{spell.first:05d}"}


def _agreements(city: City) -> Iterator[Event]:
    """What a hospital may cost a head and a day, and how many months the fund must last; far above what it costs."""
    for org in city.orgs:
        if org.kind == "hospital":
            for indicator, targets in TARGETS.items():
                body: Event = {"fixmedins_code": org.code, "indicator": indicator, "target": targets[org.level - 1]}
                yield _record(city, "ref.agreement", KNOWN_PLACES, body)
    for area in AREAS:
        for insutype in ("310", "390"):
            body = {"admdvs": area.code, "insutype": insutype, "indicator": "累计结余", "target": "8.5"}
            yield _record(city, "ref.agreement", KNOWN_PLACES, body)


def _without_codes(city: City) -> Iterator[Event]:
    """Herbal slices anywhere, and old stock of single drugs at single places (X14)."""
    first, last = KNOWN_PLACES, (city.plan.days + 400) * DAY
    for drug in DRUGS:
        if not drug.coded:
            yield exception(city, "X14", first, last, med_list_codg=drug.code)
    for org in city.orgs:
        for drug in DRUGS:
            if drug.number in org.uncoded:
                yield exception(city, "X14", first, last, fixmedins_code=org.code, med_list_codg=drug.code)


def _holidays(city: City) -> Iterator[Event]:
    for day in range(city.plan.days):
        if is_holiday(city.clock.of(day)):
            yield _record(city, "ref.calendar", KNOWN_PERSONS, {"day": city.clock.date(day), "kind": "holiday"})


def _org(org: Org) -> Event:
    body: Event = {
        "fixmedins_code": org.code,
        "kind": org.kind,
        "level": str(org.level),
        "admdvs": org.area.code,
        "lon": org.lon,
        "lat": org.lat,
        "owner_group": org.owner,
        "contract": "active",
        "hours": org.hours,
    }
    if org.campus:
        body["campus_group"] = org.campus
    if org.tags:
        body["tags"] = list(org.tags)
    if org.beds:
        body["beds"] = org.beds
    return body


def _device(org: Org, dev_no: str) -> Event:
    return {"dev_no": dev_no, "fixmedins_code": org.code, "lon": org.lon, "lat": org.lat}


def _drug(drug: Drug) -> Event:
    limit = drug.price * 13 // 10 // 100 * 100 + 100  # a fifth to a third above what is paid, in whole yuan
    return {
        "med_list_codg": drug.code,
        "group": drug.group,
        "units_per_pack": drug.units,
        "daily_dose": drug.daily,
        "rx_flag": "1" if drug.rx else "0",
        "watch": "1" if drug.watch else "0",
        "pric_uplmt": f"{limit // 100}.{limit % 100:02d}",
    }


def _person(person: Person) -> Event:
    body: Event = {"psn_no": person.psn_no, "brdy": person.born, "gend": person.gend, "status": "active"}
    body["insutype"], body["insuplc_admdvs"] = person.insutype, person.insuplc
    if person.household >= 0:
        body["household"] = f"HH{person.household:06d}"
    if person.village:
        body["village"] = person.village
    if person.emp:
        body["emp"] = person.emp
    if person.illness:
        body["dise_codg"] = [person.illness]
    if person.filed:
        body["filing_admdvs"] = [f"{person.area.code[:4]}00"]
    return body
