"""What was read before: counted, not left out, since a repeat may be all that is left of a crash."""


class Repeats:
    """Which events were read before, among the last AT_LEAST to twice as many."""

    AT_LEAST = 50_000  # ids: about 10 MB

    def __init__(self) -> None:
        self._now: set[str] = set()
        self._before: set[str] = set()

    def again(self, event_id: str) -> bool:
        if event_id in self._now:
            return True
        known = event_id in self._before
        self._now.add(event_id)
        if len(self._now) >= self.AT_LEAST:
            self._before, self._now = self._now, set()
        return known
