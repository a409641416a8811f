"""What tells that a worker is stuck: real Kafka."""

from confluent_kafka import Consumer, Producer, TopicPartition

from stream_app import topics
from stream_app.settings import KafkaSettings
from stream_app.watchdog import Watchdog, behind
from tests.live.servers import fresh_prefix


def test_only_what_is_owned_and_not_acknowledged_counts(kafka: str) -> None:
    settings = KafkaSettings(bootstrap=kafka, partitions=2, group=fresh_prefix())
    topics.create(settings)
    producer = Producer(topics.quiet(settings))
    for partition in (0, 1, 1):
        producer.produce(topics.STOCK, b"event", partition=partition)
    producer.flush()
    reader = Consumer(topics.quiet(settings) | {"group.id": settings.group, "enable.auto.commit": False})
    _, end = reader.get_watermark_offsets(TopicPartition(topics.STOCK, 1))
    reader.commit(offsets=[TopicPartition(topics.STOCK, 1, end - 1)], asynchronous=False)
    reader.close()
    assert behind(settings, [(topics.STOCK, 1)]) == 1
    assert behind(settings, [(topics.STOCK, 0), (topics.STOCK, 1)]) > 1
    assert behind(settings, []) == 0


def test_a_broker_that_does_not_answer_says_nothing_of_the_worker() -> None:
    assert behind(KafkaSettings(bootstrap="127.0.0.1:1"), [(topics.STOCK, 0)]) == 0


def test_stuck_is_who_lags_as_much_as_at_the_last_look() -> None:
    dog = Watchdog()
    assert [dog.is_stuck(lag) for lag in (7, 7)] == [False, True]
    assert [dog.is_stuck(lag) for lag in (7, 5, 3, 0, 0, 3)] == [True, False, False, False, False, False]
