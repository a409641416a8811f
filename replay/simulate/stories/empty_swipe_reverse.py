"""Settled, taken back, settled again: the goods never move (刷卡、退款、再刷)."""

from replay.simulate.clock import HOUR, MINUTE
from replay.simulate.goods import COUNTER, Drug
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.stories.story import Family, Stage, Variant, packs

QUICK = (6 * MINUTE, 24 * MINUTE)  # from the bill to its reversal
AGAIN = (5 * MINUTE, 30 * MINUTE)  # from the reversal to the next bill
BUSY = 24  # quick reversals of a store in a week


def cycle(stage: Stage, person: Person, org: Org, remedy: Drug, at: int, cnt: int = 1) -> int:
    """One bill, and its reversal without any goods; the second at which the next may be made."""
    bill = stage.buy(person, org, at, packs(remedy, cnt=cnt))
    back = at + stage.chance.randint(*QUICK)
    stage.take_back(bill, back, with_goods=False)
    return back + stage.chance.randint(*AGAIN)


def one_person(stage: Stage) -> tuple[Person, Org, Drug]:
    person, org = stage.person(), stage.store()
    stage.subject = Named("person", f"{org.code}/{person.psn_no}")
    stage.ids = [stage.subject.id]
    return person, org, stage.chance.choice(COUNTER)


def one_evening(stage: Stage) -> None:
    """Again and again until closing time; the last bill stands."""
    person, org, remedy = one_person(stage)
    cycles = stage.chance.randint(5, 8)
    at = stage.at(12, 2)
    for _ in range(cycles):
        at = cycle(stage, person, org, remedy, at)
    stage.buy(person, org, at, packs(remedy))
    stage.level, stage.notes = "orange", f"{cycles} bills of one drug taken back in an evening"


def over_days(stage: Stage) -> None:
    person, org, remedy = one_person(stage)
    for day in (0, 2, 5, 7):
        at = cycle(stage, person, org, remedy, stage.at(9, 9, day=stage.day + day))
        stage.buy(person, org, at + 2 * HOUR, packs(remedy))
    stage.level, stage.notes = "orange", "four bills of one drug taken back and made again, over a week"


def a_store(stage: Stage) -> None:
    """Two dozen bills of as many people in one week, all taken back within the half hour."""
    org = stage.store()
    people = stage.people(BUSY)
    days = min(5, 7 - stage.city.clock.weekday(stage.day))
    for nth, person in enumerate(people):
        cycle(stage, person, org, stage.chance.choice(COUNTER), stage.at(9, 9, day=stage.day + nth % days))
    stage.subject = Named("org", org.code)
    stage.level, stage.notes = "orange", f"{BUSY} bills of a store taken back within half an hour, in {days} days"


FAMILY = Family(
    name="empty_swipe_reverse",
    kind="fraud",
    wave=1,
    expect=("empty_swipe_reverse",),
    also=("split_small_settlement", "off_hours_settlement", "frequent_visit", "drug_overstock"),
    variants=(
        Variant(name="one evening", tell=one_evening),
        Variant(name="over days", tell=over_days, days=8),
        Variant(name="a store", tell=a_store, days=5),
    ),
)
