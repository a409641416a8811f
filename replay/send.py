"""Sends recordings to Kafka: in their order, at their pace, byte for byte, and not one line less.

Messages carry no time of their own: retention deletes by a message's time, and old recordings would vanish.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, repeat
from time import monotonic, sleep
from typing import NamedTuple, TypeVar

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from msgspec import Struct

from detectors.event import CHINA, Record, Reference
from detectors.wire import LONGEST, Refused, quarantined, read
from replay.lag import QUIET, Group, Offsets, Patience, UnreachableError
from replay.recording import Line, lines

SWIPES, CLAIMS, STOCK, REFERENCE = INPUT = ("swipes", "claims", "stock", "reference")
QUARANTINE, VERDICTS = "quarantine", "verdicts"
TOPIC_OF = {"swipe": SWIPES, "inv": STOCK, "sale": STOCK}  # every other event is a claim

MOST_BEHIND = 50_000  # messages: then the sender holds back
ALONE, STUCK = timedelta(minutes=2), timedelta(minutes=10)
AT_ONCE = 5_000  # messages between two looks at the lag
GLANCE = 0.2  # seconds between two looks while waiting
FOR_EVER = 0  # message.timeout.ms
POLL_EVERY = 100  # messages
FIRST_CONTACT = timedelta(seconds=30)  # once reached, a broker may be away for ever
UNKNOWN = timedelta(minutes=1)  # so long a topic may be missing
_HOPELESS = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,
    KafkaError.TOPIC_EXCEPTION,
}
_AWAY = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
_UNKNOWN = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}

T = TypeVar("T")


Connection = Mapping[str, str | int | float | bool]  # librdkafka's names for where and as whom to connect


class SendError(RuntimeError):
    """Kafka refuses what no retry can mend."""


class Envelope(NamedTuple):
    """Where a line goes. at: when it arrived, as far as it says; None for reference records, which go at once."""

    topic: str
    key: bytes
    at: datetime | None
    is_reference: bool = False


class _Address(Struct):
    event_type: str = ""
    psn_no: str | None = None
    fixmedins_code: str | None = None
    recv_time: str | None = None
    biz_time: str | None = None


_address = msgspec.json.Decoder(_Address).decode


def envelope(raw: bytes) -> Envelope:
    """The topic by its type, the key by its person, else its institution.

    What cannot be read goes to ``claims`` all the same, where a worker quarantines it; never to ``reference``, where
    compaction would put it in the place of a sound record.
    """
    try:
        told = _address(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Envelope(CLAIMS, b"unreadable", None)
    key = (told.psn_no or told.fixmedins_code or "unreadable").encode()
    if not told.event_type.startswith("ref."):
        return Envelope(TOPIC_OF.get(told.event_type, CLAIMS), key, _moment(told.recv_time or told.biz_time))
    try:
        record = read(raw)
    except Refused:
        return Envelope(CLAIMS, key, None)
    assert isinstance(record, Record)
    return Envelope(REFERENCE, reference_key(record), None, is_reference=True)


def reference_key(record: Reference) -> bytes:
    """Kind, subject and valid_from, so that compaction keeps every version: person/p10875efd/2025-05-06T00:00:00+08:00.

    What may hold beside others of its subject (an exception, a day's entry) names itself too.
    The time in +08:00, however it was written: two tellings of one version share a key.
    """
    kind = str(type(record).__struct_config__.tag).removeprefix("ref.")
    about = f"{record.subject}/{record.edition}" if record.edition else record.subject
    return f"{kind}/{about}/{record.valid_from.astimezone(CHINA).isoformat()}".encode()


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


class Sent(Struct):
    """What ``send --json`` prints. unreadable: too long for a topic, and so quarantined at once."""

    sent: int
    unreadable: int
    by_topic: dict[str, int]
    seconds: float
    per_second: float
    settled: bool  # judged, and the alerts stored


@dataclass(slots=True)
class Tally:
    """How far it is. doing: in words, for people; delivered: confirmed by Kafka."""

    file: str = ""
    line: int = 0
    sent: int = 0
    unreadable: int = 0
    delivered: int = 0
    doing: str = ""
    by_topic: Counter[str] = field(default_factory=Counter)


class Sender:
    """Sends lines to Kafka, each at least once, in order within a key, never dropping any.

    speed: recorded time over real time; None for as fast as it goes. most_behind: the lag of the group from which on
    it holds back; None: send though nobody reads. show: called several times a second, also while it waits.
    """

    def __init__(
        self,
        kafka: Connection,
        group: str,
        *,
        speed: float | None = None,
        most_behind: int | None = MOST_BEHIND,
        show: Callable[[Tally], None] = lambda tally: None,
    ) -> None:
        self.tally = Tally()
        self.group = Group(kafka, group)
        self._config = dict(kafka)
        self._speed, self._most_behind, self._show = speed, most_behind, show
        self._started: tuple[datetime, float] | None = None  # when the first line arrived, and when it was sent
        self._allowance = 0
        self._told_reference = False  # sent, and perhaps not read yet
        self._shown = 0.0
        self._away: datetime | None = None  # since when Kafka cannot be reached
        self._failed: deque[Message] = deque()
        self._unknown_since: float | None = None
        self._given_up = False  # the producer has met what it cannot mend by itself
        self._hopeless: SendError | None = None
        self._interrupted = False
        self._producer = self._fresh()

    def connect(self) -> None:
        """Meet the broker, and its topics. Raises UnreachableError, SendError."""
        began, where = monotonic(), self._config.get("bootstrap.servers")
        missing: set[str] | None = None
        while missing is None:
            self._tell(f"looking for Kafka at {where}")
            try:
                missing = {*INPUT, QUARANTINE} - self.group.topics(within=1.0)
            except KafkaException as error:
                self._on_error(error.args[0])
                self._away = None  # it has not been met yet
                if monotonic() - began > FIRST_CONTACT.total_seconds():
                    raise UnreachableError(f"Kafka cannot be reached at {where}; is it running?") from None
            self._producer.poll(0)  # it is the one that hears of a wrong password
            self._again()
        if missing:
            raise SendError(f"no such topics: {', '.join(sorted(missing))}; create them with: fundwatch topics")

    def send(self, recordings: Iterable[str]) -> Tally:
        """One recording after the other; returns when Kafka has them all.

        Raises RecordingError (what came before is sent), UnreachableError, SendError, TimeoutError.
        """
        for name in recordings:
            self.tally.file = name
            for line in lines(name):
                self.put(line)
        self.flush()
        return self.tally

    def put(self, line: Line) -> None:
        """One line, when its time has come and there is room for it."""
        self.tally.line = line.number
        if len(line.raw) > LONGEST:
            self._quarantine(line)
            return
        to = envelope(line.raw)
        if to.is_reference:
            self._told_reference = True
        elif self._told_reference:
            self._await_reference()
        if to.at is not None and self._speed is not None:
            self._await_time(to.at, self._speed)
        if self._most_behind is not None and self._allowance <= 0:
            self._await_room(self._most_behind)
        self._allowance -= 1
        self._produce(to.topic, to.key, line.raw)
        self.tally.sent += 1
        self.tally.by_topic[to.topic] += 1

    def flush(self) -> None:
        """Wait until Kafka has confirmed everything, however long that takes."""
        while self._failed or len(self._producer):
            self._producer.flush(GLANCE)
            self._again()
            self._tell(f"{len(self._producer):,} lines are on their way")

    def settle(self, nothing_due: Callable[[], bool], timeout: timedelta) -> None:
        """Wait until everything sent is judged and its alerts are stored.

        nothing_due: whether no unit waits to be judged again. Raises TimeoutError, UnreachableError, SendError.
        """
        deadline = monotonic() + timeout.total_seconds()
        self.flush()
        self._await_group(self._ends(INPUT), "waiting for the workers to judge", deadline)
        self._poll(lambda: 0 if nothing_due() else 1, "waiting for what is due to be judged again", deadline)
        self._await_group(self._ends((VERDICTS,)), "waiting for the alerts to be stored", deadline)

    def interrupt(self) -> None:
        """Stop at the next safe point with KeyboardInterrupt. For a signal's handler: raised there, amid the Kafka
        client's own calls, it may be lost."""
        self._interrupted = True

    def give_up(self, within: timedelta = timedelta(seconds=3)) -> int:
        """After an interruption: let go on what can go. The number of lines Kafka has not confirmed."""
        self._producer.flush(within.total_seconds())
        return len(self._producer) + len(self._failed)

    # waiting

    def _await_reference(self) -> None:
        """Let no event be judged without the reference data that was sent before it."""
        self._told_reference = False
        if self._most_behind is None:
            return
        self.flush()
        self._await_group(self._ends((REFERENCE,)), "waiting for the workers to read the reference data")

    def _await_room(self, most: int) -> None:
        self._allowance = min(AT_ONCE, most - self._unread())
        if self._allowance <= 0:
            doing = f"holding back: the workers are more than {most:,} behind"
            self._poll(lambda: max(0, self._unread() - most // 2), doing)
            self._allowance = min(AT_ONCE, most - most // 2)

    def _unread(self) -> int:
        """Lines that no worker has acknowledged, those still here included."""
        # asked first: what leaves meanwhile counts twice, not never
        still_here = len(self._producer) + len(self._failed)
        return still_here + self._behind(self._ends(INPUT))

    def _await_group(self, ends: Offsets, doing: str, deadline: float | None = None) -> None:
        self._poll(lambda: self._behind(ends), doing, deadline)

    def _await_time(self, at: datetime, speed: float) -> None:
        if self._started is None:
            self._started = at, monotonic()
        first, began = self._started
        due = began + (at - first).total_seconds() / speed
        while (left := due - monotonic()) > 0:
            self._producer.poll(min(left, GLANCE))
            self._again()
            self._tell(f"at the pace of the recording: {at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}")

    def _poll(self, left: Callable[[], int], doing: str, deadline: float | None = None) -> None:
        """Ask again and again until nothing is left."""
        patience = Patience(self.group, ALONE, STUCK)
        while still := left():
            patience.test(still)
            if deadline is not None and monotonic() > deadline:
                raise TimeoutError(f"timed out {doing} ({still:,} to go)")
            self._tell(f"{doing} ({still:,} to go)")
            self._producer.poll(GLANCE)
            self._again()

    def _ends(self, topics: Iterable[str]) -> Offsets:
        return self._asked(lambda: self.group.ends(topics))

    def _behind(self, ends: Offsets) -> int:
        return self._asked(lambda: self.group.behind(ends))

    def _asked(self, question: Callable[[], T]) -> T:
        """The broker's answer, however long it is away."""
        for wait in chain((0.2, 0.5, 1.0, 2.0), repeat(5.0)):
            try:
                answer = question()
            except KafkaException as error:
                self._on_error(error.args[0])
                doing = f"Kafka is not ready: {error.args[0].str()}"
            else:
                self._away = None
                return answer
            self._again()
            self._tell(doing)
            sleep(wait)
        raise AssertionError("never here: the waits have no end")

    # producing

    def _produce(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._on_delivery)
                break
            except BufferError:
                self._producer.poll(GLANCE)
                self._tell("Kafka takes its time")
            except KafkaException as error:
                self._on_error(error.args[0])
                self._renew()
        if not self.tally.sent % POLL_EVERY:
            self._producer.poll(0)
            self._again()
            self._tell("sending")

    def _fresh(self) -> Producer:
        return Producer(
            self._config
            | {
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": FOR_EVER,
                "message.max.bytes": 4 << 20,
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 65_536,
                "linger.ms": 20,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",  # as Java's and aiokafka's: one person, one partition, whoever sends
                "reconnect.backoff.max.ms": 2_000,
                "error_cb": self._on_error,
                "log_level": QUIET,
            }
        )

    def _renew(self) -> None:
        """Another producer in the place of one that has given up; what it had not delivered goes to the new one."""
        self._producer.purge()
        self._producer.flush(5.0)
        self._given_up = False
        self._producer = self._fresh()

    def _again(self) -> None:
        """Say what is hopeless, and send once more what was not delivered."""
        if self._interrupted:
            raise KeyboardInterrupt
        if self._hopeless is not None:
            raise self._hopeless
        if self._given_up:
            self._renew()
        if self._failed:
            self._producer.poll(GLANCE)
        for _ in range(len(self._failed)):
            message = self._failed.popleft()
            self._produce(message.topic() or CLAIMS, message.key(), message.value())

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.tally.delivered += 1
            self._away = self._unknown_since = None
        elif error.code() in _HOPELESS or (error.code() in _UNKNOWN and self._is_long_unknown()):
            self._hopeless = SendError(f"Kafka refuses a line for {message.topic()}: {error.str()}")
        else:
            self._failed.append(message)

    def _is_long_unknown(self) -> bool:
        """A broker that starts up may not know its topics at once."""
        self._unknown_since = self._unknown_since or monotonic()
        return monotonic() - self._unknown_since > UNKNOWN.total_seconds()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in _HOPELESS:
            self._hopeless = SendError(f"Kafka refuses: {error.str()}")
        elif error.fatal():
            self._given_up = True
        elif error.code() in _AWAY:
            self._away = self._away or datetime.now(CHINA)

    def _quarantine(self, line: Line) -> None:
        """Too long for a topic: said at once, with its place; the file keeps the rest of it."""
        try:
            read(line.raw)
        except Refused as refused:
            record = quarantined(refused, line.raw, self.tally.file, line.number, datetime.now(CHINA))
            self._produce(QUARANTINE, None, msgspec.json.encode(record))
            self.tally.unreadable += 1

    def _tell(self, doing: str) -> None:
        if self._away is not None:
            doing = (
                f"Kafka cannot be reached since {self._away:%H:%M:%S}; {len(self._producer):,} lines wait, trying on"
            )
        now = monotonic()
        if doing != self.tally.doing or now - self._shown > GLANCE:
            self.tally.doing, self._shown = doing, now
            self._show(self.tally)
