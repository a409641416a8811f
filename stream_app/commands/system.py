"""``fundwatch up``, ``worker``, ``feed``, ``topics``, ``check``: running the system."""

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detectors.nearness import Known
from detectors.rules import Rulebook
from stream_app.settings import FeedSettings, OidcSettings, Settings

if TYPE_CHECKING:  # a command that does not serve need not load it
    from alerts.web.bounds import Bounds
    from alerts.web.provider import Provider

INTERRUPTED = 130

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of an embedded system; without it the settings say where everything is.",
)


@click.command()
@click.option("--speed", type=click.FloatRange(0.01), default=60, show_default=True, help="City time over real time.")
@click.option("--persons", type=click.IntRange(min=100), default=3_000, show_default=True, help="Size of the city.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same city.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--no-demo", is_flag=True, help="No city: only what you send.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Where everything is kept; the next start with it goes on where this one stops.",
)
@click.option(
    "--kafka-jars",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with Apache Kafka's jars, for a machine without a network.",
)
def up(speed: float, persons: int, seed: int, workers: int, no_demo: bool, data: Path, kafka_jars: Path | None) -> None:
    """Run the whole system on this machine until Ctrl-C: Kafka, Redis, workers, alert feed, a made-up city.

    \b
    Example:
      fundwatch up --persons 10000 --speed 120
      fundwatch up --no-demo --data run        then: fundwatch send day.ndjson --data run
    """
    from stream_app.embedded.demo import Demo
    from stream_app.embedded.directory import AlreadyRunningError
    from stream_app.embedded.jars import JarsError
    from stream_app.embedded.redis_server import RedisMissingError
    from stream_app.embedded.up import Options, StartError
    from stream_app.embedded.up import up as run

    demo = None if no_demo else Demo(speed, persons, seed)
    jars = kafka_jars or Settings.load().embedded.kafka_jars
    try:
        stopped_by = asyncio.run(run(Options(data, workers, demo, jars), _tell, click.echo))
    except (AlreadyRunningError, JarsError, RedisMissingError, StartError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(INTERRUPTED if stopped_by is signal.SIGINT else 0)


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)


@click.command()
@data_option
def worker(data: Path | None) -> None:
    """Run one worker until it is stopped (SIGTERM, Ctrl-C): it reads events and publishes verdicts.

    Run as many as there are partitions at most; they share the work.

    \b
    Example:
      FUNDWATCH_KAFKA__BOOTSTRAP=kafka1:9092 FUNDWATCH_REDIS__URL=redis://redis:6379/0 fundwatch worker
    """
    from stream_app import logs

    settings = Settings.load(data_dir=data)
    logs.configure("worker")
    from stream_app.app import run_worker

    run_worker(settings)


@click.command()
@data_option
def feed(data: Path | None) -> None:
    """Run the alert feed, web page and API, until it is stopped (SIGTERM, Ctrl-C).

    \b
    Example:
      FUNDWATCH_FEED__SECRET_FILE=/run/secrets/feed FUNDWATCH_FEED__HOST=0.0.0.0 fundwatch feed
    """
    from stream_app import logs

    settings = Settings.load(data_dir=data)
    logs.configure("feed")
    from alerts.web.server import serve

    if settings.feed.secret is None:
        raise click.UsageError(
            "feed.secret is not set: it signs the sessions, and takes 32 characters or more. Put one into a file "
            'that only the feed can read (openssl rand -base64 48) and name it: FUNDWATCH_FEED__SECRET_FILE="…"'
        )
    from stream_app import status
    from stream_app.feed_meter import FeedMeter, sample_forever

    health = status.Status("feed")
    status.serve(health, settings.metrics.host, settings.metrics.feed_port)
    sample_forever(settings.store.url)
    feed, secret = settings.feed, settings.feed.secret.get_secret_value()
    tls = (feed.ssl_certfile, feed.ssl_keyfile) if feed.ssl_certfile and feed.ssl_keyfile else None
    if tls:
        _has_certificate(*tls)
    meter, remembered = FeedMeter(health), partial(_remembered, settings)
    provider, bounds = _provider(settings.oidc), _bounds(feed)
    cabinet = settings.papers.cabinet()
    serve(settings.store.url, feed.host, feed.port, secret, meter, remembered, tls, provider, bounds, cabinet)


def _bounds(told: FeedSettings) -> "Bounds":
    from alerts.web.bounds import Bounds

    return Bounds(**told.model_dump(include=set(Bounds.__dataclass_fields__)))


def _provider(told: OidcSettings) -> "Provider | None":
    from alerts.accounts import Role
    from alerts.web.provider import Provider

    if not told.issuer or told.client_secret is None:
        return None
    roles = {value: Role(name) for value, name in told.roles.items()}
    names = told.model_dump(exclude={"client_secret", "roles"})
    return Provider(**names, roles=roles, client_secret=told.client_secret.get_secret_value())


def _has_certificate(cert: Path, key: Path) -> None:
    """Raises click.UsageError for one that cannot be used: better now than at the first browser."""
    from stream_app.certificates import CertificateError, ends

    try:
        ends(cert, key)
    except CertificateError as error:
        raise click.UsageError(f"feed.ssl_certfile, feed.ssl_keyfile: {error}") from None


@contextmanager
def _remembered(settings: Settings) -> Iterator[tuple[Known, Rulebook]]:
    """The live memory as it is, and the rules in force. Raises OSError where it cannot be read."""
    from redis.exceptions import RedisError

    from stream_app.looking import looking
    from stream_app.rulebook import read_rules

    try:
        with looking(settings.redis) as live:
            yield live, read_rules(settings.rules.file)
    except RedisError as error:
        raise ConnectionError(str(error)) from error


@click.command()
@data_option
def topics(data: Path | None) -> None:
    """Create the Kafka topics that are missing. Safe to repeat.

    \b
    Example:
      FUNDWATCH_KAFKA__BOOTSTRAP=kafka1:9092 FUNDWATCH_KAFKA__REPLICATION=3 fundwatch topics
    """
    from stream_app import topics as kafka_topics

    kafka = Settings.load(data_dir=data).kafka
    created = kafka_topics.create(kafka)
    for name, count in kafka_topics.partitions(kafka).items():
        click.echo(f"{name}: {count} partitions{' (created)' if name in created else ''}")


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(data: Path | None, as_json: bool) -> None:
    """Test settings and connections; for each that fails, say what is wrong and what to do.

    Exit code 0 only if an event sent now would be judged; 4 if a server cannot be reached; else 1.

    \b
    Example:
      fundwatch check --data data
    """
    from stream_app.check import AWAY, OK, run

    findings = run(data)
    if as_json:
        click.echo(json.dumps({"ok": all(f.state == OK for f in findings), "checks": [f.to_json() for f in findings]}))
    else:
        for finding in findings:
            click.echo(finding.line())
    states = {finding.state for finding in findings}
    sys.exit(4 if AWAY in states else 0 if states == {OK} else 1)
