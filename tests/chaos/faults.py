"""The table of faults. Each hurts something, and takes back what would not heal by itself."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from redis.exceptions import RedisError

from stream_app.embedded.supervisor import LONGEST_PAUSE_AFTER_KILL_S
from tests.chaos.system import CLOCKED, WORKERS, System, clock_stands, until

BRIEF, LONG = 1.0, 8.0  # seconds; a worker's session at Kafka runs out after 6
CLOCK_JUMPS = (-3600, -30, 30, 3600)  # seconds
FULL_S = 3.0
BALLAST = 1 << 20  # bytes written at once
FASTER_THAN_RESTART = LONGEST_PAUSE_AFTER_KILL_S

Act = Callable[[System, Random], Awaitable[None]]
Reason = Callable[[System], str]  # why it cannot be done here; "" if it can


@dataclass(frozen=True)
class Fault:
    name: str
    act: Act
    cannot: Reason = lambda system: ""
    weight: int = 2


def _kill(name: str, number: signal.Signals) -> Act:
    async def act(system: System, chance: Random) -> None:
        await system.hurt(name, number)

    return act


def _one_of_workers(number: signal.Signals) -> Act:
    async def act(system: System, chance: Random) -> None:
        await system.hurt(chance.choice(WORKERS), number)

    return act


async def _all_workers(system: System, chance: Random) -> None:
    for name in WORKERS:
        await system.hurt(name, signal.SIGKILL)


async def _again_in_start(system: System, chance: Random) -> None:
    """Killed, and killed once more while it starts."""
    name = chance.choice(WORKERS)
    await system.hurt(name, signal.SIGKILL)
    await asyncio.sleep(FASTER_THAN_RESTART + chance.uniform(0, 2))
    await system.hurt(name, signal.SIGKILL)


def _redis_killed(fsync: str) -> Act:
    async def act(system: System, chance: Random) -> None:
        with suppress(RedisError), system.redis() as client:
            await asyncio.to_thread(client.config_set, "appendfsync", fsync)
        await asyncio.sleep(chance.random())
        await system.hurt("redis", signal.SIGKILL)

    return act


def _paused(names: Sequence[str], seconds: float) -> Act:
    async def act(system: System, chance: Random) -> None:
        child = system.child(chance.choice(names))
        if child is None:
            return
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds * chance.uniform(0.8, 1.2))
            finally:
                os.kill(child.pid, signal.SIGCONT)

    return act


def _connections_dropped(name: str) -> Act:
    async def act(system: System, chance: Random) -> None:
        for _ in range(chance.randint(1, 3)):
            system.proxies[name].drop()
            await asyncio.sleep(chance.uniform(0, 0.5))

    return act


async def _clients_killed(system: System, chance: Random) -> None:
    with suppress(RedisError), system.redis() as client:
        await asyncio.to_thread(client.client_kill_filter, _type="normal", skipme=True)


async def _another_worker(system: System, chance: Random) -> None:
    """One more joins, works, and leaves in good order or not."""
    name = f"guest-{chance.randrange(1 << 32):08x}"
    system.invite(name)
    await until(lambda: system.child(name) is not None, "a guest lives")
    await asyncio.sleep(chance.uniform(4, 8))
    guest = system.child(name)
    if guest is not None:
        with suppress(ProcessLookupError):
            os.kill(guest.pid, chance.choice((signal.SIGTERM, signal.SIGKILL)))


async def _disk_full(system: System, chance: Random) -> None:
    ballast = system.folder / "ballast"
    try:
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(FULL_S * chance.uniform(0.3, 1.0))
    finally:
        ballast.unlink(missing_ok=True)


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(BALLAST))


async def _clock_jumps(system: System, chance: Random) -> None:
    name = chance.choice(CLOCKED)
    clock = system.clock_of(name)
    await asyncio.to_thread(clock.write_text, f"{chance.choice(CLOCK_JUMPS):+d}")
    await asyncio.sleep(chance.uniform(2, 4))
    await asyncio.to_thread(clock.write_text, "+0")


def _unless_small_disk(system: System) -> str:
    return "" if os.path.ismount(system.folder) else "needs a small file system of its own: run as root"


def _unless_postgresql(system: System) -> str:
    return "" if system.store_kind == "postgresql" else "the store is SQLite"


KILL, TERM, FAST = signal.SIGKILL, signal.SIGTERM, signal.SIGINT

FAULTS = (
    Fault("worker: kill -9", _one_of_workers(KILL), weight=5),
    Fault("worker: SIGTERM", _one_of_workers(TERM), weight=3),
    Fault("both workers: kill -9", _all_workers),
    Fault("worker: kill -9, twice", _again_in_start),
    Fault("worker: paused for 1 s", _paused(WORKERS, BRIEF)),
    Fault("worker: paused for 8 s", _paused(WORKERS, LONG)),
    Fault("worker joins and leaves", _another_worker, weight=3),
    Fault("feed: kill -9", _kill("feed", KILL)),
    Fault("feed: SIGTERM", _kill("feed", TERM), weight=1),
    Fault("archive: kill -9", _kill("archive", KILL)),
    Fault("archive: SIGTERM", _kill("archive", TERM), weight=1),
    Fault("Redis: kill -9, AOF always", _redis_killed("always"), weight=3),
    Fault("Redis: kill -9, AOF everysec", _redis_killed("everysec"), weight=3),
    Fault("Redis: SIGTERM", _kill("redis", TERM)),
    Fault("Redis: paused for 1 s", _paused(["redis"], BRIEF)),
    Fault("Redis: paused for 8 s", _paused(["redis"], LONG), weight=1),
    Fault("Redis: connections dropped", _connections_dropped("redis"), weight=3),
    Fault("Redis: CLIENT KILL", _clients_killed),
    Fault("Kafka: kill -9", _kill("kafka", KILL), weight=3),
    Fault("Kafka: SIGTERM", _kill("kafka", TERM), weight=1),
    Fault("Kafka: paused for 1 s", _paused(["kafka"], BRIEF)),
    Fault("Kafka: paused for 8 s", _paused(["kafka"], LONG), weight=1),
    Fault("Kafka: connections dropped", _connections_dropped("kafka"), weight=3),
    Fault("PostgreSQL: kill -9", _kill("postgresql", KILL), _unless_postgresql),
    Fault("PostgreSQL: restart", _kill("postgresql", FAST), _unless_postgresql),
    Fault("PostgreSQL: paused for 1 s", _paused(["postgresql"], BRIEF), _unless_postgresql),
    Fault(
        "PostgreSQL: connections dropped",
        _connections_dropped("postgresql"),
        _unless_postgresql,
    ),
    Fault("disk full for 1 to 3 s", _disk_full, _unless_small_disk),
    Fault("clock of Redis jumps by up to 1 h, and back", _clock_jumps, clock_stands),
)


def drawn(system: System, chance: Random) -> Fault:
    possible = [fault for fault in FAULTS if not fault.cannot(system)]
    return chance.choices(possible, [fault.weight for fault in possible])[0]


def left_out(system: System) -> dict[str, str]:
    """Faults that cannot be made here, and why."""
    return {fault.name: why for fault in FAULTS if (why := fault.cannot(system))}
