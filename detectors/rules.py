"""Thresholds with dates: by which limits a detector judges, and from which business time on.

    [card_batch_swipe]              # from the beginning, in place of what the code says
    persons = 9

    [[rules]]                       # from a business time on, on top of what held before
    valid_from = 2026-04-01
    [rules.card_batch_swipe]
    median_gap = "45s"

Tables and keys are those of ``fundwatch detectors --json``. Text comes in, editions go out: who reads the file, and
when again, is no business of this module.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from math import isnan
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from detectors.detector import Detector, limits
from detectors.event import CHINA, NEVER, Fen
from detectors.lead import version_of
from detectors.unit import Span

ALWAYS = datetime.min.replace(tzinfo=UTC)  # since ever: whatever business time an event may have
Scalar = str | int | float | bool | None
Limit = Scalar | list[Scalar | list[Scalar]] | dict[str, Scalar | list[Scalar]]  # a threshold as JSON has it
DATED = "rules"  # the one table that is no detector's
VALID_FROM = "valid_from"


class RulesError(ValueError):
    """Rules that cannot be used: a line for each fault, naming the file, the place, the value and what is expected."""


class Edition(NamedTuple):
    """A detector with the thresholds that are in force while since <= business time < until."""

    detector: Detector
    version: str
    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def overlaps(self, span: Span) -> bool:
        return self.since < span.end and span.start < self.until


class Rulebook:
    """The editions of every detector: in order and without gaps, the first since ever, the last for good."""

    def __init__(self, editions: Mapping[str, tuple[Edition, ...]]) -> None:
        self._editions = editions

    def of(self, detector: str) -> tuple[Edition, ...]:
        """Raises KeyError for a detector that is not run."""
        return self._editions[detector]

    def in_force(self, moment: datetime) -> list[Edition]:
        return [edition for editions in self for edition in editions if edition.holds(moment)]

    def __iter__(self) -> Iterator[tuple[Edition, ...]]:
        return iter(self._editions.values())

    def differs_from(self, other: "Rulebook") -> datetime | None:
        """The first business time that is judged otherwise by the other one; None: all is judged alike."""
        dates = {edition.since for book in (self, other) for editions in book for edition in editions}
        return next((since for since in sorted(dates) if self._detectors(since) != other._detectors(since)), None)

    def _detectors(self, moment: datetime) -> list[Detector]:
        return [edition.detector for edition in self.in_force(moment)]


Rules = Sequence[Detector] | Rulebook  # thresholds as the code has them, or with editions of them


class Source(NamedTuple):
    """A text of rules, and where it came from."""

    name: str
    text: str


def rulebook(rules: Rules, *sources: Source) -> Rulebook:
    """The editions that these detectors have by these texts, of which a later one is laid over those before it.

    What a text says of a threshold holds whatever the texts below it say, from the day it names. Raises RulesError.
    """
    if isinstance(rules, Rulebook):
        return rules
    faults: list[str] = []
    known = {detector.id: detector for detector in rules}
    layers = [sorted(_read(source, known, faults), key=lambda said: said.since) for source in sources]
    dates = sorted({ALWAYS, *(said.since for layer in layers for said in layer)})
    book = {name: _editions(detector, layers, dates, faults) for name, detector in known.items()}
    if faults:
        raise RulesError("\n".join(faults))
    return Rulebook(book)


class Said(NamedTuple):
    """One line of a text: since then, this threshold is so much."""

    since: datetime
    detector: str
    threshold: str
    value: Any  # of the threshold's own type


def _editions(
    detector: Detector, layers: Sequence[Sequence[Said]], dates: Sequence[datetime], faults: list[str]
) -> tuple[Edition, ...]:
    """Where nothing changes from one date to the next, no edition begins."""
    said = [[line for line in layer if line.detector == detector.id] for layer in layers]
    versions: list[tuple[datetime, Detector]] = []
    for since in dates:
        changes = {line.threshold: line.value for layer in said for line in layer if line.since <= since}
        try:
            changed = replace(detector, **changes) if changes else detector  # type: ignore[type-var]  # all are dataclasses
        except ValueError as error:  # a detector may know more of its limits than their types
            faults.append(f"[{detector.id}] {business_day(since)}: {error}")
            continue
        if not versions or versions[-1][1] != changed:
            versions.append((since, changed))
    ends = [*(since for since, _ in versions[1:]), NEVER][: len(versions)]
    return tuple(
        Edition(changed, version_of(changed), since, until)
        for (since, changed), until in zip(versions, ends, strict=True)
    )


def _read(source: Source, known: Mapping[str, Detector], faults: list[str]) -> Iterator[Said]:
    try:
        tree = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{source.name}: {error}")
        return
    dated = tree.pop(DATED, [])
    yield from _tables(source.name, ALWAYS, tree, known, faults)
    if not isinstance(dated, list):
        faults.append(f"{source.name}: [{DATED}]: expected [[{DATED}]], once for each {VALID_FROM}")
        return
    for number, tables in enumerate(dated, 1):
        where = f"{source.name}: [[{DATED}]] number {number}"
        if not isinstance(tables, dict) or VALID_FROM not in tables:
            faults.append(f"{where}: {VALID_FROM} is missing: the business time from which these hold")
            continue
        begin = tables.pop(VALID_FROM)
        try:
            since = _moment(begin)
        except ValueError as error:
            faults.append(f"{where}: {VALID_FROM} = {_shown(begin)}: {error}")
            continue
        yield from _tables(f"{source.name}: from {business_day(since)}", since, tables, known, faults)


def _tables(
    where: str, since: datetime, tables: Mapping[str, Any], known: Mapping[str, Detector], faults: list[str]
) -> Iterator[Said]:
    """Any: whatever TOML may hold."""
    for name, table in tables.items():
        if name not in known:
            faults.append(f"{where}: [{name}]: there is no such detector{_guess(name, known)}")
        elif not isinstance(table, dict):
            faults.append(f"{where}: {name} = {_shown(table)}: expected a table, [{name}]")
        else:
            detector = known[name]
            for threshold, raw in table.items():
                try:
                    value = _threshold(detector, threshold, raw)
                except ValueError as error:
                    faults.append(f"{where}: [{name}] {threshold} = {_shown(raw)}: {error}")
                else:
                    yield Said(since, name, threshold, value)


def _threshold(detector: Detector, name: str, raw: Any) -> Any:
    """Any: from what TOML holds to a value of the field's type. Raises ValueError."""
    kinds = kinds_of(type(detector))
    if name not in kinds:
        raise ValueError(f"there is no such threshold{_guess(name, kinds)}")
    value, default = typed(kinds[name], raw), getattr(detector, name)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if isnan(value):
            raise ValueError("expected a number")
        if value < 0 <= default:
            raise ValueError("expected a number that is not negative")
    return default if value == default else value  # 20 and 20.0 are one limit, and shall be one version


@cache
def kinds_of(detector: type[Detector]) -> dict[str, Any]:
    """Of each threshold, the type. Any: types as annotations name them."""
    hints = get_type_hints(detector)
    return {field.name: hints[field.name] for field in limits(detector)}


def _moment(raw: object) -> datetime:
    """A day, or a time; without an offset of its own it is China's. Raises ValueError."""
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            raw = None
    if isinstance(raw, datetime):
        return raw if raw.tzinfo else raw.replace(tzinfo=CHINA)
    if isinstance(raw, date):
        return datetime.combine(raw, time(), CHINA)
    raise ValueError("expected a day such as 2026-04-01, or a time such as 2026-04-01T08:00:00+08:00")


# from TOML to values, and back

DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])", re.ASCII)
YUAN = re.compile(r"-?\d{1,13}(\.\d{1,2})?", re.ASCII)
UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}


def _duration(raw: object) -> timedelta:
    found = DURATION.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if found is None:
        raise ValueError('expected a duration such as "90s", "30m", "6h" or "7d"')
    try:
        return float(found[1]) * UNITS[found[2]]
    except OverflowError:
        raise ValueError("expected a duration that a calendar can hold") from None


def _yuan(raw: object) -> Fen:
    if not isinstance(raw, str) or not YUAN.fullmatch(raw):
        raise ValueError('expected yuan as text, such as "1000.00"')
    return Fen(Decimal(raw) * 100)


def _whole(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError("expected a whole number, such as 8")  # noqa: TRY004 - told among other faults of a file
    return raw


def _number(raw: object) -> float:
    if raw == "inf":
        return float("inf")
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueError("expected a number, such as 0.6")  # noqa: TRY004 - see above
    return float(raw)


def _clock(raw: object) -> time:
    if isinstance(raw, str):
        try:
            raw = time.fromisoformat(raw)
        except ValueError:
            raw = None
    if not isinstance(raw, time):
        raise ValueError('expected a time of day such as "22:00"')  # noqa: TRY004 - see above
    return raw


_READERS: dict[Any, Any] = {timedelta: _duration, Fen: _yuan, int: _whole, float: _number, time: _clock}


def typed(kind: Any, raw: Any) -> Any:
    """What TOML or JSON holds, as a value of this type. Any: any type a threshold has. Raises ValueError."""
    if kind in _READERS:
        return _READERS[kind](raw)
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return _first_fitting([one for one in args if one is not NoneType], raw)
    if isinstance(origin, type) and issubclass(origin, tuple):
        return _tuple(origin, args, raw)
    if origin in (frozenset, list):
        return origin(typed(args[0], one) for one in _list(raw))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(raw, dict):
            raise ValueError("expected a table")  # noqa: TRY004 - see above
        return {typed(args[0], key): typed(args[1], value) for key, value in raw.items()}
    if isinstance(kind, type) and issubclass(kind, Decimal):
        return kind(_exact(raw))
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)[:1].lower() + str(error)[1:]) from None


def _first_fitting(kinds: Sequence[Any], raw: Any) -> Any:
    """Any: see ``typed``."""
    faults: list[ValueError] = []
    for kind in kinds:
        try:
            return typed(kind, raw)
        except ValueError as error:
            faults.append(error)
    raise faults[0]


def _tuple(origin: type, args: tuple[Any, ...], raw: Any) -> Any:
    """``tuple[int, ...]``, ``tuple[str, int]`` or a named one. Any: see ``typed``."""
    items = _list(raw)
    hints = get_type_hints(origin) if hasattr(origin, "_fields") else {}
    kinds = list(hints.values()) or list(args)
    if args[1:] == (Ellipsis,):
        kinds = [args[0]] * len(items)
    if len(kinds) != len(items):
        raise ValueError(f"expected a list of {len(kinds)}")
    values = [typed(kind, item) for kind, item in zip(kinds, items, strict=True)]
    return origin(*values) if hints else tuple(values)


def _list(raw: Any) -> list[Any]:
    """Any: see ``typed``."""
    if not isinstance(raw, list):
        raise ValueError("expected a list, such as [1, 2]")  # noqa: TRY004 - see above
    return raw


def _exact(raw: object) -> Decimal:
    """As it was written, not as binary has it."""
    try:
        if not isinstance(raw, bool) and isinstance(raw, int | float | str):
            return Decimal(str(raw))
    except InvalidOperation:
        pass
    raise ValueError('expected a number, such as 0.5 or "0.5"')


def written(value: Any) -> Any:
    """A threshold as JSON and TOML write it, and ``typed`` reads it. Any: any value, and any JSON value."""
    if isinstance(value, timedelta):
        whole = (f"{value // unit}{name}" for name, unit in UNITS.items() if not value % unit)
        return next(whole, f"{value / UNITS['s']:.6f}s")
    if isinstance(value, time):
        return value.isoformat("auto" if value.second or value.microsecond else "minutes")
    if isinstance(value, Fen):
        return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"
    if isinstance(value, Mapping):
        return {str(key): written(one) for key, one in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [written(one) for one in (sorted(value) if isinstance(value, frozenset) else value)]
    if isinstance(value, Decimal | date):
        return str(value)
    return "inf" if value == float("inf") else value


def limit_in_words(value: object) -> str:
    """A list of lists is rows of a table: "200 100, 1500 300"."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {limit_in_words(one)}" for key, one in value.items())
    if not isinstance(value, list):
        return str(value)
    return (", " if any(isinstance(one, list) for one in value) else " ").join(map(limit_in_words, value))


def thresholds(detector: Detector) -> dict[str, Any]:
    """Each threshold of a detector as ``written``. Any: JSON values."""
    return {field.name: written(getattr(detector, field.name)) for field in limits(detector)}


def as_toml(book: Iterable[Sequence[Edition]]) -> Iterator[str]:
    """Every threshold of the editions of each detector, as the lines of a file of rules."""
    book = list(book)
    for editions in book:
        yield from _table(editions[0].detector, "", thresholds(editions[0].detector))
    changes = [pair for editions in book for pair in pairwise(editions)]
    for since in sorted({after.since for _, after in changes}):
        yield from (f"[[{DATED}]]", f"{VALID_FROM} = {since.isoformat()}", "")
        for before, after in changes:
            if after.since == since:
                former = thresholds(before.detector)
                new = {name: value for name, value in thresholds(after.detector).items() if value != former[name]}
                yield from _table(after.detector, f"{DATED}.", new)


def _table(detector: Detector, prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Any: JSON values. A value that is null has no TOML: left out, it stays what the code says."""
    yield f"[{prefix}{_key(detector.id)}]"
    yield from (f"{_key(name)} = {_shown(value)}" for name, value in values.items() if value is not None)
    yield ""


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _shown(name)


def _shown(raw: Any) -> str:
    """Any: as TOML writes it."""
    if isinstance(raw, dict):
        return "{" + ", ".join(f"{_key(name)} = {_shown(value)}" for name, value in raw.items()) + "}"
    if isinstance(raw, list):
        return f"[{', '.join(map(_shown, raw))}]"
    return raw.isoformat() if isinstance(raw, date | time) else msgspec.json.encode(raw).decode()


def business_day(moment: datetime) -> str:
    """ "2026-04-01", with the time where it is not midnight in China; "always"."""
    if moment == ALWAYS:
        return "always"
    local = moment.astimezone(CHINA)
    return f"{local:%Y-%m-%d}" if local.time() == time() else local.isoformat(timespec="seconds")


def _guess(wrong: str, known: Iterable[str]) -> str:
    near = get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
