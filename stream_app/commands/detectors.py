"""``fundwatch detectors``: what is looked for, why, and by which limits."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from detectors.case import Case
from detectors.detector import Detector, limits
from detectors.event import NEVER, Record
from detectors.finding import Law, Level
from detectors.lead import version_of
from detectors.nearness import name_of
from detectors.rules import ALWAYS, Edition, Limit, Rulebook, as_toml, business_day, limit_in_words, thresholds
from models.anomaly_person import AnomalyPerson
from models.anomaly_pharmacy import AnomalyPharmacy
from models.catalogue import LEARNED
from stream_app.rulebook import read_rules
from stream_app.settings import Settings

SECTIONS = {"Why": "why", "Blind spots": "blind_spots", "False alarm": "false_alarm", "Source": "source"}
MARKDOWN = "fundwatch detectors --markdown > docs/detectors.md"


class Dated(Struct, frozen=True, kw_only=True):
    """The thresholds that hold from a business time on; None: always."""

    valid_from: datetime | None
    rule_version: str
    thresholds: dict[str, Limit]


class Entry(Struct, frozen=True, kw_only=True):
    """One detector of the catalogue.

    name:       as alerts carry it; a rule with two parts is two detectors that speak under one name.
    thresholds: the limits in force today, as rules.toml names them; durations as the settings write them ("90s", "6h").
    meanings:   of each threshold, its unit and source, where that is not plain.
    valid_from: since when they are in force; None: always. editions: all there are, by date, the one in force too.
    model:      the version by which it judges; "": none, so it is silent; null: it needs none.
    reads:      kinds of events in its own file. looks_at: those in other files that it is linked to.
    """

    id: str
    name: str
    about: str
    fires: str
    why: str
    blind_spots: str
    false_alarm: str
    source: str
    thresholds: dict[str, Limit]
    meanings: dict[str, str]
    valid_from: datetime | None
    editions: tuple[Dated, ...]
    law: Law
    rule_version: str
    ledger: str
    reads: tuple[str, ...]
    looks_at: dict[str, tuple[str, ...]]
    model: str | None


@click.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: an array, with or without an ID.")
@click.option("--toml", is_flag=True, help="All thresholds, with their dates, as a file of rules.")
@click.option("--markdown", is_flag=True, help="The whole catalogue with its cases, as a page.")
@click.option(
    "--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Instead of those in force."
)
def detectors(name: str | None, as_json: bool, toml: bool, markdown: bool, rules: Path | None) -> None:
    """The catalogue: what each detector sees, cannot see, mistakes, and by which limits.

    ID is a detector's own, or the name that its alerts carry.

    \b
    Example:
      fundwatch detectors
      fundwatch detectors geo_time_conflict
      fundwatch detectors --json | jq '.[].thresholds'
      fundwatch detectors --toml > rules.toml
    """
    if as_json + toml + markdown > 1:
        raise click.UsageError("choose one of --json, --toml, --markdown")
    if markdown:
        click.echo("\n".join(page(read_rules(None))))
        return
    settings = Settings.load()
    book = [*read_rules(rules or settings.rules.file, settings.model.dir)]
    book += _silent({editions[0].detector.id for editions in book})
    chosen = [editions for editions in book if name in (None, editions[0].detector.id, name_of(editions[0].detector))]
    if name is not None and not chosen:
        raise click.UsageError(unknown(name, [editions[0].detector.id for editions in book]))
    if toml:
        click.echo("\n".join(as_toml(chosen)).rstrip())
        return
    now = datetime.now(UTC)
    entries = [entry_of(editions, now) for editions in chosen]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(entries), indent=2))
    elif name is None:
        _print_table(entries)
    else:
        click.echo("\n\n".join("\n".join(_in_words(entry)) for entry in entries))


def entry_of(editions: Sequence[Edition], now: datetime) -> Entry:
    """What a detector says of itself, and the limits it has."""
    edition = next((edition for edition in editions if edition.holds(now)), editions[0])
    detector = edition.detector
    fires, said = _said(type(detector))
    return Entry(
        id=detector.id,
        name=name_of(detector),
        about=_first_line(inspect.getmodule(type(detector))),
        fires=fires,
        **{key: said.get(title, "") for title, key in SECTIONS.items()},
        thresholds=thresholds(detector),
        meanings=meanings(type(detector)),
        valid_from=_since(edition),
        editions=tuple(
            Dated(valid_from=_since(one), rule_version=one.version, thresholds=thresholds(one.detector))
            for one in editions
        ),
        law=detector.law,
        rule_version=edition.version,
        ledger=detector.of.name,
        reads=_tags(detector.reads),
        looks_at={link.ledger.name: _tags(link.reads) for link in detector.links},
        model=_model(detector),
    )


def _silent(run: Collection[str]) -> Iterator[tuple[Edition, ...]]:
    """The detectors that are not run, for want of a model."""
    return ((Edition(one, version_of(one), ALWAYS, NEVER),) for one in LEARNED if one.id not in run)


def _model(detector: Detector) -> str | None:
    if not isinstance(detector, AnomalyPerson | AnomalyPharmacy):
        return None
    return detector.model.version if detector.model else ""


def _since(edition: Edition) -> datetime | None:
    return None if edition.since == ALWAYS else edition.since


def _said(kind: type) -> tuple[str, dict[str, str]]:
    """The first sentence of a docstring, and what stands under each title of it."""
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    parts = re.split(rf"^({'|'.join(SECTIONS)}):", rest, flags=re.MULTILINE)[1:]
    return _plain(first), {title: _plain(text) for title, text in zip(parts[::2], parts[1::2], strict=True)}


def _first_line(module: object) -> str:
    return inspect.cleandoc(module.__doc__ or "").partition("\n")[0]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "")).strip()


def meanings(kind: type[Detector]) -> dict[str, str]:
    """What the comment beside each threshold says."""
    source = textwrap.dedent(inspect.getsource(kind))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    names = {field.name for field in limits(kind)}
    return {
        node.target.id: _plain(comments[node.end_lineno])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in names
        if node.end_lineno in comments
    }


def _tags(kinds: Iterable[Any]) -> tuple[str, ...]:  # Any: classes of events
    return tuple(sorted(str(kind.__struct_config__.tag) for kind in kinds))


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say to a name that no detector has."""
    near = get_close_matches(name, known, n=1)
    return f"there is no detector {name!r}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


# for people to read


def _print_table(entries: Sequence[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "rule version", "looks into", "fires", box=None)
    for entry in entries:
        fires = f"silent: no model ({entry.fires})" if entry.model == "" else entry.fires.removeprefix("Fire ")
        table.add_row(entry.id, entry.rule_version, entry.ledger, fires)
    console = Console(markup=False, highlight=False)
    console.width = console.width if console.is_terminal else 200
    console.print(table)


def _in_words(entry: Entry) -> Iterator[str]:
    yield f"{entry.id}  (rule version {entry.rule_version})"
    yield entry.about
    yield entry.fires
    if entry.model is not None:
        yield f"Model: {entry.model or 'none, so it is silent; see fundwatch model'}"
    yield ""
    for title, key in SECTIONS.items():
        yield f"{title + ':':13}{getattr(entry, key)}"
    yield f"{'Law:':13}{_law(entry.law)}"
    yield f"{'Reads:':13}the file of a {entry.ledger}: {', '.join(entry.reads)}"
    for ledger, kinds in entry.looks_at.items():
        yield f"{'Looks at:':13}the file of a {ledger}: {', '.join(kinds)}"
    yield ""
    yield f"Thresholds in force{_from(entry.valid_from)}:"
    width = max(map(len, entry.thresholds), default=0)
    for name, value in entry.thresholds.items():
        yield f"  {name:{width}}  {limit_in_words(value)}" + (
            f"   # {entry.meanings[name]}" if name in entry.meanings else ""
        )
    for before, after in zip(entry.editions, entry.editions[1:], strict=False):
        yield f"Changed{_from(after.valid_from)} (rule version {after.rule_version}):"
        for name, value in after.thresholds.items():
            if value != before.thresholds[name]:
                yield f"  {name}  {limit_in_words(before.thresholds[name])} -> {limit_in_words(value)}"


def _from(moment: datetime | None) -> str:
    return f" from {business_day(moment)}" if moment else ""


def _law(law: Law) -> str:
    library = f", rule library {law.rule_library_code}" if law.rule_library_code else ""
    return f"{law.article}, cause {law.cause_code}{library}"


# docs/detectors.md


def page(book: Rulebook) -> Iterator[str]:
    """The catalogue as Markdown, from the code and from the cases beside it."""
    now = datetime.now(UTC)
    entries = [(editions[0].detector, entry_of(editions, now)) for editions in book]
    yield from ("# Detectors", "")
    yield from (f"Made by `{MARKDOWN}` from the code and its cases: not to be edited.", "")
    yield "Thresholds are proposals, to be calibrated by replay; they are changed by a file of rules, with dates"
    yield from ("([decisions/h-rules-with-dates.md](decisions/h-rules-with-dates.md)).", "")
    yield from ("| detector | fires |", "|---|---|")
    for _, entry in entries:
        yield f"| [{entry.id}](#{re.sub('[^a-z0-9_-]', '', entry.id)}) | {_cell(entry.fires.removeprefix('Fire '))} |"
    for detector, entry in entries:
        yield from ("", f"## {entry.id}", "", entry.about, "", entry.fires, "")
        yield from _section(detector, entry)


def _section(detector: Detector, entry: Entry) -> Iterator[str]:
    cases = cases_of(detector)
    levels = {case_line.partition(" ")[0] for case in cases for case_line in case.fires}
    for title, key in SECTIONS.items():
        said = getattr(entry, key)
        yield f"* **{title}.** {said[:1].upper()}{said[1:]}"
    yield f"* **Law.** {_law(entry.law)}"
    yield f"* **Levels.** {', '.join(level for level in Level if level in levels)}"
    yield f"* **Reads** the file of a {entry.ledger}: {', '.join(entry.reads)}"
    for ledger, kinds in entry.looks_at.items():
        yield f"* **Looks at** the file of a {ledger}: {', '.join(kinds)}"
    yield f"* **Honest explanations tested.** {', '.join(tested(cases)) or 'none'}"
    if entry.thresholds:
        yield from ("", "| threshold | default | |", "|---|---|---|")
    for name, value in entry.thresholds.items():
        yield f"| `{name}` | {_cell(limit_in_words(value))} | {_cell(entry.meanings.get(name, ''))} |"
    yield from ("", "Fires:", "", *(f"* {case.name}" for case in cases if case.fires))
    yield from ("", "Lets pass:", "", *(f"* {case.name}" for case in cases if not case.fires))


def cases_of(detector: Detector) -> list[Case]:
    """Its promises, from the file beside it."""
    cases = import_module(f"{type(detector).__module__}_cases").CASES
    return [case for case in cases if case.detector.id == detector.id]


def tested(cases: Iterable[Case]) -> list[str]:
    """The codes of the exclusions that its leads show, each with its name."""
    from alerts.web.wording import catalogue
    from replay.run import replay

    codes: set[str] = set()
    for case in cases:
        if case.fires:
            records = [row for row in (*case.known, *case.story) if isinstance(row, Record)]
            events = [row for row in case.story if not isinstance(row, Record)]
            standing = replay([records, events], [case.detector], on_crash=_rise)
            codes |= {tried.code for leads in standing.values() for lead in leads for tried in lead.exclusions}
    names = catalogue("en")
    return [f"{code} ({names.get(f'exclusion.{code}', '')})" for code in sorted(codes)]


def _rise(unit: object, crash: Exception) -> None:
    raise crash


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
