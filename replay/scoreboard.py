"""What was planted against what was found: recall, false alarms on decoys, leads that nothing explains."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from detectors.finding import Level
from replay.compare import NotAlertsError, Told
from replay.recording import lines
from replay.simulate.label import Label

LOUD = Level.ORANGE.rank  # from here on officers are sent out
# A file of alerts does not say in business time when an alert was raised: raised_at is the clock of whoever judged, and
# of a replay the watermark of a whole batch. But a lead cannot stand before the first event that it shows has happened,
# and does stand once the last one has come in. So the time to detect is told by these two bounds.
TIME_TO_DETECT = (
    "business time from the first event of the case to the first, and to the last, event that its earliest matching "
    "lead shows: it was first raised in between, later by the time its records were on their way. What a silence "
    "shows is its beginning: the lead stands a deadline and a grace later (readings 1)"
)


class Lead(Told, frozen=True, kw_only=True):
    """An alert of a file, as far as it is scored. last_seen: of the last event that shows it."""

    last_seen: datetime | None = None


def read_leads(path: str | Path) -> dict[str, Lead]:
    """The alerts of a file by their id, each at its highest revision. Raises NotAlertsError, OSError."""
    decoder = msgspec.json.Decoder(Lead)
    found: dict[str, Lead] = {}
    for line in lines(path):
        try:
            lead = decoder.decode(line.raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotAlertsError(f"{path}, line {line.number} is not an alert: {error}") from None
        if lead.alert_id not in found or lead.revision >= found[lead.alert_id].revision:
            found[lead.alert_id] = lead
    return found


class NotLabelsError(ValueError):
    """A line is no label. The message says which line of which file, and what is wrong with it."""


def read_labels(path: str | Path) -> list[Label]:
    """Raises NotLabelsError, OSError."""
    decoder = msgspec.json.Decoder(Label)
    labels = []
    for line in lines(path):
        try:
            labels.append(decoder.decode(line.raw))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotLabelsError(f"{path}, line {line.number} is not a label: {error}") from None
    return labels


class _Glimpse(Struct):
    event_type: str = ""
    event_id: str = ""
    is_test: bool | int | str = False


def count_settlements(paths: Iterable[str | Path]) -> int:
    """Settlements of recordings, each counted once, tests not at all; lines that cannot be read are not counted."""
    decoder = msgspec.json.Decoder(_Glimpse)
    seen: set[str] = set()
    for path in paths:
        for line in lines(path):
            if b'"setl"' in line.raw:
                try:
                    event = decoder.decode(line.raw)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                if event.event_type == "setl" and event.is_test in (False, 0, "0"):
                    seen.add(event.event_id)
    return len(seen)


class Ground:
    """A label, ready to be asked whether an alert is about it."""

    def __init__(self, label: Label) -> None:
        self.label = label
        self.start, self.end = datetime.fromisoformat(label.start), datetime.fromisoformat(label.end)
        self._stands_for = {**label.aliases, **{event: event for event in label.events}}
        self._names = {label.subject.id, *label.ids, *label.persons, *label.orgs}

    def matches(self, alert: Told) -> bool:
        """The alert shows at least half of the ground; or it is about one of the names, in this time, and shares an
        event or lists none; for an absence, name and time suffice."""
        shared = {self._stands_for[event] for event in alert.events if event in self._stands_for}
        if self.label.events and 2 * len(shared) >= len(self.label.events):
            return True
        if alert.subject.id not in self._names or not self._overlaps(alert):
            return False
        return self.label.absence or bool(shared) or not alert.events

    def _overlaps(self, alert: Told) -> bool:
        return alert.period.since <= self.end and (alert.period.to is None or alert.period.to >= self.start)

    def explains(self, alert: Told) -> bool:
        """This detector is right to speak here, or may speak so quietly."""
        detector, label = alert.detector, self.label
        may = detector in label.forbid and not self.forbids(alert)
        return may or detector in label.expect or detector in label.also

    def forbids(self, alert: Told) -> bool:
        """A decoy on which this detector must not speak, or not so loudly."""
        ceiling = self.label.maximum_level
        allowed = ceiling is not None and alert.level.rank <= Level(ceiling).rank
        return alert.detector in self.label.forbid and not allowed

    def is_judged_by(self, detectors: frozenset[str] | None) -> bool:
        """The detectors that should speak are in the run; None: all are."""
        wanted = set(self.label.expect)
        return detectors is None or (wanted <= detectors if self.label.must_all else not wanted.isdisjoint(detectors))


class Case(Struct, frozen=True, kw_only=True):
    """What became of one planted fraud. level: the highest of the leads that found it. hypothesis: the reading it
    rests on that no document gives; such a case is told of, and counts in no recall.

    hours, hours_whole: from its start to the first and the last event shown; see TIME_TO_DETECT.
    """

    case_id: str
    family: str
    found: bool
    at_level: bool
    minimum_level: str | None
    level: str | None
    hours: float | None
    hours_whole: float | None
    hypothesis: str | None
    notes: str


class FamilyScore(Struct, frozen=True, kw_only=True):
    """at_level: of these, at the least level that they deserve, or above."""

    family: str
    planted: int
    found: int
    at_level: int
    recall: float
    median_hours: float | None
    median_hours_whole: float | None


class DetectorScore(Struct, frozen=True, kw_only=True):
    """alerts: open; explained: a planted fraud, or a decoy that allows it, stands behind them."""

    detector: str
    alerts: int
    explained: int
    precision: float
    loud_unexplained: int


class DecoyScore(Struct, frozen=True, kw_only=True):
    """False alarms on the decoys of one exclusion code. quiet: decoys on which nobody spoke who must not.

    by_detector: whose the false alarms are.
    """

    exclusion: str
    planted: int
    quiet: int
    false_alarms: int
    by_detector: dict[str, int]


class FalseAlarm(Struct, frozen=True, kw_only=True):
    """An open lead that nothing planted explains; decoy: the case it fell for, if any."""

    alert_id: str
    detector: str
    level: Level
    subject: str
    first_seen: datetime
    events: int
    decoy: str | None
    summary_zh: str


class Scoreboard(Struct, frozen=True, kw_only=True):
    """The whole result. per_10000: red and orange leads without explanation for each 10,000 settlements.

    families, recall, missed: of the cases that rest on no hypothesis.
    """

    families: tuple[FamilyScore, ...]
    recall: float
    missed: tuple[Case, ...]
    cases: tuple[Case, ...]
    decoys: tuple[DecoyScore, ...]
    decoy_alarms: tuple[FalseAlarm, ...]
    detectors: tuple[DetectorScore, ...]
    unexplained: tuple[FalseAlarm, ...]
    settlements: int | None
    per_10000: float | None
    time_to_detect: str = TIME_TO_DETECT


def score(
    alerts: Mapping[str, Told],
    labels: Sequence[Label],
    *,
    detectors: frozenset[str] | None = None,
    settlements: int | None = None,
) -> Scoreboard:
    """Judge the open alerts of a run. detectors: those that ran (None: all); only what they should find is judged."""
    told = [alert for _, alert in sorted(alerts.items()) if alert.is_open]
    grounds = [Ground(label) for label in labels]
    near = _Near(grounds)
    about = {alert.alert_id: [ground for ground in near.of(alert) if ground.matches(alert)] for alert in told}
    explained = {alert.alert_id for alert in told if any(g.explains(alert) for g in about[alert.alert_id])}
    frauds = [g for g in grounds if g.label.kind == "fraud" and g.is_judged_by(detectors)]
    cases = [_case(ground, [a for a in told if ground in about[a.alert_id]]) for ground in frauds]
    settled = [case for case in cases if case.hypothesis is None]
    fallen = _fallen(told, about, explained)
    loud = [a for a in told if a.level.rank >= LOUD and a.alert_id not in explained]
    return Scoreboard(
        families=tuple(_families(settled)),
        recall=_share(sum(case.found for case in settled), len(settled)),
        missed=tuple(case for case in settled if not case.found),
        cases=tuple(cases),
        decoys=tuple(_decoys(grounds, fallen)),
        decoy_alarms=tuple(_alarm(alert, ground) for alert, ground in fallen),
        detectors=tuple(_detectors(told, explained)),
        unexplained=tuple(_alarm(alert, _decoy(about[alert.alert_id])) for alert in loud),
        settlements=settlements,
        per_10000=round(len(loud) * 10_000 / settlements, 3) if settlements else None,
    )


class _Near:
    """Which labels an alert may be about: those that share an event or a name. Others need not be asked."""

    def __init__(self, grounds: Iterable[Ground]) -> None:
        self._by_word: defaultdict[str, list[Ground]] = defaultdict(list)
        for ground in grounds:
            label = ground.label
            for word in {label.subject.id, *label.ids, *label.persons, *label.orgs, *label.events, *label.aliases}:
                self._by_word[word].append(ground)

    def of(self, alert: Told) -> list[Ground]:
        words = (alert.subject.id, *alert.events)
        return list({id(ground): ground for word in words for ground in self._by_word.get(word, ())}.values())


def _case(ground: Ground, matching: list[Told]) -> Case:
    label = ground.label
    right = [alert for alert in matching if alert.detector in label.expect]
    speakers = {alert.detector for alert in right}
    found = speakers >= set(label.expect) if label.must_all else bool(right)
    level = max((alert.level for alert in right), key=lambda level: level.rank, default=None)
    least = Level(label.minimum_level).rank if label.minimum_level else 0
    first = min(right, key=lambda alert: (alert.first_seen, alert.alert_id), default=None) if found else None
    return Case(
        case_id=label.case_id,
        family=label.family,
        found=found,
        at_level=found and level is not None and level.rank >= least,
        minimum_level=label.minimum_level,
        level=level,
        hours=_hours(ground, first.first_seen) if first else None,
        hours_whole=_hours(ground, first.last_seen) if isinstance(first, Lead) and first.last_seen else None,
        hypothesis=label.hypothesis,
        notes=label.notes,
    )


def _hours(ground: Ground, seen: datetime) -> float:
    """Since the case began; a lead may show what came just before, such as the swipe of the first bill."""
    return round(max(0.0, (seen - ground.start).total_seconds() / 3600), 2)


def _families(cases: Sequence[Case]) -> Iterable[FamilyScore]:
    for family in dict.fromkeys(case.family for case in cases):
        own = [case for case in cases if case.family == family]
        found = sum(case.found for case in own)
        yield FamilyScore(
            family=family,
            planted=len(own),
            found=found,
            at_level=sum(case.at_level for case in own),
            recall=_share(found, len(own)),
            median_hours=_median(case.hours for case in own),
            median_hours_whole=_median(case.hours_whole for case in own),
        )


def _median(hours: Iterable[float | None]) -> float | None:
    known = [one for one in hours if one is not None]
    return round(median(known), 2) if known else None


def _fallen(told: Sequence[Told], about: Mapping[str, list[Ground]], explained: set[str]) -> list[tuple[Told, Ground]]:
    """Alerts on decoys by those who must not speak there. What a planted fraud explains is not held against them."""
    return [
        (alert, ground)
        for alert in told
        if alert.alert_id not in explained
        for ground in about[alert.alert_id]
        if ground.label.kind == "decoy" and ground.forbids(alert)
    ]


def _decoys(grounds: Sequence[Ground], fallen: Sequence[tuple[Told, Ground]]) -> Iterable[DecoyScore]:
    by_code: defaultdict[str, list[Ground]] = defaultdict(list)
    for ground in grounds:
        if ground.label.kind == "decoy":
            by_code[ground.label.exclusion or "none"].append(ground)
    for code, own in sorted(by_code.items()):
        loud = [(alert, ground) for alert, ground in fallen if ground in own]
        yield DecoyScore(
            exclusion=code,
            planted=len(own),
            quiet=len(own) - len({ground.label.case_id for _, ground in loud}),
            false_alarms=len(loud),
            by_detector=dict(sorted(Counter(alert.detector for alert, _ in loud).items())),
        )


def _detectors(told: Sequence[Told], explained: set[str]) -> Iterable[DetectorScore]:
    for detector in sorted({alert.detector for alert in told}):
        own = [alert for alert in told if alert.detector == detector]
        right = sum(alert.alert_id in explained for alert in own)
        yield DetectorScore(
            detector=detector,
            alerts=len(own),
            explained=right,
            precision=_share(right, len(own)),
            loud_unexplained=sum(a.alert_id not in explained and a.level.rank >= LOUD for a in own),
        )


def _decoy(grounds: Sequence[Ground]) -> Ground | None:
    return next((ground for ground in grounds if ground.label.kind == "decoy"), None)


def _alarm(alert: Told, ground: Ground | None) -> FalseAlarm:
    return FalseAlarm(
        alert_id=alert.alert_id,
        detector=alert.detector,
        level=alert.level,
        subject=f"{alert.subject.kind}:{alert.subject.id}",
        first_seen=alert.first_seen,
        events=len(alert.events),
        decoy=ground.label.case_id if ground else None,
        summary_zh=alert.summary_zh,
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def in_words(board: Scoreboard) -> str:
    """For people to read."""
    said = [f"{'fraud':<30}{'planted':>8}{'found':>7}{'recall':>8}{'at level':>10}{'seen after':>20}"]
    for one in board.families:
        after = " - ".join(f"{hours:.1f}" for hours in (one.median_hours, one.median_hours_whole) if hours is not None)
        after = f"{after} h" if after else ""
        said.append(f"{one.family:<30}{one.planted:>8}{one.found:>7}{one.recall:>8.2f}{one.at_level:>10}{after:>20}")
    planted, found = sum(one.planted for one in board.families), sum(one.found for one in board.families)
    said.append(f"{'all':<30}{planted:>8}{found:>7}{board.recall:>8.2f}")
    said += [f"  missed    {case.case_id}  {case.notes}" for case in board.missed]
    said += [
        f"  too low   {case.case_id}  {case.level} where {case.minimum_level} is due  {case.notes}"
        for case in board.cases
        if case.found and not case.at_level
    ]
    said += [
        f"  {'found' if case.found else 'not found'}, and not counted: {case.case_id}  {case.hypothesis}"
        for case in board.cases
        if case.hypothesis
    ]
    said += ["", f"{'honest look-alikes':<30}{'planted':>8}{'quiet':>7}{'false alarms':>14}"]
    for decoy in board.decoys:
        loud = "".join(f"  {detector}" for detector in decoy.by_detector)
        said.append(f"{decoy.exclusion:<30}{decoy.planted:>8}{decoy.quiet:>7}{decoy.false_alarms:>14}{loud}")
    said += [f"  fell for  {one.decoy}  {one.detector} {one.level} {one.subject}" for one in board.decoy_alarms]
    said += ["", f"{'detector':<30}{'alerts':>8}{'explained':>11}{'precision':>11}{'red+orange unexplained':>24}"]
    said += [
        f"{one.detector:<30}{one.alerts:>8}{one.explained:>11}{one.precision:>11.2f}{one.loud_unexplained:>24}"
        for one in board.detectors
    ]
    rate = "" if board.per_10000 is None else f", {board.per_10000} per 10,000 of {board.settlements} settlements"
    said += ["", f"red + orange leads that nothing planted explains: {len(board.unexplained)}{rate}"]
    for lead in board.unexplained:
        where = f"  (on {lead.decoy})" if lead.decoy else ""
        said.append(f"  {lead.level:<7}{lead.detector:<28} {lead.subject}  {lead.first_seen.isoformat()}{where}")
    said += ["", f"seen after: median {board.time_to_detect}"]
    return "\n".join(said)
