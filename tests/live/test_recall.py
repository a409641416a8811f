"""A late record of an institution judges again what Kafka still holds of it: real Kafka, real Redis."""

import json

import msgspec
from confluent_kafka import Consumer, TopicPartition

from detectors.event import Record
from detectors.finding import Verdict
from detectors.wire import read
from stream_app import topics
from stream_app.arrivals import Arrival
from stream_app.delivery import deliver
from stream_app.line import Line
from stream_app.settings import KafkaSettings, RedisSettings, Settings
from tests.live.servers import fresh_prefix

HERE, FAR = "H33010000001", "H33020000002"


def event(kind: str, when: str, org: str, **more) -> bytes:
    moment = f"2026-03-10T{when}:00+08:00"
    told = {"event_id": f"{kind}{when}{org}", "event_type": kind, "biz_time": moment, "recv_time": moment, **more}
    return json.dumps({**told, "fixmedins_code": org, "psn_no": "P", "mdtrt_cert_type": "03"}).encode()


def record(org: str, lat: float) -> bytes:
    since = "2026-03-10T00:00:00+08:00"
    told = {"event_id": f"r{org}", "event_type": "ref.org", "biz_time": since, "valid_from": since}
    return json.dumps({**told, "fixmedins_code": org, "kind": "hospital", "lon": 120.0, "lat": lat}).encode()


def test_where_an_institution_lies_is_told_late_and_the_journey_is_judged_again(kafka, redis_server) -> None:
    settings = Settings(
        kafka=KafkaSettings(bootstrap=kafka, partitions=2, group=fresh_prefix()),
        redis=RedisSettings(url=redis_server, prefix=fresh_prefix()),
    )
    topics.create(settings.kafka)
    line = Line(settings)
    swipes = [event("swipe", "08:00", HERE), event("swipe", "08:20", FAR)]
    deliver(line._producer, [(topics.SWIPES, b"P", raw, None) for raw in swipes])
    verdicts = Tail(settings)
    line.process([arrival(topics.SWIPES, raw) for raw in swipes])
    assert verdicts.leads() == []
    line.process([arrival(topics.REFERENCE, raw) for raw in (record(HERE, 30.0), record(FAR, 31.0))])
    assert {lead.detector for lead in verdicts.leads()} == {"geo_time_conflict"}


def arrival(topic: str, raw: bytes) -> Arrival:
    row = read(raw)
    return Arrival(row.valid_from if isinstance(row, Record) else row.happened_at, topic, 0, Message(raw), row)


class Message:
    """As much of a fetched record as the line looks at."""

    key, offset, timestamp, headers = None, 0, 0, ()

    def __init__(self, value: bytes) -> None:
        self.value = value


class Tail:
    """What is said on the verdicts topic from now on."""

    def __init__(self, settings: Settings) -> None:
        self._kafka = settings.kafka
        self._from = self._ends()

    def leads(self):
        consumer, ends = self._consumer(), self._ends()
        left = {place for place, end in ends.items() if end > self._from[place]}
        found = []
        places = [place for place in consumer_places(ends) if (place.topic, place.partition) in left]
        for place in places:
            place.offset = self._from[place.topic, place.partition]
        consumer.assign(places)
        while left:
            message = consumer.poll(10)
            assert message is not None
            assert not message.error()
            if message.offset() == ends[message.topic(), message.partition()] - 1:
                left.discard((message.topic(), message.partition()))
            found += msgspec.json.decode(message.value(), type=Verdict).leads
        consumer.close()
        return found

    def _ends(self):
        consumer = self._consumer()
        counts = topics.partitions(self._kafka, [topics.VERDICTS])
        every = {(topic, n): 0 for topic, count in counts.items() for n in range(count)}
        places = consumer_places(every)
        ends = {(p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=10)[1] for p in places}
        consumer.close()
        return ends

    def _consumer(self) -> Consumer:
        return Consumer({**topics.quiet(self._kafka), "group.id": "tail", "enable.auto.commit": False})


def consumer_places(places):

    return [TopicPartition(topic, n) for topic, n in places]
