"""Recordings as memory holds them at their end, with nothing judged: to be looked into."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from detectors.file import Fallen
from detectors.ledger import Place, filed
from detectors.memory import View
from replay.memory import Memory
from replay.run import Run, recording

ANY = "*"  # in a key


class Recorded(Memory):
    """Remembers what does not count, too."""

    def __init__(self) -> None:
        super().__init__()
        self._fallen: defaultdict[Place, list[Any]] = defaultdict(list)  # Any: Events

    def remember(self, rows: Sequence[Any]) -> View:
        for ledger, files in filed(row for row in rows if isinstance(row, Fallen)).items():
            if not ledger.sign:  # nothing ever falls there
                for key, fallen in files.items():
                    for event in (row.event for row in fallen):
                        self._fallen[ledger.name, key] += ledger.rows(event, key) if ledger.rows else (event,)
        return super().remember(rows)

    @property
    def view(self) -> View:
        return self.remember(())

    def fallen(self, place: Place) -> list[Any]:
        """What lies there and does not count. Any: Events."""
        return self._fallen.get(place, [])

    def files(self, place: Place) -> Iterator[Place]:
        """Those that there are; a "*" at either end of the key stands for anything."""
        known = self._files.get(place[0], {})
        before, star, after = place[1].partition(ANY)
        if not star:
            yield from [place] if place[1] in known else []
        else:
            yield from ((place[0], key) for key in known if key.startswith(before) and key.endswith(after))


def recorded(files: Sequence[str], on_events: Callable[[int], None]) -> Recorded:
    """Raises OSError, RecordingError."""
    memory = Recorded()
    run = Run(on_refused=lambda name, line, why: None, on_events=on_events, detectors=(), memory=memory)
    run.over([recording(name) for name in files])
    return memory
