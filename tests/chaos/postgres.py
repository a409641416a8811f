"""A PostgreSQL of our own as one process."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.stores import _program as program

NAME = "fundwatch"


def command(folder: Path, port: int) -> list[str]:
    """The command line of a server with a database for us, on loopback only. Its data are made ready if new.

    Raises FileNotFoundError if PostgreSQL is not installed.
    """
    initdb, server = program("initdb"), program("postgres")
    if initdb is None or server is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        _run(folder, str(initdb), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [*_as_its_user(), str(server), "-D", str(data), *settings]


def url(port: int, database: str = NAME) -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{database}"


def _as_its_user() -> list[str]:
    """It refuses to run as root. setpriv becomes the server, so that signals reach it."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "INT", "--"]


def _run(folder: Path, *arguments: str) -> None:
    subprocess.run([*_as_its_user(), *arguments], check=True, cwd=folder, timeout=60, stdout=subprocess.DEVNULL)
