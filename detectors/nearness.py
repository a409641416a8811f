"""Why a detector did not speak: which limit was missed, by how much, and which honest explanation silenced it.

Detectors are pure, so they can be asked again: with thresholds a little easier (easing.py), or over the records as
they would be without one honest explanation (explanations.py). What they find then, and not as things are, was nearly a
lead.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from detectors.detector import Detector
from detectors.easing import Ease, in_force, least, pairs, plain, single
from detectors.event import day_of
from detectors.explanations import EXPLANATIONS, Blind, Explanation, Fallen, Row, fact_of
from detectors.file import File
from detectors.finding import Certainty, Exclusion, Figure, Level, Period, Subject, UnitId
from detectors.judge import Found, find
from detectors.ledger import BILLS, CODE, DEPT, FEED, INTERFACES, PERSON, RX, STOCK, TILL, VISIT, WARD, Place
from detectors.memory import View
from detectors.rules import Edition, Limit, Rulebook, written
from detectors.unit import DAY, Cell

MOST_JUDGED = 20_000  # judgements for one subject and detector: some seconds
MOST_WAYS = 4  # told of one near miss
MOST_FACTS = 5  # told of one explanation

ANY = "*"
Patterns = tuple[tuple[str, str], ...]  # ledger and key
# In which files lies what a subject did; of an id of one part {0}, and of one of two parts {0}/{1}.
FILES: dict[str, tuple[Patterns, Patterns]] = {
    "person": (((PERSON.name, "{0}"),), ((PERSON.name, "{1}"),)),  # org/psn_no
    "till": ((), ((TILL.name, "{0}/{1}"),)),
    "stay": (((VISIT.name, f"{ANY}/{{0}}"),), ((VISIT.name, "{0}/{1}"),)),
    "trace_code": (((CODE.name, "{0}"),), ()),
    "drug": ((), ((STOCK.name, "{0}/{1}"), (PERSON.name, "{0}"))),  # org/item; psn_no/group
    "area": ((), ((WARD.name, "{0}/{1}"),)),
    "org": (
        (
            (BILLS.name, "{0}"),
            *((FEED.name, f"{{0}}/{interface}") for interface in INTERFACES.values()),
            *((ledger.name, f"{{0}}/{ANY}") for ledger in (DEPT, STOCK)),
        ),
        (),
    ),
    "rx": (((RX.name, "{0}"),), ()),
}


class Changed(Struct, frozen=True):
    """A threshold: what is in force, and what would do. Both as ``detectors --json`` writes them."""

    threshold: str
    in_force: Limit
    would_do: Limit


class Excused(Struct, frozen=True):
    """An honest explanation: its code (X02), and records that it rests on."""

    code: str
    facts: tuple[str, ...]


class Way(Struct, frozen=True, kw_only=True):
    """What would have made a lead of it: other thresholds, or that an explanation did not hold.

    by: how far the furthest threshold is from what is in force, as a share of that; 0 where it is no number.
    """

    by: float = 0.0
    thresholds: tuple[Changed, ...] = ()
    excused: Excused | None = None


class About(Struct, frozen=True):
    """Whom it is about."""

    kind: str
    id: str


class Said(Struct, frozen=True, kw_only=True):
    """A lead. Thresholds of its figures are those in force."""

    detector: str  # as alerts name it
    rule_version: str
    subject: About
    period: Period
    level: Level
    certainty: Certainty
    figures: tuple[Figure, ...]
    exclusions: tuple[Exclusion, ...]
    events: tuple[str, ...]


class Spoken(Said, frozen=True, kw_only=True):
    """A lead that there is."""

    summary_zh: str
    summary_en: str


class NearMiss(Said, frozen=True, kw_only=True):
    """A lead that there nearly was, as it would be by the nearest way. ways: nearest first, any of them would do."""

    ways: tuple[Way, ...]


class Explained(Struct, frozen=True, kw_only=True):
    """What one detector says of a subject, and what it nearly said.

    name: as alerts have it. rows: what it was shown, by kind, since and to (business time). looks_again: by itself,
    should nothing come. left_out: judgements that were not made, being too many.
    """

    detector: str
    name: str
    rule_version: str
    ledger: str
    rows: dict[str, int]
    since: datetime | None
    to: datetime | None
    leads: tuple[Spoken, ...]
    near_misses: tuple[NearMiss, ...]
    looks_again: datetime | None
    left_out: int


S = TypeVar("S", bound=Said)


class Known(Protocol):
    """What was remembered, live or of a recording."""

    @property
    def view(self) -> View: ...

    @property
    def fallen(self) -> Fallen: ...

    def files(self, place: Place) -> Iterator[Place]:
        """Those that there are; a "*" at either end of the key stands for anything."""


def places_of(subject: Subject, known: Known, *, whole: bool = True) -> list[Place]:
    """The files that there are of a subject. whole: those too that are found only by looking at every key."""
    patterns = [place for place in files_of(subject) if whole or ANY not in place[1]]
    return list(dict.fromkeys(place for pattern in patterns for place in known.files(pattern)))


def files_of(subject: Subject) -> list[Place]:
    """Where to look; "*" in a key stands for anything. None for a kind of which no file is kept."""
    first, slash, rest = subject.id.partition("/")
    patterns = FILES.get(subject.kind, ((), ()))[bool(slash)]
    return [(ledger, key.format(first, rest)) for ledger, key in patterns]


def near_misses(
    subject: Subject,
    places: Iterable[Place],
    view: View,
    rules: Rulebook,
    *,
    fallen: Fallen = lambda place: (),
    detectors: Collection[str] = (),
    thorough: bool = True,
) -> list[Explained]:
    """Why the detectors that look into these files spoke of a subject, or did not.

    places:    its files, without "*". fallen: what lies in them and does not count, to tell what a reversal withdrew.
    detectors: ids, or names as alerts have them; none: all.
    thorough:  try two thresholds at once where one is not enough.
    Raises     Missing, where ``view`` does: fetch it, and ask again.
    """
    known = list(dict.fromkeys(places))
    found: list[Explained] = []
    for editions in rules:
        detector = editions[0].detector
        keys = [key for ledger, key in known if ledger == detector.of.name]
        if keys and (not detectors or not {detector.id, name_of(detector)}.isdisjoint(detectors)):
            found.append(_Asked(subject, editions, keys, view, fallen).explained(thorough))
    return found


def name_of(detector: Detector) -> str:
    """As alerts have it: a rule of two parts speaks under one name."""
    return detector.id.partition("/")[0]


def is_about(found: Subject, asked: Subject) -> bool:
    """Of a person also what is about his purchases of a drug, or his visits to one institution."""
    parts, of = set(found.id.split("/")), set(asked.id.split("/"))
    if asked.kind == "person":
        return of <= parts
    return found.kind == asked.kind and (parts <= of or of <= parts)


class Name(NamedTuple):
    """Of an alert: what is said of one subject in one period."""

    subject: Subject
    period: str


class Miss(NamedTuple):
    way: Way
    found: Found


@dataclass(slots=True)
class _Asked:
    """One detector, asked about one subject again and again."""

    subject: Subject
    editions: tuple[Edition, ...]
    keys: Sequence[str]
    view: View
    fallen: Fallen
    left: int = MOST_JUDGED
    left_out: int = 0
    said: dict[Name, list[Found]] = field(default_factory=dict)
    missed: dict[Name, list[Miss]] = field(default_factory=dict)

    @property
    def detector(self) -> Detector:
        return self.editions[-1].detector

    def explained(self, thorough: bool) -> Explained:
        units = self.units(self.view)
        wakes: list[datetime] = []
        for unit in units:
            found, wake = find(self.editions, unit, self.view)
            wakes += [wake] if wake else []
            for name, one in self.named(found):
                self.said.setdefault(name, []).append(one)
        for explanation in EXPLANATIONS:
            self.without(explanation)
        self.eased(units, single(self.detector))
        if thorough and not self.missed and not self.said:
            self.eased(units, pairs(self.detector))
        rows = [row for key in self.keys for row in self.rows(self.view, key)]
        return Explained(
            detector=self.detector.id,
            name=name_of(self.detector),
            rule_version=self.editions[-1].version,
            ledger=self.detector.of.name,
            rows=_counted(rows),
            since=min((row.happened_at for row in rows), default=None),
            to=max((row.happened_at for row in rows), default=None),
            leads=tuple(_spoken(one) for found in self.said.values() for one in found),
            near_misses=tuple(_near_miss(misses) for misses in self.missed.values()),
            looks_again=min(wakes, default=None),
            left_out=self.left_out,
        )

    def rows(self, view: View, key: str) -> list[Row]:
        kinds = view.file((self.detector.of.name, key)).kinds
        return [row for kind in self.detector.reads for row in kinds.get(kind, ())]

    def units(self, view: View) -> list[UnitId]:
        """Every cell that sees a row, the latest first."""
        found: dict[UnitId, None] = {}
        for key in self.keys:
            file = view.file((self.detector.of.name, key))
            for row in self.rows(view, key):
                cells = _cells(self.detector.cell, row, file)
                found.update((UnitId(self.detector.id, key, cell), None) for cell in cells)
        return sorted(found, key=lambda unit: unit.cell, reverse=True)

    def named(self, found: Iterable[Found]) -> Iterator[tuple[Name, Found]]:
        """What takes several units to stand is left to the alerts: whether they are enough, no unit knows."""
        for one in found:
            if one.finding.quorum is None and is_about(one.finding.subject, self.subject):
                yield Name(one.finding.subject, (one.finding.period or one.period).name), one

    def find(self, editions: Sequence[Edition], unit: UnitId, view: View) -> dict[Name, Found]:
        """What is found there, and not as things are."""
        if not self.left:
            self.left_out += 1
            return {}
        self.left -= 1
        try:
            found, _ = find(editions, unit, view)
        except (ArithmeticError, LookupError, ValueError):  # no detector promised to cope with such thresholds
            return {}
        return {name: one for name, one in self.named(found) if name not in self.said}

    def without(self, explanation: Explanation) -> None:
        blind = Blind(explanation, self.view, self.fallen)
        for unit in self.units(blind.view):
            blind.overlooked.clear()
            for name, found in self.find(self.editions, unit, blind.view).items():
                excused = Excused(explanation.code, _facts(blind.overlooked.values(), found))
                self.missed.setdefault(name, []).append(Miss(Way(excused=excused), found))

    def eased(self, units: Sequence[UnitId], eases: Iterable[Ease]) -> None:
        for ease in eases:
            for unit in units:
                for name, found in self.tried(ease, unit).items():
                    self.missed.setdefault(name, []).append(self.nearest(ease, unit, name, found))

    def tried(self, ease: Ease, unit: UnitId) -> dict[Name, Found]:
        try:
            editions = [edition._replace(detector=ease.of(edition.detector)) for edition in self.editions]
        except ValueError:  # the detector does not allow them
            return {}
        return self.find(editions, unit, self.view)

    def nearest(self, ease: Ease, unit: UnitId, name: Name, found: Found) -> Miss:
        """How little would have done."""
        [limits] = [edition.detector for edition in self.editions if edition.since == found.edition.since]
        nearest = least(ease, limits, lambda closer: name in self.tried(closer, unit))
        changed = (
            Changed(threshold, written(getattr(limits, threshold)), written(value))
            for threshold, value in nearest.values.items()
        )
        way = Way(by=round(nearest.by, 6), thresholds=tuple(changed))
        return Miss(way, self.tried(nearest, unit).get(name, found))


def _cells(cell: Cell, row: Row, file: File) -> list[str]:
    """Those that see the row. Some are judged only when another file leads to them: then the one that holds it."""
    named = list(cell.touched(row, file))
    if named:
        return named
    day = day_of(row.happened_at)
    for name in ((day - day.weekday() * DAY).isoformat(), day.isoformat(), f"{day:%Y-%m}"):
        try:
            span = cell.span(name, file)
        except ValueError:  # not how this cell is named
            continue
        if span.start <= row.happened_at < span.end:
            return [name]
    return []


def _near_miss(misses: Sequence[Miss]) -> NearMiss:
    ways: dict[tuple[str, ...], Way] = {}
    nearest, *_ = ordered = sorted(misses, key=lambda miss: (miss.way.excused is None, miss.way.by))
    for miss in ordered:
        ways.setdefault(_kind(miss.way), miss.way)
    told = _told(NearMiss, nearest.found, ways=tuple(ways.values())[:MOST_WAYS])
    excused = nearest.way.excused
    # what was set aside was found not to apply, of course
    return replace(told, exclusions=tuple(x for x in told.exclusions if excused is None or x.code != excused.code))


def _spoken(found: Found) -> Spoken:
    return _told(Spoken, found, summary_zh=found.finding.zh, summary_en=found.finding.en)


def _told(kind: type[S], found: Found, **more: Any) -> S:
    """Any: the fields that only this kind has."""
    lead = found.lead
    return kind(
        detector=lead.detector,
        rule_version=lead.rule_version,
        subject=About(*lead.subject),
        period=lead.period,
        level=lead.level,
        certainty=lead.certainty,
        figures=tuple(
            replace(one, observed=plain(one.observed), threshold=in_force(one.threshold)) for one in lead.figures
        ),
        exclusions=lead.exclusions,
        events=lead.events,
        **more,
    )


def _kind(way: Way) -> tuple[str, ...]:
    """Which explanation, or which thresholds."""
    return (way.excused.code,) if way.excused else tuple(changed.threshold for changed in way.thresholds)


def _facts(overlooked: Iterable[Row], found: Found) -> tuple[str, ...]:
    """Of what was overlooked, the records that the finding shows; if it shows none of them, all."""
    rows = list(overlooked)
    shown = {row.event_id for row in (*found.finding.shows, *found.finding.also)}
    return tuple(map(fact_of, [row for row in rows if row.event_id in shown] or rows))[:MOST_FACTS]


def _counted(rows: Iterable[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        tag = str(type(row).__struct_config__.tag)
        counts[tag] = counts.get(tag, 0) + 1
    return counts
