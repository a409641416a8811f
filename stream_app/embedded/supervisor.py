"""Keeps programs running: starts again what dies, stops all of them in order."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stream_app.embedded import process
from stream_app.embedded.process import Child, Program

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
LONGEST_PAUSE_AFTER_KILL_S = 1.5  # who was killed has not failed
STEADY_S = 10.0  # who lived for so long has started well
WORTH_TELLING = 3  # deaths in a row right after the start
LAST_WORDS = 8  # lines of its log
ROTATE_EVERY_S = 30.0

Say = Callable[[str], None]


@dataclass
class Kept:
    """One program that is kept running. child: None before its first start."""

    program: Program
    child: Child | None = None


class Supervisor:
    """say: for people. changed: called after every start and every end: nobody is told of a process that is gone."""

    def __init__(self, say: Say, changed: Callable[[], None]) -> None:
        self._say, self._changed = say, changed
        self._kept: list[Kept] = []
        self._once: list[Child] = []
        self._tasks = [asyncio.create_task(self._rotate())]

    def keep(self, program: Program) -> None:
        """Start it now, and again whenever it ends."""
        kept = Kept(program)
        self._kept.append(kept)
        self._tasks.append(asyncio.create_task(self._keep(kept)))

    async def run_once(self, program: Program) -> int:
        """Start it, wait for its end, return its exit code."""
        child = await self._start(program)
        self._once.append(child)
        self._changed()
        try:
            return await child.process.wait()
        finally:
            if not child.alive:
                self._once.remove(child)
            self._changed()

    def children(self) -> list[Child]:
        """All that live."""
        kept = [each.child for each in self._kept if each.child is not None]
        return [child for child in (*kept, *self._once) if child.alive]

    async def stop(self, *names_last: str) -> None:
        """Stop everything, those named last, when the rest is gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        children = self.children()
        first = [child for child in children if child.program.name not in names_last]
        await _stop_all(first)
        await _stop_all(child for child in children if child not in first)

    async def _start(self, program: Program) -> Child:
        starting = asyncio.create_task(process.start(program))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._once.append(await starting)  # it lives, so it has to be stopped with the rest
            raise

    async def _keep(self, kept: Kept) -> None:
        pause, deaths = FIRST_PAUSE_S, 0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            kept.child = await self._start(kept.program)
            self._changed()
            code = await kept.child.process.wait()
            self._changed()
            if clock() - began > STEADY_S:
                pause, deaths = FIRST_PAUSE_S, 0
            deaths += 1
            self._tell(kept.program, code, deaths, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S if code > 0 else LONGEST_PAUSE_AFTER_KILL_S)

    def _tell(self, program: Program, code: int, deaths: int, pause: float) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        if deaths < WORTH_TELLING:
            self._say(f"{program.name} {how}; starting it again")
            return
        self._say(f"{program.name} {how}, {deaths} times in a row right after its start; next try in {pause:g} s")
        if deaths == WORTH_TELLING:
            self._say(f"its last words, from {program.log}:\n{last_words(program.log)}")

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(ROTATE_EVERY_S)
            for child in self.children():
                process.rotate(child.program.log)


async def _stop_all(children: Iterable[Child]) -> None:
    await asyncio.gather(*(child.stop() for child in children))


def last_words(log: Path, lines: int = LAST_WORDS) -> str:
    """The end of a log, indented."""
    with suppress(FileNotFoundError):
        said = log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"  {line}" for line in said)
    return "  (nothing)"
