"""A shelf that looks empty, a box without a code, a prescription not yet known, and nothing wrong."""

from collections.abc import Iterable

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Pack
from replay.simulate.goods import ACUTE, CHRONIC, COUNTER, HERBS, Drug, drug
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.places import Org
from replay.simulate.stories.inventory_imbalance import (
    SELLING,
    TOLD_BY,
    a_few,
    counted,
    none_at_all,
    sell,
    small_store,
)
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, packs

UNCODED = 12  # bills of goods that have no code
SCANNED = 24  # bills, of which one box was not scanned


def delivered_late_on_paper(stage: Stage) -> None:
    """Thirty packs came in the morning; the record of it comes sixty hours later (X15)."""
    org, goods = _set(stage)
    at = stage.day * DAY + 8 * HOUR
    codes = stage.city.shelf(org, goods).add(org, goods, 30, at)
    stage.city.deliver(org, goods, codes, "purchase", at, at + 60 * HOUR)
    sell(stage, 24, stray=False)
    stage.absence, stage.notes = False, "24 packs sold while the record of the purchase was on its way, 60 h"


def nine_short(stage: Stage) -> None:
    """Three on the shelf, twelve sold: nine are missing, and ten would count."""
    sell(stage, 12)
    stage.absence, stage.notes = False, "9 packs short, where 10 are allowed"


def count_boxes(stage: Stage) -> Iterable[Event]:
    stage.goods = drug("ketosteril tablet")
    return counted(stage, small_store(stage), 3)


def by_the_tablet(stage: Stage) -> None:
    """Eight times two dozen tablets: two boxes and a bit, not 192 (拆零, X13)."""
    org, goods = _set(stage)
    people, code = stage.people(8, fits=lambda person: not person.drugs), ""
    for nth, person in enumerate(people):
        at = stage.at(9, 9, day=stage.day + nth // 2)
        if nth % 3 == 0:
            code = stage.city.take(org, goods, 1, at)[0]
        stage.buy(person, org, at, [Pack(drug=goods, cnt=24, loose=True, codes=[code])])
    stage.subject = Named("drug", f"{org.code}/{goods.code}")
    stage.ids = [stage.subject.id, goods.code]
    stage.notes = "192 tablets of three boxes of 84"


def list_old_stock(stage: Stage) -> Iterable[Event]:
    """What a store bought before there were codes is on the bureau's list (X14)."""
    org = stage.alone(lambda org: org.kind == "pharmacy" and not org.tags and not org.uncoded, 0)
    stage.place, stage.goods = org, stage.chance.choice(COUNTER)
    org.uncoded = frozenset({stage.goods.number})
    return ()


def old_stock(stage: Stage) -> None:
    """And herbal slices, which have no codes at all."""
    org, goods = _set(stage)
    for person in stage.people(UNCODED):
        stage.buy(person, org, stage.at(9, 10), [*packs(goods), *packs(stage.chance.choice(HERBS))])
    stage.subject = Named("org", org.code)
    stage.notes = f"{UNCODED} bills of old stock and herbal slices without codes, all on the list"


def one_not_scanned(stage: Stage) -> None:
    """One box in two dozen; one in ten would count."""
    org = stage.alone(lambda org: org.kind == "pharmacy" and not org.tags and not org.uncoded)
    for nth, person in enumerate(stage.people(SCANNED)):
        remedy, at = stage.chance.choice(COUNTER), stage.at(9, 10)
        codes = stage.city.take(org, remedy, 1, at)
        stage.buy(person, org, at, [Pack(drug=remedy, codes=codes if nth else [])])
    stage.subject = Named("org", org.code)
    stage.notes = f"1 of {SCANNED} boxes without a code"


def on_paper(stage: Stage) -> None:
    """Written by hand, and keyed in sixty hours later (X15)."""
    org = stage.store()
    for person in stage.people(4):
        bought, at = [Pack(drug=stage.chance.choice(ACUTE))], stage.at(10, 8)
        stage.prescribe(person, bought, at - 40 * MINUTE, late=60 * HOUR)
        stage.buy(person, org, at, bought)
    stage.subject = Named("org", org.code)
    stage.notes = "four prescriptions on paper, uploaded 60 h later"


def one_drug_at_a_time(stage: Stage) -> None:
    """Two drugs on one prescription, one fetched today, the other in two days."""
    person, org = stage.person(fits=lambda person: not person.drugs), stage.store()
    both = [Pack(drug=remedy) for remedy in stage.chance.sample(CHRONIC, 2)]
    at = stage.at(10, 6)
    stage.prescribe(person, both, at - 40 * MINUTE)
    for nth, pack in enumerate(both):
        stage.buy(person, org, at + nth * 2 * DAY, [pack])
    stage.ids = [org.code]
    stage.notes = "two drugs of one prescription, bought on two days"


def _set(stage: Stage) -> tuple[Org, Drug]:
    if stage.place is None or stage.goods is None:
        raise NoActorsError(stage.family.name)
    return stage.place, stage.goods


FAMILIES = (
    Family(
        name="x13_loose_tablets",
        kind="decoy",
        exclusion="X13",
        forbid=("inventory_imbalance", "trace_code_repeat", "drug_overstock", "rx_missing_or_forged"),
        variants=(Variant(name="two dozen", tell=by_the_tablet, days=SELLING + TOLD_BY, prepare=count_boxes),),
    ),
    Family(
        name="x14_goods_without_codes",
        kind="decoy",
        exclusion="X14",
        forbid=("trace_code_repeat", "upload_gap", "inventory_imbalance"),
        variants=(Variant(name="old stock", tell=old_stock, days=2, prepare=list_old_stock),),
    ),
    Family(
        name="x15_late_purchase_record",
        kind="decoy",
        exclusion="X15",
        forbid=("inventory_imbalance",),
        also=("upload_gap",),
        variants=(
            Variant(
                name="sixty hours", tell=delivered_late_on_paper, days=SELLING + TOLD_BY, after=1, prepare=none_at_all
            ),
        ),
    ),
    Family(
        name="x15_prescriptions_on_paper",
        kind="decoy",
        exclusion="X15",
        forbid=("rx_missing_or_forged",),
        variants=(Variant(name="keyed later", tell=on_paper, days=5),),
    ),
    Family(
        name="near_inventory",
        kind="decoy",
        exclusion="near",
        forbid=("inventory_imbalance",),
        variants=(Variant(name="nine short", tell=nine_short, days=SELLING + TOLD_BY, prepare=a_few),),
    ),
    Family(
        name="near_prescription",
        kind="decoy",
        exclusion="near",
        forbid=("rx_missing_or_forged", "drug_overstock"),
        variants=(Variant(name="one at a time", tell=one_drug_at_a_time, days=3),),
    ),
    Family(
        name="near_upload",
        kind="decoy",
        exclusion="near",
        forbid=("upload_gap",),
        variants=(Variant(name="not scanned", tell=one_not_scanned, days=2),),
    ),
)
