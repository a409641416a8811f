"""Apache Kafka's jars: fetched once from Maven Central, checked against kafka-jars.toml, kept in the user's cache."""

import hashlib
import os
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp

from jgo.maven import MavenContext

KAFKA_VERSION = "3.9.1"
AT_ONCE = 8  # downloads
TRIES = 3


class JarsError(Exception):
    """Kafka's jars are not to be had; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    name: str
    version: str
    classifier: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}{'-' * bool(self.classifier)}{self.classifier}.jar"


def kafka_jars(given: Path | None = None) -> Path:
    """A folder with all jars of the broker.

    given:  a folder that has them already; then nothing is fetched.
    Raises  JarsError.
    """
    if given is not None:
        _require_kafka(given)
        return given
    folder = _cache_home() / "fundwatch" / f"kafka-{KAFKA_VERSION}"
    if not folder.is_dir():
        _fill(folder)
    return folder


def _require_kafka(folder: Path) -> None:
    if not any(folder.glob("kafka_2.13-*.jar")):
        raise JarsError(
            f"{folder}: no kafka_2.13-….jar in it; expected the folder libs of an Apache Kafka 3.9 download, "
            f"or a copy of ~/.cache/fundwatch/kafka-{KAFKA_VERSION} of a machine with a network"
        )


def _cache_home() -> Path:
    default = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or default)


def _fill(folder: Path) -> None:
    """Fetch into a folder beside it and rename: ``folder`` is complete or not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        _fetch_all(list(locked()), partial)
        if not folder.is_dir():  # somebody else may have been quicker
            partial.rename(folder)
    except OSError as error:
        raise JarsError(
            f"Apache Kafka's jars could not be fetched from Maven Central: {error}\n"
            "On a machine without a network, name a folder that has them: fundwatch up --kafka-jars DIR"
        ) from error
    finally:
        rmtree(partial, ignore_errors=True)


def locked() -> Iterator[Jar]:
    """What kafka-jars.toml lists."""
    listed = tomllib.loads(files(__package__).joinpath("kafka-jars.toml").read_text())
    for coordinate, sha256 in listed["jars"].items():
        group, name, version, *classifier = coordinate.split(":")
        yield Jar(group, name, version, "".join(classifier), sha256)


def _fetch_all(jars: list[Jar], into: Path) -> None:
    progress = _Progress(len(jars))
    context = MavenContext(repo_cache=into / "maven", timeout=30)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fetched in as_completed([pool.submit(_fetch, context, jar, into) for jar in jars]):
            fetched.result()
            progress.step()
    rmtree(into / "maven")
    progress.done()


def _fetch(context: MavenContext, jar: Jar, into: Path) -> None:
    """Raises OSError when the jar cannot be had, or is not what the lock says, after TRIES."""
    artifact = context.project(jar.group, jar.name).at_version(jar.version).artifact(classifier=jar.classifier)
    for left in reversed(range(TRIES)):
        try:
            path = artifact.resolve()
            if hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256:
                copyfile(path, into / jar.file)
                return
            path.unlink()
            problem = OSError(f"{jar.file} is not the file that was expected (its checksum differs)")
        except (RuntimeError, OSError) as error:  # RuntimeError: jgo's word for "not found"
            problem = OSError(str(error))
        if not left:
            raise problem


class _Progress:
    """ "fetching Apache Kafka 3.9.1: 12 of 55" on one line of stderr; where it is no terminal, begin and end only."""

    def __init__(self, total: int) -> None:
        self.total, self.count = total, 0
        self.live = sys.stderr.isatty()
        print(f"fetching Apache Kafka {KAFKA_VERSION} ({total} files, 47 MB, only this once) …", file=sys.stderr)

    def step(self) -> None:
        self.count += 1
        if self.live:
            print(f"\r  {self.count} of {self.total}", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        print("\r  done     " if self.live else "  done", file=sys.stderr)


if __name__ == "__main__":  # the last step of an installation: what is fetched now need not be waited for later
    try:
        kafka_jars()
    except JarsError as error:
        sys.exit(str(error))
