"""``make evaluate``: how well the model finds what no rule describes, beside simpler ways of ranking days.

Each world is another city of the simulator, by another seed, with its honest look-alikes, into which the families of
``plants`` are planted: in the last two weeks, which are judged, and one case of each in the three weeks before, which
are trained on. Days are measured by the detectors themselves, from a replay.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from random import Random
from time import process_time
from typing import Any, NamedTuple

import click
import numpy as np

from detectors.event import Record, day_of
from detectors.wire import Refused, read
from models.day import Array, columns
from models.evaluate import at_budget, average_precision, interval
from models.model import MEMORY_DAYS, Model
from models.train import Found, PersonDays, PharmacyDays, Plan, learn, rank_of
from replay.recording import Line
from replay.run import Run
from replay.simulate.city import Plan as City
from replay.simulate.simulation import Simulation
from tests.evaluation.plants import OF_PERSONS, OF_PHARMACIES, Planted, plant

START = datetime.fromisoformat("2026-03-02T00:00:00+08:00")
KNOWN, TRAINED, TESTED = 36, 21, 14  # days: before training, of training, of the test
BUDGET = 3  # leads a day of each kind of entity
RANDOM_SEED = 11
FIGURES = ("ap", "recall_of_one", "recall", "precision")  # of the table


class World(NamedTuple):
    """found: the days of every entity, by kind. planted: in the weeks of the test. told: days that rules spoke of."""

    found: dict[str, Found]
    planted: list[Planted]
    told: set[tuple[str, date]]
    events: int
    seconds: float


def world(seed: int, persons: int, cases: int) -> World:
    days = KNOWN + TRAINED + TESTED + 2  # the last is judged a day after its end
    plan = City(persons=persons, days=days, seed=seed, start=START, families=("decoys",))
    simulation = Simulation(plan)
    rows: list[dict[str, Any]] = [json.loads(line) for line in simulation.lines()]
    bills = [row for row in rows if row["event_type"] == "setl" and not row["med_type"].startswith("2")]
    tested = [(START + timedelta(days=KNOWN + TRAINED + n)).date() for n in range(TESTED)]
    trained = [tested[0] - timedelta(days=n) for n in range(TRAINED, 0, -1)]
    more, unknown = plant(bills, trained, Random(seed + 1_000), 1, ())  # in life nobody trains on honest days alone
    added, planted = plant(bills, tested, Random(seed), cases, {case.who for case in unknown})
    rows += added + more
    rows.sort(key=lambda row: "" if row["event_type"].startswith("ref.") else row.get("recv_time") or row["biz_time"])
    lines = [Line(n, json.dumps(row).encode()) for n, row in enumerate(rows, 1)]
    people, stores = PersonDays(), PharmacyDays()
    run = Run(on_refused=lambda *_: None, on_events=lambda _: None, detectors=(people, stores))
    began = process_time()
    run.over([("world", lines)])
    assert not run.summary.crashes, run.summary.crashes
    seconds = process_time() - began
    found = {"person": people.found, "pharmacy": stores.found}
    return World(found, planted, _told_by_rules(lines), run.summary.events, seconds)


def _event(line: Line) -> Any:
    """Any: an Event; None for a reference record, or a line that is refused."""
    try:
        row = read(line.raw)
    except Refused:
        return None
    return None if isinstance(row, Record) else row


def _told_by_rules(lines: Sequence[Line]) -> set[tuple[str, date]]:
    """Whom the sixteen rules spoke of, with the days of the bills that they showed."""
    run = Run(on_refused=lambda *_: None, on_events=lambda _: None)
    run.over([("world", lines)])
    days = {row.event_id: day_of(row.happened_at) for line in lines if (row := _event(line)) is not None}
    return {
        (who, days[event])
        for alert in run.table.alerts.values()
        if alert.status == "open"
        for event in alert.events
        if event in days
        for who in alert.subject.id.split("/")
    }


class Split(NamedTuple):
    trained: Found
    tested: Found


def split(found: Found) -> Split:
    first = (START + timedelta(days=KNOWN)).date()
    last = first + timedelta(days=TRAINED)
    end = last + timedelta(days=TESTED)
    return Split(
        {k: v for k, v in found.items() if first <= k[1] < last},
        {k: v for k, v in found.items() if last - timedelta(days=MEMORY_DAYS) <= k[1] < end},  # with evidence
    )


Ranking = Mapping[tuple[str, date], float]


def rankings(entity: str, days: Split, plan: Plan) -> tuple[Model, dict[str, Ranking]]:
    """Ours, parts of ours, and what it is to be compared with: each from the same days."""
    from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]  # it has no types

    learned = learn(entity, days.trained, plan, "")
    model = learned.model
    keys, totals, seen = rank_of(model, days.tested)
    values = np.stack([one.values for one in seen])
    surprises = model.surprises(values)
    past = np.array([days.trained[key].measures.scaled for key in sorted(days.trained)])
    plain = IsolationForest(n_estimators=200, max_samples=min(256, len(past)), random_state=plan.seed).fit(past)
    tested = np.array([days.tested[key].measures.scaled for key in keys])
    z = np.abs((tested - past.mean(axis=0)) / np.maximum(past.std(axis=0), 1e-9)).max(axis=1)
    dice = np.random.default_rng(RANDOM_SEED)
    scores: dict[str, Array] = {
        "ours": totals,
        "without evidence": model.strangeness(values),
        "forest only": surprises[:, 0],
        "tails only": surprises[:, 1],
        "distance only": surprises[:, 2],
        "plain forest": -plain.score_samples(tested),
        "z-score": z,
        "random": dice.random(len(keys)),
    }
    return model, {name: dict(zip(keys, map(float, score), strict=True)) for name, score in scores.items()}


class Figures(NamedTuple):
    """ap: of days. recall, precision: of cases, of leads, within the budget; recall_of_one: at one lead a day.

    by_family: found, planted. delay: days, of those found.
    """

    ap: float
    recall_of_one: float
    recall: float
    precision: float
    by_family: dict[str, tuple[int, int]]
    delay: list[int]


def figures(ranking: Ranking, entity: str, world: World) -> Figures:
    planted = [case for case in world.planted if case.entity == entity]
    strange = {(case.who, day) for case in planted for day in case.days}
    first = (START + timedelta(days=KNOWN + TRAINED)).date()
    keys = sorted(k for k in ranking if k[1] >= first)
    scores = np.array([ranking[key] for key in keys])
    truth = np.array([key in strange for key in keys])
    chosen = at_budget(keys, scores, BUDGET)
    reported, first_of_day = (
        {key for key, was in zip(keys, delivered, strict=True) if was}
        for delivered in (chosen, at_budget(keys, scores, 1))
    )
    found: dict[str, tuple[int, int]] = {}
    delay: list[int] = []
    for case in planted:
        seen = [day for day in case.days if (case.who, day) in reported]
        hits, total = found.get(case.family, (0, 0))
        found[case.family] = hits + bool(seen), total + 1
        if seen:
            delay.append((min(seen) - case.days[0]).days)
    of_one = sum(any((case.who, day) in first_of_day for day in case.days) for case in planted)
    cases, hits = max(len(planted), 1), sum(hit for hit, _ in found.values())
    right = sum(truth[n] for n in np.flatnonzero(chosen))
    ap = average_precision(scores, truth)
    return Figures(ap, of_one / cases, hits / cases, right / max(len(reported), 1), found, delay)


def named(model: Model, entity: str, world: World, ranking: Ranking) -> tuple[int, int]:
    """Of the planted days above the threshold: in how many the explanation's first three name the planted feature."""
    hits = total = 0
    limit = min(model.thresholds.values())
    for case in world.planted:
        for day in case.days if case.entity == entity else ():
            key = (case.who, day)
            if ranking.get(key, 0.0) >= limit:
                watched = world.found[entity][key]
                seen = columns(model.features, watched.measures, watched.earlier, watched.groups, model.peers)
                first = {reason.feature.name for reason in model.reasons(seen, 3)}
                hits, total = hits + bool(first & case.lives_in), total + 1
    return hits, total


@click.command()
@click.option("--worlds", default=5, show_default=True, help="How many cities.")
@click.option("--seed", default=101, show_default=True, help="Of the first.")
@click.option("--persons", default=6_000, show_default=True)
@click.option("--cases", default=2, show_default=True, help="Of each family of pharmacies; twice as many of persons.")
def main(worlds: int, seed: int, persons: int, cases: int) -> None:
    """Print the table of docs/model.md."""
    every: dict[str, dict[str, list[Figures]]] = {"person": defaultdict(list), "pharmacy": defaultdict(list)}
    named_in: dict[str, list[tuple[int, int]]] = defaultdict(list)
    by_rules: Counter[str] = Counter()
    events, seconds = 0, 0.0
    for n in range(worlds):
        one = world(seed + n, persons, cases)
        events, seconds = events + one.events, seconds + one.seconds
        by_rules.update(case.family for case in one.planted if any((case.who, day) in one.told for day in case.days))
        for entity, found in one.found.items():
            model, ranked = rankings(entity, split(found), Plan())
            for name, ranking in ranked.items():
                every[entity][name].append(figures(ranking, entity, one))
            named_in[entity].append(named(model, entity, one, ranked["ours"]))
        click.echo(f"world {seed + n}: {one.events:,} events, {len(one.planted)} cases", err=True)
    click.echo(f"{worlds} worlds, seeds {seed} to {seed + worlds - 1}, {persons:,} persons, {events:,} events; "
               f"{BUDGET} leads a day; 95 % intervals over worlds")  # fmt: skip
    for entity, by_name in every.items():
        print_table(entity, by_name, named_in[entity], by_rules)
    click.echo(f"\nmeasuring days: {1e6 * seconds / events:.0f} us an event, memory and judging included")


def print_table(
    entity: str,
    by_name: Mapping[str, Sequence[Figures]],
    named_in: Sequence[tuple[int, int]],
    by_rules: Mapping[str, int],
) -> None:
    days = sum(len(f.delay) for f in by_name["ours"])
    click.echo(f"\n### {entity}\n")
    click.echo("| ranking | average precision | recall at 1 a day | at 3 a day | precision at 3 | days to detect |")
    click.echo("|---|---|---|---|---|---|")
    for name, found in by_name.items():
        late = [day for f in found for day in f.delay]
        told = [_told([getattr(f, figure) for f in found]) for figure in FIGURES]
        click.echo(f"| {name} | {' | '.join(told)} | {float(np.median(late)) if late else '-'} |")
    pairs = list(zip(by_name["ours"], by_name["plain forest"], strict=True))
    more = [_told([getattr(a, figure) - getattr(b, figure) for a, b in pairs], sign="+") for figure in FIGURES]
    click.echo(f"| **ours above the plain forest, world by world** | {' | '.join(more)} | |")
    hits, total = (sum(pair[n] for pair in named_in) for n in (0, 1))
    click.echo(
        f"\nexplanation names the planted feature in its first three: {hits} of {total} days; {days} cases found"
    )
    click.echo("\n| family | found by ours | by the plain forest | by z-score | by rules | planted |")
    click.echo("|---|---|---|---|---|---|")
    for family in OF_PERSONS if entity == "person" else OF_PHARMACIES:
        row = [sum(f.by_family.get(family, (0, 0))[0] for f in by_name[n]) for n in ("ours", "plain forest", "z-score")]
        planted = sum(f.by_family.get(family, (0, 0))[1] for f in by_name["ours"])
        click.echo(f"| {family} | {' | '.join(map(str, row))} | {by_rules[family]} | {planted} |")


def _told(values: Sequence[float], sign: str = "") -> str:
    """sign: "+" for differences."""
    low, high = interval(values)
    return f"{float(np.mean(values)):{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


if __name__ == "__main__":
    sys.exit(main())
