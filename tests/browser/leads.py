"""Six leads as their detectors give them, each with the events that its page draws."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from detectors.finding import (
    Applies,
    Certainty,
    Check,
    Evidence,
    Exclusion,
    Figure,
    Law,
    Lead,
    Level,
    Period,
    Subject,
    UnitId,
    Verdict,
)

CHINA = timezone(timedelta(hours=8))
PHARMACY, OTHER, THIRD = "P33010210119", "P33010410133", "P33020310315"
HOSPITAL = "H33010210434"
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STATIN, ANTIPLATELET = "XC10AAA061A001010101", "XB01ACL056A001010105"
CARDS = Law("20", "第十五条")
NOT, MISSING, APPLIED = Applies.NOT_APPLICABLE, Applies.DATA_MISSING, Applies.APPLIED


def at(day: int, hour: int, minute: int = 0, second: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=CHINA)


def event(
    name: str, kind: str, when: datetime, org: str, person: str = "", total: int = 0, fund: int = 0, **facts: str
) -> Evidence:
    received = {"received_at": (when + 3 * SECOND).isoformat()}
    till = "T001903" if org == PHARMACY else ""
    return Evidence(name, kind, when, org, person, till, total, fund, {**facts, **received})


def lead(
    detector: str,
    subject: Subject,
    shows: list[Evidence],
    zh: str,
    en: str,
    figures: tuple[Figure, ...],
    *,
    also: tuple[Evidence, ...] = (),
    level: Level = Level.RED,
    certainty: Certainty = Certainty.SUSPICIOUS,
    exclusions: tuple[Exclusion, ...] = (),
    law: Law = CARDS,
    checks: tuple[Check, ...] = (),
    period: str = "2026-03",
    risk: int | None = None,
) -> Lead:
    first, last = shows[0].at, shows[-1].at
    fund = sum(e.fund_fen for e in shows)
    return Lead(
        detector=detector,
        rule_version="1-5f3a09c2",
        level=level,
        certainty=certainty,
        subject=subject,
        period=Period(
            period, first.replace(hour=0, minute=0, second=0), last.replace(hour=0, minute=0, second=0) + DAY
        ),
        first_seen=first,
        last_seen=last,
        hits=1,
        amount_at_risk_fen=fund if risk is None else risk,
        fund_paid_fen=fund,
        summary_zh=zh,
        summary_en=en,
        figures=figures,
        events=tuple(e.event_id for e in shows),
        exclusions=exclusions,
        law=law,
        checks=checks,
        orgs=tuple(dict.fromkeys(e.org for e in (*shows, *also))),
        evidence=tuple(sorted((*shows, *also), key=lambda e: e.at)),
    )


def batch(day: int = 17, till: str = "T001903", cards: int = 13) -> Lead:
    """Thirteen cards at one till within seven minutes; six persons were there five days before."""
    gaps = (0, 37, 38, 37, 18, 19, 38, 38, 36, 41, 36, 41, 51)
    persons = [
        f"p{n:012x}{tail}"
        for n, tail in enumerate(
            "7f3a20c491e05d175d2b5d88c6a904bfe8123b60a77d68f1d035"[i : i + 4] for i in range(0, 52, 4)
        )
    ]
    when, shows = at(day, 21, 4, 9), []
    for n in range(cards):
        when += gaps[n % 13] * SECOND
        items = f"{STATIN} {ANTIPLATELET}" + (" XA10BFA054A001010102" if n in (3, 4) else "")
        facts = {"cert": "01" if n == 11 else "03", "items": items, "setl_id": f"s{day}{n:04d}"}
        if n not in (3, 4, 5):
            facts["verify"] = "pin"
        shows.append(event(f"e{day}{till}{n:03d}", "setl", when, PHARMACY, persons[n % 13], 35_760, 22_678, **facts))
    before = tuple(
        event(f"b{day}{n}", "setl", at(day - 5, 20, 51) + n * 40 * SECOND, PHARMACY, persons[n * 2], 35_760, 22_678)
        for n in range(6)
    )
    return lead(
        "card_batch_swipe",
        Subject("till", f"{PHARMACY}/{till}"),
        shows,
        f"7分钟内一台收银机连刷{cards}人的凭证，间隔中位数38秒，都买同样2种药；6人在此前7天的一批里也有。",
        f"7 min: {cards} persons' credentials at one till, 38 s apart (median), all for the same 2 goods; "
        "6 of them were in one session of the 7 days before.",
        (
            Figure("persons", 11, 8, "persons"),
            Figure("median_gap", 38.0, 60.0, "s"),
            Figure("basket_similarity", 0.67, 0.6, "ratio"),
            Figure("batches_7d", 1, 2, "times"),
            Figure("returning_share", 0.55, 0.5, "ratio"),
        ),
        also=before,
        period=f"2026-03-{day:02d}",
        exclusions=(
            Exclusion("X01", NOT, "所列记录均未冲正或退费", "none of the records shown was reversed or refunded"),
            Exclusion("X02", APPLIED, "2人与同户亲属合并为一次", "2 persons were counted with their household"),
            Exclusion(
                "X10", NOT, "当天没有登记筛查或接种活动", "no screening or vaccination is registered for that day"
            ),
            Exclusion("X16", NOT, "所列记录都在发生后10分钟内收到", "all records were received within 10 minutes"),
            Exclusion("X18", MISSING, f"{PHARMACY}没有机构档案", f"there is no record of {PHARMACY}"),
        ),
        checks=(
            Check(
                "调取收银处监控，核对持凭证人和顾客人数",
                "Camera at the till: who held the credentials, and how many customers were there?",
                shows[0].at - 10 * MINUTE,
                shows[-1].at + 10 * MINUTE,
            ),
            Check(
                "电话回访各参保人：本人是否到店，药在何处", "Call the persons: were they there, where are the drugs?"
            ),
        ),
    )


def ghost_bed() -> Lead:
    """Missing at the rounds of four evenings, though a pharmacy saw the face."""
    stay, who = "md66b4ff5830b2798", "p0b70f99342ef7e2e71"
    facts = {"mdtrt_id": stay, "ward": "REHAB-01", "bed": "03-12"}
    admission = event("g-adm", "adm", at(9, 10, 20), HOSPITAL, who, dept="rehab", diag="I69.300", **facts)
    shows, also = [admission], []
    for day in range(9, 19):
        if day > 9:
            also.append(
                event(
                    f"g-m{day}",
                    "presence",
                    at(day, 9, 2),
                    HOSPITAL,
                    who,
                    result="pass",
                    check_type="scheduled",
                    **facts,
                )
            )
        missing = day in (12, 13, 14, 15, 16, 17)
        check = event(
            f"g-n{day}",
            "presence",
            at(day, 21, 4),
            HOSPITAL,
            who,
            result="not_found" if missing else "pass",
            check_type="scheduled",
            **facts,
        )
        (shows if missing else also).append(check)
    also += [
        event(
            "g-leave",
            "leave",
            at(11, 13),
            HOSPITAL,
            who,
            **facts,
            since=at(11, 14).isoformat(),
            to=at(11, 18).isoformat(),
        ),
        event(
            "g-out",
            "presence",
            at(16, 17, 42),
            HOSPITAL,
            who,
            result="pass",
            check_type="gate",
            direction="out",
            **facts,
        ),
        event(
            "g-in", "presence", at(17, 8, 36), HOSPITAL, who, result="pass", check_type="gate", direction="in", **facts
        ),
        event(
            "g-buy", "setl", at(16, 19, 20), PHARMACY, who, 12_150, 8_505, verify="face", setl_id="s-g", mdtrt_id="v9"
        ),
        event("g-device", "presence", at(18, 15), HOSPITAL, who, result="device_error", check_type="surprise", **facts),
    ]
    return lead(
        "ghost_bed_absence",
        Subject("stay", f"{HOSPITAL}/{stay}"),
        shows,
        "连续6次在床核验未见本人，没有请假；离开病区14小时54分钟，3月16日17:42出门，没有请假。",
        "The patient was missing at 6 rounds in a row, without leave; 14 h 54 min out of the ward from 16 March 17:42.",
        (Figure("rounds_missed", 6, 2, "rounds"), Figure("hours_off_ward", 14.9, 4.0, "h")),
        also=tuple(also),
        level=Level.ORANGE,
        period=stay,
        risk=211_920,
        law=Law("11", "第三十八条第一项"),
        exclusions=(
            Exclusion("X19", NOT, "未见本人时没有请假记录", "no leave is recorded for when the patient was missing"),
            Exclusion("X19", MISSING, "医嘱没有项目编码，不知是否外出检查", "no order names its item"),
        ),
        checks=(Check("夜间到病房核查是否在床", "look at the bed at night", at(18, 21), at(18, 23)),),
    )


def far_apart() -> Lead:
    """One credential, two towns, forty-one minutes."""
    who = "p9a03e5d5bb159a03"
    shows = [
        event("f1", "setl", at(12, 9, 14, 22), OTHER, who, 18_640, 12_860, cert="03", verify="pin", setl_id="sf1"),
        event("f2", "swipe", at(12, 9, 55, 40), THIRD, who, cert="03", verify="pin"),
        event("f3", "setl", at(12, 9, 56, 2), THIRD, who, 92_000, 64_400, cert="03", verify="pin", setl_id="sf3"),
    ]
    return lead(
        "geo_time_conflict",
        Subject("person", who),
        shows,
        "41分钟内在相距96公里的两地刷卡，需时速140公里，这段路上限100公里。",
        "Within 41 min the credential was used 96 km apart: 140 km/h would be needed, 100 are the most on such a way.",
        (
            Figure("distance", 96.2, 5.0, "km"),
            Figure("speed", 140, 100, "km/h"),
            Figure("minutes_between", 41.0, 57.7, "min"),
        ),
        level=Level.ORANGE,
        law=Law("31", "第十七条"),
        exclusions=(
            Exclusion("X21", NOT, "所列机构都不是互联网医院或网售药店", "no institution shown is an internet provider"),
        ),
    )


def resold() -> Lead:
    """One box through three pharmacies."""
    code = "80041838780354223955"
    bought = event("r0", "inv", at(2, 8, 30), PHARMACY, inv_type="purchase", item=ANTIPLATELET, cnt="40")
    shows = [
        event("r1", "setl", at(3, 9, 14), PHARMACY, "pa0000000000004bf", 11_820, 4_728, codes=code, setl_id="sr1"),
        event("r2", "setl", at(12, 17, 40), OTHER, "pa0000000000001d90", 11_820, 4_728, codes=code, setl_id="sr2"),
        event("r3", "setl", at(18, 13, 51), THIRD, "pa00000000000077e5", 11_820, 4_728, codes=code, setl_id="sr3"),
    ]
    return lead(
        "trace_code_repeat",
        Subject("trace_code", code),
        shows,
        "1盒药的追溯码被3家药店各结算一次：3月3日、3月12日、3月18日；其间没有退货。",
        "The trace code of 1 box was settled by 3 pharmacies: 3, 12 and 18 March; nothing was returned between.",
        (Figure("sales_of_code", 3, 1, "sales"), Figure("institutions", 3, None, "institutions")),
        also=(bought,),
        certainty=Certainty.DEFINITE,
        period="",
        law=Law("15", "第三十八条第五项"),
        exclusions=(Exclusion("X13", NOT, "各次销售都是整盒，没有拆零", "every sale was a whole box"),),
    )


def readmitted() -> Lead:
    """Home for six days between two stays of one illness."""
    who, facts = "pb84c11d2e3f4b84c", {"dept": "cardiology", "diag": "I25.103"}
    shows = [
        event("s1", "adm", at(1, 9), HOSPITAL, who, mdtrt_id="m1", med_type="21", **facts),
        event("s2", "dscg", at(9, 10), HOSPITAL, who, mdtrt_id="m1", dscg_way="1", diag="I25.103"),
        event("s3", "adm", at(15, 9, 30), HOSPITAL, who, mdtrt_id="m2", med_type="21", **facts),
    ]
    end = (
        event("s4", "dscg", at(24, 10), HOSPITAL, who, mdtrt_id="m2", dscg_way="1", diag="I25.103"),
        event("s5", "setl", at(9, 10, 20), HOSPITAL, who, 542_000, 410_000, mdtrt_id="m1", setl_id="ss5"),
        event("s6", "setl", at(24, 10, 20), HOSPITAL, who, 600_000, 455_000, mdtrt_id="m2", setl_id="ss6"),
    )
    return lead(
        "readmission_split",
        Subject("person", who),
        shows,
        "出院6天后以同一诊断再入同一医院；两次合计17天，费用11,420.00元。",
        "Readmitted to the same hospital after 6 days with the same diagnosis; 17 days in all, 11,420.00 yuan.",
        (
            Figure("days_home", 6, 7, "days"),
            Figure("diagnosis", "I25", None, "ICD-10"),
            Figure("readmissions", 1, None, "stays"),
        ),
        also=end,
        level=Level.YELLOW,
        risk=865_000,
        law=Law("11", "第三十八条第一项", "GZ10000204001000"),
        exclusions=(Exclusion("X08", NOT, "不是转院，也不是急诊转入", "no transfer, no emergency"),),
    )


def bought_in_stay() -> Lead:
    """Two purchases while in bed elsewhere."""
    who, stay = "p60d20c1f2a3b60d2", "m7ce77928c23c7369"
    facts = {"mdtrt_id": stay, "ward": "SURGERY-02", "bed": "02-01"}
    shows = [
        event("i1", "setl", at(14, 10, 12), OTHER, who, 18_640, 13_048, verify="pin", setl_id="si1", mdtrt_id="w1"),
        event("i2", "setl", at(14, 15, 40), OTHER, who, 36_500, 25_572, verify="pin", setl_id="si2", mdtrt_id="w2"),
    ]
    also = (
        event("i0", "adm", at(10, 8, 6), HOSPITAL, who, dept="surgery", diag="K80.200", **facts),
        event("i3", "presence", at(14, 16), HOSPITAL, who, result="pass", check_type="scheduled", **facts),
        event("i4", "dscg", at(17, 14, 23), HOSPITAL, who, dscg_way="1", **facts),
    )
    return lead(
        "inpatient_concurrent_claim",
        Subject("person", who),
        shows,
        "住院第5天，在23公里外的药店结算2次，共386.20元；当天16:00病房在床核验通过。",
        "On day 5 of the stay 2 bills at a pharmacy 23 km away, 386.20 yuan; seen in bed at 16:00 that day.",
        (
            Figure("bills_in_stay", 2, 1, "bills"),
            Figure("distance", 23.1, 10.0, "km"),
            Figure("day_of_stay", 5, None, "days"),
        ),
        also=also,
        level=Level.BLUE,
        period=stay,
        law=Law("28", "第十七条"),
        exclusions=(Exclusion("X09", NOT, "没有外检、急诊标志", "no outside examination, no emergency"),),
    )


def every_kind() -> list[Lead]:
    """One of each, the batch of cards last."""
    return [readmitted(), bought_in_stay(), far_apart(), resold(), ghost_bed(), batch()]


def verdicts(leads: list[Lead], ticket: int = 1) -> Iterator[Verdict]:
    """Each lead from a unit of its own."""
    for one in leads:
        yield Verdict(UnitId(one.detector, one.subject.id, one.period.name), ticket, (one,))


def taken_back(one: Lead, ticket: int = 2) -> Verdict:
    """Nothing is to be said any more."""
    return Verdict(UnitId(one.detector, one.subject.id, one.period.name), ticket, ())


def graver(one: Lead, level: Level) -> Lead:
    """The same lead at another level."""
    return replace(one, level=level)


def saying(one: Lead, sentence: str) -> Lead:
    """The same lead in other words."""
    return replace(one, summary_zh=sentence, summary_en=sentence)


def named(one: Lead, detector: str) -> Lead:
    """The same lead of another detector."""
    return replace(one, detector=detector)


def of_person(one: Lead, person: str) -> Lead:
    """The same lead about somebody else."""
    return replace(one, subject=Subject("person", person))


def resting_on(one: Lead, *events: str) -> Lead:
    """The same lead on other events."""
    return replace(one, events=events)


def milder() -> Lead:
    """An orange lead about one person, on events of the red batch."""
    one = batch()
    person = of_person(named(one, "multi_org_burst"), one.evidence[-1].person)
    return graver(resting_on(person, *one.events[:4]), Level.ORANGE)


def named_again() -> Lead:
    """The same person as in ``far_apart``, a month later."""
    one = far_apart()
    period = replace(one.period, name="2026-04")
    evidence = tuple(replace(e, event_id=f"again-{e.event_id}", at=e.at + 30 * DAY) for e in one.evidence)
    events = tuple(e.event_id for e in evidence)
    return replace(one, period=period, first_seen=one.first_seen + 30 * DAY, events=events, evidence=evidence)
