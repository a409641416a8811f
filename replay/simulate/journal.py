"""All that the city sends, handed out in order of arrival. Holds what has not arrived yet, and nothing else."""

from collections.abc import Iterator
from random import Random

import msgspec

from replay.simulate.clock import DAY, HOUR

Event = dict[str, object]  # one message as the wire has it

_encode = msgspec.json.Encoder().encode


class Journal:
    """Messages wait here, by the day of their arrival. What happens at ``end`` or later is not written: the world
    stops there; what happened before may still arrive for a while. About ``REPEATED`` of them come twice."""

    REPEATED = 0.005
    A_WHILE = DAY // 2

    def __init__(self, end: int, chance: Random) -> None:
        self._end = end
        self._chance = chance
        self._waiting: dict[int, list[tuple[int, int, bytes]]] = {}
        self._written = 0
        self.unwritten: set[str] = set()  # ids of what would have happened, or arrived, after the end
        self._until_repeat = self._draw()

    def write(self, event: Event, at: int, recv: int) -> None:
        """One message that happened ``at`` and arrives at ``recv``, seconds of the city."""
        if at >= self._end or recv >= self._end + self.A_WHILE:
            self.unwritten.add(str(event["event_id"]))
            return
        line = _encode(event)
        self._put(line, recv)
        self._until_repeat -= 1
        if self._until_repeat <= 0:
            self._until_repeat = self._draw()
            self._put(line, recv + self._chance.randrange(20, 6 * HOUR))

    def _draw(self) -> int:
        """How many messages until one is sent twice."""
        return 1 + int(self._chance.expovariate(self.REPEATED))

    def _put(self, line: bytes, arrival: int) -> None:
        self._written += 1
        self._waiting.setdefault(arrival // DAY, []).append((arrival, self._written, line))

    def arrived(self, day: int) -> Iterator[bytes]:
        """All that arrives on ``day``, in its order; afterwards nothing of it is held."""
        for _, _, line in sorted(self._waiting.pop(day, ())):
            yield line

    def rest(self) -> Iterator[bytes]:
        """What is still on its way, in its order."""
        for day in sorted(self._waiting):
            yield from self.arrived(day)
