"""Alert stores to test against: a SQLite file, and a PostgreSQL server of our own where one is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from alerts.migrations import upgrade
from alerts.store import Store
from alerts.tables import metadata
from tests.browser.site import made_template


def _program(name: str) -> Path | None:
    found = shutil.which(name)
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return Path(found) if found else installed[-1] if installed else None


def _as_server_user(directory: Path, *command: str | Path) -> list[str]:
    """PostgreSQL refuses to run as root; then it runs as the user its package made."""
    if os.getuid() != 0:
        return [str(part) for part in command]
    shutil.chown(directory, "postgres")
    return ["runuser", "-u", "postgres", "--", *map(str, command)]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one account that can log in; see tests.browser.site.store_in."""
    return made_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The directory of a running server's socket; it listens nowhere else."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed")
    directory = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has at most 107 bytes
    data = directory / "data"
    options = f"-k {directory} -c listen_addresses='' -c fsync=off"

    def run(*command: str | Path) -> None:
        subprocess.run(
            _as_server_user(directory, *command), check=True, cwd=directory, timeout=60, stdout=subprocess.DEVNULL
        )

    try:
        run(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        run(pg_ctl, "-D", data, "-o", options, "-l", directory / "log", "-w", "-t", "50", "start")
        yield str(directory)
    finally:
        if (data / "postmaster.pid").exists():
            run(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_store(postgresql: str) -> str:
    """The address of a database with the tables, for one test after the other."""
    url = _postgresql_database(postgresql, "shared")
    upgrade(url)
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables."""
    path = tmp_path_factory.mktemp("stencil") / "alerts.db"
    upgrade(f"sqlite:///{path}")
    return path


def _postgresql_database(socket: str, name: str) -> str:
    engine = create_engine(f"postgresql+psycopg://postgres@/postgres?host={socket}", isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"postgresql+psycopg://postgres@/{name}?host={socket}"


def _emptied(url: str) -> str:
    engine = create_engine(url)
    with engine.begin() as db:
        db.execute(text("TRUNCATE " + ", ".join(metadata.tables)))
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each kind of server in turn."""
    return str(request.param)


@pytest.fixture
def empty_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return _postgresql_database(request.getfixturevalue("postgresql"), f"t{uuid4().hex}")


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an alert store with its tables."""
    if engine == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "alerts.db")
        return f"sqlite:///{tmp_path}/alerts.db"
    return _emptied(str(request.getfixturevalue("postgresql_store")))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An alert store, empty."""
    store = Store.open(url)
    yield store
    store.close()
