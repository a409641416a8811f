"""All settings of the program in one frozen object.

In order of weight: what ``--data DIR`` names, environment (``FUNDWATCH_KAFKA__BOOTSTRAP``), the file
``fundwatch.toml`` (or the one FUNDWATCH_CONFIG names), files of secrets (``FUNDWATCH_FEED__SECRET_FILE``), defaults.
Thresholds of detectors are no settings: they have a file of their own, with dates, which ``rules.file`` names.
"""

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

if TYPE_CHECKING:  # most parts keep no papers
    from alerts.papers import Cabinet

PREFIX = "FUNDWATCH_"
NOT_SETTINGS = frozenset({"FUNDWATCH_CONFIG", "FUNDWATCH_ARGS"})
DEFAULT_FILE = "fundwatch.toml"

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Section = ConfigDict(frozen=True, extra="forbid")


class SettingsError(Exception):
    """Settings that cannot be used; says which, with what value, and what is allowed."""


class NotRunningError(Exception):
    """A data directory that no embedded system has been started in."""


_file: ContextVar[Path] = ContextVar("the file being read", default=Path(DEFAULT_FILE))

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: object) -> object:
    """ "6h" -> six hours. Raises ValueError for what is no duration; passes a timedelta on."""
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", str(text))
    if found is None:
        raise ValueError('expected a duration such as "90s", "30m", "6h" or "7d"')
    return timedelta(**{UNITS[found[2]]: float(found[1])})


RoleName = Literal["viewer", "screener", "reviewer", "investigator", "rules", "auditor", "admin"]  # accounts.Role
Duration = Annotated[timedelta, BeforeValidator(duration)]
Port = Annotated[int, Field(ge=0, le=65535)]


class KafkaSettings(BaseModel):
    """bootstrap: host:port, several separated by commas. partitions: of the topics that ``topics`` creates.

    instance: a name that one worker keeps over restarts (static membership): it gets its partitions back at once.
    """

    model_config = Section

    bootstrap: str = "127.0.0.1:9092"
    group: str = "fundwatch"
    instance: str | None = None
    partitions: Annotated[int, Field(ge=1, le=1024)] = 8
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    ssl: bool = False
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None

    @field_validator("bootstrap")
    @classmethod
    def _has_ports(cls, bootstrap: str) -> str:
        for address in bootstrap.split(","):
            if not re.fullmatch(r"\s*[^\s:]+:\d{1,5}\s*", address):
                raise ValueError('expected host:port, several separated by commas, such as "kafka1:9092,kafka2:9092"')
        return bootstrap

    @property
    def addresses(self) -> tuple[str, ...]:
        """("kafka1:9092", "kafka2:9092")."""
        return tuple(address.strip() for address in self.bootstrap.split(","))

    def client(self) -> dict[str, str | int | float | bool]:
        """The connection as confluent-kafka (librdkafka) names its parts."""
        config: dict[str, str | int | float | bool] = {
            "bootstrap.servers": ",".join(self.addresses),
            "security.protocol": ("SASL_" if self.sasl_mechanism else "") + ("SSL" if self.ssl else "PLAINTEXT"),
        }
        optional = {
            "ssl.ca.location": self.ssl_cafile,
            "ssl.certificate.location": self.ssl_certfile,
            "ssl.key.location": self.ssl_keyfile,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password.get_secret_value() if self.sasl_password else None,
        }
        return config | {name: str(value) for name, value in optional.items() if value is not None}


class RedisSettings(BaseModel):
    """prefix: before every key, so that several systems may share one server.

    url:    with user, password and TLS, if need be: rediss://user:password@host:6379/0?ssl_ca_certs=/etc/ca.pem
    shards: 0: one server. Else url is any node of a Redis Cluster over which so many shards are spread: several times
            as many as it will ever have nodes, and never changed while the data live.
    """

    model_config = Section

    url: str = "redis://127.0.0.1:6379/0"
    prefix: str = "fw"
    shards: Annotated[int, Field(ge=0, le=4096)] = 0

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if not re.match(r"(redis|rediss|unix)://", url):
            raise ValueError('expected an address such as "redis://host:6379/0", "rediss://…" (TLS) or "unix://…"')
        return url


class StoreSettings(BaseModel):
    """url: of the alert store, as SQLAlchemy writes it."""

    model_config = Section

    url: str = "sqlite:///fundwatch.db"

    @field_validator("url")
    @classmethod
    def _is_supported(cls, url: str) -> str:
        if not re.match(r"(sqlite|postgresql(\+psycopg)?)://", url):
            raise ValueError('expected "sqlite:///path/file.db" or "postgresql+psycopg://user@host/database"')
        return url


class FeedSettings(BaseModel):
    """secret: signs the sessions of those logged in; at least 32 characters.

    ssl_certfile, ssl_keyfile: to serve https itself; without them a proxy before it has to. What follows them says
    how much, how often and how long, as alerts.web.bounds tells it.
    """

    model_config = Section

    host: str = "127.0.0.1"
    port: Port = 8000
    secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    daily: Annotated[int, Field(ge=1, le=10_000)] = 12
    session_lasts: Duration = timedelta(hours=12)
    session_idle: Duration = timedelta(minutes=30)
    reveal_for: Duration = timedelta(minutes=15)
    reveals_an_hour: Annotated[int, Field(ge=1, le=10_000)] = 30
    requests_a_minute: Annotated[int, Field(ge=10, le=1_000_000)] = 6_000
    tries_a_minute: Annotated[int, Field(ge=5, le=100_000)] = 120
    exports_an_hour: Annotated[int, Field(ge=1, le=10_000)] = 30
    export_rows: Annotated[int, Field(ge=1, le=100_000)] = 10_000

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            raise ValueError("ssl_certfile and ssl_keyfile go together: a certificate and its key")
        return self


class OidcSettings(BaseModel):
    """An identity provider where people may log in (OpenID Connect); without an issuer only local accounts do.

    redirect_url: the feed's own /oidc/callback as browsers reach it; the provider must know it. roles: value of the
    role claim -> role here; the first that fits counts. area_claim: six-digit areas, or "*"; none: not let in.
    """

    model_config = Section

    issuer: str = ""
    client_id: str = "fundwatch"
    client_secret: SecretStr | None = None
    redirect_url: str = ""
    roles: dict[str, RoleName] = {}
    name_claim: str = "preferred_username"
    role_claim: str = "fundwatch_role"
    area_claim: str = "fundwatch_areas"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.issuer:
            return self
        lacking = [name for name in ("client_secret", "redirect_url", "roles") if not getattr(self, name)]
        if lacking:
            raise ValueError(f"with an issuer set, {' and '.join(lacking)} must be, too")
        for name in ("issuer", "redirect_url"):
            address = urlsplit(getattr(self, name))
            if address.scheme != "https" and address.hostname not in LOOPBACK:
                raise ValueError(f"{name} must be an https address: what passes there lets people in")
        return self


class MetricsSettings(BaseModel):
    """Where each part shows /metrics, /healthz and /readyz; a port of 0: nowhere. port: of a worker."""

    model_config = Section

    host: str = "127.0.0.1"
    port: Port = 9100
    feed_port: Port = 9101
    archive_port: Port = 9102
    notify_port: Port = 9103


class ArchiveSettings(BaseModel):
    """dir: where the events go as Parquet, one folder a business day."""

    model_config = Section

    dir: Path = Path("archive")


class PaperSettings(BaseModel):
    """Papers of leads. dir: a folder that only the feed can read, to be backed up with the store; kinds: let in."""

    model_config = Section

    dir: Path = Path("papers")
    most_mib: Annotated[int, Field(ge=1, le=200)] = 20
    most_of_a_lead: Annotated[int, Field(ge=1, le=1_000)] = 100
    kinds: list[Literal["pdf", "jpeg", "png", "docx", "xlsx", "text"]] = ["pdf", "jpeg", "png", "docx", "xlsx", "text"]

    def cabinet(self) -> "Cabinet":
        from alerts.papers import Cabinet

        return Cabinet(
            folder=self.dir,
            most_bytes=self.most_mib * 1024 * 1024,
            most_papers=self.most_of_a_lead,
            kinds=frozenset(self.kinds),
        )


class MailSettings(BaseModel):
    """A server that takes mail. starttls: off only where the line is safe by itself. cafile: of its authority."""

    model_config = Section

    host: str
    port: Port = 587
    starttls: bool = True
    cafile: Path | None = None
    login: str = ""
    password: SecretStr | None = None
    sender: str
    to: Annotated[list[str], Field(min_length=1, max_length=50)]

    @field_validator("sender", "to")
    @classmethod
    def _is_address(cls, given: str | list[str]) -> str | list[str]:
        for address in [given] if isinstance(given, str) else given:
            if not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", address):
                raise ValueError('expected addresses such as "desk@bureau.example"')
        return given

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.login and self.password is None:
            raise ValueError("with a login set, password must be, too")
        if self.login and not self.starttls:
            raise ValueError("starttls must be on where there is a login: the password would be readable on the way")
        return self


class TargetSettings(BaseModel):
    """Whom to tell of leads; what is empty lets every lead pass.

    url:       of a webhook or a robot; it holds the robot's key, so best from a file (…__URL_FILE).
    secret:    signs what goes to a webhook (base64) or to a DingTalk robot (SEC…).
    quiet:     two times of the day, such as ["20:00", "07:30"], between which only red leads are told.
    digest_at: yellow and blue leads come once a day at this time, in one message; "": each by itself.
    """

    model_config = Section

    kind: Literal["webhook", "mail", "wecom", "dingtalk"]
    url: SecretStr | None = None
    secret: SecretStr | None = None
    mail: MailSettings | None = None
    levels: list[Literal["red", "orange", "yellow", "blue"]] = []
    detectors: list[str] = []
    areas: list[Annotated[str, Field(pattern=r"^\d{6}$")]] = []
    quiet: tuple[time, time] | None = None
    digest_at: time | Literal[""] = time(8, 30)
    lang: Literal["zh", "en"] = "zh"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind == "mail":
            if self.mail is None:
                raise ValueError("mail must be set: host, sender, to")
            return self
        address = urlsplit(self.url.get_secret_value() if self.url else "")
        if not address.hostname or not (address.scheme == "https" or address.hostname in LOOPBACK):
            raise ValueError("url must be an https address: leads pass there")
        return self

    @field_validator("secret")
    @classmethod
    def _signs(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if secret is None or info.data.get("kind") != "webhook":
            return secret
        try:
            base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
        except ValueError:
            raise ValueError("expected base64, such as openssl rand -base64 32 makes it") from None
        return secret


class NotifySettings(BaseModel):
    """link: the address of the feed as those who get messages reach it. targets: by a name of your choice."""

    model_config = Section

    link: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    targets: Annotated[dict[str, TargetSettings], Field(max_length=50)] = {}


class Lateness(BaseModel):
    """How far behind the watermark an event may come and still take part, by topic."""

    model_config = Section

    swipes: Duration = timedelta(days=7)
    claims: Duration = timedelta(days=7)
    stock: Duration = timedelta(days=7)


class RulesSettings(BaseModel):
    """file: your own thresholds (rules.toml), laid over those that are shipped; read again whenever it changes."""

    model_config = Section

    file: Path | None = None


class ModelSettings(BaseModel):
    """dir: the registry of anomaly models, or one version's directory; without it none judges."""

    model_config = Section

    dir: Path | None = None


class EmbeddedSettings(BaseModel):
    """kafka_jars: a folder with Apache Kafka's jars, for a machine without a way to fetch them."""

    model_config = Section

    kafka_jars: Path | None = None


class Settings(BaseSettings):
    """Where everything is. Thresholds of detectors are in the file of rules."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", validate_default=True
    )

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    store: StoreSettings = StoreSettings()
    feed: FeedSettings = FeedSettings()
    oidc: OidcSettings = OidcSettings()
    metrics: MetricsSettings = MetricsSettings()
    archive: ArchiveSettings = ArchiveSettings()
    notify: NotifySettings = NotifySettings()
    papers: PaperSettings = PaperSettings()
    lateness: Lateness = Lateness()
    rules: RulesSettings = RulesSettings()
    model: ModelSettings = ModelSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of weight."""
        plain, secrets = EnvSettingsSource(settings_cls), EnvSettingsSource(settings_cls)
        paths = {name: path for name, path in plain.env_vars.items() if _names_a_secret_file(name)}
        plain.env_vars = {name: value for name, value in plain.env_vars.items() if name not in paths}
        secrets.env_vars = {name.removesuffix("_file"): _read_secret(name, path) for name, path in paths.items()}
        return init_settings, plain, TomlConfigSettingsSource(settings_cls, _file.get()), secrets

    @classmethod
    def load(cls, data_dir: Path | None = None, config: Path | None = None) -> Self:
        """The settings in force.

        data_dir: of an embedded system; its addresses weigh more than any other source.
        config:   the file to read instead of fundwatch.toml.
        Raises    SettingsError, with a line for each; NotRunningError if nothing was ever started in data_dir.
        """
        _refuse_unknown_variables(os.environ, cls.model_fields)
        path = config or Path(os.environ.get("FUNDWATCH_CONFIG", DEFAULT_FILE))
        if not path.is_file() and path != Path(DEFAULT_FILE):
            raise SettingsError(f"{path}: there is no such file (settings are read from it)")
        addresses = embedded_addresses(data_dir) if data_dir is not None else {}
        reading = _file.set(path)
        try:
            return cls(**addresses)
        except ValidationError as error:
            raise SettingsError("\n".join(_complaint(detail) for detail in error.errors())) from None
        except ValueError as error:  # not TOML at all
            raise SettingsError(f"{path}: {error}") from None
        finally:
            _file.reset(reading)


def embedded_addresses(data_dir: Path) -> dict[str, Any]:  # Any: nested as the settings are
    """What ``DIR/run.json`` tells, in the shape of the settings. Raises NotRunningError if there is none."""
    try:
        run = json.loads((data_dir / "run.json").read_text())
        feed = urlsplit(run["feed_url"])
        return {
            "kafka": {"bootstrap": run["kafka_address"]},
            "redis": {"url": run["redis_url"]},
            "store": {"url": run["store_url"]},
            "feed": {
                "host": feed.hostname,
                "port": feed.port,
                "secret": (data_dir / "feed.secret").read_text().strip(),
            },
            "archive": {"dir": run["archive_dir"]},
            "papers": {"dir": data_dir / "papers"},
            **({"model": {"dir": run["model_dir"]}} if run.get("model_dir") else {}),
        }
    except FileNotFoundError:
        raise NotRunningError(
            f"no embedded system has been started in {data_dir}; start one with: fundwatch up --data {data_dir}"
        ) from None


def _names_a_secret_file(name: str) -> bool:
    """rules.file is a setting itself, not a file that holds one."""
    return name.startswith(PREFIX.lower()) and name.endswith("_file") and not name.endswith("__file")


def _read_secret(name: str, path: str | None) -> str:
    try:
        return Path(path or "").read_text().strip()
    except OSError as error:
        raise SettingsError(f'{name.upper()}="{path}": the file cannot be read ({error.strerror})') from None


def _refuse_unknown_variables(environ: Mapping[str, str], sections: Mapping[str, object]) -> None:
    """pydantic-settings overlooks FUNDWATCH_KAFFKA__BOOTSTRAP; we do not."""
    for name in environ:
        section = name.removeprefix(PREFIX).split("__")[0].lower()
        if name.startswith(PREFIX) and name not in NOT_SETTINGS and section not in sections:
            raise SettingsError(f"{name}: there is no such setting{_guess(section, sections)}")


def _guess(wrong: str, known: Iterable[str]) -> str:
    near = get_close_matches(wrong, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(sorted(known))}"


def _complaint(detail: ErrorDetails) -> str:
    """FUNDWATCH_LATENESS__SWIPES="6" (lateness.swipes): expected a duration such as "6h" """
    path = [str(part) for part in detail["loc"]]
    variable = PREFIX + "__".join(path).upper()
    name = f"{variable} ({'.'.join(path)})"
    if detail["type"] == "extra_forbidden":
        return f"{name}: there is no such setting{_guess(path[-1], _known(path[:-1]))}"
    shown = '"…"' if _is_secret(path) else json.dumps(detail["input"], ensure_ascii=False, default=str)
    return f"{name} = {shown}: {detail['msg'].removeprefix('Value error, ')}"


def _known(path: Sequence[str]) -> Iterable[str]:
    model: type[BaseModel] = Settings
    for name in path:
        if name not in model.model_fields:  # a name of one's own: of a target
            continue
        told = model.model_fields[name].annotation
        kinds = [kind for kind in (told, *get_args(told)) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not kinds:
            return ()
        model = kinds[0]
    return model.model_fields


def _is_secret(path: Sequence[str]) -> bool:
    return path[-1] in {"secret", "sasl_password", "client_secret", "password"} or path[-1] == "url"
