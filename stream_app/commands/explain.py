"""``fundwatch explain``: why a detector spoke of a subject, or did not."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from alerts.web.wording import catalogue
from detectors.catalogue import DETECTORS
from detectors.easing import NEVER_MATCHES
from detectors.event import CHINA
from detectors.finding import Figure, Subject
from detectors.ledger import Place
from detectors.memory import View
from detectors.nearness import (
    FILES,
    Changed,
    Explained,
    Known,
    NearMiss,
    Said,
    Spoken,
    Way,
    name_of,
    near_misses,
    places_of,
)
from detectors.rules import Rulebook, limit_in_words
from models.catalogue import ENTITIES, LEARNED
from stream_app.commands.detectors import unknown
from stream_app.rulebook import read_rules
from stream_app.settings import Settings

if TYPE_CHECKING:
    from models.scored import ByModel, DayScored

NAMES = sorted({name for detector in (*DETECTORS, *LEARNED) for name in (detector.id, name_of(detector))})
MOST_DAYS = 7  # told in words of one detector of the model, the strangest; --json has all


@click.command()
@click.argument("subject")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False))
@click.option("--replay", is_flag=True, help="From these recordings (FILES), not from the live memory.")
@click.option("--detector", "detectors", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Instead of those in force."
)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A model, or a registry of models: instead of the settings'.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of an embedded system; without it the settings say where memory is.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: an array, one entry for each detector.")
def explain(
    subject: str,
    files: tuple[str, ...],
    replay: bool,
    detectors: tuple[str, ...],
    rules: Path | None,
    model: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Why detectors spoke of a SUBJECT, or did not: its figures against the limits, and what honest reasons applied.

    SUBJECT is kind:id (person, org, till, stay, trace_code, drug, area, rx), or the bare id where only one kind has
    it. A near miss is what would be a lead if one limit, or two, were up to twice as easy, or if an honest explanation
    did not hold. Of the model, it tells the score of each day against the threshold, and what weighed most. Nothing is
    changed.

    \b
    Example:
      fundwatch explain person:p10875efd5d63b892 --data data
      fundwatch explain till:P33010210007/T1 --detector card_batch_swipe --replay reference.ndjson events.ndjson.gz
    """
    if bool(files) != replay:
        raise click.UsageError("recordings and --replay go together: fundwatch explain SUBJECT --replay FILE…")
    for name in detectors:
        if name not in NAMES:
            raise click.UsageError(unknown(name, NAMES))
    settings = Settings.load(data_dir=data)
    book = read_rules(rules or settings.rules.file, model or settings.model.dir)
    learned = Rulebook({e[0].detector.id: e for e in book if e[0].detector.id in ENTITIES})
    described = Rulebook({e[0].detector.id: e for e in book if e[0].detector.id not in ENTITIES})
    with _recorded(files) if replay else _live(settings) as known:
        asked, places = _found(subject, known)
        told = near_misses(asked, places, known.view, described, fallen=known.fallen, detectors=detectors)
        scored = list(_by_model(places, known.view, learned, detectors))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode([*told, *scored]), indent=2))
        return
    click.echo("\n".join([*in_words(asked, known.view, told), *model_in_words(scored)]))
    spoken_of = {entry for one in told for entry in (one.detector, one.name)} | {one.detector for one in scored}
    for name in sorted({*detectors} - spoken_of):
        if name in ENTITIES and not any(e[0].detector.id == name for e in learned):
            click.echo(f"{name}: no model is in force, so it is silent (model.dir, or --model)", err=True)
        else:
            click.echo(f"{name} looks into no file that there is of {asked.kind}:{asked.id}", err=True)


def _by_model(places: Sequence[Place], view: View, learned: Rulebook, detectors: Sequence[str]) -> "Iterator[ByModel]":
    from models.scored import by_model

    for editions in learned:
        detector = editions[0].detector
        keys = [key for ledger, key in places if ledger == detector.of.name]
        if keys and (not detectors or detector.id in detectors):
            yield by_model(editions, keys, view)


@contextmanager
def _live(settings: Settings) -> Iterator[Known]:
    from stream_app.looking import looking

    with looking(settings.redis) as live:
        yield live


@contextmanager
def _recorded(files: Sequence[str]) -> Iterator[Known]:
    from replay.recorded import recorded

    with _counting() as on_events:
        try:
            known = recorded(files, on_events)
        except OSError as error:
            raise click.ClickException(str(error)) from None
    yield known


@contextmanager
def _counting() -> Iterator[Callable[[int], None]]:
    """How many events were read, on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    columns = (TextColumn("{task.completed:,.0f} events read"),)
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda n: bar.advance(task, n)


def _found(text: str, known: Known) -> tuple[Subject, list[Place]]:
    """The subject that is meant, and its files. Raises click.UsageError, ClickException."""
    kind, colon, name = text.partition(":")
    named = [Subject(kind, name)] if colon and kind in FILES else [Subject(kind, text) for kind in FILES]
    for whole in (False, True):  # what is found only by looking at every key comes second
        found = [(one, places) for one in named if (places := places_of(one, known, whole=whole))]
        if len(found) > 1:
            kinds = " or ".join(f"{one.kind}:{one.id}" for one, _ in found)
            raise click.UsageError(f"{text} is not one thing only: {kinds}")
        if found:
            return found[0][0], found[0][1] if whole else places_of(found[0][0], known)
    raise click.ClickException(f"nothing is known of {text}")


# for people to read


def in_words(subject: Subject, view: View, told: Sequence[Explained]) -> Iterator[str]:
    yield f"{subject.kind}:{subject.id}, at business time {view.now.astimezone(CHINA):%Y-%m-%d %H:%M}"
    for one in told:
        yield ""
        yield f"{one.detector}  (rule version {one.rule_version})"
        yield f"  looked at  {_rows(one)}"
        for lead in one.leads:
            yield from (*_spoken(lead), *_by_other_rules(lead, one))
        for miss in one.near_misses:
            yield from (*_near_miss(miss), *_by_other_rules(miss, one))
        if not one.leads and not one.near_misses:
            yield "  silent     nothing in reach of its limits"
        if one.looks_again:
            yield f"  looks again when business time has reached {one.looks_again.astimezone(CHINA):%Y-%m-%d %H:%M}"
        if one.left_out:
            yield f"  there was more to try than time: {one.left_out:,} tries were left out"


def model_in_words(scored: "Sequence[ByModel]") -> Iterator[str]:
    for one in scored:
        counts = Counter(day.state for day in one.days)
        yield ""
        yield f"{one.detector}  (model {one.model_version}: a hint, no ground for a finding)"
        told = f"{counts['spoke']:,} spoke, {counts['below']:,} below, {counts['ordinary']:,} ordinary"
        yield f"  looked at  {len(one.days):,} days with bills: {told}, {counts['waits']:,} wait"
        if one.without_model:
            yield f"  silent     on {one.without_model:,} days before the first model"
        for day in sorted(one.days, key=lambda day: (day.score, day.furthest), reverse=True)[:MOST_DAYS]:
            yield from _day(day)


def _day(day: "DayScored") -> Iterator[str]:
    if day.state == "waits":
        until = f"{day.judged_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
        yield f"  waits      {day.day}: judged once business time has reached {until}"
    elif day.state == "ordinary":
        least = f"no feature is {day.stands_out:g} spreads out"
        yield f"  silent     {day.day}: ordinary, {least} (the furthest: {day.furthest:g})"
    else:
        word = "SPOKE " if day.level else "silent"
        relation = f"reaches {day.level}," if day.level else "stays below"
        yield f"  {word}     {day.day}: score {day.score:g} {relation} the threshold {day.threshold:g}"
        for reason in day.reasons:
            own = f", own usual {reason.own:g}" if reason.own is not None else ""
            yield f"             {reason.share:4.0%} {reason.name} {reason.value:g} {reason.unit}".rstrip() + (
                f" (peers {reason.peers:g}{own})"
            )


def _rows(one: Explained) -> str:
    if one.since is None or one.to is None:
        return f"{one.ledger} ledger: no record of the kinds that it reads"
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(one.rows.items()))
    since, to = (f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}" for at in (one.since, one.to))
    return f"{one.ledger} ledger: {counts}, from {since} to {to}"


def _spoken(lead: Spoken) -> Iterator[str]:
    yield f"  SPOKE      {lead.level}, {_about(lead)}: {lead.summary_en}"
    yield from _evidence(lead)


def _near_miss(miss: NearMiss) -> Iterator[str]:
    yield f"  NEAR MISS  would be {miss.level}, {_about(miss)}"
    yield from _evidence(miss)
    for way in miss.ways:
        yield f"             {_way(way)}"


def _by_other_rules(said: Said, one: Explained) -> Iterator[str]:
    if said.rule_version != one.rule_version:
        yield f"             by the rules of then, version {said.rule_version}"


def _about(said: Said) -> str:
    return " ".join(filter(None, (f"{said.subject.kind}:{said.subject.id}", said.period.name)))


def _evidence(said: Said) -> Iterator[str]:
    yield f"             {'; '.join(map(_figure, said.figures))}"
    for tested in said.exclusions:
        yield f"             {tested.code} {tested.result.replace('_', ' ')}: {tested.fact_en}"


def _figure(figure: Figure) -> str:
    limit = "" if figure.threshold is None else f" (limit {figure.threshold:g})" if _is_number(figure) else ""
    return f"{figure.name} {figure.observed} {figure.unit}".rstrip() + limit


def _is_number(figure: Figure) -> bool:
    return isinstance(figure.threshold, int | float)


def _way(way: Way) -> str:
    if way.excused:
        what = catalogue("en").get(f"exclusion.{way.excused.code}", "")
        return f"but for {way.excused.code} ({what}): {'; '.join(way.excused.facts)}"
    return "with " + " and ".join(map(_changed, way.thresholds))


def _changed(one: Changed) -> str:
    if one.would_do in ([], NEVER_MATCHES):
        return f"{one.threshold} not naming it"
    return f"{one.threshold} {limit_in_words(one.would_do)} instead of {limit_in_words(one.in_force)}"
