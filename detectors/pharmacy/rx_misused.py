"""A prescription's number that was used again, that nobody knows, or that no doctor at work has written (伪造处方)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from detectors.detector import FileGate, Finding, Gate
from detectors.event import DoctorRecord, DrugRecord, Kind, Line, Prescription, RxLine, Sale, Settlement
from detectors.exclusions import (
    applied,
    confirmed_exception,
    data_missing,
    emergency_dispensing,
    not_applicable,
    taken_back,
)
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Period, Subject
from detectors.ledger import RX, Ledger
from detectors.month import month_of
from detectors.scripts import Use, known_within, used_again, uses
from detectors.stays import in_scope
from detectors.unit import HOUR, MINUTE, Cell, Link, Unit, Whole
from detectors.wording import clock, day_en, day_zh, hours, yuan, yuan_en

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 3  # bills whose recordings are asked for
_NOTHING = Decimal(0)
NOT_AT_WORK = {
    "leave": ("休假", "on leave"),
    "suspended": ("暂停执业", "suspended"),
    "retired": ("退休", "retired"),
    "unregistered": ("未登记", "not registered"),
}


@dataclass(frozen=True, slots=True)
class Used(FileGate):
    """Judge a number only once something was settled on it."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return bool(file.kinds.get(Settlement))


class Sign(NamedTuple):
    """One thing that is wrong: a clause of the sentence, its figures, and the uses that are wrong.

    all_uses: the others of the number show it too.
    """

    uses: Sequence[Use]
    zh: str
    en: str
    figures: tuple[Figure, ...]
    all_uses: bool = False
    grave: bool = False


class Goods(NamedTuple):
    """A drug in its group, counted in packs, or in tablets where it is known how many make a pack."""

    group: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RxMisused:
    """Fire on a number used by two persons, twice for a drug, for more than prescribed, unknown, or of nobody at work.

    Why:         one genuine prescription is settled many times, or the number and its doctor are made up.
    Blind spots: a number copied from a prescription that nobody fetched; goods told in fee uploads only.
    False alarm: a prescription of another province, which the centre does not know; a substitute of another group.
                 Where two hospitals number alike, each person's own prescription counts.
    Source:      docs/domain.md B5; readings 6: unknown numbers count for pharmacies only.
    """

    id: ClassVar[str] = "rx_missing_or_forged/script"
    of: ClassVar[Ledger] = RX
    reads: ClassVar[frozenset[Kind]] = frozenset({Prescription, Settlement, Sale})
    cell: ClassVar[Cell] = Whole()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("23", "第四十条第二项")
    gate: ClassVar[Gate] = Used(rows=1, within=timedelta.max)

    # after the bill: as for paper (X15); domain.md B5 has 24 h for others, and no event tells which it is
    registered_within: timedelta = 72 * HOUR
    many: int = 3  # uses of one number: red; domain.md B5, "3 reused scripts"

    def judge(self, unit: Unit) -> Iterator[Finding]:
        told = uses(unit.rows(Settlement), unit.key)
        scripts = unit.rows(Prescription)
        places: dict[tuple[str, Period], list[Sign]] = defaultdict(list)
        for sign in self.signs(unit, told, scripts):
            for place in dict.fromkeys((use.bill.org, month_of(use.at)) for use in sign.uses):
                places[place].append(sign)
        for (org, month), signs in places.items():
            yield self.finding(unit, org, month, signs, told, scripts)

    def signs(self, unit: Unit, told: Sequence[Use], scripts: Sequence[Prescription]) -> Iterator[Sign]:
        handed_out = [use for use in told if use.items]
        if not as_prescribed(unit, told, scripts):
            if again := used_again(told, scripts):
                yield self.reused(handed_out, again)
            yield from excesses(unit, told, scripts)
        yield from self.unregistered(unit, handed_out, scripts)
        yield from not_at_work(unit, handed_out, scripts)

    def reused(self, handed_out: Sequence[Use], again: Sequence[Use]) -> Sign:
        n, persons = len(handed_out), len({use.person for use in handed_out})
        return Sign(
            again,
            f"结算{n}次，涉及{persons}人",
            f"settled {n} times for {persons} person{'s' * (persons > 1)}",
            (Figure("uses_of_script", n, 1, "times"), Figure("users_of_script", persons, 1, "persons")),
            all_uses=True,
            grave=n >= self.many,
        )

    def unregistered(self, unit: Unit, handed_out: Sequence[Use], scripts: Sequence[Prescription]) -> Iterator[Sign]:
        """Nobody keyed it in in time, as far as that is known by now."""
        missing = []
        for use in handed_out:
            unknown = use.bill.org.startswith("P") and not known_within(scripts, use, self.registered_within)
            if unknown and not excused(unit, use, use.items):
                unit.wake(use.at + self.registered_within)
                if scripts or unit.now >= use.at + self.registered_within:
                    missing.append(use)
        if missing:
            limit = hours(self.registered_within)
            came = min((script.received_at for script in scripts if script.received_at), default=None)
            waited = limit if came is None else hours(came - missing[0].at)
            late, late_en = ("仍查不到", "still unknown") if came is None else ("才登记", "registered only")
            yield Sign(
                missing,
                f"结算{waited:g}小时后{late}",
                f"{late_en} {waited:g} h after the bill",
                (Figure("hours_unregistered", waited, limit, "h"),),
            )

    def finding(
        self,
        unit: Unit,
        org: str,
        month: Period,
        signs: Sequence[Sign],
        told: Sequence[Use],
        scripts: Sequence[Prescription],
    ) -> Finding:
        faulty = {use.bill.event_id for sign in signs for use in sign.uses}
        own = [use for use in told if use.bill.event_id in faulty and (use.bill.org, month_of(use.at)) == (org, month)]
        shown = [use for use in told if use.items] if any(sign.all_uses for sign in signs) else own
        amount, first = in_scope([line for use in own for line in use.lines]), own[0].at
        return Finding(
            level=Level.RED if any(sign.grave for sign in signs) else Level.ORANGE,
            subject=Subject("org", org),
            period=month,
            zh=f"1个处方号（{unit.key}）：{'，'.join(sign.zh for sign in signs)}；"
            f"{day_zh(first)}{clock(first)}起{len(own)}笔，医保范围内金额{yuan(amount)}。",
            en=f"1 prescription number ({unit.key}): {', '.join(sign.en for sign in signs)}; "
            f"{len(own)} bill{'s' * (len(own) > 1)} from {day_en(first)} {clock(first)}, "
            f"{yuan_en(amount)} yuan in scope.",
            shows=[use.bill for use in shown],
            also=scripts,
            figures=[figure for sign in signs for figure in sign.figures],
            exclusions=(
                taken_back(),
                handed_out_in_parts(scripts),
                keyed_late(scripts),
                emergency_dispensing([name for use in told if (name := excused(unit, use, use.items))]),
            ),
            checks=checks(own),
            orgs=(org,),
            at_risk=amount,
            fund=sum(use.bill.fund for use in own),
            hits=len(own),
        )


def as_prescribed(unit: Unit, told: Sequence[Use], scripts: Sequence[Prescription]) -> bool:
    """One bill for the one person, and no more of any drug than written: nearly all of them, and quickly told."""
    if len(told) != 1 or len(scripts) != 1 or told[0].person != scripts[0].person or unit.rows(Sale):
        return False
    left = {(line.item, line.by_unit): line.count for line in scripts[0].lines}
    return all(left.pop((line.item, line.by_unit), _NOTHING) >= line.count for line in told[0].lines)


class Handed(NamedTuple):
    """Some goods handed out, or taken back (less than 0), on a prescription. use: None for what was paid in cash."""

    at: datetime
    event_id: str
    item: str
    goods: Goods
    amount: Decimal
    use: Use | None


def excesses(unit: Unit, told: Sequence[Use], scripts: Sequence[Prescription]) -> Iterator[Sign]:
    """More of a drug than the person's own prescriptions of this number say; what was paid in cash counts too."""
    for person in dict.fromkeys(script.person for script in scripts):
        allowed: dict[Goods, Decimal] = defaultdict(Decimal)
        for script in scripts:
            for line in script.lines if script.person == person else ():
                goods, count = measured(unit, line, script.happened_at)
                allowed[goods] += count
        if allowed:
            counted = (
                one for one in handed(unit, person, told) if not (one.use and excused(unit, one.use, [one.item]))
            )
            yield from too_much(list(counted), allowed)


def excused(unit: Unit, use: Use, items: Iterable[str]) -> str:
    """X20: the exception under which these were handed out, or others in their stead; "" if none."""
    return confirmed_exception(unit, "X20", use.at, use.person, (use.bill.org,), sorted(items))


def too_much(handed: Sequence[Handed], allowed: dict[Goods, Decimal]) -> Iterator[Sign]:
    """Not where one is in packs and the other in tablets, and nobody knows how many make a pack."""
    groups = {goods.group for goods in allowed}
    out: dict[Goods, Decimal] = defaultdict(Decimal)
    over: list[Handed] = []
    for one in handed:
        out[one.goods] += one.amount
        comparable = one.goods in allowed or one.goods.group not in groups
        if comparable and one.use is not None and one.amount > 0 and out[one.goods] > allowed.get(one.goods, _NOTHING):
            over.append(one)
    if over:
        goods = over[-1].goods
        got, limit = float(out[goods]), float(allowed.get(goods, _NOTHING))
        measure = "盒" if goods.unit == "packs" else "个最小单位"
        yield Sign(
            [one.use for one in over if one.use is not None],
            f"应配{limit:g}{measure}，实际配出{got:g}{measure}",
            f"{got:g} {goods.unit} handed out where {limit:g} were prescribed",
            (Figure("handed_out", got, limit, goods.unit),),
        )


def handed(unit: Unit, person: str, told: Sequence[Use]) -> list[Handed]:
    """To this person, oldest first. A sale in cash that names nobody is taken for the person's."""
    rows = [
        Handed(use.at, use.bill.event_id, line.item, *measured(unit, line, use.at), use)
        for use in told
        if use.person == person
        for line in use.lines
    ]
    for sale in unit.rows(Sale):
        if sale.person in ("", person):
            goods, count = measured(unit, sale, sale.happened_at)
            packs = count if sale.sale_type == "sale" else -count
            rows.append(Handed(sale.happened_at, sale.event_id, sale.item, goods, packs, None))
    return sorted(rows, key=lambda one: (one.at, one.event_id))


def measured(unit: Unit, line: Line | RxLine | Sale, at: datetime) -> tuple[Goods, Decimal]:
    record = unit.fact(DrugRecord, line.item, at)
    group = (record.group if record else "") or line.item
    in_pack = record.units_per_pack if record else None
    if in_pack:
        return Goods(group, "units"), line.count if line.by_unit else line.count * in_pack
    return Goods(group, "units" if line.by_unit else "packs"), line.count


def not_at_work(unit: Unit, handed_out: Sequence[Use], scripts: Sequence[Prescription]) -> Iterator[Sign]:
    """Written by a doctor who was retired, suspended, on leave or not yet registered that day."""
    for script in scripts:
        on_it = [use for use in handed_out if own_script(use, scripts) is script]
        if on_it and (why := absence(unit, script)):
            zh, en = NOT_AT_WORK[why]
            yield Sign(
                on_it,
                f"开方医师开方时{zh}",
                f"its doctor was {en} when it was written",
                (Figure("prescriber", script.doctor, None, ""),),
            )


def own_script(use: Use, scripts: Sequence[Prescription]) -> Prescription | None:
    """The person's own; else the first of that number."""
    return next((script for script in scripts if script.person == use.person), scripts[0] if scripts else None)


def absence(unit: Unit, script: Prescription) -> str:
    """Why the doctor cannot have written it, "" if nothing says so: of whom nothing is known, nothing is said."""
    if not unit.records(DoctorRecord, script.doctor):
        return ""
    record = unit.fact(DoctorRecord, script.doctor, script.happened_at)
    return "unregistered" if record is None else "" if record.status == "active" else record.status


def handed_out_in_parts(scripts: Sequence[Prescription]) -> Exclusion:
    if not scripts:
        return data_missing("X05", "查不到处方，不知是否长期处方", "no prescription is known: perhaps a long one")
    if any(script.long_term for script in scripts):
        return applied(
            "X05", "长期处方可以分次配药，只核对总量", "a long one may be handed out in parts: only sums count"
        )
    return not_applicable("X05", "不是长期处方", "it is no long prescription")


def keyed_late(scripts: Sequence[Prescription]) -> Exclusion:
    if not scripts:
        return not_applicable("X15", "至今没有补录处方", "no prescription was keyed in since")
    if unknown := sum(script.received_at is None for script in scripts):
        return data_missing("X15", f"{unknown}张处方没有接收时间", f"{unknown} prescriptions do not say when they came")
    last = max(hours(script.received_at - script.happened_at) for script in scripts if script.received_at)
    return not_applicable("X15", f"处方在开具{last:g}小时内登记", f"registered within {last:g} h of being written")


def checks(own: Sequence[Use]) -> tuple[Check, ...]:
    return (
        Check(
            "调取该处方号的处方原件或影像，核对患者、药品、医师签名和药师审核",
            "ask for the prescription or its image: patient, drug, the doctor's and the pharmacist's signature",
        ),
        *(
            Check(
                f"调取{use.bill.org}收银处监控，核对是否有人取药",
                f"camera at the till of {use.bill.org}: was the drug handed to anybody",
                use.at - CAMERA,
                use.at + CAMERA,
            )
            for use in own[:SHOWN]
        ),
        Check(
            "向开方医师和参保人核实是否开过、用过这张处方", "ask the doctor and the patients about this prescription"
        ),
    )
