"""A wrong setting stops the start, by name, with its value and what is allowed; the right one wins."""

from datetime import timedelta
from pathlib import Path

import pytest
from faust.auth import SASLCredentials
from pydantic import SecretStr

from stream_app.settings import KafkaSettings, NotRunningError, Settings, SettingsError
from stream_app.transport import make_app


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("FUNDWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def complaint() -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FUNDWATCH_LATENESS__SWIPES", "6", 'expected a duration such as "90s", "30m", "6h" or "7d"'),
        ("FUNDWATCH_KAFKA__BOOTSTRAP", "kafka1", "expected host:port"),
        ("FUNDWATCH_KAFKA__BOOTSTRP", "kafka1:9092", "did you mean bootstrap?"),
        ("FUNDWATCH_KAFFKA__BOOTSTRAP", "kafka1:9092", "did you mean kafka?"),
        ("FUNDWATCH_KAFKA__PARTITIONS", "0", "greater than or equal to 1"),
        ("FUNDWATCH_REDIS__URL", "localhost:6379", "redis://host:6379/0"),
        ("FUNDWATCH_STORE__URL", "mysql://host/db", "postgresql+psycopg://"),
        ("FUNDWATCH_FEED__SECRET_FILE", "absent", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    assert name in complaint()
    assert said in complaint()


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNDWATCH_FEED__PORT", "many")
    monkeypatch.setenv("FUNDWATCH_METRICS__PORT", "70000")
    assert [line.split()[0] for line in complaint().splitlines()] == [
        "FUNDWATCH_FEED__PORT",
        "FUNDWATCH_METRICS__PORT",
    ]


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNDWATCH_FEED__SECRET", "too-short")
    assert "too-short" not in complaint()
    monkeypatch.setenv("FUNDWATCH_FEED__SECRET", "long-enough-" * 4)
    assert "long-enough" not in repr(Settings.load())


def test_the_environment_outweighs_the_file_and_the_file_the_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("fundwatch.toml").write_text(
        '[kafka]\ngroup = "from the file"\nbootstrap = "file:1"\n[lateness]\nclaims = "30d"\n'
    )
    (tmp_path / "group").write_text("from a secret\n")
    (tmp_path / "password").write_text("geheim\n")
    monkeypatch.setenv("FUNDWATCH_KAFKA__BOOTSTRAP", "environment:2")
    monkeypatch.setenv("FUNDWATCH_KAFKA__GROUP_FILE", str(tmp_path / "group"))
    monkeypatch.setenv("FUNDWATCH_KAFKA__SASL_PASSWORD_FILE", str(tmp_path / "password"))
    settings = Settings.load()
    assert (settings.kafka.bootstrap, settings.kafka.group) == ("environment:2", "from the file")
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "geheim"
    assert settings.lateness.claims == timedelta(days=30)


def test_another_file_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text("[feed]\nport = 1234\n")
    assert Settings.load(config=Path("other.toml")).feed.port == 1234
    monkeypatch.setenv("FUNDWATCH_CONFIG", "other.toml")
    assert Settings.load().feed.port == 1234
    monkeypatch.setenv("FUNDWATCH_CONFIG", "absent.toml")
    assert "absent.toml" in complaint()


def test_a_file_that_is_no_toml_is_named() -> None:
    Path("fundwatch.toml").write_text("[kafka\n")
    assert "fundwatch.toml" in complaint()


def test_a_directory_without_a_system_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="fundwatch up --data"):
        Settings.load(data_dir=tmp_path)


def test_both_kafka_clients_are_told_of_the_same_security() -> None:
    kafka = KafkaSettings(
        bootstrap="k1:9093, k2:9093",
        ssl=True,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="fundwatch",
        sasl_password=SecretStr("geheim"),
    )
    assert kafka.client() == {
        "bootstrap.servers": "k1:9093,k2:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "fundwatch",
        "sasl.password": "geheim",
    }
    conf = make_app(Settings(kafka=kafka)).conf
    assert [f"{url.host}:{url.port}" for url in conf.broker] == ["k1:9093", "k2:9093"]
    assert isinstance(conf.broker_credentials, SASLCredentials)
    assert conf.broker_credentials.protocol.value == "SASL_SSL"
    assert conf.broker_credentials.mechanism.value == "SCRAM-SHA-512"
