"""More of a drug than anybody can take (超量购药)."""

from replay.simulate.clock import MINUTE
from replay.simulate.desk import Pack
from replay.simulate.goods import CHRONIC, Drug, drug
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.stories.story import Family, Stage, Variant

Purchases = list[tuple[int, int]]  # (day of the story, packs)


def hoard(stage: Stage, remedy: Drug, purchases: Purchases, places: list[Org], med_type: str = "41") -> None:
    """At these places in turn; pharmacies get a prescription."""
    person = hoarder(stage)
    for nth, (day, cnt) in enumerate(purchases):
        org = places[nth % len(places)]
        bought = [Pack(drug=remedy, cnt=cnt)]
        at = stage.at(9, 8, day=stage.day + day)
        if org.kind != "pharmacy":
            stage.prescribe(person, bought, at - 5 * MINUTE, house=org)
        stage.buy(person, org, at, bought, med_type=med_type)
    about(stage, person, remedy)
    days = sum(cnt for _, cnt in purchases) * remedy.days
    stage.notes = f"{days} days of {remedy.group} in {len(purchases)} purchases"


def hoarder(stage: Stage) -> Person:
    """Somebody who fetches no drugs of his own."""
    return stage.person(fits=lambda person: not person.drugs and person.age > 30)


def about(stage: Stage, person: Person, remedy: Drug) -> None:
    stage.subject = Named("drug", f"{person.psn_no}/{remedy.group}")
    stage.ids = [stage.subject.id, remedy.code]


def daily(stage: Stage) -> Drug:
    """One of which a pack lasts four weeks."""
    return stage.chance.choice([one for one in CHRONIC if one.days == 28])


def years(stage: Stage) -> None:
    """Fifteen years' supply within weeks, the scenario of the acceptance list."""
    hoard(stage, daily(stage), [(day, 33) for day in (0, 2, 4, 6, 8, 10)], [stage.store() for _ in range(4)])
    stage.level = "red"


def half_a_year(stage: Stage) -> None:
    hoard(stage, daily(stage), [(0, 3), (3, 3), (6, 3)], [stage.store()])
    stage.level = "orange"


def another_month(stage: Stage) -> None:
    """A month's supply, and a week later the next."""
    hoard(stage, daily(stage), [(0, 1), (7, 1)], [stage.store()])
    stage.level = "yellow"


def two_hospitals(stage: Stage) -> None:
    """Twelve weeks from either."""
    one = stage.hospital()
    other = stage.hospital(lambda org: org is not one)
    hoard(stage, daily(stage), [(0, 3), (5, 3)], [one, other], "140104")
    stage.level = "yellow"


def for_resale(stage: Stage) -> None:
    """Of a drug that resellers seek."""
    hoard(stage, drug("ketosteril tablet"), [(0, 10), (2, 10), (5, 10)], [stage.store() for _ in range(3)])
    stage.level = "orange"


FAMILY = Family(
    name="drug_overstock",
    kind="fraud",
    wave=1,
    expect=("drug_overstock",),
    also=(
        *("cross_org_duplicate_drug", "multi_org_burst", "geo_time_conflict", "watch_drug_concentration"),
        *("frequent_visit", "quota_drain"),
    ),
    variants=(
        Variant(name="years", tell=years, days=11),
        Variant(name="half a year", tell=half_a_year, days=7),
        Variant(name="another month", tell=another_month, days=8),
        Variant(name="two hospitals", tell=two_hospitals, days=6),
        Variant(name="for resale", tell=for_resale, days=6),
    ),
)
