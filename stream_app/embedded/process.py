"""Child processes that do not outlive us, and leave a log of finite size."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its types are a package of their own

STOP_WITHIN_S = 10.0  # then it is killed
LOG_BYTES = 10 << 20  # a log that is longer becomes ….1, and is begun anew

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. on_orphaned: the signal that the system sends it when we die, however we die (Linux)."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    on_orphaned: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Child:
    """A program that was started."""

    program: Program
    process: asyncio.subprocess.Process
    started: float  # seconds since 1970: with the process id it names a process for good

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def stop(self) -> None:
        """Ask it to stop, wait, and kill it and all it has started if it does not."""
        _signal_group(self.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            pass
        finally:
            _signal_group(self.pid, signal.SIGKILL)
        await self.process.wait()


async def start(program: Program) -> Child:
    """Start it in a group of its own, so that Ctrl-C reaches only us, and we stop it in order."""
    rotate(program.log)
    with program.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **program.environment},
            start_new_session=True,
            preexec_fn=die_with_us(program.on_orphaned),
        )
    return Child(program, process, started_at(process.pid) or 0.0)


def die_with_us(orphaned: signal.Signals) -> Callable[[], None] | None:
    """What a child has to call before it becomes another program, so that the system ends it when we end."""
    return partial(_set_death_signal, _LIBC, os.getpid(), orphaned) if _LIBC is not None else None


def _set_death_signal(libc: ctypes.CDLL, parent: int, orphaned: signal.Signals) -> None:
    libc.prctl(_PR_SET_PDEATHSIG, int(orphaned))
    if os.getppid() != parent:  # we were orphaned before we could say so
        os.kill(os.getpid(), signal.SIGKILL)


def rotate(log: Path) -> None:
    """Keep the log finite. Whoever writes it appends, so that it may be emptied under them."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def started_at(pid: int) -> float | None:
    """When the process was started, in seconds since 1970; None if there is none."""
    with suppress(psutil.NoSuchProcess):
        return float(psutil.Process(pid).create_time())
    return None


def kill_leftover(pid: int, started: float) -> bool:
    """Kill a process of an earlier run with all its group, if it is still that process. True if it was there."""
    now = started_at(pid)
    if now is None or abs(now - started) > 1:
        return False
    _signal_group(pid, signal.SIGKILL)
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(pid).wait(STOP_WITHIN_S)
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
