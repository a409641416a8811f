"""Prescriptions and what was settled on them (处方流转)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from detectors.event import Line, Prescription, Sale, Settlement
from detectors.file import File
from detectors.ledger import RX, is_goods
from detectors.month import month_of
from detectors.unit import DAY, Link, Touched

LATEST = 8 * DAY  # later than 7 days no bill is taken (readings 1)
EARLIER = 30 * DAY  # before the month of a store: where the first use may lie; domain.md B5 looks back so far


class Use(NamedTuple):
    """The lines of a bill that name one prescription, refund rows among them."""

    bill: Settlement
    lines: Sequence[Line]

    @property
    def at(self) -> datetime:
        return self.bill.happened_at

    @property
    def person(self) -> str:
        return self.bill.person

    @property
    def items(self) -> frozenset[str]:
        """What was handed out."""
        return frozenset(line.item for line in self.lines if line.count > 0)


def uses(bills: Iterable[Settlement], rx: str) -> list[Use]:
    """Of the prescription of this number, in the order of the bills."""
    found = (Use(bill, [line for line in bill.lines if line.rx == rx]) for bill in bills)
    return [use for use in found if use.lines]


def used_again(uses: Sequence[Use], scripts: Sequence[Prescription]) -> list[Use]:
    """Of the uses of one number, oldest first, those by somebody whom it was not prescribed to, or of a drug that the
    same person had settled on it before. Where no prescription is known, it is the first user's.

    A long prescription is handed out in parts (X05).
    """
    owners = {script.person for script in scripts} or {use.person for use in uses[:1]}
    in_parts = {script.person for script in scripts if script.long_term}
    return [
        use
        for n, use in enumerate(uses)
        if use.items and (use.person not in owners or (use.person not in in_parts and had_before(use, uses[:n])))
    ]


def had_before(use: Use, earlier: Sequence[Use]) -> bool:
    """Any of its drugs, and it was not refunded since."""
    before = [line for other in earlier if other.person == use.person for line in other.lines]
    return any(sum((ln.count for ln in before if ln.item == item), Decimal(0)) > 0 for item in use.items)


def known_within(scripts: Iterable[Prescription], use: Use, limit: timedelta) -> bool:
    """Is any of them in the circulation centre so soon after the use? One that does not say when it came counts."""
    return any(script.received_at is None or script.received_at - use.at <= limit for script in scripts)


def naming_no_rx(lines: Iterable[Line]) -> list[Line]:
    """Of these the goods handed out for which no prescription is named."""
    return [line for line in lines if not line.rx and line.count > 0 and is_goods(line)]


def rx_told_by_sale(bill: Settlement, sales: Iterable[Sale]) -> frozenset[str]:
    """The items for which the record of the same dispensing names one."""
    return frozenset(sale.item for sale in sales if sale.rx and sale.bill == bill.bill and sale.org == bill.org)


def by_number(bills: Iterable[Settlement]) -> dict[str, list[Settlement]]:
    found: dict[str, list[Settlement]] = defaultdict(list)
    for bill in bills:
        for rx in dict.fromkeys(line.rx for line in bill.lines if line.rx):
            found[rx].append(bill)
    return found


def used_at(script: Prescription, number: File, now: datetime) -> Iterator[Touched]:
    """A prescription tells whose the number is, whose hand, and whether it is handed out in parts."""
    for bill in number.kinds.get(Settlement, ()):
        month, until = month_of(bill.happened_at), min(now, bill.happened_at + EARLIER)
        yield Touched(bill.org, month.name)
        while month.to is not None and month.to <= until:
            month = month_of(month.to)
            yield Touched(bill.org, month.name)


# the bills of a number at the store itself are the store's own: their arrival touches it without being led here
SCRIPTS: Link[Any] = Link(
    ledger=RX, reads=frozenset({Prescription, Settlement}), led_by=frozenset({Prescription}), units=used_at
)
