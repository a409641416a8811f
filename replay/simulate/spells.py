"""Times in which somebody, or a place, is not as usual: dead, in arrears, suspended, on leave."""

from dataclasses import dataclass

from replay.simulate.clock import DAY

FOREVER = 1_000_000  # a day that no city lives to see


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """From the first to the last day. known: the second at which the bureau has it on record, if not at once."""

    first: int
    last: int = FOREVER
    status: str
    known: int | None = None
    paper: str = ""  # number of the notice

    def covers(self, day: int) -> bool:
        return self.first <= day <= self.last

    @property
    def begins(self) -> int:
        return self.first * DAY

    @property
    def recorded(self) -> int:
        return self.begins + 2 if self.known is None else self.known
