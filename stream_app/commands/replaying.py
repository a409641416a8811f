"""What a replay shows of itself: a file for Prometheus' textfile collector, replaced whole at each step."""

from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, write_to_textfile

from stream_app import metrics

if TYPE_CHECKING:
    from replay.run import Progress, Summary


class Shown:
    """One replay's file. candidate: judged by other thresholds or another model than are in force. Raises OSError."""

    def __init__(self, path: Path, *, candidate: bool) -> None:
        self._path = str(path)
        self._variant = "candidate" if candidate else "baseline"
        self._told = CollectorRegistry()
        self._events = 0
        for metric in metrics.shown("replay"):
            self._told.register(metric.instrument)

    def show(self, progress: "Progress") -> None:
        metrics.REPLAY_EVENTS.labels(self._variant).inc(progress.events - self._events)
        self._events = progress.events
        metrics.REPLAY_PROGRESS.labels(self._variant).set(progress.share)
        metrics.REPLAY_SPEED.labels(self._variant).set(progress.speed)
        write_to_textfile(self._path, self._told)

    def end(self, summary: "Summary") -> None:
        for detector, alerts in summary.by_detector.items():
            metrics.REPLAY_ALERTS.labels(self._variant, detector).inc(alerts)
        write_to_textfile(self._path, self._told)
