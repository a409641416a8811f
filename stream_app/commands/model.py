"""``fundwatch train`` and ``fundwatch model``: what is unusual, learned from history, and which version judges."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from msgspec import Struct

from detectors.event import CHINA
from detectors.rules import ALWAYS, business_day
from detectors.unit import day_end
from stream_app.settings import Settings

if TYPE_CHECKING:
    from models.train import Found
    from models.versions import Loaded, Registry

BY_DEFAULT = Path("models.registry")  # where versions go if neither option nor setting says so
Day = click.DateTime(formats=["%Y-%m-%d"])
existing = click.Path(exists=True, dir_okay=False, path_type=Path)
files_argument = click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
archive_option = click.option(
    "--archive", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Instead of files."
)
registry_option = click.option(
    "--registry",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of versions.  [default: the setting model.dir, else ./models.registry]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
since_option = click.option("--from", "since", type=Day, help="First day; what was before it is still read as past.")
until_option = click.option("--to", "until", type=Day, help="Last day.")
since_when = click.option("--from", "since", type=Day, help="First business day.  [default: tomorrow]")


class Failed(click.ClickException):
    """A sentence that says what is wrong, and exit code 1."""


@click.command()
@files_argument
@archive_option
@since_option
@until_option
@registry_option
@click.option("--per-day", type=click.FloatRange(0, min_open=True), default=3.0, show_default=True,
              help="Leads a day, of persons and of pharmacies each, that the thresholds are made for.")  # fmt: skip
@click.option("--trees", type=click.IntRange(1, 2_000), default=200, show_default=True)
@click.option("--samples", type=click.IntRange(16, 65_536), default=1024, show_default=True, help="Days a tree.")
@click.option("--seed", type=int, default=20260101, show_default=True)
@click.option("--without", type=existing, help="Persons and institutions to leave out, one a line: known fraud.")
@json_option
def train(
    files: tuple[str, ...],
    archive: Path | None,
    since: datetime | None,
    until: datetime | None,
    registry: Path | None,
    per_day: float,
    trees: int,
    samples: int,
    seed: int,
    without: Path | None,
    as_json: bool,
) -> None:
    """Learn what days of persons and pharmacies usually look like; the new version judges once it is promoted.

    Needs scikit-learn: pip install 'fundwatch[train]'. FILES are recordings, as for replay. At least 28 days before the
    first day wanted are worth having: entities known for less are compared with their peers only.

    \b
    Example:
      fundwatch train --archive run/archive --from 2026-03-01 --to 2026-04-25 --registry registry
      fundwatch train city.ndjson.gz --registry registry --without confirmed.txt
    """
    from models.made import made
    from models.train import Plan, TooLittleError, learn

    libraries = _libraries()
    plan = Plan(per_day=per_day, trees=trees, samples=samples, seed=seed)
    out = without.read_text("utf-8").split() if without else []
    days = _days(files, archive, since, until, out)
    learned = {}
    for entity, found in days.items():
        try:
            learned[entity] = learn(entity, found, plan, "")
        except TooLittleError as error:
            click.echo(f"{entity}: {error}: no model of them", err=True)
    if not learned:
        raise Failed("there is nothing to learn from: give a longer recording")
    source = [str(archive)] if archive else [Path(name).name for name in files]
    new = made(learned, plan, created_at=datetime.now(UTC), source=source, libraries=libraries)
    folder = _registry(registry).add(new.manifest, new.arrays, new.card)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(new.manifest), indent=2))
        return
    click.echo(f"{new.manifest.version}  in {folder}")
    for entity, part in new.manifest.parts.items():
        limit = min(part.thresholds.values())
        click.echo(f"  {entity}: {part.days:,} days of {part.entities:,}; a lead from {limit:.3f} on")
    click.echo(f"It judges once it is promoted: fundwatch model promote {new.manifest.version}", err=True)


@click.group()
def model() -> None:
    """The anomaly model: which versions there are, what they say, and which one judges.

    \b
    Example:
      fundwatch model list
      fundwatch model promote 2026-04-25-1f0c9a52 --from 2026-04-27
      fundwatch model rollback
    """


class Listed(Struct, frozen=True, kw_only=True):
    """One version. state: promoted, candidate, watched (a candidate that workers score beside it), unusable: ``why``.

    since: from which business time on it judges; None: always, or not promoted.
    """

    version: str
    state: str
    since: datetime | None = None
    days: dict[str, int] = {}
    why: str = ""


@model.command("list")
@registry_option
@json_option
def list_(registry: Path | None, as_json: bool) -> None:
    """All versions, with the one that judges.

    \b
    Example:
      fundwatch model list --registry registry --json
    """
    from models.versions import ModelError, load

    where = _registry(registry)
    promoted = {one.version: one for one in _checked(where.promotions)}
    watched = _checked(where.watched)
    found = []
    for version in sorted({*where.versions(), *promoted}):
        since = promoted[version].since if version in promoted else None
        try:
            manifest = load(where.root / version).manifest
        except ModelError as error:
            since = None if since == ALWAYS else since
            found.append(Listed(version=version, state="unusable", since=since, why=str(error)))
            continue
        found.append(
            Listed(
                version=version,
                state="promoted" if version in promoted else "watched" if version == watched else "candidate",
                since=None if since == ALWAYS else since,
                days={entity: part.days for entity, part in manifest.parts.items()},
            )
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    if not found:
        click.echo(f"{where.root}: no version yet; fundwatch train makes one", err=True)
    for one in found:
        days = ", ".join(f"{n:,} {entity}-days" for entity, n in one.days.items())
        since = promoted[one.version].since if one.version in promoted else None
        told = [f"judges from {business_day(since)} on" if since else NOT_PROMOTED[one.state], one.why]
        click.echo(
            "  ".join(word for word in (one.version, f"{one.state:9}", days, "; ".join(filter(None, told))) if word)
        )


NOT_PROMOTED = {
    "candidate": "not promoted",
    "watched": "not promoted; running workers score it beside the model in force",
    "unusable": "not promoted",
}
PROMOTED_LAST = "promoted"  # no version has such a name


class Shown(Struct, frozen=True, kw_only=True):
    """A version, and how days looked lately. psi: by entity and feature; leads: a day, beside what it was made for."""

    manifest: Any  # models.versions.Manifest, which this module loads only when it is called
    psi: dict[str, dict[str, float]] = {}
    days: dict[str, int] = {}
    leads: dict[str, float] = {}


@model.command()
@click.argument("version")
@files_argument
@archive_option
@since_option
@until_option
@registry_option
@click.option("--metrics", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the drift as metrics, for Prometheus' textfile collector.")  # fmt: skip
@json_option
def show(
    version: str,
    files: tuple[str, ...],
    archive: Path | None,
    since: datetime | None,
    until: datetime | None,
    registry: Path | None,
    metrics: Path | None,
    as_json: bool,
) -> None:
    """The card of a version; with FILES or --archive also how far days have drifted from those it was trained on.

    VERSION may be "promoted": the one that was promoted last, for a timer that looks at drift every night.

    \b
    Example:
      fundwatch model show 2026-04-25-1f0c9a52
      fundwatch model show promoted --archive run/archive --from 2026-05-01 --metrics model.prom
    """
    where = _registry(registry)
    version = _promoted_last(where) if version == PROMOTED_LAST else version
    loaded = _load(where, version)
    psi: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    leads: dict[str, float] = {}
    if files or archive:
        for entity, found in _days(files, archive, since, until).items():
            if entity in loaded.models and found:
                counts[entity] = len(found)
                psi[entity], leads[entity] = _drift(loaded, entity, found)
    if metrics:
        _write_metrics(metrics, psi, counts, leads)
    if as_json:
        shown = Shown(manifest=loaded.manifest, psi=psi, days=counts, leads=leads)
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
        return
    click.echo((where.folder(version) / "card.md").read_text("utf-8").rstrip())
    for entity, drifts in psi.items():
        click.echo("\n".join(_drift_in_words(entity, drifts, counts[entity], leads[entity])))


def _drift(loaded: "Loaded", entity: str, days: "Found") -> tuple[dict[str, float], float]:
    from models.made import drift_of

    found, spoke = drift_of(loaded.models[entity], loaded.references[entity], days)
    return {one.name: round(one.psi, 4) for one in found}, spoke


def _drift_in_words(entity: str, psi: dict[str, float], days: int, leads: float) -> Iterator[str]:
    from models.drift import ACT, LEAST_DAYS, WARN

    yield f"\n## Drift of {entity}\n"
    few = f" (fewer than {LEAST_DAYS:,}: mostly noise)" if days < LEAST_DAYS else ""
    yield f"{days:,} days{few}; {leads:.2f} leads a day. PSI above {WARN}: look; above {ACT}: train again."
    for name, value in psi.items():
        if value > WARN or name == "score":
            yield f"  {name:28} {value:.3f}{'  train again' if value > ACT else '  look' if value > WARN else ''}"


def _write_metrics(path: Path, psi: dict[str, dict[str, float]], days: dict[str, int], leads: dict[str, float]) -> None:
    """For Prometheus' textfile collector. Replaced whole."""
    from prometheus_client import CollectorRegistry, write_to_textfile

    from models.drift import SCORE
    from stream_app import metrics

    told = CollectorRegistry()
    for metric in metrics.shown("job"):
        told.register(metric.instrument)
    for entity, values in psi.items():
        metrics.MODEL_SCORE_PSI.labels(entity).set(values[SCORE])
        for feature, value in values.items():
            if feature != SCORE:
                metrics.MODEL_FEATURE_PSI.labels(entity, feature).set(value)
        metrics.MODEL_DAYS.labels(entity).set(days[entity])
        metrics.MODEL_LEADS.labels(entity).set(leads[entity])
    metrics.MODEL_CHECKED.set_to_current_time()
    write_to_textfile(str(path), told)


class Side(Struct, frozen=True, kw_only=True):
    """A candidate beside the model that judges, over the same days of one kind of entity.

    rank_correlation: of all scores (Spearman). overlap: of the days that either would report (Jaccard).
    """

    entity: str
    days: int
    rank_correlation: float
    overlap: float
    leads_a_day: float
    leads_a_day_now: float


@model.command()
@click.argument("candidate")
@files_argument
@archive_option
@click.option("--against", help="A version.  [default: the one promoted last]")
@since_option
@until_option
@registry_option
@json_option
def shadow(
    candidate: str,
    files: tuple[str, ...],
    archive: Path | None,
    against: str | None,
    since: datetime | None,
    until: datetime | None,
    registry: Path | None,
    as_json: bool,
) -> None:
    """What a candidate would have said beside the model that judges; nothing is raised, nothing changes.

    \b
    Example:
      fundwatch model shadow 2026-05-20-77ab01cd --archive run/archive --from 2026-05-01
    """
    from models.evaluate import jaccard, spearman
    from models.train import rank_of

    where = _registry(registry)
    promoted = _checked(where.promotions)
    if against is None and not promoted:
        raise Failed("no version is promoted: name one with --against")
    new, now = _load(where, candidate), _load(where, against or promoted[-1].version)
    sides = []
    for entity, days in _days(files, archive, since, until).items():
        if not (days and entity in new.models and entity in now.models):
            continue
        keys, totals, _ = rank_of(new.models[entity], days)
        _, totals_now, _ = rank_of(now.models[entity], days)
        spoke = {k for k, t in zip(keys, totals, strict=True) if new.models[entity].level(float(t))}
        spoke_now = {k for k, t in zip(keys, totals_now, strict=True) if now.models[entity].level(float(t))}
        covered = len({day for _, day in keys})
        sides.append(
            Side(
                entity=entity,
                days=len(keys),
                rank_correlation=round(spearman(totals, totals_now), 3),
                overlap=round(jaccard(spoke, spoke_now), 3),
                leads_a_day=round(len(spoke) / covered, 2),
                leads_a_day_now=round(len(spoke_now) / covered, 2),
            )
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(sides), indent=2))
        return
    for side in sides:
        click.echo(
            f"{side.entity}: {side.days:,} days; rank correlation {side.rank_correlation:.3f}, overlap of leads "
            f"{side.overlap:.3f}; {side.leads_a_day:g} leads a day beside {side.leads_a_day_now:g} now"
        )
        click.echo(f"  {'; '.join(_otherwise(side)) or 'much the same as the model in force'}")


ALIKE, SHARED, AS_MANY = 0.9, 0.6, 0.2  # rank correlation and overlap at least; how far the leads a day may be apart


def _otherwise(side: Side) -> Iterator[str]:
    """In what a candidate is so far from the other that its leads should be read before it is promoted."""
    if side.rank_correlation < ALIKE:
        yield f"ranks days otherwise (below {ALIKE})"
    if side.overlap < SHARED:
        yield f"would report other days (overlap below {SHARED})"
    if abs(side.leads_a_day - side.leads_a_day_now) > AS_MANY * side.leads_a_day_now:
        yield f"makes {'more' if side.leads_a_day > side.leads_a_day_now else 'fewer'} leads by over {AS_MANY:.0%}"


@model.command()
@click.argument("version")
@since_when
@click.option("--all-days", is_flag=True,
              help="Days that were judged already too: for a replay, or workers not started yet.")  # fmt: skip
@registry_option
def promote(version: str, since: datetime | None, all_days: bool, registry: Path | None) -> None:
    """From a business day on, this version judges. Days before stay as they were judged.

    Workers read the registry before each batch: nothing need be started again. One that has reached the first day
    already refuses, and goes on as before; so does one that runs, with --all-days.

    \b
    Example:
      fundwatch model promote 2026-04-25-1f0c9a52 --from 2026-04-27
    """
    if since and all_days:
        raise click.UsageError("give --from or --all-days, and not both")
    where = _registry(registry)
    begin = ALWAYS if all_days else _begin(since)
    _checked(lambda: where.promote(version, begin, datetime.now(UTC)))
    _tell(version, begin)


@model.command()
@since_when
@registry_option
def rollback(since: datetime | None, registry: Path | None) -> None:
    """From a business day on, the version before the last one judges again.

    \b
    Example:
      fundwatch model rollback
    """
    begin = _begin(since)
    back = _checked(lambda: _registry(registry).rollback(begin, datetime.now(UTC)))
    _tell(back.version, begin)


@model.command()
@click.argument("version", required=False)
@click.option("--stop", is_flag=True, help="No candidate any more.")
@registry_option
def watch(version: str | None, stop: bool, registry: Path | None) -> None:
    """Let running workers score a candidate beside the model in force; it raises nothing.

    They take it over before their next batch, and count on how many days both would speak, or one of the two:
    fundwatch_model_candidate_days_total. It costs one more score a day. Over the past at once: fundwatch model shadow.

    \b
    Example:
      fundwatch model watch 2026-05-20-77ab01cd
      fundwatch model watch --stop
    """
    if (version is None) != stop:
        raise click.UsageError("name a VERSION, or --stop")
    _checked(lambda: _registry(registry).watch(version))
    click.echo(f"{version} is scored beside the model in force" if version else "no candidate is scored any more")


def _begin(since: datetime | None) -> datetime:
    return since.replace(tzinfo=CHINA) if since else day_end(datetime.now(UTC))


def _tell(version: str, begin: datetime) -> None:
    """Which days it judges; and on stderr when workers will."""
    if begin == ALWAYS:
        click.echo(f"{version} judges all days")
        click.echo("Workers that run refuse it, having judged days already: start them again to use it.", err=True)
    else:
        click.echo(f"{version} judges from {business_day(begin)} on")
        click.echo(
            f"Workers that run take it over before their next batch. One that has judged {business_day(begin)} already "
            f"refuses it (rules.refused in its log, FundwatchRulesRefused): then name a later day.",
            err=True,
        )


def _registry(root: Path | None) -> "Registry":
    from models.versions import Registry

    return Registry(root or Settings.load().model.dir or BY_DEFAULT)


def _promoted_last(where: "Registry") -> str:
    promotions = _checked(where.promotions)
    if not promotions:
        raise Failed(f"{where.root}: no version was promoted yet (fundwatch model promote VERSION)")
    return str(promotions[-1].version)


def _load(where: "Registry", version: str) -> "Loaded":
    from models.versions import load

    found: Loaded = _checked(lambda: load(where.folder(version)))
    return found


def _checked(asked: Callable[[], Any]) -> Any:
    """Any: whatever is asked for. Raises Failed with the registry's reason."""
    from models.versions import ModelError

    try:
        return asked()
    except (ModelError, OSError) as error:
        raise Failed(str(error)) from None


def _days(
    files: Sequence[str],
    archive: Path | None,
    since: datetime | None,
    until: datetime | None,
    without: Sequence[str] = (),
) -> "dict[str, Found]":
    from replay.days import days_of

    if bool(files) == (archive is not None):
        raise click.UsageError("give FILES, or --archive DIR, and not both")
    try:
        with _progress() as on_events:
            return days_of(files, archive, since=_date(since), until=_date(until), without=without, on_events=on_events)
    except OSError as error:
        raise Failed(str(error)) from None


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _libraries() -> dict[str, str]:
    """Raises Failed where scikit-learn is not installed."""
    from models.train import libraries

    try:
        return libraries()
    except ImportError:
        raise Failed("training needs scikit-learn, scoring does not: pip install 'fundwatch[train]'") from None


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal."""
    import sys

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("events", total=None)
        yield lambda done: bar.update(task, advance=done)
