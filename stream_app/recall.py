"""Reference records that come late: the events they concern are taken from Kafka once more, and judged again.

A person's own record finds his events in his file. What other records concern no file tells; but the topics keep longer
than anything may be late, and to judge an event again is always safe. Rare, and not cheap: the topics are read from the
moment the record holds from.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from detectors.event import (
    EVER,
    CalendarRecord,
    DeviceRecord,
    DoctorRecord,
    DrugRecord,
    ExceptionRecord,
    ItemRecord,
    MappingRecord,
    OrgRecord,
    PersonRecord,
    Record,
    day_of,
)
from detectors.wire import Refused, read
from stream_app import topics
from stream_app.settings import KafkaSettings

ANSWER_WITHIN_S = 10.0
AT_ONCE = 1_000  # messages
Name = tuple[str, str]  # what of, and its code
ANYTHING: Name = ("", "")
FUTURE_CLOCK = timedelta(minutes=10)  # so much may biz_time be ahead of the broker: SPEC 3.1


def comes_late(record: Record, now: datetime, lateness: timedelta) -> bool:
    """Does it hold from a moment that is behind W, by no more than may be late (readings 2)?"""
    if isinstance(record, PersonRecord) or now == EVER:
        return False
    return now - lateness <= since_of(record) <= now


def since_of(record: Record) -> datetime:
    """The first business time at which the record may change a judgement."""
    if isinstance(record, ExceptionRecord):
        return max(record.valid_from, record.since)
    return record.valid_from


def concerns(record: Record) -> Callable[[Any], bool]:
    """Which events a record says something about. Any: an Event of any kind."""
    since = since_of(record)
    about = _about(record)
    return lambda event: event.happened_at >= since and about(event)


def _about(record: Record) -> Callable[[Any], bool]:
    """Any: an Event of any kind; not every kind has every field."""
    match record:
        case OrgRecord():
            return lambda event: event.org == record.org
        case DrugRecord() | ItemRecord():
            return lambda event: record.item in _items(event)
        case DeviceRecord():
            return lambda event: event.device == record.device
        case DoctorRecord():
            return lambda event: record.doctor in _doctors(event)
        case CalendarRecord():  # a village is no field of an event: all of the day
            return lambda event: day_of(event.happened_at) == record.day and record.org in ("", event.org)
        case MappingRecord():
            return lambda event: event.org == record.org and record.item in _items(event)
        case ExceptionRecord():
            return lambda event: (
                event.happened_at <= record.to
                and record.org in ("", event.org)
                and record.person in ("", getattr(event, "person", ""))
                and (not record.item or record.item in _items(event))
            )
        case _:
            return lambda event: False


def concern(records: Iterable[Record]) -> Callable[[Any], bool]:
    """Which events any of the records says something about. Any: an Event of any kind.

    Each event is tried with those only that name what it names: a directory that is sent anew has thousands.
    """
    naming: defaultdict[Name, list[Callable[[Any], bool]]] = defaultdict(list)
    for record in records:
        naming[_named_by(record)].append(concerns(record))
    return lambda event: any(one(event) for name in _names_in(event) for one in naming.get(name, ()))


def _named_by(record: Record) -> Name:
    """One thing that every event names which the record concerns."""
    match record:
        case OrgRecord():
            return ("org", record.org)
        case DrugRecord() | ItemRecord() | MappingRecord():
            return ("item", record.item)
        case DeviceRecord():
            return ("device", record.device)
        case DoctorRecord():
            return ("doctor", record.doctor)
        case CalendarRecord():
            return ("day", record.day.isoformat())
        case ExceptionRecord() if record.item or record.person or record.org:
            kind = "item" if record.item else "person" if record.person else "org"
            return (kind, record.item or record.person or record.org)
        case _:
            return ANYTHING


def _names_in(event: Any) -> Iterator[Name]:
    """Any: an Event of any kind."""
    yield ("org", event.org)
    yield ("device", event.device)
    yield ("person", getattr(event, "person", ""))
    yield ("day", day_of(event.happened_at).isoformat())
    yield from (("item", item) for item in _items(event))
    yield from (("doctor", doctor) for doctor in _doctors(event))
    yield ANYTHING


def _items(event: Any) -> set[str]:
    return {getattr(event, "item", "")} | {line.item for line in getattr(event, "lines", ())}


def _doctors(event: Any) -> set[str]:
    return {getattr(event, "doctor", "")} | {getattr(line, "doctor", "") for line in getattr(event, "lines", ())}


def recalled(kafka: KafkaSettings, records: Sequence[Record]) -> Iterator[list[Any]]:
    """The events that the records concern, in pieces, as far as the topics go when it is asked.

    Any: Events. Raises KafkaException when the broker is away or does not answer.
    """
    wanted = concern(records)
    since = min(map(since_of, records)) - FUTURE_CLOCK
    for messages in _messages(kafka, since):
        events = [event for message in messages if (event := _event(message.value())) is not None]
        if found := [event for event in events if wanted(event)]:
            yield found


def _event(raw: bytes | None) -> Any:
    """Any: an Event, or None for what takes no part."""
    try:
        event = read(raw or b"")
    except Refused:
        return None
    return None if event.is_test or isinstance(event, Record) else event


def _messages(kafka: KafkaSettings, since: datetime) -> Iterator[list[Message]]:
    consumer = Consumer(
        {**topics.quiet(kafka), "group.id": f"{kafka.group}-recall", "enable.auto.commit": False, "check.crcs": False}
    )
    try:
        ends: dict[tuple[str | None, int | None], int] = {}
        begins: list[TopicPartition] = []
        stamp = max(0, int(since.timestamp() * 1000))
        counts = topics.partitions(kafka, [topic for topic in topics.EVENTS if topic != topics.REFERENCE])
        asked = [TopicPartition(topic, n, stamp) for topic, count in counts.items() for n in range(count)]
        for place in consumer.offsets_for_times(asked, timeout=ANSWER_WITHIN_S):
            _, end = consumer.get_watermark_offsets(place, timeout=ANSWER_WITHIN_S)
            if place.offset not in (OFFSET_END, -1) and place.offset < end:
                ends[place.topic, place.partition] = end
                begins.append(place)
        consumer.assign(begins)
        while ends:
            messages = consumer.consume(AT_ONCE, timeout=ANSWER_WITHIN_S)
            if not messages:
                raise KafkaException(f"{len(ends)} partitions could not be read to their ends")
            for message in messages:
                if error := message.error():
                    raise KafkaException(error)
                if (message.offset() or 0) >= ends.get((message.topic(), message.partition()), 0) - 1:
                    ends.pop((message.topic(), message.partition()), None)
            yield messages
    finally:
        consumer.close()
