"""The credential of somebody dead, of a lapsed insurance, of a lost card (死亡、停保、挂失、暂停结算凭证使用)."""

from collections.abc import Iterable

from replay.simulate.clock import DAY, HOUR
from replay.simulate.goods import COUNTER
from replay.simulate.journal import Event
from replay.simulate.spells import FOREVER, Spell
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, packs

LATER = 3  # days after which it is used


def _struck(stage: Stage, status: str, first: int, known: int | None = None) -> Iterable[Event]:
    """Some days before the story, for good."""
    person = stage.person(first=first, last=FOREVER, fits=lambda person: not person.spells and person.age > 30)
    person.spells.append(Spell(first=first, status=status, known=known))
    stage.actor = person
    return ()


def dies(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "dead", stage.day - LATER)


def lapses(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "suspended", stage.day - LATER)


def loses(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "lost_card", stage.day - LATER)


def is_barred(stage: Stage) -> Iterable[Event]:
    return _struck(stage, "settlement_suspended", stage.day - LATER)


def dies_unknown(stage: Stage) -> Iterable[Event]:
    """The bureau hears of it two days after the card was used last."""
    return _struck(stage, "dead", stage.day - LATER, known=(stage.day + 4) * DAY + 10 * HOUR)


def use(stage: Stage, times: int, cert: str = "") -> None:
    person = stage.actor
    if person is None:
        raise NoActorsError(stage.family.name)
    org = stage.store(lambda org: org.area is person.area)
    for nth in range(times):
        at = stage.at(9, 9, day=stage.day + nth)
        stage.buy(person, org, at, packs(stage.chance.choice(COUNTER)), cert=cert)
    stage.notes = f"{person.spells[-1].status}, used {LATER} days later, {times} times"


def of_the_dead(stage: Stage) -> None:
    use(stage, 3)
    stage.level = "red"


def lapsed(stage: Stage) -> None:
    use(stage, 1)
    stage.level = "red"


def lost(stage: Stage) -> None:
    use(stage, 2, cert="03")
    stage.level = "red"


def heard_of_later(stage: Stage) -> None:
    use(stage, 2)
    stage.level = "orange"
    stage.notes += ", known afterwards"


FAMILY = Family(
    name="ineligible_credential_use",
    kind="fraud",
    wave=1,
    expect=("ineligible_credential_use",),
    variants=(
        Variant(name="dead", tell=of_the_dead, days=3, prepare=dies),
        Variant(name="lapsed", tell=lapsed, prepare=lapses),
        Variant(name="lost card", tell=lost, days=2, prepare=loses),
        Variant(name="barred", tell=lapsed, prepare=is_barred),
        Variant(name="heard of later", tell=heard_of_later, days=6, prepare=dies_unknown),
    ),
)
