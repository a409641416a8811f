"""A stay in hospital, from admission to the bill: orders, bedside checks, nightly fees, leave."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from replay.simulate.city import City, doctor_at
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import FUND_SHARE, Pack, Service, amount, codes, drug_line, service_line
from replay.simulate.goods import ACUTE, EXAMS, ITEMS, LABS, WARD, Item
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import Doctor, Org, Ward

ROUNDS = (8 * HOUR + 10 * MINUTE, 15 * HOUR + 10 * MINUTE)  # planned, two a day
ROUND_LASTS = 50 * MINUTE
SLIP = 0.006  # of a day's uploads: one line is charged by mistake and taken back

# What a planned check finds, of its number in the stay and its planned second; None: there is no check.
Finds = Callable[[int, int], str | None]

DIAGNOSES = {  # by department
    "internal": ("I10.x00", "J18.900", "J44.100", "E11.900", "I25.100", "H81.100", "K29.500", "J20.900"),
    "geriatric": ("I10.x00", "I63.900", "J44.100", "I25.100", "G45.900", "E11.900"),
    "surgery": ("K80.200", "K35.800", "K40.900", "M51.200"),
    "rehab": ("I69.300", "M47.800", "M51.200"),
    "cardio": ("I25.100", "I48.900", "I50.900"),
    "oncology": ("C34.900", "C18.900", "D25.900"),
    "obgyn": ("O80.000",),
    "neonatal": ("Z38.000",),
    "icu": ("J96.000", "I21.900"),
}
DIED = "5"  # dscg_way


@dataclass(slots=True, kw_only=True)
class Admission:
    """Who is admitted, where, from when to when, and what is peculiar about it."""

    person: Person
    org: Org
    ward: Ward
    doctor: Doctor
    begin: int
    end: int
    diagnosis: str
    med_type: str = "21"
    dscg_way: str = "1"
    finds: Finds | None = None  # None: there, at every round
    fee_late: int = 0  # seconds by which each fee upload is later than that hospital's usual
    treatment: str = "infusion"
    bare_days: tuple[int, ...] = ()  # days of the stay with nothing but bed and board
    move_at: int = 0  # when the patient is moved to another bed of the ward; 0: never
    leave: tuple[int, int] | None = None  # an approved leave, from when to when
    ordered: bool = True  # the doctors write orders
    procedures: tuple[tuple[Item, int, int], ...] = ()  # ordered, for which the patient is fetched from then to then
    settled_late: int = 0  # seconds after the usual hour
    storied: bool = False  # rounds that the city makes of itself pass by


@dataclass(slots=True)
class Stay:
    """A stay as it was written. checks: (event_id, second, result); fees: (event_id, second); the others: event ids."""

    admission: Admission
    mdtrt_id: str
    bed: str
    adm: str = ""
    dscg: str = ""
    setl: str = ""
    total: int = 0
    fund: int = 0
    checks: list[tuple[str, int, str]] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    fees: list[tuple[str, int]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # leave, change of bed
    second_bed: str = ""

    def bed_at(self, at: int) -> str:
        return self.second_bed if self.second_bed and at >= self.admission.move_at else self.bed


def admit(city: City, plan: Admission, chance: Random) -> Stay | None:
    """Write the whole stay; what lies beyond the end of the world is not written. None if no bed is free."""
    index = plan.ward.take(plan.begin, plan.end)
    if index is None:
        return None
    stay = Stay(plan, city.mint("m"), plan.ward.bed(index))
    plan.person.last_stay = plan.end // DAY
    stay.adm = _write(city, stay, "adm", plan.begin, plan.begin + int(chance.random() * 3), _admission(stay))
    if plan.move_at:
        _move(city, stay)
    if plan.leave is not None:
        _request_leave(city, stay, *plan.leave)
    _orders(city, stay, chance)
    _checks(city, stay, chance)
    _fees(city, stay, chance)
    _discharge(city, stay, chance)
    return stay


def admit_by_mistake(city: City, plan: Admission) -> None:
    """An admission that is taken back after three hours (adm_rev), with nothing done meanwhile."""
    stay = Stay(plan, city.mint("m"), plan.ward.bed(0))
    _write(city, stay, "adm", plan.begin, plan.begin + 2, _admission(stay))
    back = plan.begin + 3 * HOUR
    _write(city, stay, "adm_rev", back, back + 1, {})


def _write(city: City, stay: Stay, kind: str, at: int, recv: int, body: Event) -> str:
    event = city.head(kind, at, recv, stay.admission.org)
    event["psn_no"] = stay.admission.person.psn_no
    event["mdtrt_id"] = stay.mdtrt_id
    event.update(body)
    city.journal.write(event, at, recv)
    return str(event["event_id"])


def _admission(stay: Stay) -> Event:
    plan = stay.admission
    return {
        "med_type": plan.med_type,
        "adm_dept_codg": plan.ward.dept,
        "ward": plan.ward.name,
        "atddr_no": plan.doctor.code,
        "maindiag_code": plan.diagnosis,
        "mdtrt_cert_type": plan.person.cert,
        "insuplc_admdvs": plan.person.insuplc,
        "adm_bed": stay.bed,
    }


def _orders(city: City, stay: Stay, chance: Random) -> None:
    """A standing order within the first half hour, a temporary one soon after, then one every morning."""
    plan = stay.admission
    if not plan.ordered:
        return
    times = [(plan.begin + 15 * MINUTE, "long"), (plan.begin + 45 * MINUTE, "temporary")]
    for day in range(plan.begin // DAY + 1, plan.end // DAY + 1):
        at = day * DAY + 9 * HOUR + int(chance.random() * 15 * MINUTE)
        if at < plan.end:
            times.append((at, "temporary"))
    for at, kind in times:
        item = chance.choice(LABS) if kind == "temporary" and plan.org.names_orders else None
        _order(city, stay, kind, at, item, chance)
    for item, since, until in plan.procedures:
        _order(city, stay, "temporary", since, item, chance, until)


def _order(
    city: City, stay: Stay, kind: str, at: int, item: Item | None, chance: Random, until: int | None = None
) -> None:
    body: Event = {
        "drord_no": city.mint("o"),
        "drord_type": kind,
        "medc_begntime": city.clock.text(at),
        "dr_code": _attending(stay, at, chance),
    }
    if until is not None:
        body["medc_endtime"] = city.clock.text(until)
    if item is not None:
        body["med_list_codg"] = item.code
    stay.orders.append(_write(city, stay, "order", at, at + int(chance.random() * 3), body))


def _attending(stay: Stay, at: int, chance: Random) -> str:
    """The doctor of the stay, or who stands in."""
    plan, day = stay.admission, at // DAY
    return (plan.doctor if plan.doctor.is_there(day) else doctor_at(plan.org, day, chance)).code


def planned_rounds(begin: int, end: int) -> Iterator[int]:
    """The planned seconds of all rounds that lie wholly within a stay."""
    for day in range(begin // DAY, end // DAY + 1):
        for second in ROUNDS:
            if begin <= day * DAY + second and day * DAY + second + ROUND_LASTS <= end:
                yield day * DAY + second


def _checks(city: City, stay: Stay, chance: Random) -> None:
    plan = stay.admission
    for number, planned in enumerate(planned_rounds(plan.begin, plan.end)):
        result = plan.finds(number, planned) if plan.finds else "pass"
        if result is not None:
            at = planned + 60 + int(chance.random() * (ROUND_LASTS - 120))
            check(city, stay, "scheduled", at, result, planned)


def check(city: City, stay: Stay, kind: str, at: int, result: str, planned: int | None = None, gate: str = "") -> str:
    """One bedside or gate check. gate: in or out."""
    body: Event = {"check_id": city.mint("c"), "check_type": kind, "result": result}
    if planned is not None:
        body["planned_time"] = city.clock.text(planned)
    body["ward"] = stay.admission.ward.name
    body["subject"] = "patient"
    body["bed"] = stay.bed_at(at)
    if gate:
        body["direction"] = gate
    event_id = _write(city, stay, "presence", at, at + 2, body)
    stay.checks.append((event_id, at, result))
    return event_id


def _fees(city: City, stay: Stay, chance: Random) -> None:
    """Each night the lines of the day, the last batch with the discharge; they arrive some hours later."""
    plan, org = stay.admission, stay.admission.org
    habit = org.number % 4 * HOUR + org.number % 3600  # how long this hospital's uploads lie
    first, last = plan.begin // DAY, plan.end // DAY
    for day in range(first, last + 1):
        begin = plan.begin + 10 * MINUTE if day == first else day * DAY + 7 * HOUR
        lines, total = _day(
            city,
            stay,
            begin,
            last=day == last and day > first,
            bare=day - first in plan.bare_days,
            operates=day == first + 1,
            chance=chance,
        )
        upload = plan.end - MINUTE if day == last else day * DAY + 22 * HOUR + 8 * MINUTE + org.number % 900
        if not lines:
            continue
        if day < last - 1 and chance.random() < SLIP:
            total -= _withdraw(city, stay, lines[0], upload + 20 * HOUR)
        body: Event = {"insuplc_admdvs": plan.person.insuplc, "lines": lines}
        recv = upload + habit + plan.fee_late + int(chance.random() * 60)
        stay.fees.append((_write(city, stay, "fee", upload, recv, body), upload))
        stay.total += total


def _day(
    city: City, stay: Stay, begin: int, *, last: bool, bare: bool, operates: bool, chance: Random
) -> tuple[list[Event], int]:
    """The lines of one day and their sum: bed and board but for the last day, drugs, a laboratory or an examination."""
    plan, org, dept = stay.admission, stay.admission.org, stay.admission.ward.dept
    doctor = _attending(stay, begin, chance)
    services: list[Service] = []
    if not last:
        services += [Service(item=ITEMS["bed2" if org.level < 3 else "bed1"]), Service(item=ITEMS["nurse2"])]
        if chance.random() < 0.5:
            services.append(Service(item=ITEMS["diet"]))
    packs: list[Pack] = []
    if not bare:
        given = chance.sample(WARD, 1 if last else chance.choice((1, 2, 2, 3)))
        packs = [Pack(drug=drug, doctor=doctor) for drug in given]
        if last and plan.dscg_way == "1" and chance.random() < 0.25:
            packs.append(Pack(drug=chance.choice(ACUTE), doctor=doctor, take_home=True))
        if not last:
            services.append(Service(item=ITEMS[plan.treatment], doctor=doctor, dept=dept))
            some = chance.choice(LABS if chance.random() < 0.6 else EXAMS)
            services.append(Service(item=some, doctor=doctor, dept="lab" if some in LABS else dept))
            if dept == "surgery" and operates:
                operation = ITEMS["cholecystectomy" if plan.diagnosis.startswith("K80") else "appendix"]
                services.append(Service(item=operation, doctor=doctor, dept=dept))
            if dept == "obgyn" and operates:
                services.append(Service(item=ITEMS["delivery"], doctor=doctor, dept=dept))
    lines, at = [], begin
    for service in services:
        lines.append(service_line(city, org, service, at))
        at += 7
    for pack in packs:
        given_at = at + 5 * MINUTE
        lines.append(drug_line(city, org, pack, codes(city, org, pack, given_at), given_at))
        at += 67
    return lines, sum(service.item.price for service in services) + sum(pack.price * pack.cnt for pack in packs)


def _withdraw(city: City, stay: Stay, line: Event, at: int) -> int:
    """The bed of a day was charged by mistake and is taken back (fee_rev); its price in fen."""
    _write(city, stay, "fee_rev", at, at + 1, {"feedetl_sn": line["feedetl_sn"]})
    return ITEMS["bed2" if stay.admission.org.level < 3 else "bed1"].price


def _discharge(city: City, stay: Stay, chance: Random) -> None:
    """Discharge, and the final settlement (住院结算) half an hour to two hours later at the cashier's."""
    plan, org = stay.admission, stay.admission.org
    body: Event = {"dscg_way": plan.dscg_way, "maindiag_code": plan.diagnosis}
    if plan.dscg_way == DIED:
        body["die_date"] = city.clock.date(plan.end // DAY)
    stay.dscg = _write(city, stay, "dscg", plan.end, plan.end + int(chance.random() * 4), body)
    at = plan.end + 20 * MINUTE + int(chance.random() * 100 * MINUTE) + plan.settled_late
    stay.fund = stay.total * FUND_SHARE.get(plan.med_type, 70) // 100
    till = org.tills[0]
    settled: Event = {
        "setl_id": city.mint("s"),
        "med_type": plan.med_type,
        "medfee_sumamt": amount(org, stay.total),
        "fund_pay_sumamt": amount(org, stay.fund),
        "acct_pay": amount(org, 0),
        "psn_cash_pay": amount(org, stay.total - stay.fund),
        "balc": amount(org, plan.person.balance),
        "insutype": plan.person.insutype,
        "mdtrt_cert_type": plan.person.cert,
        "verify_mode": "token" if plan.person.cert == "01" else "pin",
        "insuplc_admdvs": plan.person.insuplc,
        "opter": f"{till.opter}Z",  # the in-patient cashier has a counter of his own
    }
    stay.setl = _write(city, stay, "setl", at, at + int(chance.random() * 3), settled)


def _request_leave(city: City, stay: Stay, first: int, last: int) -> None:
    """An approved leave (请假), applied for half an hour before."""
    at = first - 30 * MINUTE
    body: Event = {
        "leave_id": city.mint("l"),
        "from": city.clock.text(first),
        "to": city.clock.text(last),
        "reason": "family",
    }
    stay.others.append(_write(city, stay, "leave", at, at + 2, body))


def _move(city: City, stay: Stay) -> None:
    """To another bed (adm_chg), if there is one: checks from then on are there."""
    plan = stay.admission
    index = plan.ward.take(plan.move_at, plan.end)
    if index is not None:
        stay.second_bed = plan.ward.bed(index)
        body: Event = {"adm_dept_codg": plan.ward.dept, "ward": plan.ward.name, "adm_bed": stay.second_bed}
        stay.others.append(_write(city, stay, "adm_chg", plan.move_at, plan.move_at + 20 * MINUTE, body))
