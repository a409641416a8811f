"""More of a drug is bought than the person can take, while much of it is still in hand (超量购药)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import ExceptionRecord, Fee, Kind, PersonRecord, Prescription, Sale, Settlement
from detectors.exclusions import applied, confirmed_exception, data_missing, not_applicable, taken_back
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import PERSON, Ledger, is_goods
from detectors.settlement_kinds import CHRONIC, IN_PATIENT, MedTypes, is_one_of
from detectors.supply import MEMORY, NOTHING, Stock, Supply, lasting, positive, stock_at, supplies
from detectors.unit import DAY, MINUTE, Cell, Link, Month, Unit

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 3  # purchases whose recordings are asked for

Caps = tuple[tuple[str, timedelta], ...]  # (disease, by its leading characters; what may be in hand)


@dataclass(frozen=True, slots=True)
class Bought(Gate):
    """Judge what may change a stock of which ``rows`` purchases are known.

    Neither a bill's goods told again, nor lines without a bill, nor a prescription that nobody has used.
    """

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return not file.kinds.keys().isdisjoint((Settlement, Fee, Sale))

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: an Event of any kind."""
        if isinstance(arrival, Sale) and arrival.bill and arrival.sale_type == "sale":
            return False
        bills, fees = file.kinds.get(Settlement, ()), file.kinds.get(Fee, ())
        if isinstance(arrival, Fee):
            return any(bill.visit == arrival.visit for bill in bills) and any(map(is_goods, arrival.lines))
        if isinstance(arrival, Prescription):
            named = (one for row in chain(bills, fees) for one in row.lines if one.rx == arrival.rx)
            return any(named) or any(sale.rx == arrival.rx for sale in file.kinds.get(Sale, ()) if not sale.bill)
        known = 0
        for row in chain(bills, fees):
            known += sum(map(is_goods, row.lines))
            if known >= self.rows:
                return True
        return known + sum(not sale.bill for sale in file.kinds.get(Sale, ())) >= self.rows


class Cap(NamedTuple):
    """The most that may be in hand, and why so much."""

    limit: timedelta
    x05: Exclusion
    x06: Exclusion


class Excess(NamedTuple):
    """A purchase that came too soon."""

    supply: Supply
    stock: Stock
    cap: Cap

    @property
    def after(self) -> timedelta:
        return self.stock.before + self.supply.span

    @property
    def in_scope(self) -> int:
        """Fen, of what lies above the cap."""
        return round(self.supply.in_scope * min(1.0, (self.after - self.cap.limit) / self.supply.span))

    @property
    def used(self) -> tuple[Supply, ...]:
        return (*self.stock.fed, self.supply)

    @property
    def orgs(self) -> int:
        return len({supply.org for supply in self.used})


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugOverstock:
    """Fire on a purchase with 15 days of the drug still in hand, and more than 30 days after it.

    Why:         what nobody can take is sold on (回流药), or bought on a credential that others use.
    Blind spots: one purchase, however large, by somebody who had nearly run out; drugs of which no record tells the
                 group and the daily dose; goods that are told in no bill.
    False alarm: a prescription for longer that does not say so; a dose that was raised; days in hospital, whose drugs
                 are taken meanwhile; a pack that was lost.
    Source:      docs/domain.md A2; readings 6; SPEC 3.1 for the dose and for the caps of X05 and X06.
    """

    id: ClassVar[str] = "drug_overstock"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, Fee, Sale, Prescription})
    cell: ClassVar[Cell] = Month(before=MEMORY)
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("12", "第十五条", "GZ10000301005000")
    gate: ClassVar[Gate] = Bought(rows=2, within=timedelta.max)

    in_hand: timedelta = 15 * DAY  # at least, when more is bought; domain.md A2
    cap: timedelta = 30 * DAY  # in hand afterwards, more: yellow; the same
    much: timedelta = 180 * DAY  # the same: orange
    most: timedelta = 365 * DAY  # the same: red
    years: timedelta = 730 * DAY  # bought in 90 days, at least: red; two years of dose, the same
    long_cap: timedelta = 99 * DAY  # on a long prescription (X05): 84 days and 15 of grace; SPEC 3.1
    chronic_cap: timedelta = 99 * DAY  # for a registered disease (X06) that ``disease_caps`` does not name; SPEC 3.1
    disease_caps: Caps = ()
    chronic: MedTypes = CHRONIC
    in_patient: MedTypes = IN_PATIENT  # of these bills only drugs to take home count; readings 6

    def judge(self, unit: Unit) -> Iterator[Finding]:
        for group, bought in supplies(unit, self.in_patient):
            confirmed: list[str] = []
            if excesses := list(self.excesses(unit, bought, confirmed)):
                yield self.finding(unit, group, excesses, confirmed)

    def excesses(self, unit: Unit, bought: Sequence[Supply], confirmed: list[str]) -> Iterator[Excess]:
        """Of what was told in this month. ``confirmed`` takes the exceptions by which a purchase is left out (X20)."""
        for n, supply in enumerate(bought):
            if supply.known < unit.span.start or supply.span <= NOTHING:
                continue
            stock = stock_at(bought[: n + 1])
            if stock.before < self.in_hand or stock.before + supply.span <= self.cap:
                continue
            excess = Excess(supply, stock, self.cap_of(unit, supply))
            if excess.after <= excess.cap.limit:
                continue
            if named := confirmed_exception(unit, "X20", supply.at, unit.key, (supply.org,), (supply.item,)):
                confirmed.append(named)
            else:
                yield excess

    def cap_of(self, unit: Unit, supply: Supply) -> Cap:
        long, x05 = self.long_prescription(unit, supply)
        chronic, x06 = self.registered_disease(unit, supply)
        return Cap(max(self.cap, long, chronic), x05, x06)

    def long_prescription(self, unit: Unit, supply: Supply) -> tuple[timedelta, Exclusion]:
        """X05: the line names a prescription that is marked as a long one."""
        scripts = [script for script in unit.rows(Prescription) if script.rx == supply.rx]
        if any(script.long_term for script in scripts):
            n = whole(self.long_cap)
            return self.long_cap, applied("X05", f"属长期处方，上限{n}天", f"a long prescription: {n} days are allowed")
        if supply.rx and not scripts:
            return self.cap, data_missing(
                "X05",
                f"查不到处方{supply.rx}，不知是否长期处方",
                f"prescription {supply.rx} is not known: it may be a long one",
            )
        return self.cap, not_applicable("X05", "不是长期处方", "no long prescription")

    def registered_disease(self, unit: Unit, supply: Supply) -> tuple[timedelta, Exclusion]:
        """X06: bought for a disease that the person is registered for, or under a cap that the bureau confirmed."""
        event, record = supply.event, unit.fact(PersonRecord, unit.key, supply.event.happened_at)
        disease, med_type = (event.disease, event.med_type) if isinstance(event, Settlement) else ("", "")
        known = any(is_same(one, disease) for one in (record.diseases if record else ()))
        registered = known or is_one_of(med_type, self.chronic)
        named = named_cap(unit, supply, registered=registered)
        if named is None and not registered:
            if disease and record is None:
                return self.cap, data_missing(
                    "X06", f"没有参保档案，不知{disease}是否登记病种", f"whether {disease} is registered is not known"
                )
            return self.cap, not_applicable("X06", "不是按登记的门诊慢特病购药", "not bought for a registered disease")
        cap = self.cap_for(disease) if named is None else named
        zh, en = (f"门诊慢特病{disease}", f"registered disease {disease}") if registered else ("经确认", "confirmed")
        return cap, applied("X06", f"{zh}，上限{whole(cap)}天", f"{en.strip()}: {whole(cap)} days are allowed")

    def cap_for(self, disease: str) -> timedelta:
        return next((cap for name, cap in self.disease_caps if disease.startswith(name)), self.chronic_cap)

    def finding(self, unit: Unit, group: str, excesses: Sequence[Excess], confirmed: Sequence[str]) -> Finding:
        worst = max(excesses, key=lambda excess: (self.level(excess).rank, excess.after, excess.supply.at))
        used = {supply.name: supply for excess in excesses for supply in excess.used}.values()
        rx = {supply.rx for supply in used}
        return Finding(
            level=self.level(worst),
            subject=Subject("drug", f"{unit.key}/{group}"),
            zh=in_chinese(group, worst),
            en=in_english(group, worst),
            shows=[supply.event for supply in used],
            figures=(
                Figure("days_in_hand", days(worst.stock.before), days(self.in_hand), "days"),
                Figure("days_after_purchase", days(worst.after), days(worst.cap.limit), "days"),
                Figure("days_bought_90d", days(worst.stock.bought), days(self.years), "days"),
                Figure("purchases_too_soon", len(excesses), None, "times"),
                Figure("institutions", worst.orgs, None, "institutions"),
            ),
            exclusions=(brought_back(worst), worst.cap.x05, worst.cap.x06, shortage(confirmed)),
            checks=checks(excesses),
            at_risk=sum(excess.in_scope for excess in excesses),
            hits=len(excesses),
            also=[script for script in unit.rows(Prescription) if script.rx in rx],
        )

    def level(self, excess: Excess) -> Level:
        if excess.after > self.most or excess.stock.bought >= self.years:
            return Level.RED
        return Level.ORANGE if excess.after > self.much else Level.YELLOW


def is_same(registered: str, named: str) -> bool:
    """One code may be the more exact: E11, E11.900."""
    return bool(registered and named) and (registered.startswith(named) or named.startswith(registered))


def named_cap(unit: Unit, supply: Supply, *, registered: bool) -> timedelta | None:
    """Confirmed for the person; or for an institution or a drug, which matters to a registered disease only."""
    for whom in (unit.key, supply.org, supply.item):
        for record in unit.records(ExceptionRecord, f"X06/{whom}"):
            holds = record.valid_from <= supply.at and record.since <= supply.at <= record.to
            fits = record.org in ("", supply.org) and record.item in ("", supply.item)
            whose = record.person == unit.key or (registered and not record.person)
            if holds and fits and whose and (allowed := positive(str(record.value))):
                return lasting(allowed)
    return None


def brought_back(excess: Excess) -> Exclusion:
    if n := sum(supply.kept < 1 for supply in excess.used):
        return applied("X01", f"{n}次购药有退货，已扣除", f"what was brought back of {n} purchases is left out")
    return taken_back()


def shortage(confirmed: Sequence[str]) -> Exclusion:
    if confirmed:
        n, names = len(confirmed), "、".join(dict.fromkeys(confirmed))
        return applied(
            "X20", f"{n}次购药在已确认的例外{names}期限内，没有计入", f"{n} purchases lie within the exception {names}"
        )
    return not_applicable("X20", "没有登记过例外", "no exception is registered")


def days(span: timedelta) -> float:
    """For figures, to a tenth."""
    return round(span / DAY, 1)


def whole(span: timedelta) -> str:
    """For sentences, as days."""
    return f"{span / DAY:.0f}"


def in_chinese(group: str, worst: Excess) -> str:
    return (
        f"手中还有{whole(worst.stock.before)}天的{group}时又购{whole(worst.supply.span)}天，"
        f"购后共{whole(worst.after)}天，上限{whole(worst.cap.limit)}天；"
        f"分{len(worst.used)}次在{worst.orgs}家机构购得，近90天共{whole(worst.stock.bought)}天用量。"
    )


def in_english(group: str, worst: Excess) -> str:
    return (
        f"With {whole(worst.stock.before)} days of {group} in hand another {whole(worst.supply.span)} were bought: "
        f"{whole(worst.after)} days in all, {whole(worst.cap.limit)} are allowed; {len(worst.used)} purchases at "
        f"{worst.orgs} institution{'s' if worst.orgs > 1 else ''}, {whole(worst.stock.bought)} days within 90 days."
    )


def checks(excesses: Sequence[Excess]) -> tuple[Check, ...]:
    first, last = excesses[0].supply, excesses[-1].supply
    return (
        Check(
            "入户清点存药，核对数量、批号和追溯码，询问超出部分的去向",
            "count the packs at home, with batches and trace codes, and ask where the rest went",
        ),
        Check(
            "调取处方和病历，核对诊断、用法用量和开药天数，以及开方前是否查询在手药量",
            "prescriptions and case notes: diagnosis, dose, days; was the stock in hand looked up before",
            first.at,
            last.at,
        ),
        *(
            Check(
                f"调取{excess.supply.org}取药处或收银处监控，核对取药人",
                f"camera at the counter of {excess.supply.org}: who fetched the drug?",
                excess.supply.event.happened_at - CAMERA,
                excess.supply.event.happened_at + CAMERA,
            )
            for excess in excesses[-SHOWN:]
        ),
    )
