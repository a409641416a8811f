"""What the model adds to the rules on a recorded world with labels: each lead at a daily budget, with a verdict.

    python -m tests.evaluation.recorded quiet/reference.ndjson.gz quiet/events.ndjson.gz \
        --on c/reference.ndjson.gz --on c/events.ndjson.gz --labels c/labels.ndjson
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import msgspec
import numpy as np

from alerts.alert import Alert
from detectors.event import CHINA, day_of
from models.day import columns
from models.evaluate import at_budget
from models.model import Model
from models.train import Found, Plan, learn, rank_of
from replay.days import days_of
from replay.run import replay_files
from replay.simulate.label import Label

BUDGET = 3  # leads a day of each kind of entity
REASONS = 2  # features named of a lead


class Lead(NamedTuple):
    """One lead of the model. first: the weightiest reason. by_rules: detectors that spoke of its subject that day."""

    entity: str
    who: str
    day: date
    score: float
    first: str
    reasons: str
    by_rules: tuple[str, ...]
    case: Label | None

    @property
    def verdict(self) -> str:
        if self.case is None:
            return "merely unusual"
        if self.case.kind == "fraud":
            return "fraud, the rules say so too" if self.by_rules else "fraud, which no rule told that day"
        return "honest look-alike"

    @property
    def sentence(self) -> str:
        """What is to be thought of it, by what was planted."""
        rules = ", ".join(self.by_rules)
        if self.case is None:
            heard = f", of which {rules} spoke, too" if rules else ""
            return f"Nothing is planted there{heard}: {self.first}, is rare and no more."
        if self.case.kind != "fraud":
            return f"An honest situation ({self.case.case_id}) that looks like it: {self.first}."
        if self.by_rules:
            return f"Right, but nothing new: {rules} spoke of it that day ({self.case.case_id})."
        return f"Right, and no rule spoke of this subject that day ({self.case.case_id}): {self.first}."


def leads(entity: str, model: Model, days: Found, cases: Sequence[Label], told: "Told") -> Iterator[Lead]:
    keys, totals, _ = rank_of(model, days)
    chosen = at_budget(keys, totals, BUDGET)
    for n in np.flatnonzero(chosen):
        who, day = keys[n]
        watched = days[who, day]
        seen = columns(model.features, watched.measures, watched.earlier, watched.groups, model.peers)
        named = model.reasons(seen, REASONS)
        reasons = [f"{r.feature.en} {r.feature.told(r.value, 'en')}" for r in named]
        first = f"{reasons[0]}, of its peers {named[0].feature.told(named[0].peers, 'en')}"
        rules = tuple(sorted(told.get((who, day), ())))
        yield Lead(entity, who, day, float(totals[n]), first, "; ".join(reasons), rules, _case_of(cases, who, day))


def _case_of(cases: Sequence[Label], who: str, day: date) -> Label | None:
    """A fraud before a look-alike."""
    return next(iter(sorted((c for c in cases if _is_of(c, who, day)), key=lambda c: c.kind != "fraud")), None)


def by_chance(days: Found, cases: Sequence[Label]) -> float:
    """The share of all days that belong to a planted fraud."""
    of_fraud = (case is not None and case.kind == "fraud" for case in (_case_of(cases, *key) for key in days))
    return sum(of_fraud) / len(days)


def _is_of(case: Label, who: str, day: date) -> bool:
    names = {case.subject.id, *case.persons, *case.orgs}
    return who in names and day_of(_moment(case.start)) <= day <= day_of(_moment(case.end))


def _moment(text: str | datetime) -> datetime:
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)


Told = dict[tuple[str, date], set[str]]


def told_by_rules(files: Sequence[str]) -> Told:
    """Which detectors have a standing alert about a person or an institution, by the days of its events' span."""
    found: Told = defaultdict(set)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "alerts.ndjson"
        replay_files(files, alerts=out)
        for line in out.read_bytes().splitlines():
            alert = msgspec.json.decode(line, type=Alert)
            if alert.status == "open":
                for who in _names(alert):
                    for day in {day_of(alert.first_seen.astimezone(CHINA)), day_of(alert.last_seen.astimezone(CHINA))}:
                        found[who, day].add(alert.detector)
    return found


def _names(alert: Alert) -> Iterable[str]:
    return {*alert.subject.id.split("/"), *getattr(alert, "orgs", ())}


@click.command()
@click.argument("trained", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--on", "judged", multiple=True, required=True, type=click.Path(exists=True))
@click.option("--labels", required=True, type=click.Path(exists=True, path_type=Path))
def main(trained: tuple[str, ...], judged: tuple[str, ...], labels: Path) -> None:
    """Print the tables of docs/model-leads.md."""
    cases = [msgspec.json.decode(line, type=Label) for line in labels.read_bytes().splitlines()]
    told = told_by_rules(judged)
    usual, days = days_of(trained), days_of(judged)
    found: list[Lead] = []
    for entity in days:
        model = learn(entity, usual[entity], Plan(), "").model
        found += leads(entity, model, days[entity], cases, told)
    click.echo(f"| | {' | '.join(VERDICTS)} | leads | frauds among as many days at random |")
    click.echo("|---|" + "---|" * (len(VERDICTS) + 2))
    for entity in days:
        counts = Counter(lead.verdict for lead in found if lead.entity == entity)
        chance = counts.total() * by_chance(days[entity], cases)
        click.echo(f"| {entity} | {' | '.join(str(counts[v]) for v in VERDICTS)} | {counts.total()} | {chance:.1f} |")
    click.echo("\n| day | subject | score | because | judged |\n|---|---|---|---|---|")
    for lead in sorted(found, key=lambda one: (one.day, one.entity, -one.score)):
        row = (str(lead.day), lead.who, f"{lead.score:.1f}", lead.reasons, lead.sentence)
        click.echo(f"| {' | '.join(row)} |")


VERDICTS = (
    "fraud, which no rule told that day",
    "fraud, the rules say so too",
    "honest look-alike",
    "merely unusual",
)

if __name__ == "__main__":
    sys.exit(main())
