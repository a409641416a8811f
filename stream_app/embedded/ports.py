"""Ports of this machine's loopback."""

import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
PROBE_WITHIN_S = 1.0


def choose(*remembered: int | None) -> list[int]:
    """One port for each argument: that one while it is still free, else any free one, all different."""
    held: list[socket.socket] = []
    try:
        return [_bind(held, port) for port in remembered]
    finally:
        for each in held:
            each.close()


def _bind(held: list[socket.socket], port: int | None) -> int:
    for candidate in _candidates(port):
        opened = socket.socket()
        held.append(opened)  # held until all are chosen, so that none is chosen twice
        # as servers do: a port that only waits for its last packets is free
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((LOOPBACK, candidate))
        except OSError:
            continue
        return int(opened.getsockname()[1])
    raise AssertionError("the system gives port 0 a free port")


def _candidates(port: int | None) -> Iterator[int]:
    if port:
        yield port
    yield 0


def is_open(port: int) -> bool:
    """Does anybody answer?"""
    try:
        socket.create_connection((LOOPBACK, port), PROBE_WITHIN_S).close()
    except OSError:
        return False
    return True


def is_closed(port: int) -> bool:
    """Does nobody answer?"""
    return not is_open(port)
