"""When an institution's feed was silent, so that nobody takes what was not uploaded for what did not happen (F1).

A detector that judges an absence (no purchase, no service) does four things:

1. names FEED_OF_STAYS or FEED_OF_GOODS among its ``links``;
2. asks ``silences_of(unit, link, "ORG/inv", until)`` for the silences up to ``until``, a moment at least SETTLED
   behind ``unit.now``: what is told later than that leads nobody back. Or ``log_of_feed(unit, link, "ORG/fee")``,
   where it can wait until the feed has spoken again after the time in question;
3. leaves out what ``overlaps`` one of them;
4. shows ``muted(silences, "inv")`` among its exclusions, with the silences that it left something out for.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, Final, NamedTuple

from detectors.event import EVER, NEVER, Admission, Beat, Fee, Inventory, Kind, OnShelf, Order, day_of
from detectors.exclusions import applied, not_applicable
from detectors.file import File
from detectors.finding import Exclusion
from detectors.ledger import FEED
from detectors.month import month_of
from detectors.unit import DAY, HOUR, Link, Touched, Unit
from detectors.wording import clock, day_en, day_zh

HISTORY = 28  # days that make a habit; readings 6, F1
EXPECTED = 10  # of them with an upload; of fewer known days: half; readings 6, F1
PATIENCE = 3  # median gaps without an upload; readings 6, F1
LEAST = DAY  # however often it usually speaks; readings 6, F1
FEW = 3  # days of use before anything is expected: one stock-taking is no habit; ours
ON_SHELF = 100 * DAY  # after it was last told of, and somewhat more: ours
SETTLED: Final = 2 * DAY  # an upload younger than this changes no verdict that asks as it should; ours
BEAT: Kind = Beat  # for Unit.rows and Unit.look, which else take events of the wire only

NAMES = {
    "setl": ("结算", "settlement"),
    "fee": ("费用明细", "charge"),
    "inv": ("进销存", "stock"),
    "sale": ("销售", "sale"),
    "presence": ("在床核验", "bedside check"),
    "order": ("医嘱", "order"),
}


class Silence(NamedTuple):
    """Nothing was told from ``since`` until ``to``. ``to``: the next upload, or the moment asked for if none came."""

    since: datetime
    to: datetime

    @property
    def over(self) -> timedelta:
        return self.to - self.since


def silences(beats: Sequence[Beat], until: datetime) -> list[Silence]:
    """The silences of one feed, oldest first. ``beats``: all that is known of it, oldest first.

    A beat says that something was told within its hour: the silence begins when the hour is over.
    """
    found: list[Silence] = []
    for n, beat in enumerate(beats):
        since = beat.happened_at + HOUR
        to = min(beats[n + 1].happened_at, until) if n + 1 < len(beats) else until
        if to - since >= LEAST and (wait := patience(beats[: n + 1])) is not None and to - since >= wait:
            found.append(Silence(since, to))
    return found


def patience(beats: Sequence[Beat]) -> timedelta | None:
    """How long after the last of these a feed counts as silent; None where nothing more is expected of it.

    ``beats``: not empty, oldest first.
    """
    last = day_of(beats[-1].happened_at)
    habit = [beat.happened_at for beat in beats if day_of(beat.happened_at) > last - HISTORY * DAY]
    used = len({day_of(moment) for moment in habit})
    known = (last - day_of(beats[0].happened_at)).days + 1
    if used < FEW or used < (EXPECTED if known >= HISTORY else known / 2):
        return None
    gaps = [(after - before) / HOUR for before, after in pairwise(habit)]
    return max(LEAST, PATIENCE * median(gaps) * HOUR)


def silences_of(unit: Unit, link: Link[Any], feed: str, until: datetime) -> list[Silence]:
    """Of the feed ``org/interface``, by what was told before ``until``, which is no later than ``unit.now - SETTLED``.

    ``link``: FEED_OF_STAYS or FEED_OF_GOODS, named among the detector's links.
    """
    return silences(unit.look(link, BEAT, feed, until=until), until)


class FeedLog(NamedTuple):
    """When a feed spoke, and was silent between: from its first known upload to its last, ``to``."""

    since: datetime
    to: datetime
    silences: Sequence[Silence]

    def covers(self, moment: datetime) -> bool:
        """Did the feed speak before and after it? If not, what is missing there may yet be told."""
        return self.since <= moment <= self.to


def log_of_feed(unit: Unit, link: Link[Any], feed: str) -> FeedLog | None:
    """All that can be said of a feed by now, but for its last days (SETTLED); None if it never spoke.

    For who judges a stretch of time only after the feed spoke again: what it was silent over is then settled for good.
    """
    beats = unit.look(link, BEAT, feed, until=unit.now - SETTLED)
    if not beats:
        return None
    last: datetime = beats[-1].happened_at
    return FeedLog(beats[0].happened_at, last, silences(beats, last))


def overlaps(found: Iterable[Silence], since: datetime, to: datetime) -> list[Silence]:
    """Those that share some time with [since, to]."""
    return [silence for silence in found if silence.since < to and since < silence.to]


def muted(found: Sequence[Silence], interface: str) -> Exclusion:
    """F1: nothing is said of the time while the feed was silent. ``found``: the silences that kept something out."""
    zh, en = NAMES[interface]
    if not found:
        return not_applicable("F1", f"所述时间{zh}数据没有中断", f"the {en} feed was not silent at the time")
    spans_zh = "、".join(f"{_moment_zh(one.since)}至{_moment_zh(one.to)}" for one in found)
    spans_en = ", ".join(f"{_moment_en(one.since)} to {_moment_en(one.to)}" for one in found)
    return applied(
        "F1", f"{zh}数据{spans_zh}中断，其间不作判断", f"the {en} feed was silent {spans_en}: nothing is said of it"
    )


def _moment_zh(moment: datetime) -> str:
    return f"{day_zh(moment)}{clock(moment)}"


def _moment_en(moment: datetime) -> str:
    return f"{day_en(moment)} {clock(moment)}"


def stays_concerned(arrival: Fee | Order, feed: File, now: datetime) -> Iterator[Touched]:
    """The stays of the institution, when a charge or an order comes so late that a silence may have been judged."""
    if is_late(arrival, now):
        for stay in feed.kinds.get(Admission, ()):
            yield Touched(f"{stay.org}/{stay.visit}")


def goods_concerned(arrival: Inventory, feed: File, now: datetime) -> Iterator[Touched]:
    """The goods of the institution, in every month since the feed last spoke, when a movement comes so late.

    Those that were told of in the months before, too: what lies there is handed out without the feed.
    """
    if is_late(arrival, now):
        before = feed.rows(BEAT, EVER, arrival.happened_at - HOUR)
        month = month_of(before[-1].happened_at if before else arrival.happened_at)
        items = dict.fromkeys(shelf.event_id for shelf in feed.rows(OnShelf, month.since - ON_SHELF, NEVER))
        while True:
            for item in items:
                yield Touched(f"{arrival.org}/{item}", month.name)
            if month.to is None or month.to > now:
                return
            month = month_of(month.to)


def is_late(arrival: Fee | Order | Inventory, now: datetime) -> bool:
    """Could its hour begin before a moment that was asked for?"""
    return now - arrival.happened_at >= SETTLED - HOUR


# org/fee, org/order
FEED_OF_STAYS = Link(ledger=FEED, reads=frozenset({BEAT}), led_by=frozenset({Fee, Order}), units=stays_concerned)
# org/inv; cells: months
FEED_OF_GOODS = Link(ledger=FEED, reads=frozenset({BEAT}), led_by=frozenset({Inventory}), units=goods_concerned)
