"""A recording judged in process: what the live system must end with."""

from collections.abc import Callable, Iterable, Sequence

from detectors.detector import Detector
from detectors.event import Event, Record, Reference
from detectors.finding import Lead, UnitId, Verdict
from detectors.judge import Judge
from replay.memory import Memory

Standing = dict[UnitId, tuple[Lead, ...]]


def replay(
    batches: Iterable[Sequence[Event | Reference]],
    detectors: Sequence[Detector],
    *,
    on_crash: Callable[[UnitId, Exception], None],
) -> Standing:
    """The leads that stand at the end. Larger batches judge each unit less often, and end the same."""
    standing: Standing = {}

    def publish(verdicts: Sequence[Verdict]) -> None:
        standing.update((verdict.unit, verdict.leads) for verdict in verdicts)

    judge = Judge(memory=Memory(), detectors=detectors, publish=publish, on_crash=on_crash)
    for batch in batches:
        judge.learn([row for row in batch if isinstance(row, Record)])
        judge.hear([row for row in batch if not isinstance(row, Record)])
        while judge.tick():
            pass
    return {unit: leads for unit, leads in standing.items() if leads}
