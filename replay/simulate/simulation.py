"""A city's days, one after the other, as a recording: reference first, then events in order of arrival."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

import msgspec
import zstandard

from replay.simulate import label, reference
from replay.simulate.city import City, Plan, found
from replay.simulate.clock import HOUR
from replay.simulate.daily import Life
from replay.simulate.fates import befall
from replay.simulate.hospitals import Hospitals
from replay.simulate.ids import dice
from replay.simulate.journal import Event
from replay.simulate.label import Label
from replay.simulate.store_room import tidy
from replay.simulate.stories.catalogue import chosen
from replay.simulate.stories.story import Family, NoActorsError, Stage
from replay.simulate.town import Town

FRAUDS_EACH = 4 / 8_000  # cases of a family per insured person, at full intensity: as dense as recorded world a
DECOYS_EACH = 2 / 8_000
OTHER_DAYS = 8  # on which a case is tried before it is given up
CHUNK = 1 << 20  # bytes handed to the compressor at once
WAKES_BY_DAY = 6 * HOUR  # a city that begins later than this has its first fraud within the hour


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: bytes, /) -> int: ...


@dataclass(slots=True)
class Simulation:
    """One run. ``labels`` and ``untold`` are whole when the lines are through.

    untold: case ids for which the city had no people or places.
    """

    plan: Plan
    labels: list[Label] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    day: int = 0  # being lived
    written: int = 0  # lines

    def lines(self) -> Iterator[bytes]:
        """The recording, line by line, without line ends. Holds what has not arrived yet, not the whole."""
        city = found(self.plan)
        fates = befall(city)
        stages = self._stages(city)
        notices = list(self._prepare(stages))
        encode = msgspec.json.Encoder().encode
        yield from (encode(record) for record in chain(reference.records(city), notices))
        town = Town(city)
        hospitals, life = Hospitals(town, fates), Life(town)
        told: list[Stage] = []
        for day in range(self.plan.days):
            self.day = city.day = day
            if day == 0:
                city.stock_up()
            told += [stage for stage in stages if stage.day == day and self._tells(stage)]
            town.wake()
            tidy(city, town.chance)
            hospitals.live()
            life.live()
            yield from city.journal.arrived(day)
        yield from city.journal.rest()
        self.labels += sorted((stage.label() for stage in told), key=lambda one: one.case_id[1:])

    def _stages(self, city: City) -> list[Stage]:
        """When each case happens, and which; decided before the first day."""
        stages: list[Stage] = []
        for family in chosen(self.plan.families):
            chance = dice(self.plan.seed, "stories", family.name)
            fitting = [variant for variant in family.variants if variant.after + variant.days <= self.plan.days]
            turn = chance.randrange(len(fitting) or 1)  # another seed begins with another variant
            for nth in range(self._cases(family) if fitting else 0):
                variant = fitting[(turn + nth) % len(fitting)]
                day = chance.randint(variant.after, self.plan.days - variant.days)
                stages.append(
                    Stage(
                        city=city,
                        family=family,
                        variant=variant,
                        number=len(stages) + 1,
                        day=day,
                        chance=dice(self.plan.seed, family.name, nth),
                    )
                )
        if stages and city.clock.opens >= WAKES_BY_DAY and stages[0].variant.days <= self.plan.days:
            stages[0].day, stages[0].early = 0, True
        return stages

    def _cases(self, family: Family) -> int:
        """At least one of each, however small the city; none at intensity 0."""
        each = FRAUDS_EACH if family.kind == "fraud" else DECOYS_EACH
        return max(1, round(self.plan.intensity * self.plan.persons * each)) if self.plan.intensity else 0

    def _prepare(self, stages: list[Stage]) -> Iterator[Event]:
        """What the bureau registers beforehand; cases for which that cannot be on any day are not told."""
        for stage in tuple(stages):
            prepare = stage.variant.prepare
            if prepare is None:
                continue
            for _ in range(OTHER_DAYS):
                with suppress(NoActorsError):
                    yield from prepare(stage)
                    break
                stage.day = stage.chance.randint(stage.variant.after, self.plan.days - stage.variant.days)
            else:
                stages.remove(stage)
                self.untold.append(stage.case_id)

    def _tells(self, stage: Stage) -> bool:
        """What nobody could be found for may be told tomorrow, if nothing is on record for today."""
        try:
            stage.variant.tell(stage)
        except NoActorsError:
            if stage.variant.prepare is None and stage.last < self.plan.days:
                stage.day += 1
            else:
                self.untold.append(stage.case_id)
            return False
        return True


def write(plan: Plan, out: Path, labels: Path | None, on_day: Callable[[int], None] = lambda day: None) -> Simulation:
    """Write the recording, and then what was planted in it. Plain, .gz or .zst by the name's end; the same bytes for
    the same plan. on_day: told of every day that is through. Raises OSError."""
    simulation = Simulation(plan)
    day = 0
    with opened(out) as file:
        for line in simulation.lines():
            file.write(line + b"\n")
            simulation.written += 1
            if simulation.day != day:
                day = simulation.day
                on_day(day)
    if labels is not None:
        labels.write_bytes(label.write(simulation.labels))
    return simulation


@contextmanager
def opened(path: Path) -> Iterator[Sink]:
    """A file to write, compressed as its name says, without the time or the name in it."""
    with closing(path.open("wb")) as raw:
        if path.suffix == ".gz":
            with (
                gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=raw, mtime=0) as thin,
                io.BufferedWriter(thin, CHUNK) as file,
            ):
                yield file
        elif path.suffix == ".zst":
            with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as dense:
                yield dense
        else:
            yield raw
