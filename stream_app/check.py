"""Would an event that is sent now be judged? Each setting and connection is tested, and named with what to do."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast
from urllib.request import urlopen

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # not in its stubs

from detectors.rules import business_day
from stream_app import topics
from stream_app.certificates import CertificateError, ends
from stream_app.rulebook import RulesFileError, read_rules
from stream_app.settings import NotRunningError, OidcSettings, Settings, SettingsError
from stream_app.topics import KafkaAwayError

if TYPE_CHECKING:
    from redis import Redis

State = Literal["ok", "wrong", "away"]
OK: State = "ok"
WRONG: State = "wrong"  # it answers, but something is missing
AWAY: State = "away"  # it does not answer
ANSWER_WITHIN_S = 5.0
OLDEST_REDIS = 7
MOST_SAID = 1 << 20  # bytes of what a provider says of itself
LEAST_FREE = 0.05  # share of a disk
LEAST_DAYS_LEFT = 14  # of a certificate
MOST_SKEW_S = 2.0  # between the clocks of this machine and of Redis: tickets come from the latter
LISTPACK = {"zset-max-listpack-value": 1024, "zset-max-listpack-entries": 128}
FULL = 0.85  # of the memory that Redis may use


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
        *_java(data_dir),
        *of_disks(settings),
        _model(settings.model.dir),
        of_feed(settings, datetime.now(UTC)),
        *_connections(settings, data_dir),
        *of_provider(settings.oidc),
        *_targets(settings),
    ]


def of_provider(oidc: OidcSettings) -> Iterator[Finding]:
    """Where people log in, if that is elsewhere. Without it local accounts still do."""
    if not oidc.issuer:
        return
    address = f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration"
    to_do = "correct oidc.issuer, or have the provider looked at; local accounts log in meanwhile"
    try:
        with urlopen(address, timeout=ANSWER_WITHIN_S) as answer:
            said = msgspec.json.decode(answer.read(MOST_SAID))
    except (OSError, ValueError, msgspec.DecodeError) as error:
        yield Finding("oidc", AWAY, f"{address}: {error}", to_do)
        return
    issuer = said.get("issuer") if isinstance(said, dict) else None
    if issuer != oidc.issuer:
        yield Finding("oidc", WRONG, f"{address} speaks for {issuer}, not for {oidc.issuer}", to_do)
    else:
        yield Finding("oidc", OK, f"{oidc.issuer} answers and names itself so")


def _targets(settings: Settings) -> Iterator[Finding]:
    """Whom leads are told to. A robot is not spoken to: everybody in its group would hear of it."""
    if not settings.notify.targets:
        return
    from alerts.notify.senders import UndeliveredError, reach
    from stream_app.notifier import targets_of

    for target in targets_of(settings.notify):
        name = f"notify/{target.name}"
        try:
            reach(target)
        except UndeliveredError as error:
            yield Finding(name, AWAY, str(error), f"correct it, then: fundwatch notify test {target.name}")
        else:
            yield Finding(name, OK, f"{target.kind.value} can be reached")


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


def _java(data_dir: Path | None) -> Iterator[Finding]:
    """Only an embedded system runs a Kafka of its own."""
    if data_dir is None:
        return
    from stream_app.embedded.jars import JarsError
    from stream_app.embedded.kafka_server import find_java

    try:
        yield Finding("java", OK, str(find_java()))
    except JarsError as error:
        yield Finding("java", WRONG, str(error), "install a Java of that age, or the libraries anew (make install)")


def of_disks(settings: Settings) -> Iterator[Finding]:
    """Where this machine writes: the archive, and the alert store if that is a file."""
    from sqlalchemy import make_url

    file = make_url(settings.store.url).database if settings.store.url.startswith("sqlite") else None
    places = {"archive": settings.archive.dir, "papers": settings.papers.dir}
    if file:
        places["store"] = Path(file).parent
    for name, folder in places.items():
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        disk = shutil.disk_usage(there)
        free = disk.free / disk.total
        said = f"{folder}: {free:.0%} free ({disk.free >> 30} GiB)"
        to_do = "" if free >= LEAST_FREE else "make room: fundwatch retain archive, or a larger disk"
        in_use = there == folder.absolute() and any(there.iterdir())  # from elsewhere one may look at another machine's
        if in_use and not os.access(there, os.W_OK):
            said, to_do = f"{folder}: this user may not write there", "give it to the user that the parts run as"
        yield Finding(f"disk/{name}", WRONG if to_do else OK, said, to_do)


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


def of_feed(settings: Settings, now: datetime) -> Finding:
    """What the feed needs to start, and to be believed by browsers."""
    feed = settings.feed
    cert, key = feed.ssl_certfile, feed.ssl_keyfile
    secret = "" if feed.secret else "; feed.secret is not set here: the feed starts where it is"
    if cert is None or key is None:
        return Finding("feed", OK, f"http at {feed.host}:{feed.port}: https is the proxy's before it{secret}")
    try:
        end = ends(cert, key)
    except CertificateError as error:
        return Finding("feed", WRONG, str(error), "bring a certificate that holds, and its key, to the paths set")
    left = (end - now).days
    found = f"https at {feed.host}:{feed.port}, by a certificate that holds until {end:%Y-%m-%d}{secret}"
    if left < LEAST_DAYS_LEFT:
        return Finding("feed", WRONG, f"{found}: {left} days", "bring a new one to the same path, start the feed again")
    return Finding("feed", OK, found)


# what servers and libraries say -> what it is, and what to do. The first that fits; in small letters.
REASONS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("has expired", "certificate expired"),
        "the server's certificate has run out",
        "bring a new one to the server, and start it again",
    ),
    (
        ("certificate verify failed", "self-signed", "self signed", "unknown ca", "unable to get local issuer"),
        "the server's certificate is not signed by an authority that is known here",
        "name the file of the authority: kafka.ssl_cafile, ?ssl_ca_certs= in redis.url, ?sslrootcert= in store.url",
    ),
    (
        ("wrong_version_number", "wrong version number", "record layer", "ssl handshake", "does not support ssl"),
        "one side speaks TLS, and the other does not",
        "set TLS as the server has it: kafka.ssl, rediss:// or redis://, sslmode in store.url; look at the port",
    ),
    (
        ("no password supplied", "wrongpass", "noauth", "authentication", "invalid username-password"),
        "user or password is wrong",
        "correct them: kafka.sasl_username and _password, in redis.url, in store.url; best from a file (…_FILE)",
    ),
)


def of_refusal(name: str, shown: str, said: str) -> Finding | None:
    """Why a server that is there does not let us in; None where nothing tells."""
    for words, found, to_do in REASONS:
        if any(word in said.lower() for word in words):
            return Finding(name, WRONG, f"{shown}: {found} ({said[:200]})", to_do)
    return None


def _connections(settings: Settings, data_dir: Path | None) -> Iterator[Finding]:
    start = f"fundwatch up --data {data_dir}" if data_dir else "start it, or correct its address in the settings"
    yield from _kafka(settings, start)
    yield of_redis(settings, start)
    store = _store(settings, data_dir)
    yield store
    if store.state == OK:
        yield from of_papers(settings)


def of_papers(settings: Settings) -> Iterator[Finding]:
    """Nothing of a store without papers."""
    from sqlalchemy import func, select

    from alerts import tables
    from alerts.papers import missing
    from alerts.store import Store

    store = Store.open(settings.store.url)
    try:
        with store.engine.connect() as db:
            count = db.execute(select(func.count()).select_from(tables.paper)).scalar_one()
        gone = missing(store, settings.papers.cabinet()) if count else []
    finally:
        store.close()
    if gone:
        said = f"{len(gone)} of {count} files of papers are not in {settings.papers.dir} as they were filed: "
        first = f"{gone[0].name!r} of lead {gone[0].alert_id}" + (" and others" if len(gone) > 1 else "")
        yield Finding("papers", WRONG, said + first, "bring papers.dir back from its backup (docs/runbook/backup.md)")
    elif count:
        yield Finding("papers", OK, f"all {count} files are in {settings.papers.dir}")


def _kafka(settings: Settings, start: str) -> Iterator[Finding]:
    try:
        found = topics.partitions(settings.kafka)
    except KafkaAwayError as error:
        refusal = of_refusal("kafka", settings.kafka.bootstrap, topics.complaint(settings.kafka))
        yield refusal or Finding("kafka", AWAY, str(error), start)
        return
    yield Finding("kafka", OK, f"answers at {settings.kafka.bootstrap}")
    missing = [name for name in topics.ALL if name not in found]
    if missing:
        yield Finding("topics", WRONG, f"missing: {', '.join(missing)}", "fundwatch topics")
        return
    yield of_topics(settings, len(found))
    wanted = {name: found[name] for name in topics.EVENTS}
    yield _members(settings, "workers", settings.kafka.group, wanted, "events would wait in Kafka", "fundwatch worker")
    lost = "what Kafka lets go is kept by nobody"
    yield _members(settings, "archive", f"{settings.kafka.group}-archive", wanted, lost, "fundwatch archive")


def of_topics(settings: Settings, count: int) -> Finding:
    """Topics that were made by hand, or by another program, may lose what we rely on."""
    client = AdminClient(topics.quiet(settings.kafka))
    asked = {name: ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics.ALL}
    try:
        answers = client.describe_configs(list(asked.values()), request_timeout=ANSWER_WITHIN_S)
        found = {
            name: {key: entry.value for key, entry in answers[resource].result(ANSWER_WITHIN_S).items()}
            for name, resource in asked.items()
        }
    except (KafkaException, TimeoutError):
        return Finding("topics", OK, f"all {count} exist; Kafka does not tell how they are set")
    faults = [fault for name, config in found.items() if (fault := _fault(settings, name, config))]
    if not faults:
        return Finding("topics", OK, f"all {count} exist, and are set as they must be")
    return Finding("topics", WRONG, "; ".join(faults), "kafka-configs --alter --add-config, as README says")


def _fault(settings: Settings, name: str, config: Mapping[str, str | None]) -> str:
    wanted = "compact" if name == topics.REFERENCE else "delete"
    if wanted not in str(config.get("cleanup.policy")):
        return f"{name}: cleanup.policy is {config.get('cleanup.policy')}, must be {wanted}"
    if config.get("message.timestamp.type") != "LogAppendTime":
        return f"{name}: message.timestamp.type must be LogAppendTime: old business times would be deleted"
    if int(config.get("max.message.bytes") or 0) < topics.LARGEST_MESSAGE:
        return f"{name}: max.message.bytes must be {topics.LARGEST_MESSAGE} at least"
    late: timedelta | None = getattr(settings.lateness, name, None)
    kept_ms = int(config.get("retention.ms") or -1)
    if late is not None and 0 <= kept_ms < late.total_seconds() * 1000:
        return f"{name}: retention.ms is shorter than events may be late (lateness.{name})"
    return ""


def _members(
    settings: Settings, name: str, group: str, wanted: Mapping[str, int], without: str, command: str
) -> Finding:
    """Does a living member of the group own every partition of the events? without: what happens if there is none."""
    client = AdminClient(topics.quiet(settings.kafka))
    try:
        members = client.describe_consumer_groups([group])[group].result(ANSWER_WITHIN_S).members
    except (KafkaException, TimeoutError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else "no answer"
        return Finding(name, AWAY, f"Kafka does not tell who is in group {group}: {reason}", "try again")
    owned = {(tp.topic, tp.partition) for member in members for tp in member.assignment.topic_partitions}
    orphans = [(topic, n) for topic, count in wanted.items() for n in range(count) if (topic, n) not in owned]
    count = len(members)
    if not orphans:
        return Finding(name, OK, f"{count} in group {group} share all {sum(wanted.values())} partitions")
    if not count:
        return Finding(name, WRONG, f"none in group {group}: {without}", command)
    return Finding(
        name,
        WRONG,
        f"{len(orphans)} partitions have none, {orphans[0][0]}/{orphans[0][1]} first ({count} in group {group})",
        f"wait a few seconds: the group may be sharing out its partitions; else look into the logs of {command}",
    )


def of_redis(settings: Settings, start: str) -> Finding:
    import redis

    from stream_app.shards import connect, one_kind_of_error

    shown = _without_password(settings.redis.url)
    try:
        with one_kind_of_error(), connect(settings.redis, socket_timeout=ANSWER_WITHIN_S) as client:
            wrong = [fault for node in _nodes(client) for fault in _faults_of_node(node)]
            other = _other_schema(client, settings)
    except redis.RedisError as error:
        if refusal := of_refusal("redis", shown, str(error)):
            return refusal
        if isinstance(error, redis.ResponseError):
            return Finding(
                "redis", WRONG, f"{shown}: {error}", "give its user what it may not do (docs/runbook/tls.md)"
            )
        return Finding("redis", AWAY, f"{shown} does not answer: {error}", start)
    if other:
        return Finding("redis", WRONG, other, "docs/runbook/upgrade.md")
    if wrong:
        return Finding(
            "redis", WRONG, "; ".join(said for said, _ in wrong), "; ".join(dict.fromkeys(to_do for _, to_do in wrong))
        )
    return Finding("redis", OK, f"answers at {shown}, keeps what it has, and evicts nothing")


def _nodes(client: "Redis") -> Iterator[tuple[str, "Redis"]]:
    """Each server that keeps rows, by its address; of a single one that goes without saying."""
    from redis.cluster import RedisCluster

    if not isinstance(client, RedisCluster):
        yield "", client
        return
    for node in client.get_primaries():
        yield f"{node.name}: ", cast("Redis", client.get_redis_connection(node))


def _faults_of_node(node: tuple[str, "Redis"]) -> Iterator[tuple[str, str]]:
    """What is wrong with it, and what to do about each."""
    name, client = node
    client.ping()
    for wrong, to_do in _faults_of_redis(client):
        yield f"{name}{wrong}", to_do


def _faults_of_redis(client: "Redis") -> Iterator[tuple[str, str]]:
    """What is wrong with the server, and what to do about each."""
    info = client.info()
    version = str(info.get("valkey_version") or info["redis_version"])
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        yield f"version {version}", f"install Redis {OLDEST_REDIS} or Valkey"
    config = cast(dict[str, str], client.config_get("*"))
    if config.get("appendonly") != "yes":
        yield "it forgets on a crash", "set appendonly yes on the server"
    if config.get("maxmemory-policy") != "noeviction":
        yield f"it throws rows away when full ({config.get('maxmemory-policy')})", "set maxmemory-policy noeviction"
    for name, least in LISTPACK.items():
        if int(config.get(name, 0)) < least:
            yield f"{name} is {config.get(name)}: files take several times the memory", f"set {name} {least}"
    limit = int(info.get("maxmemory") or 0)
    if limit and info["used_memory"] > FULL * limit:
        yield f"{info['used_memory'] / limit:.0%} of maxmemory is used", "raise maxmemory: full, it stops the intake"
    seconds, micros = client.time()
    skew = seconds + micros / 1e6 - time.time()
    if abs(skew) > MOST_SKEW_S:
        yield f"its clock is {skew:+.0f} s from this machine's", "let both follow one time server (chrony)"


def _other_schema(client: "Redis", settings: Settings) -> str:
    from stream_app.rows import READABLE, SCHEMA

    found = cast(bytes | None, client.get(f"{{{settings.redis.prefix}}}:schema"))
    return (
        "" if found is None or int(found) in READABLE else f"its rows are of schema {int(found or 0)}, ours of {SCHEMA}"
    )


def _store(settings: Settings, data_dir: Path | None) -> Finding:
    from sqlalchemy import make_url

    from alerts.engines import STORE_AWAY, StoreError
    from alerts.store import Store

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
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        if refusal := of_refusal("alert store", shown, reason):
            return refusal
        return Finding("alert store", AWAY, f"{shown}: {reason}", "start the database, or correct store.url")
    finally:
        store.close()
    return Finding("alert store", OK, f"ready at {shown}")


def _without_password(url: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)
