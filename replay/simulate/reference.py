"""What the bureau knows beforehand: the reference records (ref.*) of the city."""

from collections.abc import Iterator

from replay.simulate.city import City
from replay.simulate.clock import DAY
from replay.simulate.goods import DRUGS, ITEMS, Drug
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import Org

KNOWN_PLACES = -400  # day from which institutions, drugs and items are known
KNOWN_PERSONS = -300


def records(city: City) -> Iterator[Event]:
    """Institutions first, then what they have, then the people."""
    for org in city.orgs:
        yield _record(city, "ref.org", KNOWN_PLACES, _org(org))
        for till in org.tills:
            if till.dev_no:
                yield _record(city, "ref.device", KNOWN_PLACES, _device(org, till.dev_no))
        for doctor in org.doctors:
            body: Event = {"dr_code": doctor.code, "sites": [org.code], "dept": doctor.dept, "status": "active"}
            yield _record(city, "ref.doctor", KNOWN_PLACES, body)
    for drug in DRUGS:
        yield _record(city, "ref.drug", KNOWN_PLACES, _drug(drug))
    for item in ITEMS.values():
        yield _record(city, "ref.item", KNOWN_PLACES, {"med_list_codg": item.code, "kind": item.kind, **item.limits})
    for person in (*city.people.all, *city.people.visitors):
        yield _record(city, "ref.person", KNOWN_PERSONS, _person(person))


def calendar(city: City, day: int, known: int, **about: str) -> Event:
    """A registered activity of ``day``; about: village or fixmedins_code, and kind."""
    return _record(city, "ref.calendar", known, {"day": city.clock.date(day), **about})


def _record(city: City, kind: str, valid_from: int, body: Event) -> Event:
    at = valid_from * DAY
    return {
        "event_id": city.mint("r"),
        "event_type": kind,
        "biz_time": city.clock.text(at),
        "recv_time": city.clock.text(at + 2),
        "valid_from": city.clock.text(at),
        **body,
    }


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
    if person.household >= 0:
        body["household"] = f"HH{person.household:06d}"
    if person.village:
        body["village"] = person.village
    if person.emp:
        body["emp"] = person.emp
    if person.illness:
        body["dise_codg"] = [person.illness]
    if person.insuplc != person.area.code:
        body["filing_admdvs"] = [f"{person.area.code[:4]}00"]
    return body
