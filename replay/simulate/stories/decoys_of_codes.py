"""A trace code seen twice, and nothing wrong: it came back in between, or the box was opened."""

from collections.abc import Callable

from replay.simulate.clock import HOUR
from replay.simulate.desk import Bill, Pack, hand_out, take_back
from replay.simulate.goods import CHRONIC, drug
from replay.simulate.stories.story import Family, Stage, Variant
from replay.simulate.stories.trace_code_repeat import about_the_code


def reversed_with_goods(stage: Stage) -> None:
    _again(stage, lambda bill: take_back(stage.city, bill, bill.at + 2 * HOUR))
    stage.notes = "bill reversed, box sold to the next customer"


def reversed_on_paper(stage: Stage) -> None:
    _again(stage, lambda bill: take_back(stage.city, bill, bill.at + 2 * HOUR, with_goods=False))
    stage.notes = "bill reversed, box sold to the next customer (reversal only, no 3506 record)"


def returned(stage: Stage) -> None:
    """The goods come back to the counter, and are sold to somebody else the next day."""

    def goods_back(bill: Bill) -> list[str]:
        return [hand_out(stage.city, bill, pack, taken, bill.at + 2 * HOUR, "return") for pack, taken in bill.goods]

    _again(stage, goods_back)
    stage.notes = "returned (3506), then sold again"


def _again(stage: Stage, back: Callable[[Bill], list[str]]) -> None:
    first, second = stage.people(2)
    org, box = stage.store(), stage.chance.choice(CHRONIC)
    at = stage.at(9, 6)
    codes = stage.city.take(org, box, 1, at)
    bill = stage.buy(first, org, at, [Pack(drug=box, codes=codes)])
    stage.aliases.update(dict.fromkeys(back(bill), bill.event_id))
    stage.buy(second, org, stage.at(9, 9, day=stage.day + 1), [Pack(drug=box, codes=codes)])
    about_the_code(stage, codes[0])


def opened_box(stage: Stage) -> None:
    """Ten tablets each to three people out of a box of thirty (拆零, X13)."""
    box = drug("vitamin c tablet")
    org = stage.store(lambda org: box.number not in org.uncoded)
    people = stage.people(3)
    codes = stage.city.take(org, box, 1, stage.at(9))
    for nth, person in enumerate(people):
        at = stage.at(9, 9, day=stage.day + nth)
        stage.buy(person, org, at, [Pack(drug=box, cnt=10, loose=True, codes=codes)])
    about_the_code(stage, codes[0])
    stage.notes = "10 tablets three times from a box of 30"


FAMILIES = (
    Family(
        name="x01_code_sold_back_and_sold",
        kind="decoy",
        exclusion="X01",
        forbid=(
            *("trace_code_repeat", "trace_code_path_conflict", "inventory_imbalance"),
            *("empty_swipe_reverse", "rx_missing_or_forged"),
        ),
        variants=(
            Variant(name="with goods", tell=reversed_with_goods, days=2),
            Variant(name="on paper", tell=reversed_on_paper, days=2),
        ),
    ),
    Family(
        name="x13_returned_then_resold",
        kind="decoy",
        exclusion="X13",
        forbid=("trace_code_repeat", "trace_code_path_conflict", "inventory_imbalance", "empty_swipe_reverse"),
        variants=(Variant(name="returned", tell=returned, days=2),),
    ),
    Family(
        name="x13_opened_box",
        kind="decoy",
        exclusion="X13",
        forbid=("trace_code_repeat", "inventory_imbalance", "drug_overstock"),
        variants=(Variant(name="opened box", tell=opened_box, days=3),),
    ),
)
