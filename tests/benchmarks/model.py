"""What the model costs on top of the memory: an event, a person-day, a pharmacy-day, and one score by itself."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np

from detectors.rules import ALWAYS, Rulebook, rulebook
from models.catalogue import ENTITIES, LEARNED, InForce, with_models
from models.model import Model
from models.unusual import Scored
from models.versions import load
from replay.memory import Memory
from stream_app.embedded.up import DEMO_MODEL
from tests.benchmarks.core import LIVE_BATCH, heard
from tests.benchmarks.figures import Clock, Figure
from tests.benchmarks.recordings import Recording

ROWS = 512  # scored in one go
TIMES = 20


def model(recording: Recording, events: int) -> Iterator[Figure]:
    """By the model of the demo: what days it finds strange does not matter here."""
    records, told = recording.first(events)
    models = load(DEMO_MODEL).models
    alone = heard(Memory(), Rulebook({}), records, told, LIVE_BATCH)
    yield Figure("model", "memory, without a model", alone.us_each(len(told)), "µs/event", f"{len(told):,} events")
    for detector, entity in ENTITIES.items():
        days: Counter[str] = Counter()

        def on_scored(day: Scored, days: Counter[str] = days) -> None:
            days[day.entity] += 1

        one = [learned for learned in LEARNED if learned.id == detector]
        book = with_models(rulebook(one), [InForce(ALWAYS, models)], on_scored)
        clock = heard(Memory(), book, records, told, LIVE_BATCH)
        more = Clock(max(0.0, clock.seconds - alone.seconds))
        n = days[entity]
        yield Figure("model", f"{detector}, on top", more.us_each(len(told)), "µs/event", f"{len(told):,} events")
        yield Figure(
            "model",
            f"{detector}, a day",
            more.us_each(n),
            "µs/day",
            f"{n:,} {entity}-days scored, those that speak twice",
        )
    for entity, learned in models.items():
        yield _scoring(entity, learned)


def _scoring(entity: str, learned: Model) -> Figure:
    """Nothing but the three channels, in rows that all stand out."""
    rows = np.random.default_rng(1).gamma(2.0, 3.0, size=(ROWS, len(learned.features)))
    clock = Clock()
    for _ in range(TIMES):
        clock.run(partial(learned.strangeness, rows))
    return Figure(
        "model", f"scoring, {entity}", clock.us_each(ROWS * TIMES), "µs/day", f"{ROWS} at once, {TIMES} times"
    )
