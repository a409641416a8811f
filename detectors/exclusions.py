"""Honest situations (domain.md 2.3). Each predicate answers with the fact that decided it."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from detectors.event import CalendarRecord, Event, ExceptionRecord, OrgRecord
from detectors.finding import Applies, Exclusion
from detectors.unit import Unit

MASS_DAY = frozenset({"mass_screening", "vaccination"})  # kinds of ref.calendar that X10 means; a holiday is none
GATHERS = MASS_DAY | {"outbreak"}  # kinds that gather patients in hospital; the same
CARED_FOR = frozenset({"employer", "school", "nursing_home"})  # tags of ref.org that X18 means
INTERNET = "internet"  # tag of ref.org: care or goods without a visit (X21)


def applied(code: str, zh: str, en: str) -> Exclusion:
    return Exclusion(code, Applies.APPLIED, zh, en)


def not_applicable(code: str, zh: str, en: str) -> Exclusion:
    return Exclusion(code, Applies.NOT_APPLICABLE, zh, en)


def data_missing(code: str, zh: str, en: str) -> Exclusion:
    return Exclusion(code, Applies.DATA_MISSING, zh, en)


def taken_back() -> Exclusion:
    """X01: what was taken back is not shown to a detector at all."""
    return not_applicable("X01", "所列记录均未冲正或退费", "none of the records shown was reversed or refunded")


def no_tests() -> Exclusion:
    """X22: test events are dropped before anything is judged."""
    return not_applicable("X22", "所列记录均不是测试数据", "none of the records shown is test data")


def by_agent(event: Any) -> bool:
    """Somebody else came with the credential, and showed their own (X02). Any: a Swipe or a Settlement."""
    return bool(event.agent) or event.verify_mode == "agent"


def late_upload(shown: Sequence[Event], left_out: Sequence[Event] = ()) -> Exclusion:
    """X16: received more than ten minutes after it happened; such events are left out."""
    if left_out:
        n = len(left_out)
        return applied("X16", f"{n}条断网补传的记录没有计入", f"{n} records uploaded late were left out")
    if unknown := sum(event.received_at is None for event in shown):
        return data_missing("X16", f"{unknown}条记录没有接收时间", f"{unknown} records do not say when they came in")
    return not_applicable(
        "X16", "所列记录都在发生后10分钟内收到", "all records shown were received within 10 minutes of happening"
    )


def mass_day(unit: Unit, day: date, at: datetime, org: str, villages: Sequence[str] = ()) -> Exclusion:
    """X10: a screening or vaccination that the bureau registered for the institution, or for one of the villages."""
    registered = [place for place in (org, *villages) if _is_mass_day(unit, day, at, place)]
    if registered:
        names = "、".join(registered)
        return applied(
            "X10", f"{names}当天登记了筛查或接种活动", f"a screening or vaccination is registered for {names} that day"
        )
    return not_applicable("X10", "当天没有登记筛查或接种活动", "no screening or vaccination is registered for that day")


def _is_mass_day(unit: Unit, day: date, at: datetime, place: str) -> bool:
    entries = unit.records(CalendarRecord, f"{day.isoformat()}/{place}") if place else ()
    return any(entry.kind in MASS_DAY and entry.valid_from <= at for entry in entries)


def is_internet(org: OrgRecord | None) -> bool:
    return org is not None and INTERNET in org.tags


def no_visit_needed(left_out: Sequence[Event], unknown: Sequence[str]) -> Exclusion:
    """X21: what internet hospitals and mail-order pharmacies tell is left out. ``unknown``: orgs of no record."""
    if left_out:
        n = len(left_out)
        return applied(
            "X21",
            f"{n}条互联网医院或网售药店的记录没有计入",
            f"{n} records of internet or mail-order providers were left out",
        )
    if unknown:
        names = "、".join(unknown)
        return data_missing("X21", f"{names}没有机构档案", f"there is no record of {names}")
    return not_applicable(
        "X21", "所列机构都不是互联网医院或网售药店", "no institution shown is an internet or mail-order provider"
    )


def confirmed_exception(
    unit: Unit, code: str, at: datetime, person: str, orgs: Sequence[str], items: Sequence[str] = ()
) -> str:
    """X20: the id of a confirmed exception for one of these at this moment, "" if none; outside it nothing changes.

    Whatever else it names must fit too.
    """
    for whom in (person, *orgs, *items):
        for record in unit.records(ExceptionRecord, f"{code}/{whom}"):
            named = (record.person, (person,)), (record.org, orgs), (record.item, items)
            holds = record.valid_from <= at and record.since <= at <= record.to
            if holds and all(not name or name in known for name, known in named):
                return record.exception
    return ""


def emergency_dispensing(names: Sequence[str]) -> Exclusion:
    """X20: handed out, or substituted, under confirmed exceptions of these names; such goods are left out."""
    if names:
        told = "、".join(dict.fromkeys(names))
        n = len(names)
        return applied(
            "X20", f"{n}种药品在已确认的例外{told}期限内，没有计入", f"{n} drugs lie within the exception {told}"
        )
    return not_applicable("X20", "没有登记过例外", "no exception is registered")


def goods_returned(sales: int) -> Exclusion:
    """X01, X13: a sale that was brought back re-opens the code. ``sales``: how many were."""
    if sales:
        return applied("X01", f"{sales}次销售已退货，其后不计", f"{sales} sales were returned, and do not count since")
    return not_applicable("X01", "其间没有冲正、退费或退货", "nothing was reversed, refunded or returned between")


def opened_box(by_unit: bool, units: Decimal | None, pack: Decimal | None) -> Exclusion:
    """X13: tablets from an opened box. ``units``: sold in all, where every sale was by the tablet."""
    if not by_unit:
        return not_applicable("X13", "各次销售都是整盒，没有拆零", "every sale was a whole box, none by the tablet")
    if units is None and pack is None:
        return data_missing("X13", "该药品每盒含量不明，拆零没有累计", "units per box unknown: nothing was summed")
    if units is None:
        return not_applicable("X13", "有整盒销售，不全是拆零", "a whole box was among the sales, not only loose units")
    return not_applicable("X13", f"拆零累计{units}个，每盒{pack}个", f"{units} loose units in all, {pack} in a box")


def is_uncoded(unit: Unit, org: str, item: str, at: datetime) -> bool:
    """X14: the bureau lists this stock as bought before codes, at this institution or everywhere."""
    listed = (*unit.records(ExceptionRecord, f"X14/{org}"), *unit.records(ExceptionRecord, f"X14/{item}"))
    return any(one.item in ("", item) and one.since <= at <= one.to and one.valid_from <= at for one in listed)


def uncoded_stock(left_out: int) -> Exclusion:
    """X14. ``left_out``: sales of listed stock."""
    if left_out:
        return applied(
            "X14", f"{left_out}次销售在无码库名单内，没有计入", f"{left_out} sales of uncoded stock were left out"
        )
    return not_applicable("X14", "各次销售都不在无码库名单内", "no sale was of stock listed as uncoded")


# X08, by the leading characters of the main diagnosis: radiotherapy and chemotherapy Z51, dialysis Z49, orthopaedic and
# surgical follow-up Z47, Z48 and the removal of stents and openings Z43, Z46.6 (staged surgery), psychiatric F,
# tuberculosis A15-A19, pregnancy and childbirth O, supervision of pregnancy Z34-Z36. Source: domain.md 2.3; ICD-10.
PLANNED_DIAGNOSES = (
    *("Z51.0", "Z51.1", "Z51.2", "Z49", "Z47", "Z48", "Z43", "Z46.6"),
    *("F", "A15", "A16", "A17", "A18", "A19", "O", "Z34", "Z35", "Z36"),
)
# X08, by med_type of either stay: paid by the day 2105, day surgery 28, birth and newborn 52. Source: domain.md 2.3.
PLANNED_MED_TYPES = ("2105", "28", "52")
FROM_EMERGENCY = ("24",)  # of the second stay; domain.md 2.3
TRANSFERRED = "2"  # dscg_way


def planned_readmission(
    *, way: str, first: str, second: str, diagnosis: str, diagnoses: tuple[str, ...], med_types: tuple[str, ...]
) -> Exclusion:
    """X08: courses, staged surgery, psychiatric, tuberculosis, obstetrics, transfer, emergency.

    way: of the first stay's discharge. first, second: med_type of the stays. diagnosis: the main one of the second.
    """
    if way == TRANSFERRED:
        return applied("X08", "前次离院方式为转院", "the first stay ended in a transfer")
    if second.startswith(FROM_EMERGENCY):
        return applied("X08", f"再次入院为急诊转住院：{second}", f"the second stay came from emergency: {second}")
    for med_type in (first, second):
        if med_type.startswith(med_types):
            return applied("X08", f"医疗类别{med_type}属于计划内再入院", f"med_type {med_type} is readmitted by plan")
    if diagnosis.upper().startswith(diagnoses):
        return applied("X08", f"主要诊断{diagnosis}属于分程治疗", f"{diagnosis} is treated in courses")
    if not way:
        return data_missing("X08", "前次出院没有离院方式，不知是否转院", "how the first stay ended is not said")
    return not_applicable(
        "X08",
        f"不是转院，也不是急诊转入；医疗类别{second}、主要诊断{diagnosis}都不在计划内再入院名单",
        f"no transfer, no emergency; neither med_type {second} nor diagnosis {diagnosis} is readmitted by plan",
    )


def approved_leave(missed: int) -> Exclusion:
    """X19. ``missed``: failed checks that lie within an approved leave."""
    if missed:
        return applied("X19", f"{missed}次核验在请假期间，没有计入", f"{missed} failed checks lay within a leave")
    return not_applicable("X19", "未见本人时没有请假记录", "no leave covers the absence")


def taken_out_on_order(missed: int, *, named: bool) -> Exclusion:
    """X19. ``missed``: failed checks during an examination, operation or dialysis. ``named``: do orders name items?"""
    if missed:
        return applied("X19", f"{missed}次核验在检查、手术或透析时间，不计", f"{missed} checks failed during orders")
    if not named:
        return data_missing("X19", "医嘱没有项目编码，不知是否外出检查", "no order names its item")
    return not_applicable("X19", "未见本人时没有检查、手术或透析医嘱", "no order took the patient out of the ward then")


def exempt_ward(left_out: int, wards: Sequence[str]) -> Exclusion:
    """X19. ``left_out``: checks made in intensive care, neonatal or isolation wards."""
    if left_out:
        return applied("X19", f"{left_out}次核验在免核验病区，没有计入", f"{left_out} checks in exempt wards left out")
    names = "、".join(filter(None, wards))
    if not names:
        return data_missing("X19", "入院记录没有病区", "the admission names no ward")
    return not_applicable("X19", f"病区{names}不在免核验之列", f"ward {names} is not exempt")


def device_alive(silent: int) -> Exclusion:
    """X19. ``silent``: checks that failed for the device, or while no other bed of the ward was answered for."""
    if silent:
        return applied("X19", f"{silent}次核验设备无应答，没有计入", f"{silent} checks with a silent device left out")
    return not_applicable("X19", "所列时间病区设备有应答", "the ward's device answered at the times shown")
