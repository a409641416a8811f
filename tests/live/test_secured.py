"""The whole line where everything asks who one is: Kafka by SASL over TLS, Redis by ACL user over TLS, PostgreSQL."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import NoPermissionError

from alerts.migrations import upgrade
from stream_app import check, topics
from stream_app.check import Finding
from stream_app.embedded import kafka_server, ports
from stream_app.embedded.jars import JarsError
from stream_app.settings import KafkaSettings, RedisSettings, Settings
from tests.chaos.recording import Recording
from tests.live.servers import ROOT, _kafka_answers, _running, absent, spawn
from tests.live.test_line import open_alerts
from tests.stores import _postgresql_database

PASSWORD = "a pass phrase of the test"
# what the program needs, and nothing that would let it look at other systems' keys or turn the server off
RIGHTS = "~{fw}:* -@all +@read +@write +@scripting +@connection +info +time +memory|usage"
DONE_WITHIN_S = 120.0


@dataclass(frozen=True)
class Certificate:
    """Signed by itself, for loopback."""

    cert: Path
    key: Path

    @classmethod
    def made(cls, folder: Path) -> "Certificate":
        made = cls(folder / "cert.pem", folder / "key.pem")
        if shutil.which("openssl") is None:
            absent("openssl is not installed")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made.key), "-out", str(made.cert)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secured_kafka(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSettings]:
    folder = tmp_path_factory.mktemp("kafka")
    port, controller = ports.choose(None, None)
    try:
        command = kafka_server.command(folder, port, controller)
    except JarsError as error:
        absent(str(error))
    store = folder / "store.pem"
    store.write_text(certificate.key.read_text() + certificate.cert.read_text())
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    users = f'username="broker" password="b" user_broker="b" user_fundwatch="{PASSWORD}"'
    more = {
        "listeners": f"SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"SASL_SSL://127.0.0.1:{port}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{module} required {users};",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificate.cert),
    }
    with (folder / "server.properties").open("a") as properties:  # the later line counts
        properties.writelines(f"{name}={value}\n" for name, value in more.items())
    settings = KafkaSettings(
        bootstrap=f"127.0.0.1:{port}",
        ssl=True,
        ssl_cafile=certificate.cert,
        sasl_mechanism="PLAIN",
        sasl_username="fundwatch",
        sasl_password=PASSWORD,
        partitions=4,
    )
    with _running(command, settings.bootstrap, folder / "test.log", lambda: _kafka_answers(settings)):
        yield settings


@pytest.fixture(scope="module")
def secured_redis(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address as the settings take it. Only redis-server speaks TLS, the wheel's Valkey does not."""
    server = shutil.which("redis-server")
    if server is None:
        absent("redis-server with TLS is not installed: apt-get install redis-server")
    folder = tmp_path_factory.mktemp("redis")
    [port] = ports.choose(None)
    users = folder / "users.acl"
    users.write_text(f"user default off\nuser fundwatch on >{PASSWORD.replace(' ', '-')} {RIGHTS}\n")
    options = {
        "port": "0",
        "tls-port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": "yes",
        "tls-cert-file": str(certificate.cert),
        "tls-key-file": str(certificate.key),
        "tls-ca-cert-file": str(certificate.cert),
        "tls-auth-clients": "no",
        "aclfile": str(users),
    }
    command = [server, *(word for name, value in options.items() for word in (f"--{name}", value))]
    with _running(command, f"127.0.0.1:{port}", folder / "test.log", lambda: ports.is_open(port)):
        user = f"fundwatch:{PASSWORD.replace(' ', '-')}"
        yield f"rediss://{user}@127.0.0.1:{port}/0?ssl_ca_certs={certificate.cert}"


@pytest.fixture(scope="module")
def environment(
    secured_kafka: KafkaSettings,
    secured_redis: str,
    postgresql: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, str]:
    """All of it by settings, secrets in files."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "kafka").write_text(PASSWORD)
    (folder / "redis").write_text(secured_redis)
    store = _postgresql_database(postgresql, "secured")
    upgrade(store)
    topics.create(secured_kafka)
    return {
        "FUNDWATCH_KAFKA__BOOTSTRAP": secured_kafka.bootstrap,
        "FUNDWATCH_KAFKA__PARTITIONS": "4",
        "FUNDWATCH_KAFKA__SSL": "true",
        "FUNDWATCH_KAFKA__SSL_CAFILE": str(secured_kafka.ssl_cafile),
        "FUNDWATCH_KAFKA__SASL_MECHANISM": "PLAIN",
        "FUNDWATCH_KAFKA__SASL_USERNAME": "fundwatch",
        "FUNDWATCH_KAFKA__SASL_PASSWORD_FILE": str(folder / "kafka"),
        "FUNDWATCH_REDIS__URL_FILE": str(folder / "redis"),
        "FUNDWATCH_STORE__URL": store,
        "FUNDWATCH_METRICS__PORT": "0",
    }


def fundwatch(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "stream_app", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=DONE_WITHIN_S,
        check=False,
    )


def test_a_worker_over_tls_sasl_and_acl_users_ends_with_the_alerts_of_a_replay(
    environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = Recording.of_a_city(300, seed=12)
    reference = city.reference_written(tmp_path / "reference.ndjson")
    events = city.written(tmp_path / "events.ndjson", Random(1))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    worker = spawn([sys.executable, "-m", "stream_app", "worker"], tmp_path / "worker.log")
    try:
        sent = fundwatch(environment, "send", str(reference), str(events), "--wait")
        assert sent.returncode == 0, sent.stderr.decode() + (tmp_path / "worker.log").read_text()[-3_000:]
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
    found = open_alerts(fundwatch(environment, "alerts", "export").stdout)
    assert found == city.wanted(tmp_path).alerts
    assert len(found) >= 10


def test_no_password_stands_in_what_check_says(environment: Mapping[str, str]) -> None:
    said = fundwatch(environment, "check")
    told = (said.stdout + said.stderr).decode()
    assert "redis" in told
    assert PASSWORD not in told
    assert PASSWORD.replace(" ", "-") not in told


def test_a_wrong_password_is_said_to_be_wrong(environment: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("not this one")
    wrong = {**environment, "FUNDWATCH_KAFKA__SASL_PASSWORD_FILE": str(tmp_path / "wrong")}
    line = tmp_path / "line.ndjson"
    line.write_text("{}\n")
    sent = fundwatch(wrong, "send", str(line))
    assert sent.returncode != 0
    assert b"uthenticat" in sent.stderr


def test_the_user_of_redis_cannot_read_other_systems_keys(secured_redis: str) -> None:
    with Redis.from_url(secured_redis) as client, pytest.raises(NoPermissionError):
        client.get("somebody else's")


# check: what is wrong, and what to do


def of_kafka(settings: KafkaSettings) -> Finding:
    return next(iter(check._kafka(Settings(kafka=settings), "start it")))


def test_check_tells_a_wrong_password_an_unknown_authority_and_tls_on_one_side_of_kafka_apart(
    secured_kafka: KafkaSettings, tmp_path: Path
) -> None:
    other = Certificate.made(tmp_path)
    wrong = {
        "user or password": secured_kafka.model_copy(update={"sasl_password": SecretStr("not this one")}),
        "not signed by an authority": secured_kafka.model_copy(update={"ssl_cafile": other.cert}),
    }
    for said, settings in wrong.items():
        finding = of_kafka(settings)
        assert (finding.state, said in finding.found, bool(finding.to_do)) == ("wrong", True, True), finding
        assert "not this one" not in finding.line()
    assert of_kafka(secured_kafka).state == "ok"


def test_check_tells_a_wrong_password_an_unknown_authority_and_a_right_too_few_of_redis_apart(
    secured_redis: str, tmp_path: Path
) -> None:
    other = Certificate.made(tmp_path)
    bare, _, _ = secured_redis.partition("?")
    wrong = {
        "user or password": secured_redis.replace("a-pass", "no-pass"),
        "not signed by an authority": f"{bare}?ssl_ca_certs={other.cert}",
        "no permissions": secured_redis,  # its user may not read how the server is set
    }
    for said, url in wrong.items():
        finding = check.of_redis(Settings(redis=RedisSettings(url=url)), "start it")
        assert (finding.state, said in finding.found.lower(), bool(finding.to_do)) == ("wrong", True, True), finding
        assert "pass-phrase" not in finding.line()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('connection failed: FATAL:  password authentication failed for user "fundwatch"', "user or password"),
        ("connection failed: fe_sendauth: no password supplied", "user or password"),
        ("connection failed: server does not support SSL, but SSL was required", "one side speaks TLS"),
        ("connection failed: SSL error: certificate verify failed", "not signed by an authority"),
        ("connection failed: SSL error: certificate verify failed: certificate has expired", "has run out"),
    ],
)
def test_check_tells_what_a_database_objects_to(said: str, found: str) -> None:
    """As libpq says it."""
    finding = check.of_refusal("alert store", "postgresql+psycopg://fundwatch:***@db/fundwatch", said)
    assert finding is not None
    assert found in finding.found
    assert finding.to_do


def test_check_makes_nothing_of_what_only_says_that_nobody_is_there() -> None:
    assert check.of_refusal("redis", "redis://127.0.0.1:1", "Error 111 connecting: Connection refused.") is None
