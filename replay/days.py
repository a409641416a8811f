"""The days of persons and pharmacies in recordings, as the model's detectors see them when they judge."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

from models.train import Found, PersonDays, PharmacyDays
from replay.run import Run, archived, recording


def days_of(
    files: Sequence[str],
    archive: Path | None = None,
    *,
    since: date | None = None,
    until: date | None = None,
    without: Iterable[str] = (),
    on_events: Callable[[int], None] = lambda n: None,
) -> dict[str, Found]:
    """By kind of entity. since, until: the first and the last day wanted; what was before counts as their past.

    without: entities to leave out, such as those where fraud was found. Raises OSError, RecordingError.
    """
    persons, pharmacies = PersonDays(), PharmacyDays()
    run = Run(on_refused=lambda name, line, why: None, on_events=on_events, detectors=(persons, pharmacies))
    run.over([archived(archive)] if archive else [recording(name) for name in files])
    if run.summary.crashes:
        raise RuntimeError(f"measuring days raised: {run.summary.crashes}")
    out = frozenset(without)
    return {
        entity: {
            (who, day): watched
            for (who, day), watched in found.items()
            if (since is None or since <= day) and (until is None or day <= until) and who not in out
        }
        for entity, found in (("person", persons.found), ("pharmacy", pharmacies.found))
    }
