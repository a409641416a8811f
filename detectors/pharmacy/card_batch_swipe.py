"""Many persons' credentials used at one till, one after the other (集中收卡、串刷套刷)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby, pairwise
from math import sqrt
from statistics import median
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import Kind, OrgRecord, PersonRecord, Settlement, Swipe, day_of
from detectors.exclusions import (
    CARED_FOR,
    applied,
    data_missing,
    late_upload,
    mass_day,
    no_tests,
    not_applicable,
    taken_back,
)
from detectors.finding import Applies, Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import TILL, Ledger
from detectors.till_session import Cut, Event, Session, Visit, at_till
from detectors.unit import DAY, MINUTE, SECOND, Cell, Day, Link, Unit
from detectors.wording import how_long, how_long_en, yuan, yuan_en


class Batch(NamedTuple):
    """A session in which many persons followed quickly upon each other, and what they have in common."""

    session: Session
    persons: int
    gap: float  # seconds, median
    similarity: float | None  # None: too few bills to tell
    spread: float | None
    strangers: int  # insured in another city
    neighbours: int  # of the commonest village or employer
    origin: str  # "village" or "employer", which of them that is
    origin_expected: Exclusion  # X18

    @property
    def first(self) -> datetime:
        return self.session[0].at

    @property
    def last(self) -> datetime:
        return self.session[-1].at

    @property
    def bills(self) -> list[Settlement]:
        return [bill for visit in self.session if (bill := visit.bill)]

    def share(self, visits: int) -> float:
        return visits / len(self.session)


class Again(NamedTuple):
    """What the week before knows of a batch."""

    batches: int  # within 7 days, this one included
    returning: int  # its persons that one earlier session had too
    share: float  # of its persons


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBatchSwipe:
    """Fire on ``persons`` in one session, quickly after each other, alike in basket, amount, insured area or origin.

    Why:         a stack of collected credentials is used in one go, mostly for the same goods.
    Blind spots: credentials used between honest customers, or slowly; a session across midnight; events that name
                 neither terminal nor operator.
    False alarm: a screening that nobody registered with the bureau (X10); a neighbour who buys for a whole house,
                 since only households are known (X02). At a clinic of an employer or a school, or in a nursing home, a
                 common origin says nothing (X18); equal baskets and amounts still do.
    Source:      domain.md B2, readings 6, SPEC 3.1. The limits are proposals, to be calibrated by replay.
    """

    id: ClassVar[str] = "card_batch_swipe"
    of: ClassVar[Ledger] = TILL
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, Swipe})
    cell: ClassVar[Cell] = Day(before=7 * DAY)
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("20", "第十五条")

    persons: int = 8
    median_gap: timedelta = 60 * SECOND
    similarity: float = 0.6  # median Jaccard index of neighbours' baskets; 1 where their amounts are equal
    spread: float = 0.10  # coefficient of variation of the amounts, at most
    strangers: float = 0.6  # share insured in another city
    origin: float = 0.6  # share of one village or employer
    many: int = 15  # persons: red
    again: int = 2  # batches within 7 days: red
    returning: float = 0.5  # share of the persons that an earlier session had: red
    pause: timedelta = 120 * SECOND  # a longer one ends a session
    piece: timedelta = 30 * MINUTE  # so does this much time since it began
    household: int = 4  # persons that count as one
    household_within: timedelta = 10 * MINUTE  # of the first of them

    @property
    def cut(self) -> Cut:
        return Cut(self.pause, self.piece, self.household, self.household_within)

    @property
    def gate(self) -> Gate:
        """As few as may come back of a batch, near enough to be of one session.

        What folds into a visit, or completes it, lies within ``household_within`` and ``piece`` of its beginning.
        """
        few = max(2, min(self.persons, int(self.returning * self.persons)))
        reach = (self.persons - 1) * self.pause + self.household_within + self.piece
        return Gate(rows=few, within=reach, by=_person)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        today = at_till(unit.own(Settlement), unit.own(Swipe))
        if not any(len(set(map(_person, run))) >= self.persons for run in self.cut.runs(today)):
            return
        sessions = list(self.sessions(unit, today))
        if batches := self.batches(unit, sessions):
            yield self.finding(unit, batches, sessions)

    def sessions(self, unit: Unit, rows: Iterable[Event]) -> Iterator[Session]:
        """Those of one day, without who was screened (X10)."""
        cut = self.cut
        visits = (visit for visit in cut.visits(rows) if not _is_screened(unit, visit))
        return cut.sessions(cut.folded(visits, partial(_household, unit)))

    def batches(self, unit: Unit, sessions: Iterable[Session]) -> list[Batch]:
        quick = (session for session in sessions if self.is_quick(session))
        return [batch for session in quick if self.is_alike(batch := self.measured(unit, session))]

    def is_quick(self, session: Session) -> bool:
        return _heads(session) >= self.persons and _median_gap(session) <= self.median_gap / SECOND

    def is_alike(self, batch: Batch) -> bool:
        return bool(self.likenesses(batch))

    def likenesses(self, batch: Batch) -> list[str]:
        """Which of the four say that this is one stack."""
        expected = batch.origin_expected.result is Applies.APPLIED
        holds = {
            "similarity": batch.similarity is not None and batch.similarity >= self.similarity,
            "spread": batch.spread is not None and batch.spread <= self.spread,
            "strangers": batch.share(batch.strangers) >= self.strangers,
            "origin": batch.share(batch.neighbours) >= self.origin and not expected,
        }
        return [name for name, held in holds.items() if held]

    def measured(self, unit: Unit, session: Session) -> Batch:
        bills = [bill for visit in session if (bill := visit.bill)]
        org = unit.fact(OrgRecord, _org(unit), session[0].at)
        origin, neighbours = _commonest_origin([_record(unit, visit) for visit in session])
        enough = len(bills) >= self.persons
        return Batch(
            session=session,
            persons=_heads(session),
            gap=_median_gap(session),
            similarity=median(_alike(a, b) for a, b in pairwise(bills)) if enough else None,
            spread=_spread([bill.total for bill in bills]) if enough else None,
            strangers=sum(_is_stranger(unit, org, visit) for visit in session),
            neighbours=neighbours,
            origin=origin,
            origin_expected=_origin_expected(org),
        )

    def finding(self, unit: Unit, batches: Sequence[Batch], sessions: Sequence[Session]) -> Finding:
        earlier = list(self.earlier_sessions(unit))
        starts = [batch.first for batch in (*self.batches(unit, earlier), *batches)]
        known = [(batch, self.before(batch, starts, (*earlier, *sessions))) for batch in batches]
        main, again = max(known, key=lambda it: (it[0].persons, it[1].share, -it[0].first.timestamp()))
        zh, en = self.sentences(main, again)
        return Finding(
            level=max((self.level(*it) for it in known), key=lambda level: level.rank),
            subject=Subject("till", unit.key),
            zh=zh,
            en=en,
            shows=[event for batch in batches for visit in batch.session for event in visit.evidence],
            figures=self.figures(main, again),
            exclusions=self.tested(unit, main),
            checks=tuple(map(_camera, batches)),
            hits=len(batches),
            also=[event for batch in batches for visit in batch.session for event in visit.events],
        )

    def earlier_sessions(self, unit: Unit) -> Iterator[Session]:
        """Those of the days before, each day for itself."""
        rows = at_till(unit.rows(Settlement), unit.rows(Swipe))
        past = (row for row in rows if row.happened_at < unit.span.start)
        for _, day in groupby(past, key=lambda row: day_of(row.happened_at)):
            yield from self.sessions(unit, day)

    def before(self, batch: Batch, starts: Sequence[datetime], sessions: Sequence[Session]) -> Again:
        since = batch.first - 7 * DAY
        persons = _persons(batch.session)
        returning = (len(persons & _persons(s)) for s in sessions if since < s[0].at < batch.first)
        most = max(returning, default=0)
        return Again(sum(since < start <= batch.first for start in starts), most, most / len(persons))

    def level(self, batch: Batch, again: Again) -> Level:
        grave = batch.persons >= self.many or again.batches >= self.again or again.share >= self.returning
        return Level.RED if grave else Level.ORANGE

    def figures(self, batch: Batch, again: Again) -> tuple[Figure, ...]:
        return (
            Figure("persons", batch.persons, self.persons, "persons"),
            Figure("median_gap", round(batch.gap, 1), self.median_gap / SECOND, "s"),
            *_measured("basket_similarity", batch.similarity, self.similarity),
            *_measured("amount_spread", batch.spread, self.spread),
            *_measured("nonlocal_share", batch.share(batch.strangers), self.strangers),
            *_measured("same_origin_share", batch.share(batch.neighbours), self.origin),
            Figure("batches_7d", again.batches, self.again, "times"),
            *_measured("returning_share", again.share, self.returning),
        )

    def tested(self, unit: Unit, batch: Batch) -> tuple[Exclusion, ...]:
        rows: tuple[Event, ...] = (*unit.own(Settlement), *unit.own(Swipe))
        late = [row for row in rows if row.late and batch.first <= row.happened_at <= batch.last]
        today = self.cut.visits(at_till(unit.own(Settlement), unit.own(Swipe)))
        screened = len({visit.head for visit in today if _is_screened(unit, visit)})
        return (
            taken_back(),
            _households(unit, batch),
            _villagers(screened) if screened else mass_day(unit, day_of(batch.first), batch.first, _org(unit)),
            not_applicable("X12", "是否24小时营业不影响本规则", "opening hours do not matter to this rule"),
            late_upload([event for visit in batch.session for event in visit.events], late),
            batch.origin_expected,
            no_tests(),
        )

    def sentences(self, batch: Batch, again: Again) -> tuple[str, str]:
        span = batch.last - batch.first
        alike = [said for name in self.likenesses(batch) if (said := _LIKENESS[name](batch))]
        more_zh = f"；{again.returning}人在此前7天的一批里也有" if again.returning else ""
        more_en = f"; {again.returning} of them were in one session of the 7 days before" if again.returning else ""
        return (
            f"{how_long(span)}内一台收银机连刷{batch.persons}人的凭证，间隔中位数{batch.gap:.0f}秒，"
            f"{'，'.join(zh for zh, _ in alike)}{more_zh}。",
            f"{how_long_en(span)}: {batch.persons} persons' credentials at one till, {batch.gap:.0f} s apart (median), "
            f"{', '.join(en for _, en in alike)}{more_en}.",
        )


def _goods(batch: Batch) -> tuple[str, str] | None:
    """None where the equal amounts say it all."""
    baskets = {_basket(bill) for bill in batch.bills}
    if len(baskets) == 1 and (goods := len(next(iter(baskets)))):
        return f"都买同样{goods}种药", f"all for the same {goods} goods" if goods > 1 else "all for the same drug"
    if not batch.spread:
        return None
    return f"相邻两单相似度中位数{batch.similarity:.2f}", f"neighbouring bills {batch.similarity:.2f} alike (median)"


def _amounts(batch: Batch) -> tuple[str, str]:
    if not batch.spread:
        total = batch.bills[0].total
        return f"金额都是{yuan(total)}", f"all of {yuan_en(total)} yuan"
    return f"金额离散系数{batch.spread:.2f}", f"amounts varying by {batch.spread:.2f}"


_LIKENESS: dict[str, Callable[[Batch], tuple[str, str] | None]] = {
    "similarity": _goods,
    "spread": _amounts,
    "strangers": lambda batch: (f"{batch.strangers}人参保地在外市", f"{batch.strangers} insured in another city"),
    "origin": lambda batch: (
        f"{batch.neighbours}人{'同村' if batch.origin == 'village' else '同单位'}",
        f"{batch.neighbours} of one {batch.origin}",
    ),
}


def _person(row: Event) -> str:
    return str(row.person)


def _org(unit: Unit) -> str:
    return unit.key.partition("/")[0]


def _heads(session: Session) -> int:
    return len({visit.head for visit in session})


def _persons(session: Session) -> frozenset[str]:
    return frozenset(person for visit in session for person in visit.persons)


def _median_gap(session: Session) -> float:
    """Seconds from one visit's beginning to the next."""
    return float(median((b.at - a.at) / SECOND for a, b in pairwise(session)))


def _basket(bill: Settlement) -> frozenset[str]:
    return frozenset(line.item for line in bill.lines)


def _alike(a: Settlement, b: Settlement) -> float:
    """Jaccard index of the baskets; 1 if the amounts are equal. Bills without lines have nothing in common."""
    if a.total == b.total:
        return 1.0
    together = _basket(a) | _basket(b)
    return len(_basket(a) & _basket(b)) / len(together) if together else 0.0


def _spread(amounts: Sequence[int]) -> float:
    """Standard deviation over mean; 0 if nothing was paid. In integers until the end: their order cannot matter."""
    total = sum(amounts)
    squares = len(amounts) * sum(amount * amount for amount in amounts) - total * total
    return sqrt(squares) / total if total else 0.0


def _record(unit: Unit, visit: Visit) -> PersonRecord | None:
    return unit.fact(PersonRecord, visit.head, visit.at)


def _household(unit: Unit, visit: Visit) -> str:
    record = _record(unit, visit)
    return record.household if record else ""


def _is_screened(unit: Unit, visit: Visit) -> bool:
    record = _record(unit, visit)
    villages = (record.village,) if record else ()
    return mass_day(unit, day_of(visit.at), visit.at, _org(unit), villages).result is Applies.APPLIED


def _is_stranger(unit: Unit, org: OrgRecord | None, visit: Visit) -> bool:
    """Insured in another city than the institution's; not if either is unknown."""
    here = (org.area if org else "") or visit.events[0].care_area
    record = _record(unit, visit)
    said = next((event.insured_area for event in visit.events if event.insured_area), "")
    insured = said or (record.insured_area if record else "")
    return bool(here and insured) and here[:4] != insured[:4]


def _commonest_origin(records: Iterable[PersonRecord | None]) -> tuple[str, int]:
    """Village or employer, and how many share the commonest one."""
    counts: Counter[tuple[str, str]] = Counter()
    for record in filter(None, records):
        counts.update((kind, name) for kind in ("village", "employer") if (name := getattr(record, kind)))
    (kind, _), n = max(counts.items(), key=lambda item: (item[1], item[0]), default=(("village", ""), 0))
    return kind, n


def _origin_expected(org: OrgRecord | None) -> Exclusion:
    if org is None:
        return data_missing("X18", "没有机构档案，不知是否单位、学校或养老机构", "nothing is known of the institution")
    if tags := sorted(org.tags & CARED_FOR):
        names = "、".join(tags)
        return applied(
            "X18", f"机构登记为{names}，同村同单位属正常", f"the institution is registered as {names}: that is usual"
        )
    return not_applicable(
        "X18", "机构不是单位、学校或养老机构", "the institution belongs to no employer, school or nursing home"
    )


def _villagers(screened: int) -> Exclusion:
    return applied(
        "X10",
        f"{screened}人所在村当天登记了筛查或接种活动，没有计入",
        f"{screened} persons, whose village is screened or vaccinated that day, were left out",
    )


def _households(unit: Unit, batch: Batch) -> Exclusion:
    folded = sum(len(visit.persons) - 1 for visit in batch.session)
    unknown = sum(_record(unit, visit) is None for visit in batch.session)
    if folded:
        return applied("X02", f"{folded}人与同户亲属合并为一次", f"{folded} persons were counted with their household")
    if unknown:
        return data_missing("X02", f"{unknown}人没有参保档案，不知是否同户", f"the households of {unknown} are unknown")
    return not_applicable("X02", "各人不同户，或相隔超过10分钟", "no two of one household came within 10 minutes")


def _camera(batch: Batch) -> Check:
    return Check(
        "调取收银处监控，核对持凭证人和顾客人数",
        "Camera at the till: who held the credentials, and how many customers were there?",
        batch.first - 10 * MINUTE,
        batch.last + 10 * MINUTE,
    )


def _measured(name: str, observed: float | None, threshold: float) -> tuple[Figure, ...]:
    return () if observed is None else (Figure(name, round(observed, 2), threshold, "ratio"),)
