"""A card or an agreement that was stopped, and nothing wrong: it was used before, or after, or another one was used."""

from collections.abc import Iterable

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.goods import COUNTER
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.spells import FOREVER, Spell
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, packs
from replay.simulate.stories.suspended_org_settlement import ordinary
from replay.simulate.ward import DIED

BILLS = 5


def _struck(stage: Stage, status: str, first: int, last: int = FOREVER) -> Iterable[Event]:
    """Nothing else is told of this person until the spell is over."""
    until = max(last, stage.last)
    stage.actor = stage.person(
        first=min(first, stage.day), last=until, fits=lambda person: not person.spells and person.age > 30
    )
    stage.actor.spells.append(Spell(first=first, last=last, status=status))
    return ()


def dies_today(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "dead", stage.day)


def lapses_tonight(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "suspended", stage.day + 1)


def has_lost_the_card(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "lost_card", stage.day - 2)


def has_paid_again(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "suspended", stage.day - 12, stage.day - 1)


def will_die_in_hospital(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "dead", stage.day + 3)


def lapses_today(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "suspended", stage.day)


def on_the_last_morning(stage: Stage) -> None:
    """Within the day of death."""
    _buy(stage, stage.at(8.2, 1.5))
    stage.notes = "used in the morning of the day of death"


def on_the_eve(stage: Stage) -> None:
    _buy(stage, stage.at(17, 3))
    stage.notes = "used in the evening before the insurance lapses"


def with_another_credential(stage: Stage) -> None:
    """A lost card stops the card, not the credential on the phone."""
    _buy(stage, stage.at(9, 9), cert="01")
    stage.notes = "card reported lost, e-credential used"


def after_paying(stage: Stage) -> None:
    _buy(stage, stage.at(9, 9))
    stage.notes = "arrears paid the day before"


def last_bill(stage: Stage) -> None:
    """The stay in which somebody died is settled two days later."""
    person = _actor(stage)
    begin, end = stage.at(9, 1), (stage.day + 3) * DAY + 11 * HOUR
    stay = stage.stay(person, stage.hospital(), begin, end, diagnosis="J18.900", dscg_way=DIED, settled_late=45 * HOUR)
    stage.show_stay(stay)
    stage.notes = "the last stay, settled two days after the death that ended it"


def typed_in_late(stage: Stage) -> None:
    """The store was offline when the insurance lapsed (X16)."""
    at = stage.at(10, 6)
    _buy(stage, at, late=(stage.day + 1) * DAY + 8 * HOUR - at)
    stage.notes = "offline store: bill of the day on which the insurance lapsed, received next morning"


def _buy(stage: Stage, at: int, cert: str = "", late: int = 0) -> None:
    person = _actor(stage)
    org = stage.store(lambda org: org.area is person.area)
    stage.buy(person, org, at, packs(stage.chance.choice(COUNTER)), cert=cert, late=late)


def _actor(stage: Stage) -> Person:
    if stage.actor is None:
        raise NoActorsError(stage.family.name)
    return stage.actor


def _stops(stage: Stage, org: Org, first: int, last: int) -> Iterable[Event]:
    org.stops.append(Spell(first=first, last=last, status="suspended", paper=f"S{stage.number:04d}"))
    stage.place = org
    return ()


def stopped_tomorrow(stage: Stage) -> Iterable[Event]:
    first, last = stage.day + 1, stage.day + 30
    return _stops(stage, ordinary(stage, "pharmacy", stage.day, last), first, last)


def stopped_until_yesterday(stage: Stage) -> Iterable[Event]:
    first, last = stage.day - 6, stage.day - 1
    return _stops(stage, ordinary(stage, "pharmacy", first, stage.day), first, last)


def hospital_stopped(stage: Stage) -> Iterable[Event]:
    first, last = stage.day + 2, stage.day + 40
    return _stops(stage, ordinary(stage, "hospital", stage.day, last), first, last)


def until_the_evening(stage: Stage) -> None:
    _bills(stage, 16)
    stage.notes = "bills of the last evening before the suspension"


def open_again(stage: Stage) -> None:
    _bills(stage, 9)
    stage.notes = "bills of the first day after the suspension"


def _bills(stage: Stage, hour: float) -> None:
    org = _place(stage)
    for person in stage.people(BILLS, fits=lambda person: person.area is org.area):
        stage.buy(person, org, stage.at(hour, 4), packs(stage.chance.choice(COUNTER)))
    stage.subject = Named("org", org.code)


def stays_to_its_end(stage: Stage) -> None:
    """Who was in when the hospital was suspended is treated and settled to the end."""
    org = _place(stage)
    if not stage.has_beds(org, "internal"):
        raise NoActorsError(stage.family.name)
    for person in stage.people(2, last=stage.day + 5):
        begin = stage.day * DAY + 9 * HOUR + stage.chance.randrange(90) * MINUTE
        stage.show_stay(stage.stay(person, org, max(begin, stage.city.opens), (stage.day + 5) * DAY + 10 * HOUR))
    stage.subject = Named("org", org.code)
    stage.notes = "two stays that began before the hospital was suspended"


def _place(stage: Stage) -> Org:
    if stage.place is None:
        raise NoActorsError(stage.family.name)
    return stage.place


FAMILIES = (
    Family(
        name="x16_lapsed_while_offline",
        kind="decoy",
        exclusion="X16",
        forbid=("ineligible_credential_use", "geo_time_conflict"),
        also=("upload_gap",),
        variants=(Variant(name="typed in", tell=typed_in_late, days=2, prepare=lapses_today),),
    ),
    Family(
        name="near_ineligible",
        kind="decoy",
        exclusion="near",
        forbid=("ineligible_credential_use",),
        variants=(
            Variant(name="last morning", tell=on_the_last_morning, prepare=dies_today),
            Variant(name="on the eve", tell=on_the_eve, prepare=lapses_tonight),
            Variant(name="another credential", tell=with_another_credential, prepare=has_lost_the_card),
            Variant(name="paid", tell=after_paying, prepare=has_paid_again),
            Variant(name="last bill", tell=last_bill, days=6, prepare=will_die_in_hospital),
        ),
    ),
    Family(
        name="near_suspended",
        kind="decoy",
        exclusion="near",
        forbid=("suspended_org_settlement",),
        variants=(
            Variant(name="last evening", tell=until_the_evening, prepare=stopped_tomorrow),
            Variant(name="open again", tell=open_again, prepare=stopped_until_yesterday),
            Variant(name="in-patients", tell=stays_to_its_end, days=6, prepare=hospital_stopped),
        ),
    ),
)
