"""Would an event that is sent now be judged? Each setting and connection is tested, and named with what to do."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from detectors.rules import business_day
from stream_app import topics
from stream_app.rulebook import RulesFileError, read_rules
from stream_app.settings import NotRunningError, Settings, SettingsError
from stream_app.topics import KafkaAwayError

State = Literal["ok", "wrong", "away"]
OK: State = "ok"
WRONG: State = "wrong"  # it answers, but something is missing
AWAY: State = "away"  # it does not answer
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was tested, how it is, and what to do about it ("" if nothing)."""

    name: str
    state: State
    found: str
    to_do: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def line(self) -> str:
        """ "ok    kafka  …" """
        mark = {"ok": "ok   ", "wrong": "WRONG", "away": "AWAY "}[self.state]
        return f"{mark} {self.name:<12} {self.found}" + (f"\n                   do: {self.to_do}" if self.to_do else "")


def run(data_dir: Path | None) -> list[Finding]:
    """All findings, in the order in which an event meets what they test."""
    try:
        settings = Settings.load(data_dir=data_dir)
    except SettingsError as error:
        return [Finding("settings", WRONG, str(error), "correct it and try again")]
    except NotRunningError as error:
        return [Finding("settings", AWAY, str(error), f"fundwatch up --data {data_dir}")]
    return [
        Finding("settings", OK, "complete and well-formed"),
        _rules(settings.rules.file),
        _model(settings.model.dir),
        *_connections(settings, data_dir),
    ]


def _rules(file: Path | None) -> Finding:
    try:
        book = read_rules(file)
    except RulesFileError as error:
        return Finding("rules", WRONG, str(error), "correct it: meanwhile workers go on by the rules that they have")
    dates = sorted({edition.since for editions in book for edition in editions[1:]})
    found = f"as shipped, and {file} over them" if file else "as shipped"
    if dates:
        found += f"; others from {', '.join(map(business_day, dates))}"
    return Finding("rules", OK, found)


def _model(where: Path | None) -> Finding:
    """A system without a model is complete: the rules do not need one."""
    from models.versions import ModelError, in_force

    if where is None:
        return Finding("model", OK, "none: anomaly_person and anomaly_pharmacy are silent (model.dir names one)")
    try:
        promoted = in_force(where)
    except ModelError as error:
        return Finding("model", WRONG, str(error), "train and promote another, or take model.dir out of the settings")
    if not promoted:
        return Finding("model", WRONG, f"{where}: no version is promoted", "fundwatch model promote VERSION")
    last = promoted[-1]
    version = next(iter(last.models.values())).version
    return Finding("model", OK, f"{version} ({', '.join(last.models)}), in force from {business_day(last.since)}")


def _connections(settings: Settings, data_dir: Path | None) -> Iterator[Finding]:
    start = f"fundwatch up --data {data_dir}" if data_dir else "start it, or correct its address in the settings"
    yield from _kafka(settings, start)
    yield _redis(settings, start)
    yield _store(settings, data_dir)


def _kafka(settings: Settings, start: str) -> Iterator[Finding]:
    try:
        found = topics.partitions(settings.kafka)
    except KafkaAwayError as error:
        yield Finding("kafka", AWAY, str(error), start)
        return
    yield Finding("kafka", OK, f"answers at {settings.kafka.bootstrap}")
    missing = [name for name in topics.ALL if name not in found]
    if missing:
        yield Finding("topics", WRONG, f"missing: {', '.join(missing)}", "fundwatch topics")
        return
    yield Finding("topics", OK, f"all {len(found)} exist")
    yield _workers(settings, {name: found[name] for name in topics.EVENTS})


def _workers(settings: Settings, wanted: dict[str, int]) -> Finding:
    """Does a living member of the group own every partition of the events?"""
    group = settings.kafka.group
    client = AdminClient(topics.quiet(settings.kafka))
    try:
        members = client.describe_consumer_groups([group])[group].result(ANSWER_WITHIN_S).members
    except KafkaException as error:
        reason = error.args[0].str()
        return Finding("workers", AWAY, f"Kafka does not tell who is in group {group}: {reason}", "try again")
    owned = {(tp.topic, tp.partition) for member in members for tp in member.assignment.topic_partitions}
    orphans = [(name, n) for name, count in wanted.items() for n in range(count) if (name, n) not in owned]
    count = len(members)
    if not orphans:
        return Finding("workers", OK, f"{count} in group {group} share all {sum(wanted.values())} partitions")
    if not count:
        return Finding("workers", WRONG, f"none in group {group}: events would wait in Kafka", "fundwatch worker")
    return Finding(
        "workers",
        WRONG,
        f"{len(orphans)} partitions have no worker, {orphans[0][0]}/{orphans[0][1]} first ({count} in group {group})",
        "wait a few seconds: the group may be sharing out its partitions; else look into the workers' logs",
    )


def _redis(settings: Settings, start: str) -> Finding:
    import redis

    shown = _without_password(settings.redis.url)
    try:
        with redis.Redis.from_url(settings.redis.url, socket_timeout=ANSWER_WITHIN_S) as client:
            client.ping()
            safe = client.config_get("appendonly").get("appendonly") == "yes"
    except (redis.AuthenticationError, redis.ResponseError) as error:
        return Finding("redis", WRONG, f"{shown}: {error}", "correct redis.url, or give its user what it may not do")
    except redis.RedisError as error:
        return Finding("redis", AWAY, f"{shown} does not answer: {error}", start)
    if not safe:
        return Finding("redis", OK, f"answers at {shown}, but forgets on a crash", "set appendonly yes on the server")
    return Finding("redis", OK, f"answers at {shown}")


def _store(settings: Settings, data_dir: Path | None) -> Finding:
    from sqlalchemy import make_url

    from alerts.store import STORE_AWAY, Store, StoreError

    shown = _without_password(settings.store.url)
    upgrade = "fundwatch db upgrade" + (f" --data {data_dir}" if data_dir else "")
    file = make_url(settings.store.url).database
    if settings.store.url.startswith("sqlite") and not Path(file or "").is_file():
        return Finding("alert store", WRONG, f"{file}: there is no such file", upgrade)
    store = Store.open(settings.store.url)
    try:
        store.check_ready()
    except StoreError as error:
        return Finding("alert store", WRONG, str(error), upgrade)
    except STORE_AWAY as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return Finding("alert store", AWAY, f"{shown}: {reason}", "start the database, or correct store.url")
    finally:
        store.close()
    return Finding("alert store", OK, f"ready at {shown}")


def _without_password(url: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)
