"""All that the city sends, handed out in order of arrival. Holds what has not arrived yet, and nothing else."""

from collections.abc import Iterator
from random import Random

import msgspec

from replay.simulate.clock import DAY, HOUR

Event = dict[str, object]  # one message as the wire has it

_Feed = tuple[str, str]  # institution, kind of event
_Message = tuple[int, int, bytes, _Feed, int]  # arrival, number, line, feed, when it happened
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class Journal:
    """Messages wait here, by the day of their arrival. What happens at ``end`` or later is not written: the world
    stops there; what happened before may still arrive for a while. About ``REPEATED`` of them come twice.

    unwritten: ids of what was never told. told: the days on which a place told anything of a kind.
    """

    REPEATED = 0.005
    A_WHILE = DAY // 2

    def __init__(self, end: int, chance: Random) -> None:
        self._end = end
        self._chance = chance
        self._waiting: dict[int, list[_Message]] = {}
        self._written = 0
        self.unwritten: set[str] = set()
        self.told: dict[_Feed, set[int]] = {}
        self._silent: dict[_Feed, list[tuple[int, int]]] = {}
        self._until_repeat = self._draw()

    def silence(self, org: str, kind: str, first: int, last: int) -> None:
        """What happens there from ``first`` on, before ``last``, is never told, unless it has arrived already."""
        self._silent.setdefault((org, kind), []).append((first, last))

    def write(self, event: Event, at: int, recv: int) -> None:
        """One message that happened ``at`` and arrives at ``recv``, seconds of the city."""
        if at >= self._end or recv >= self._end + self.A_WHILE:
            self.unwritten.add(str(event["event_id"]))
            return
        feed = (str(event["fixmedins_code"]), str(event["event_type"]))
        self.told.setdefault(feed, set()).add(at // DAY)
        line = _encode(event)
        self._put(recv, line, feed, at)
        self._until_repeat -= 1
        if self._until_repeat <= 0:
            self._until_repeat = self._draw()
            self._put(recv + self._chance.randrange(20, 6 * HOUR), line, feed, at)

    def _draw(self) -> int:
        """How many messages until one is sent twice."""
        return 1 + int(self._chance.expovariate(self.REPEATED))

    def _put(self, arrival: int, line: bytes, feed: _Feed, at: int) -> None:
        self._written += 1
        self._waiting.setdefault(arrival // DAY, []).append((arrival, self._written, line, feed, at))

    def arrived(self, day: int) -> Iterator[bytes]:
        """All that arrives on ``day``, in its order; afterwards nothing of it is held."""
        for _, _, line, feed, at in sorted(self._waiting.pop(day, ())):
            if feed in self._silent and any(first <= at < last for first, last in self._silent[feed]):
                self.unwritten.add(str(_decode(line)["event_id"]))
            else:
                yield line

    def rest(self) -> Iterator[bytes]:
        """What is still on its way, in its order."""
        for day in sorted(self._waiting):
            yield from self.arrived(day)
