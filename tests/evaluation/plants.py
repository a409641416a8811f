"""Strange days that no rule describes, planted into the settlements of a made-up city.

Each family changes bills of one pharmacy, or adds bills of one person, on some days; and names the features in which it
lives, so that an explanation can be judged. They were written before the model was first scored on them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

Bill = dict[str, Any]  # a settlement as it is on the wire
CHINA = "+08:00"
LEAST_BILLS = 3  # of a day that is made strange; stores of these small cities have two on most days


class Planted(NamedTuple):
    """One case. lives_in: the features of which one must be among the first that an explanation names."""

    family: str
    entity: str
    who: str
    days: tuple[date, ...]
    lives_in: frozenset[str]


@dataclass
class Town:
    """Settlements at pharmacies by store and by person, to be changed in place; ``added`` goes with them."""

    bills: Sequence[Bill]
    dice: Random
    added: list[Bill]

    def __post_init__(self) -> None:
        self.at: dict[tuple[str, date], list[Bill]] = defaultdict(list)
        self.regulars: dict[str, set[str]] = defaultdict(set)
        self.persons: set[str] = set()
        for bill in self.bills:
            self.persons.add(bill["psn_no"])
            if bill["fixmedins_code"].startswith("P"):
                self.at[bill["fixmedins_code"], when(bill).date()].append(bill)
                self.regulars[bill["fixmedins_code"]].add(bill["psn_no"])

    def busy(self, store: str, days: Sequence[date]) -> list[date]:
        """Those on which it has so many bills that something can be done with them."""
        return [day for day in days if len(self.at[store, day]) >= LEAST_BILLS]

    def add(self, like: Bill, *, person: str, at: datetime, store: str | None = None, factor: float = 1.0) -> Bill:
        """Another bill of the same goods."""
        bill = deepcopy(like)
        name = f"{self.dice.getrandbits(56):014x}"
        bill |= {"event_id": f"e{name}", "setl_id": f"s{name}", "mdtrt_id": f"m{name}", "psn_no": person}
        bill |= {"biz_time": told(at), "recv_time": told(at + timedelta(seconds=2))}
        if store is not None:
            bill |= {"fixmedins_code": store, "dev_no": f"T{store[-6:]}"}
        for n, line in enumerate(bill.get("lines", ())):
            line |= {"feedetl_sn": f"f{name}{n}", "drug_trac_codg": [], "rxno": f"r{name}{n}"}
        self.added.append(scaled(bill, factor))
        return bill


def when(bill: Bill) -> datetime:
    return datetime.fromisoformat(bill["biz_time"])


def told(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def scaled(bill: Bill, factor: float) -> Bill:
    for name in ("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay"):
        if name in bill:
            bill[name] = f"{round(float(bill[name]) * factor, 2):.2f}"
    return bill


def night_bills(town: Town, store: str, days: Sequence[date]) -> None:
    """A part of the bills is settled behind closed shutters."""
    for day in days:
        for bill in town.at[store, day]:
            if town.dice.random() < 0.35:
                at = datetime.fromisoformat(f"{day}T22:10:00{CHINA}") + town.dice.random() * timedelta(minutes=100)
                bill |= {"biz_time": told(at), "recv_time": told(at + timedelta(seconds=2))}


def same_amount(town: Town, store: str, days: Sequence[date]) -> None:
    """Bills are rounded up to what a gift card costs."""
    for day in days:
        for bill in town.at[store, day]:
            if town.dice.random() < 0.7:
                bill |= {"medfee_sumamt": "99.00", "fund_pay_sumamt": "49.50", "acct_pay": "49.50"}


def dearer(town: Town, store: str, days: Sequence[date]) -> None:
    """Everything is billed at more than twice the price."""
    for day in days:
        for bill in town.at[store, day]:
            scaled(bill, 2.4)


def accounts_only(town: Town, store: str, days: Sequence[date]) -> None:
    """Personal accounts are emptied for goods that are no drugs."""
    for day in days:
        for bill in town.at[store, day]:
            bill |= {"fund_pay_sumamt": "0.00", "acct_pay": bill["medfee_sumamt"], "psn_cash_pay": "0.00"}


def strangers(town: Town, store: str, days: Sequence[date]) -> None:
    """Cards collected in a village, used one by one over the day."""
    others = sorted(town.persons - town.regulars[store])
    for day in days:
        for n in range(10):
            like = town.dice.choice(town.at[store, day])
            at = datetime.fromisoformat(f"{day}T09:00:00{CHINA}") + n * timedelta(minutes=61)
            town.add(like, person=town.dice.choice(others), at=at, store=store)


def one_item(town: Town, store: str, days: Sequence[date]) -> None:
    """Whatever was handed over, the same drug is billed."""
    for day in days:
        line = next(line for bill in town.at[store, day] for line in bill.get("lines", ()))
        for bill in town.at[store, day]:
            for own in bill.get("lines", ()):
                own |= {"med_list_codg": line["med_list_codg"]}


def round_trip(town: Town, person: str, days: Sequence[date]) -> None:
    """A day from pharmacy to pharmacy, something else at each."""
    stores = sorted(town.regulars)
    for day in days:
        for n, store in enumerate(town.dice.sample(stores, min(4, len(stores)))):
            like = town.dice.choice([b for (s, d), bills in town.at.items() if s == store for b in bills])
            at = datetime.fromisoformat(f"{day}T08:30:00{CHINA}") + n * timedelta(minutes=150)
            town.add(like, person=person, at=at, store=store)


def every_day(town: Town, person: str, days: Sequence[date]) -> None:
    """A small bill every day at the same store."""
    store = town.dice.choice(sorted(town.regulars))
    bills = [b for (s, _), among in town.at.items() if s == store for b in among]
    for day in days:
        at = datetime.fromisoformat(f"{day}T10:00:00{CHINA}") + town.dice.random() * timedelta(hours=8)
        town.add(town.dice.choice(bills), person=person, at=at, store=store)


def big_day(town: Town, person: str, days: Sequence[date]) -> None:
    """Two very large bills at one counter."""
    store = town.dice.choice(sorted(town.regulars))
    bills = [b for (s, _), among in town.at.items() if s == store for b in among]
    for day in days:
        for n in range(2):
            at = datetime.fromisoformat(f"{day}T11:00:00{CHINA}") + n * timedelta(hours=3)
            like = town.dice.choice(bills)
            town.add(like, person=person, at=at, store=store, factor=700 / max(float(like["medfee_sumamt"]), 1))


Story = Callable[[Town, str, Sequence[date]], None]
AMOUNTS = frozenset(
    f"pharmacy_{name}" for name in ("mean_bill", "high_bill", "largest_bill", "per_person", "amount", "fund")
)
OF_PHARMACIES: dict[str, tuple[Story, int, frozenset[str]]] = {
    "night_bills": (night_bills, 3, frozenset({"pharmacy_night"})),
    "same_amount": (same_amount, 3, frozenset({"pharmacy_same_amount", "pharmacy_even_amounts"})),
    "dearer": (dearer, 5, AMOUNTS),
    "accounts_only": (accounts_only, 4, frozenset({"pharmacy_account_share"})),
    "strangers": (
        strangers,
        2,
        frozenset({"pharmacy_new", "pharmacy_bills", "pharmacy_persons", "pharmacy_amount", "pharmacy_fund"}),
    ),
    "one_item": (one_item, 4, frozenset({"pharmacy_top_item"})),
}
OF_PERSONS: dict[str, tuple[Story, int, frozenset[str]]] = {
    "round_trip": (
        round_trip,
        1,
        frozenset({"person_orgs_day", "person_bills_day", "person_items_day", "person_orgs_month"}),
    ),
    "every_day": (
        every_day,
        9,
        frozenset({"person_days_month", "person_bills_month", "person_bills_week"}),
    ),
    "big_day": (
        big_day,
        1,
        frozenset({"person_amount_day", "person_largest_bill", "person_fund_day", "person_account_day"}),
    ),
}


def plant(
    bills: Sequence[Bill], days: Sequence[date], dice: Random, cases: int, taken: Collection[str]
) -> tuple[list[Bill], list[Planted]]:
    """So many cases of each family, on some of these days. Returns the bills to be added, and what was planted.

    taken: persons and pharmacies that have a story already.
    """
    town = Town(bills, dice, [])
    planted: list[Planted] = []
    taken = set(taken)
    for family, (story, length, features) in OF_PHARMACIES.items():
        for _ in range(cases):
            free = [one for one in sorted(town.regulars) if one not in taken and len(town.busy(one, days)) >= length]
            if free:
                who = dice.choice(free)
                taken.add(who)
                span = tuple(sorted(dice.sample(town.busy(who, days), length)))
                story(town, who, span)
                planted.append(Planted(family, "pharmacy", who, span, features))
    people = sorted(town.persons)
    for family, (story, length, features) in OF_PERSONS.items():
        for _ in range(2 * cases):
            first = dice.randrange(len(days) - length + 1)
            span = tuple(days[first : first + length])
            who = dice.choice([one for one in people if one not in taken])
            taken.add(who)
            story(town, who, span)
            planted.append(Planted(family, "person", who, span, features))
    return town.added, planted
