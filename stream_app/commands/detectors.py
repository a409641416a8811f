"""``fundwatch detectors``: what is looked for, why, and by which limits."""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import time, timedelta
from difflib import get_close_matches
from typing import Any

import click
import msgspec
from msgspec import Struct

from detectors.catalogue import DETECTORS
from detectors.detector import Detector
from detectors.finding import Law
from detectors.lead import version_of

SECTIONS = {"Why": "why", "Blind spots": "blind_spots", "False alarm": "false_alarm", "Source": "source"}
UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)), ("s", timedelta(seconds=1)))
Scalar = str | int | float
Limit = Scalar | list[Scalar | list[Scalar]]  # a number or word, a list of them, or a table


class Entry(Struct, frozen=True, kw_only=True):
    """One detector of the catalogue.

    name:       as alerts carry it; a rule with two parts is two detectors that speak under one name.
    thresholds: the limits in force, as rules name them; durations as the settings write them ("90s", "6h").
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
    law: Law
    rule_version: str
    ledger: str
    reads: tuple[str, ...]
    looks_at: dict[str, tuple[str, ...]]


@click.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: an array, with or without an ID.")
def detectors(name: str | None, as_json: bool) -> None:
    """The catalogue: what each detector sees, cannot see, mistakes, and by which limits.

    ID is a detector's own, or the name that its alerts carry.

    \b
    Example:
      fundwatch detectors
      fundwatch detectors geo_time_conflict
      fundwatch detectors --json | jq '.[].thresholds'
    """
    chosen = [entry for entry in map(entry_of, DETECTORS) if name in (None, entry.id, entry.name)]
    if name is not None and not chosen:
        raise click.UsageError(_unknown(name))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(chosen), indent=2))
    elif name is None:
        _print_table(chosen)
    else:
        click.echo("\n\n".join("\n".join(_in_words(entry)) for entry in chosen))


def entry_of(detector: Detector) -> Entry:
    """What a detector says of itself."""
    fires, said = _said(type(detector))
    return Entry(
        id=detector.id,
        name=detector.id.partition("/")[0],
        about=_first_line(inspect.getmodule(type(detector))),
        fires=fires,
        **{key: said.get(title, "") for title, key in SECTIONS.items()},
        thresholds=_thresholds(detector),
        law=detector.law,
        rule_version=version_of(detector),
        ledger=detector.of.name,
        reads=_tags(detector.reads),
        looks_at={link.ledger.name: _tags(link.reads) for link in detector.links},
    )


def _said(kind: type) -> tuple[str, dict[str, str]]:
    """The first sentence of a docstring, and what stands under each title of it."""
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    parts = re.split(rf"^({'|'.join(SECTIONS)}):", rest, flags=re.MULTILINE)[1:]
    return _plain(first), {title: _plain(text) for title, text in zip(parts[::2], parts[1::2], strict=True)}


def _first_line(module: object) -> str:
    return inspect.cleandoc(module.__doc__ or "").partition("\n")[0]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "")).strip()


def _thresholds(detector: Detector) -> dict[str, Limit]:
    names = [field.name for field in fields(detector)]  # type: ignore[arg-type]  # every detector is a dataclass
    return {name: _json(getattr(detector, name)) for name in names}


def _json(value: object) -> Any:  # Any: a JSON value
    if isinstance(value, timedelta):
        return next(f"{value / unit:.0f}{name}" for name, unit in UNITS if not value % unit)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, tuple | list | frozenset):
        return [_json(one) for one in (sorted(value) if isinstance(value, frozenset) else value)]
    return "inf" if value == float("inf") else value


def _tags(kinds: Iterable[Any]) -> tuple[str, ...]:  # Any: classes of events
    return tuple(sorted(str(kind.__struct_config__.tag) for kind in kinds))


def _unknown(name: str) -> str:
    known = [detector.id for detector in DETECTORS]
    near = get_close_matches(name, known, n=1)
    return f"there is no detector {name!r}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


def _print_table(entries: Sequence[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "rule version", "looks into", "fires", box=None)
    for entry in entries:
        table.add_row(entry.id, entry.rule_version, entry.ledger, entry.fires.removeprefix("Fire "))
    console = Console(markup=False, highlight=False)
    console.width = console.width if console.is_terminal else 200
    console.print(table)


def _in_words(entry: Entry) -> Iterator[str]:
    yield f"{entry.id}  (rule version {entry.rule_version})"
    yield entry.about
    yield entry.fires
    yield ""
    for title, key in SECTIONS.items():
        yield f"{title + ':':13}{getattr(entry, key)}"
    law = entry.law
    library = f", rule library {law.rule_library_code}" if law.rule_library_code else ""
    yield f"{'Law:':13}{law.article}, cause {law.cause_code}{library}"
    yield f"{'Reads:':13}the file of a {entry.ledger}: {', '.join(entry.reads)}"
    for ledger, kinds in entry.looks_at.items():
        yield f"{'Looks at:':13}the file of a {ledger}: {', '.join(kinds)}"
    yield ""
    yield "Thresholds in force:"
    width = max(map(len, entry.thresholds), default=0)
    for name, value in entry.thresholds.items():
        yield f"  {name:{width}}  {_shown(value)}"


def _shown(value: object) -> str:
    """A list of lists is rows of a table: "200 100, 1500 300"."""
    if not isinstance(value, list):
        return str(value)
    return (", " if any(isinstance(one, list) for one in value) else " ").join(map(_shown, value))
