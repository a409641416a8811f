"""What tells that a worker is stuck: real Kafka."""

import asyncio

from confluent_kafka import Consumer, Producer, TopicPartition

from stream_app import topics
from stream_app.settings import KafkaSettings
from stream_app.watchdog import LOOKS, Watchdog, behind, where_tasks_stand
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
    assert behind(settings, [(topics.STOCK, 1)]) == {(topics.STOCK, 1): end - 1}
    assert behind(settings, [(topics.STOCK, 0), (topics.STOCK, 1)]).keys() == {(topics.STOCK, 0), (topics.STOCK, 1)}
    assert behind(settings, []) == {}


def test_a_broker_that_does_not_answer_says_nothing_of_the_worker() -> None:
    assert behind(KafkaSettings(bootstrap="127.0.0.1:1"), [(topics.STOCK, 0)]) == {}


def test_stuck_is_who_gets_nothing_of_a_partition_though_others_move() -> None:
    stuck, moving = ("claims", 1), ("claims", 2)
    dog = Watchdog()
    assert [dog.is_stuck({stuck: 7, moving: look}) for look in range(LOOKS)] == [False] * (LOOKS - 1) + [True]


def test_not_stuck_is_who_moves_or_has_nothing_to_read() -> None:
    dog = Watchdog()
    looks = [{("claims", 1): 7}, {("claims", 1): 8}, {}, {("claims", 1): 8}, {("claims", 1): 8}]
    assert not any(dog.is_stuck(look) for look in looks)


def test_its_last_words_name_the_line_that_each_task_waits_in() -> None:
    async def waiting_for_nobody() -> None:
        await asyncio.Event().wait()

    async def scene() -> list[str]:
        task = asyncio.create_task(waiting_for_nobody(), name="one")
        await asyncio.sleep(0)
        try:
            return where_tasks_stand()
        finally:
            task.cancel()

    assert any(line.startswith("one: Event.wait:") for line in asyncio.run(scene()))
