"""The credential of somebody dead, not insured, barred from settling, or who lost it (死亡、停保、暂停结算、挂失)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import takewhile
from typing import Any, ClassVar, NamedTuple

from detectors.detector import ALWAYS, Finding, Gate
from detectors.event import CHINA, Admission, Kind, PersonRecord, Settlement, Swipe, day_of
from detectors.exclusions import late_upload, taken_back
from detectors.file import File, order
from detectors.finding import Certainty, Check, Figure, Law, Level, Subject
from detectors.ledger import PERSON, VISIT, Ledger
from detectors.month import month_of
from detectors.settlement_kinds import IN_PATIENT, MedTypes, is_one_of
from detectors.unit import DAY, MINUTE, Cell, Link, Month, Touched, Unit, day_start, stay_key
from detectors.wording import clock, day_en, day_zh, hours, yuan, yuan_en

DEAD, LOST, ACTIVE = "dead", "lost_card", "active"
GRAVEST = (DEAD, "settlement_suspended", "suspended", LOST)  # first
CARD = "03"  # the only credential that a lost card stops (SPEC 3.1)
CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 5  # uses whose recordings are asked for

Event = Any  # a Swipe or a Settlement


def bills_of_stay(admission: Admission, visit: File, now: datetime) -> Iterator[Touched]:
    """An admission tells whether a stay that is settled after a death had begun before it."""
    for bill in visit.kinds.get(Settlement, ()):
        yield Touched(bill.person, month_of(bill.happened_at).name)


ADMISSION_OF_STAY = Link(ledger=VISIT, reads=frozenset({Admission}), units=bills_of_stay)


class Bar(NamedTuple):
    """Why the credential may not be used.

    began: of a death its day, at 00:00. since: from then on it may not be used. known: when the bureau was told; None:
    it does not say.
    """

    reason: str
    began: datetime
    since: datetime
    known: datetime | None


class Use(NamedTuple):
    event: Event
    bar: Bar

    @property
    def known_later(self) -> bool:
        return self.bar.known is not None and self.bar.known > self.event.happened_at


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Used all the same, and not counted."""

    late: list[Event] = field(default_factory=list)  # X16
    begun_before: list[Settlement] = field(default_factory=list)  # last bills of stays that the patient died in
    begun_unknown: list[Settlement] = field(default_factory=list)  # last bills of stays without an admission

    @property
    def final_bills(self) -> list[Settlement]:
        return [*self.begun_before, *self.begun_unknown]


@dataclass(frozen=True, slots=True, kw_only=True)
class IneligibleCredentialUse:
    """Fire on every swipe and bill of somebody who was dead, not insured, or barred; or with a card reported lost.

    Why:         whoever keeps the credential goes on using it, or an institution invents visits of somebody who cannot
                 complain.
    Blind spots: a death that nobody entered, or whose day nobody told; a lost card used at a till that does
                 not say which credential it read; what was uploaded late (X16).
    False alarm: a status entered with a wrong day; an insurance that lapsed in the middle of a stay. Who could not yet
                 know the status is asked more softly: orange, and it says so.
    Source:      docs/domain.md A4; SPEC 3.1 and readings 6 for lost cards, deaths and stays.
    """

    id: ClassVar[str] = "ineligible_credential_use"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Swipe, Settlement})
    cell: ClassVar[Cell] = Month()
    links: ClassVar[tuple[Link[Any], ...]] = (ADMISSION_OF_STAY,)
    law: ClassVar[Law] = Law("31", "第十七条")
    gate: ClassVar[Gate] = ALWAYS

    grace: timedelta = DAY  # from 00:00 of the day of death; SPEC 3.1
    visit: timedelta = 30 * MINUTE  # a swipe's bill follows within
    in_patient: MedTypes = IN_PATIENT

    def judge(self, unit: Unit) -> Iterator[Finding]:
        records = unit.records(PersonRecord, unit.key)
        if not any(map(reasons, records)):
            return
        left_out = LeftOut()
        bills = list(self.uses(unit, records, unit.own(Settlement), left_out))
        swipes = [use for use in self.uses(unit, records, unit.own(Swipe), left_out) if not self.settles(use, left_out)]
        if used := sorted((*bills, *swipes), key=lambda use: order(use.event)):
            yield self.finding(unit, used, left_out)

    def uses(
        self, unit: Unit, records: Sequence[PersonRecord], events: Sequence[Event], left_out: LeftOut
    ) -> Iterator[Use]:
        for event in events:
            bar = self.bar(records, event)
            if bar is None or getattr(event, "total", 0) < 0:  # a refund row is evidence of nothing
                continue
            if event.late:
                left_out.late.append(event)
            elif not (bar.reason == DEAD and self.closes_stay(unit, event, bar, left_out)):
                yield Use(event, bar)

    def bar(self, records: Sequence[PersonRecord], event: Event) -> Bar | None:
        """The gravest that holds when it is used."""
        found = bars(records, event.happened_at, self.grace)
        return next((bar for bar in found if bar.reason != LOST or event.cert_type == CARD), None)

    def closes_stay(self, unit: Unit, event: Event, bar: Bar, left_out: LeftOut) -> bool:
        """The last bill of a stay that began before the death, or of one whose beginning nobody told."""
        if not isinstance(event, Settlement) or event.interim or event.org.startswith("P"):
            return False
        admissions = unit.look(ADMISSION_OF_STAY, Admission, stay_key(event))
        if not admissions and is_one_of(event.med_type, self.in_patient):
            left_out.begun_unknown.append(event)
            return True
        if admissions and admissions[0].happened_at < bar.since:
            left_out.begun_before.append(event)
            return True
        return False

    def settles(self, use: Use, left_out: LeftOut) -> bool:
        """A swipe for such a bill."""
        near = (bill for bill in left_out.final_bills if bill.org == use.event.org)
        return any(abs(bill.happened_at - use.event.happened_at) <= self.visit for bill in near)

    def finding(self, unit: Unit, used: Sequence[Use], left_out: LeftOut) -> Finding:
        main = min(used, key=lambda use: (use.known_later, GRAVEST.index(use.bar.reason), order(use.event)))
        same = [use for use in used if use.bar.reason == main.bar.reason]
        return Finding(
            level=Level.ORANGE if main.known_later else Level.RED,
            certainty=Certainty.DEFINITE,
            subject=Subject("person", unit.key),
            zh=in_chinese(main.bar, same, len(used) - len(same)),
            en=in_english(main.bar, same, len(used) - len(same)),
            shows=[use.event for use in used],
            figures=self.figures(main.bar, same, left_out),
            exclusions=(taken_back(), late_upload([use.event for use in used], left_out.late)),
            checks=checks(main.bar, used),
            hits=len(used),
            also=left_out.final_bills,
        )

    def figures(self, bar: Bar, same: Sequence[Use], left_out: LeftOut) -> tuple[Figure, ...]:
        since_death = same[0].event.happened_at - bar.began
        final = left_out.final_bills
        return (
            Figure("uses_of_credential", len(same), 1, "times"),
            Figure("status_since", day_of(bar.began).isoformat(), None, ""),
            *([Figure("status_known", minute(bar.known), None, "")] if bar.known else []),
            *([Figure("hours_since_death", hours(since_death), hours(self.grace), "h")] if bar.reason == DEAD else []),
            *([Figure("final_bills_left_out", len(final), None, "bills")] if final else []),
        )


def reasons(record: PersonRecord) -> tuple[str, ...]:
    """Why the credential may not be used; a day of death says so whatever the status."""
    if record.status == ACTIVE and record.died_on is None:
        return ()
    said = (DEAD, *record.statuses) if record.died_on else record.statuses
    return tuple(reason for reason in GRAVEST if reason in said)


def bars(records: Sequence[PersonRecord], at: datetime, grace: timedelta) -> list[Bar]:
    """All that hold at that time, the gravest first. ``records``: of one person, oldest first."""
    held = [record for record in reversed(records) if record.valid_from <= at]
    now = reasons(held[0]) if held else ()
    found = [bar_of(reason, held, grace) for reason in now]
    if DEAD not in now and (entered := entered_later(records, grace)):
        found.insert(0, entered)
    death = next((bar.began for bar in found if bar.reason == DEAD), None)
    # an insurance ends with the death: that alone does not stop the day of death from being settled
    return [bar for bar in found if (at > bar.since if bar.reason == DEAD else death is None or bar.began < death)]


def entered_later(records: Sequence[PersonRecord], grace: timedelta) -> Bar | None:
    """A death whose day the last record tells: it was one from that day on, whenever the record was made."""
    last = records[-1]
    if last.died_on is None:
        return None
    bar = bar_of(DEAD, records[::-1], grace)
    return bar if bar.known else bar._replace(known=last.valid_from)


def bar_of(reason: str, held: Sequence[PersonRecord], grace: timedelta) -> Bar:
    """``held``: records, the latest first; those that say so without a pause tell since when."""
    run = list(takewhile(lambda record: reason in reasons(record), held))
    began, known = run[-1].valid_from, min((r.received_at for r in run if r.received_at), default=None)
    if reason != DEAD:
        return Bar(reason, began, began, known)
    died_on = run[0].died_on
    day = datetime.combine(died_on, time(), CHINA) if died_on else day_start(began)
    return Bar(reason, day, day + grace, known)


def minute(moment: datetime) -> str:
    return f"{moment.astimezone(CHINA):%Y-%m-%d %H:%M}"


_WHEN: dict[str, tuple[str, str]] = {
    DEAD: ("参保人死亡（{day}）之后", "after the insured person had died ({day})"),
    "settlement_suspended": ("暂停联网结算期间（{day}起）", "while the person was barred from settling (since {day})"),
    "suspended": ("参保状态暂停期间（{day}起）", "while the insurance was suspended (since {day})"),
    LOST: ("社保卡挂失（{day}{time}）之后", "with a card that was reported lost ({day} {time})"),
}


def in_chinese(bar: Bar, same: Sequence[Use], others: int) -> str:
    bills, swipes, fund = sums(same)
    used = "、".join([*([f"{bills}笔结算"] if bills else []), *([f"{swipes}次刷卡"] if swipes else [])])
    paid = f"（统筹基金支付{yuan(fund)}）" if bills else ""
    when = _WHEN[bar.reason][0].format(day=day_zh(bar.began), time=clock(bar.began))
    later = sum(use.known_later for use in same)
    known = f"{day_zh(bar.known)}{clock(bar.known)}" if bar.known else ""
    which = "使用" if later == len(same) else f"其中{later}次使用"
    told = f"；该状态{known}才获知，晚于{which}（事后获知）" if later else ""
    more = f"；另有{others}次属其他失效状态" if others else ""
    return f"{used}{paid}发生在{when}{told}{more}。"


def in_english(bar: Bar, same: Sequence[Use], others: int) -> str:
    bills, swipes, fund = sums(same)
    used = " and ".join([*([plural(bills, "bill")] if bills else []), *([plural(swipes, "swipe")] if swipes else [])])
    paid = f" ({yuan_en(fund)} yuan of the fund)" if bills else ""
    when = _WHEN[bar.reason][1].format(day=day_en(bar.began), time=clock(bar.began))
    later = sum(use.known_later for use in same)
    known = f"{day_en(bar.known)} {clock(bar.known)}" if bar.known else ""
    which = "" if later == len(same) else f" for {later} of them"
    told = f"; the status became known only later{which}, {known}" if later else ""
    more = f"; {others} more in another invalid status" if others else ""
    return f"{used}{paid} {when}{told}{more}."


def sums(same: Sequence[Use]) -> tuple[int, int, int]:
    """Bills, swipes, fen of the fund."""
    bills = [use.event for use in same if isinstance(use.event, Settlement)]
    return len(bills), len(same) - len(bills), sum(bill.fund for bill in bills)


def plural(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n > 1 else ''}"


def checks(bar: Bar, used: Sequence[Use]) -> tuple[Check, ...]:
    return (
        Check(
            "核对该状态的来源、起始日期和录入时间（公安、民政死亡信息，参保和挂失记录）",
            "check where the status comes from, its first day, and when it was entered",
            bar.began,
            used[-1].event.happened_at,
        ),
        *(
            Check(
                f"调取{use.event.org}收银处监控，核对持凭证人",
                f"camera at the till of {use.event.org}: who held the credential?",
                use.event.happened_at - CAMERA,
                use.event.happened_at + CAMERA,
            )
            for use in used[:SHOWN]
        ),
        Check(
            "入户或电话询问家属：凭证由谁保管和使用，是否已交回",
            "ask the family who keeps and uses the credential, and whether it was given back",
        ),
    )
