"""Settled by an institution that may not, or by its neighbour on its behalf (中止、解除协议机构结算、借壳结算)."""

from collections.abc import Iterable

from replay.simulate.desk import Goods, Service
from replay.simulate.goods import COUNTER, ITEMS
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.people import NOT_FOR_ALL
from replay.simulate.places import Org, km
from replay.simulate.spells import FOREVER, Spell
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, packs

BILLS = 6  # settled all the same
KNOWN_FOR = 11  # days of custom before a store's customers are known
MOVED = 0.7  # of the customers, to the sister store
FEW, FEWEST = 0.4, 6  # of them, at least


def _stopped(stage: Stage, org: Org, status: str) -> Iterable[Event]:
    """From the story's day on, for longer than any city lives."""
    notice = f"{stage.city.clock.date(stage.day)[:4]}-{stage.number:04d}"
    org.stops.append(Spell(first=stage.day, status=status, paper=notice))
    stage.place = org
    return ()


def ordinary(stage: Stage, kind: str, first: int, last: int = FOREVER) -> Org:
    """There are others in the district for the honest customers to go to. For this story alone."""
    return stage.alone(
        lambda org: org.kind == kind and not org.tags and not org.campus and has_peers(stage, org), first, last
    )


def has_peers(stage: Stage, org: Org) -> bool:
    """Of another owner. A clinic's patients go to the hospitals of the district."""
    kind = "hospital" if org.kind == "clinic" else org.kind
    near = (one for one in stage.city.orgs if one.kind == kind and one.area is org.area)
    return any(one.owner != org.owner and not one.stops and not NOT_FOR_ALL & set(one.tags) for one in near)


def store_suspended(stage: Stage) -> Iterable[Event]:
    return _stopped(stage, ordinary(stage, "pharmacy", stage.day), "suspended")


def clinic_ended(stage: Stage) -> Iterable[Event]:
    return _stopped(stage, ordinary(stage, "clinic", stage.day), "terminated")


def chain_store_suspended(stage: Stage) -> Iterable[Event]:
    """And its nearest sister of the same chain, for the story alone too."""
    org = stage.alone(lambda org: not org.tags and bool(_sisters(stage, org)) and has_peers(stage, org), 0, FOREVER)
    stage.neighbour = min(_sisters(stage, org), key=lambda sister: km(org, sister))
    stage.city.set_aside(stage.neighbour, stage.day, stage.last)
    return _stopped(stage, org, "suspended")


def _sisters(stage: Stage, org: Org) -> list[Org]:
    if not org.owner.startswith("CHAIN"):
        return []
    return stage.places(lambda one: one is not org and one.owner == org.owner and not one.tags)


def goes_on(stage: Stage) -> None:
    """It settles as if nothing had been said."""
    org = _place(stage)
    people = stage.people(BILLS, fits=lambda person: person.area is org.area)
    for nth, person in enumerate(people):
        goods: list[Goods] = [*packs(stage.chance.choice(COUNTER))]
        if org.kind != "pharmacy":
            goods = [Service(item=ITEMS["reg"]), Service(item=ITEMS["blood"])]
        med_type = "41" if org.kind == "pharmacy" else "11"
        stage.buy(person, org, stage.at(9, 7, day=stage.day + nth // 2), goods, med_type=med_type)
    stage.subject = Named("org", org.code)
    stage.level, stage.notes = "red", f"{org.kind} {org.stops[-1].status}, {len(people)} bills afterwards"


def under_another_name(stage: Stage) -> None:
    """The store's customers are sent to its sister, where the bills are made from the next day on."""
    org = _place(stage)
    sister, known = stage.neighbour, list(stage.city.customers.get(org.number, {}).values())
    moved = [person for person in known if stage.is_free(person, stage.last)][: int(len(known) * MOVED)]
    if sister is None or len(moved) < max(FEWEST, len(known) * FEW):
        raise NoActorsError(stage.family.name)
    for nth, person in enumerate(moved):
        stage.engage(person, stage.last)
        stage.buy(person, sister, stage.at(9, 9, day=stage.day + 1 + nth % 8), packs(stage.chance.choice(COUNTER)))
    stage.orgs[org.code] = None
    stage.subject = Named("org", sister.code)
    stage.level, stage.notes = "red", f"{len(moved)} customers of a suspended store at its sister's"


def _place(stage: Stage) -> Org:
    if stage.place is None:
        raise NoActorsError(stage.family.name)
    return stage.place


FAMILY = Family(
    name="suspended_org_settlement",
    kind="fraud",
    wave=1,
    expect=("suspended_org_settlement",),
    also=("pharmacy_surge",),
    variants=(
        Variant(name="store goes on", tell=goes_on, days=4, prepare=store_suspended),
        Variant(name="clinic goes on", tell=goes_on, days=4, prepare=clinic_ended),
        Variant(
            name="under another name",
            tell=under_another_name,
            days=10,
            after=KNOWN_FOR,
            prepare=chain_store_suspended,
        ),
    ),
)
