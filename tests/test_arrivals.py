"""Partitions that are fetched apart are handed on in the order of receipt, and nothing of them is lost on the way."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from detectors.case import at, swipe
from detectors.event import EVER, Swipe
from detectors.wire import Refused, canonical
from stream_app import arrivals as limits
from stream_app.arrivals import Arrival, Arrivals, Slice
from stream_app.transport import Batch

BEGIN = at("04 00:00")


@dataclass(frozen=True)
class Message:
    """One record of a partition. received: as far as anybody says, else its business time; None: it cannot be read."""

    offset: int
    value: bytes | None
    received: datetime | None
    key: bytes | None = None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class Told(NamedTuple):
    """What a clock may say, in minutes after BEGIN."""

    happened: int
    received: int | None


def message(offset: int, told: Told | bytes | None) -> Message:
    if not isinstance(told, Told):
        return Message(offset, told, None)
    happened = BEGIN + timedelta(minutes=told.happened)
    received = None if told.received is None else BEGIN + timedelta(minutes=told.received)
    event = swipe("04 00:00", event_id=f"e{offset}", org="P33020310315", received_at=received)
    return Message(offset, canonical(structs.replace(event, happened_at=happened)), received or happened)


minutes = st.integers(0, 60)
clocks = st.builds(lambda late, at: Told(at, at + late), minutes, minutes) | st.builds(Told, minutes, st.none())
told = clocks | clocks | clocks | st.just(b"not JSON") | st.none()
logs = st.lists(st.lists(told, min_size=1, max_size=25), min_size=1, max_size=4).map(
    lambda partitions: [[message(n, one) for n, one in enumerate(partition)] for partition in partitions]
)
Logs = Sequence[Sequence[Message]]


@dataclass
class Fetching:
    """Partitions being fetched, a piece at a time, and what was acknowledged of them."""

    logs: Logs
    arrivals: Arrivals = field(default_factory=Arrivals)
    next: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    acknowledged: list[tuple[int, int]] = field(default_factory=list)  # partition, last offset of the batch
    out: list[Arrival] = field(default_factory=list)

    def left(self) -> list[int]:
        """Partitions of which something is still to be fetched."""
        return [number for number, log in enumerate(self.logs) if self.next[number] < len(log)]

    def fetch(self, partition: int, size: int) -> None:
        log, first = self.logs[partition], self.next[partition]
        records = log[first : first + size]
        self.next[partition] += len(records)
        batch = Batch(topic="swipes", partition=partition, records=records, missing=0, end=len(log))
        self.arrivals.add(batch, lambda: self.acknowledged.append((partition, batch.last)))

    def take(self) -> Slice:
        taken = self.arrivals.take()
        self.out += taken.arrivals
        for acknowledge in taken.finished:
            acknowledge()
        return taken

    def take_all(self) -> None:
        while self.arrivals:
            assert self.take().arrivals, "something is in hand, and nothing comes"

    def handed_out(self, partition: int) -> list[int]:
        return [arrival.message.offset for arrival in self.out if arrival.partition == partition]


def fetched_somehow(logs: Logs, data: st.DataObject) -> Iterator[Fetching]:
    """Fetch pieces of whatever partition, and take whenever it pleases; yields after each step."""
    fetching = Fetching(logs)
    while left := fetching.left():
        if fetching.arrivals and data.draw(st.booleans(), label="take"):
            fetching.take()
        else:
            fetching.fetch(data.draw(st.sampled_from(left)), data.draw(st.integers(1, 8), label="size"))
        yield fetching
    fetching.take_all()
    yield fetching


@given(logs=logs, data=st.data())
def test_nothing_is_lost_or_comes_twice_and_each_partition_keeps_its_order(logs: Logs, data: st.DataObject) -> None:
    *_, fetching = fetched_somehow(logs, data)
    for partition, log in enumerate(logs):
        assert fetching.handed_out(partition) == [one.offset for one in log]


@given(logs=logs, data=st.data())
def test_a_batch_is_acknowledged_once_and_only_when_all_of_it_was_handed_out(logs: Logs, data: st.DataObject) -> None:
    for fetching in fetched_somehow(logs, data):
        assert len(set(fetching.acknowledged)) == len(fetching.acknowledged)
        for partition, last in fetching.acknowledged:
            assert last in fetching.handed_out(partition)
    for partition, log in enumerate(logs):
        offsets = [last for number, last in fetching.acknowledged if number == partition]
        assert offsets == sorted(offsets)
        assert offsets[-1] == len(log) - 1


@given(logs=logs, data=st.data())
def test_while_something_is_in_hand_something_comes(logs: Logs, data: st.DataObject) -> None:
    for fetching in fetched_somehow(logs, data):
        if fetching.arrivals:
            assert fetching.take().arrivals


@given(logs=logs, data=st.data())
def test_a_slice_is_in_order_of_receipt_and_tells_it(logs: Logs, data: st.DataObject) -> None:
    fetching = Fetching(logs)
    while left := fetching.left():
        fetching.fetch(data.draw(st.sampled_from(left)), data.draw(st.integers(1, 8)))
        received = [arrival.received for arrival in fetching.take().arrivals]
        assert received == sorted(received)
    fetching.take_all()
    for partition, log in enumerate(logs):
        told = [arrival.received for arrival in fetching.out if arrival.partition == partition]
        assert told == list(accumulate((one.received or EVER for one in log), max))


@given(logs=logs, data=st.data())
def test_whoever_waits_for_what_lags_gets_all_partitions_in_order_of_receipt(logs: Logs, data: st.DataObject) -> None:
    fetching = Fetching(logs)
    for partition in range(len(logs)):
        fetching.fetch(partition, data.draw(st.integers(1, 8)))
    while left := fetching.left():
        if fetching.arrivals and fetching.arrivals.complete():
            fetching.take()
        else:
            fetching.fetch(data.draw(st.sampled_from(left)), data.draw(st.integers(1, 8)))
    fetching.take_all()
    assert all(one.received <= other.received for one, other in pairwise(fetching.out))


@given(logs=logs, data=st.data())
def test_nothing_overtakes_what_a_lagging_partition_has_in_hand(logs: Logs, data: st.DataObject) -> None:
    assume(len(logs) > 1)
    fetching = Fetching(logs)
    for partition in range(len(logs)):
        fetching.fetch(partition, data.draw(st.integers(1, 8)))
    lagging = fetching.left()
    assume(lagging)
    fetching.take()
    first = {n: max((one.received or EVER for one in logs[n][: fetching.next[n]]), default=EVER) for n in lagging}
    assert all(arrival.received <= min(first.values()) for arrival in fetching.out)


def swipes(*minutes: int) -> list[Message]:
    return [message(n, Told(minute, minute)) for n, minute in enumerate(minutes)]


def test_a_partition_that_lags_is_waited_for() -> None:
    fetching = Fetching([swipes(1, 2, 30, 31), swipes(10, 20)])
    fetching.fetch(0, 2)
    fetching.fetch(1, 2)
    assert fetching.arrivals.complete()
    assert [one.received.minute for one in fetching.take().arrivals] == [1, 2]
    assert not fetching.arrivals.complete()
    fetching.fetch(0, 2)
    assert fetching.arrivals.complete()
    assert [one.received.minute for one in fetching.take().arrivals] == [10, 20, 30, 31]


def test_a_partition_that_is_behind_is_waited_for_though_nothing_of_it_has_come_yet() -> None:
    fetching = Fetching([swipes(1, 2), swipes(10, 20)])
    fetching.fetch(1, 2)
    behind = [("swipes", 0)]
    assert not fetching.arrivals.complete(behind)
    fetching.fetch(0, 2)
    assert fetching.arrivals.complete(behind)
    assert [one.received.minute for one in fetching.take().arrivals] == [1, 2, 10, 20]


def test_a_partition_that_lagged_and_went_to_another_worker_is_waited_for_no_longer() -> None:
    fetching = Fetching([swipes(1, 2), swipes(10)])
    fetching.fetch(0, 1)
    fetching.fetch(1, 1)
    fetching.take_all()
    assert not fetching.arrivals.complete()
    fetching.arrivals.keep_to({("swipes", 1)})
    assert fetching.arrivals.complete()


def test_a_partition_that_has_nothing_more_is_not_waited_for() -> None:
    fetching = Fetching([swipes(1), swipes(10, 20)])
    fetching.fetch(0, 1)
    fetching.fetch(1, 2)
    assert fetching.arrivals.complete()
    assert [one.received.minute for one in fetching.take().arrivals] == [1, 10, 20]
    assert not fetching.arrivals


def test_who_does_not_wait_gets_what_is_there() -> None:
    fetching = Fetching([swipes(1, 2, 3), swipes(10)])
    fetching.fetch(0, 1)
    fetching.fetch(1, 1)
    assert [one.received.minute for one in fetching.take().arrivals] == [1]
    assert [one.received.minute for one in fetching.take().arrivals] == [10]


def test_nobody_is_waited_for_once_too_much_is_in_hand() -> None:
    fetching = Fetching([swipes(1, 2), swipes(*range(limits.MOST_WAITING))])
    fetching.fetch(0, 1)
    fetching.take()
    assert not fetching.arrivals.complete()
    for _ in range(limits.MOST_WAITING):
        assert not fetching.arrivals.complete()
        fetching.fetch(1, 1)
    assert fetching.arrivals.complete()


def test_a_clock_that_goes_back_does_not_change_the_order_within_a_partition() -> None:
    fetching = Fetching([swipes(30, 5), swipes(10)])
    fetching.fetch(0, 2)
    fetching.fetch(1, 1)
    assert [(one.partition, one.message.offset) for one in fetching.take().arrivals] == [(1, 0), (0, 0), (0, 1)]


def test_a_slice_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "AT_ONCE", 3)
    fetching = Fetching([swipes(*range(7))])
    fetching.fetch(0, 7)
    assert [len(fetching.take().arrivals) for _ in range(3)] == [3, 3, 1]
    assert fetching.acknowledged == [(0, 6)]


def test_what_cannot_be_read_keeps_its_place_and_what_was_deleted_too() -> None:
    log = [message(0, Told(5, 5)), message(1, b"not JSON"), message(2, None), message(3, Told(6, 6))]
    fetching = Fetching([log])
    fetching.fetch(0, 4)
    rows = [arrival.row for arrival in fetching.take().arrivals]
    assert [type(row) for row in rows] == [Swipe, Refused, type(None), Swipe]
    assert isinstance(rows[1], Refused)
    assert rows[1].reason == "not_json"
