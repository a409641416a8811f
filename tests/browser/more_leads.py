"""Leads of the other ten detectors as these give them, each with the events that its page draws."""

from datetime import datetime

from msgspec.structs import replace

from detectors.finding import Certainty, Evidence, Figure, Law, Lead, Level, Period, Subject
from tests.browser.leads import (
    DAY,
    HOSPITAL,
    HOUR,
    MINUTE,
    OTHER,
    PHARMACY,
    STATIN,
    THIRD,
    at,
    event,
    lead,
)

FOURTH, FIFTH = "P33010510201", "H33010210555"
PERSON = "pc41d7e2a90b35f18"


def persons(n: int) -> list[str]:
    return [f"p{i:04x}7c2b91{i * 4_099 + 51_966:05x}" for i in range(n)]


def bill(
    name: str, when: int, hour: int, org: str = PHARMACY, who: str = PERSON, yuan: int = 118, **facts: str
) -> Evidence:
    """On that day of March."""
    told = {"setl_id": f"s-{name}", "mdtrt_id": f"v-{name}", "med_type": "41", **facts}
    return event(name, "setl", at(when, hour, 12), org, who, yuan * 100, yuan * 60, **told)


def overstock(*, single: bool = True) -> Lead:
    """Five purchases of a statin at three pharmacies; the last one with 47 days in hand."""
    days = ((2, PHARMACY), (6, OTHER), (9, PHARMACY), (15, THIRD), (21, OTHER))
    shows = [bill(f"o{n}", day, 9 + n, org, items=STATIN) for n, (day, org) in enumerate(days)]
    return lead(
        "drug_overstock",
        Subject("drug", f"{PERSON}/statin-20mg"),
        shows,
        "手中还有47天的statin-20mg时又购28天，购后共75天，上限30天；分5次在3家机构购得，近90天共94天用量。",
        "With 47 days of statin-20mg in hand another 28 were bought: 75 days in all, 30 are allowed; 5 purchases at "
        "3 institutions, 94 days within 90 days.",
        (
            Figure("days_in_hand", 47.0, 15.0, "days"),
            Figure("days_after_purchase", 75.0, 30.0, "days"),
            Figure("days_bought_90d", 94.0, 730.0, "days"),
            Figure("purchases_too_soon", 1 if single else 3, None, "times"),
            Figure("institutions", 3, None, "institutions"),
        ),
        level=Level.YELLOW,
        law=Law("12", "第十五条", "GZ10000301005000"),
    )


def empty_shelf() -> Lead:
    """Forty counted, sixty bought, and two hundred and twelve handed out."""
    stock = [
        event("i0", "inv", at(2, 8, 30), PHARMACY, inv_type="count", item=STATIN, cnt="40"),
        event("i1", "inv", at(6, 9), PHARMACY, inv_type="purchase", item=STATIN, cnt="60"),
        event("i2", "inv", at(11, 9), PHARMACY, inv_type="purchase_return", item=STATIN, cnt="8"),
    ]
    who = persons(16)
    shows = [bill(f"e{n:02d}", 14 + n // 3, 8 + n % 10, who=who[n % 16], items=STATIN) for n in range(31)]
    return lead(
        "inventory_imbalance",
        Subject("drug", f"{PHARMACY}/{STATIN}"),
        shows,
        "120盒无货可出：3月2日盘存40盒，其后净入库52盒，却售出212盒，短缺超过96小时。",
        "120 packs were handed out that were not there: 40 counted on 2 March, 52 came in since, 212 went out; "
        "short for 96 h.",
        (
            Figure("packs_short", 120, 10.6, "packs"),
            Figure("hours_short", 96.0, 24, "h"),
            Figure("packs_counted", 40, None, "packs"),
            Figure("packs_come_in", 52, None, "packs"),
            Figure("packs_handed_out", 212, None, "packs"),
            Figure("last_purchase", "2026-03-06", None, ""),
        ),
        also=tuple(stock),
        level=Level.ORANGE,
        law=Law("14", "第三十八条第四项", "GZ10000202001000"),
    )


def burst() -> Lead:
    """Five institutions in fifty-six minutes."""
    orgs = (PHARMACY, OTHER, THIRD, FOURTH, FIFTH)
    minutes = (0, 11, 24, 41, 56)
    shows = [
        event(f"m{n}", "setl", at(13, 10, 3) + minutes[n] * MINUTE, org, PERSON, 21_400, 14_980, setl_id=f"sm{n}")
        for n, org in enumerate(orgs)
    ]
    return lead(
        "multi_org_burst",
        Subject("person", PERSON),
        shows,
        "56分钟内在5家医药机构结算5笔，共1,070.00元，相邻两家最短相隔11分钟。",
        "5 bills at 5 institutions within 56 min, 1,070.00 yuan in all, at least 11 min between two of them.",
        (
            Figure("institutions_1h", 5, 3, "institutions"),
            Figure("institutions_24h", 5, 5, "institutions"),
            Figure("pharmacies_24h", 4, 3, "institutions"),
            Figure("paid_at_pharmacies", 856.0, 500.0, "yuan"),
            Figure("shortest_gap", 11.0, None, "min"),
        ),
        level=Level.ORANGE,
        law=Law("27", "第十七条"),
        period="2026-03-13",
    )


def taken_back_again(rounds: int = 4) -> Lead:
    """Settled, taken back after some minutes, settled again that afternoon or the next morning."""
    shows: list[Evidence] = []
    for n in range(rounds):
        began = at(3, 9, 20) + n * 5 * DAY
        back, again = began + (6 + 5 * (n % 5)) * MINUTE, began + (2 + 6 * (n % 4)) * HOUR
        shows += [
            event(f"p{n}a", "setl", began, PHARMACY, PERSON, 36_000, 25_200, setl_id=f"sp{n}a", items=STATIN),
            event(f"p{n}b", "setl_rev", back, PHARMACY, PERSON, setl_id=f"sp{n}a"),
            event(f"p{n}c", "setl", again, PHARMACY, PERSON, 36_000, 25_200, setl_id=f"sp{n}c", items=STATIN),
        ]
    return lead(
        "empty_swipe_reverse",
        Subject("person", f"{PHARMACY}/{PERSON}"),
        sorted(shows, key=lambda one: one.at),
        f"{rounds}次结算后最迟21分钟退费、随后又结算同一药品：3月3日至3月19日，所涉结算合计2,880.00元。",
        f"{rounds} times a bill was taken back within 21 min and the same drug settled again: 3 March to 19 March, "
        "bills of 2,880.00 yuan in all.",
        (
            Figure("reversal_cycles", rounds, 3, "times"),
            Figure("longest_until_reversal", 21.0, 30, "min"),
            Figure("longest_until_again", 19.7, 24, "h"),
        ),
        level=Level.ORANGE,
        law=Law("24", "第四十条第三项"),
    )


def no_service(days: int = 9) -> Lead:
    """Bed and nursing every day; one examination at last, and the only order."""
    stay, items = "m1f09c7", ("001201000010000-11010000100", "001101000010000-12010000300")
    facts = {"mdtrt_id": stay, "ward": "REHAB-01", "bed": "01-08"}
    admission = event("n-adm", "adm", at(4, 9, 40), HOSPITAL, PERSON, dept="rehab", diag="I69.300", **facts)
    fees = [
        event(f"n-f{n}", "fee", at(4, 22, 5) + n * DAY, HOSPITAL, PERSON, items=" ".join(items), mdtrt_id=stay)
        for n in range(days)
    ]
    late = [
        event("n-o", "order", at(4, 9) + (days - 2) * DAY, HOSPITAL, PERSON, mdtrt_id=stay, drord_no="d1"),
        event(
            "n-x",
            "fee",
            at(4, 15) + (days - 2) * DAY,
            HOSPITAL,
            PERSON,
            items="002401000050000-210300004",
            mdtrt_id=stay,
        ),
        event("n-d", "dscg", at(4, 10) + days * DAY, HOSPITAL, PERSON, mdtrt_id=stay, dscg_way="1"),
    ]
    idle = (days - 2) * 24 - 0.7
    return lead(
        "ghost_bed_no_service",
        Subject("stay", stay),
        [admission],
        f"入院后{idle:g}小时没有检查、检验、用药、治疗或手术收费；入院后{idle:g}小时没有医嘱；住院费用照计1,170.00元。",
        f"No examination, test, drug, treatment or operation was charged for {idle:g} h after admission; nothing was "
        f"ordered for {idle:g} h after admission; 1,170.00 yuan charged.",
        (Figure("hours_without_service", idle, 48.0, "h"), Figure("hours_without_order", idle, 24.0, "h")),
        also=(*fees, *late),
        level=Level.ORANGE,
        law=Law("11", "第三十八条第一项"),
        period=stay,
        risk=117_000,
    )


def suspended(bills: int = 64) -> Lead:
    """An institution that goes on for two weeks."""
    who = persons(23)
    shows = [bill(f"u{n:03d}", 11 + n // 5, 8 + n % 11, who=who[n % 23]) for n in range(bills)]
    return lead(
        "suspended_org_settlement",
        Subject("org", PHARMACY),
        shows,
        f"医保协议中止后结算{bills}笔，涉及23人，统筹基金支付4,531.20元；协议自3月10日00:00起中止（330102-2026-017）。",
        f"{bills} bills were settled for 23 persons, 4,531.20 yuan of the fund, after the contract was suspended on "
        "10 March 00:00 (330102-2026-017).",
        (Figure("bills_without_contract", bills, 1, "bills"), Figure("contract_ended", "2026-03-10", None, "")),
        certainty=Certainty.DEFINITE,
        law=Law("17", "第三十八条第七项"),
    )


def after_death() -> Lead:
    """Used at two pharmacies after a death that was known three days later; the last bill of a stay is left out."""
    shows = [
        event("d1", "setl", at(12, 9, 30), PHARMACY, PERSON, 18_000, 12_600, cert="03", setl_id="sd1"),
        event("d2", "setl", at(15, 16, 5), OTHER, PERSON, 9_800, 6_860, cert="03", setl_id="sd2"),
        event("d3", "swipe", at(21, 10, 40), OTHER, PERSON, cert="03"),
    ]
    final = event("d0", "setl", at(10, 11), HOSPITAL, PERSON, 902_000, 650_000, setl_id="sd0", med_type="21")
    return lead(
        "ineligible_credential_use",
        Subject("person", PERSON),
        shows,
        "2笔结算、1次刷卡（统筹基金支付194.60元）发生在参保人死亡（3月9日）之后；该状态3月13日08:15才获知，晚于其中1次使用（事后获知）。",
        "2 bills and 1 swipe (194.60 yuan of the fund) after the insured person had died (9 March); the status became "
        "known only later for 1 of them, 13 March 08:15.",
        (
            Figure("uses_of_credential", 3, 1, "times"),
            Figure("status_since", "2026-03-09", None, ""),
            Figure("status_known", "2026-03-13 08:15", None, ""),
            Figure("hours_since_death", 81.5, 24.0, "h"),
            Figure("final_bills_left_out", 1, None, "bills"),
        ),
        also=(final,),
        certainty=Certainty.DEFINITE,
        law=Law("31", "第十七条"),
    )


def long_lost_card() -> Lead:
    """The card was reported lost two years ago."""
    one = after_death()
    figures = (Figure("uses_of_credential", 3, 1, "times"), Figure("status_since", "2024-02-01", None, ""))
    return replace(one, period=replace(one.period, name="2026-04"), figures=figures)


def fetched(patients: int = 11) -> Lead:
    """Admitted one after the other, most of them for the same illness and until the same day."""
    who = persons(patients)
    shows = [
        event(
            f"h{n:02d}",
            "adm",
            at(16, 8, 40) + n * 9 * MINUTE,
            HOSPITAL,
            who[n],
            mdtrt_id=f"m{n:02d}",
            dept="A03.04-ward-2" if n % 2 else "A03.04",
            diag="M51.202" if n in (3, 7) else "I63.900",
            med_type="21",
        )
        for n in range(patients)
    ]
    ends = [
        event(f"h{n:02d}d", "dscg", at(22 + (n == 5), 10, n), HOSPITAL, who[n], mdtrt_id=f"m{n:02d}", dscg_way="1")
        for n in range(patients)
    ]
    bills = [bill(f"h{n:02d}s", 22, 11, HOSPITAL, who[n], 3_264 + n, mdtrt_id=f"m{n:02d}") for n in range(patients)]
    return lead(
        "batch_admission",
        Subject("org", HOSPITAL),
        shows,
        f"1小时30分钟内同一科室入院{patients}人，9人主要诊断同为I63，{patients}人当天没有门诊记录，10人同一天出院。",
        f"{patients} admissions to one department within 1 h 30 min: 9 with I63, {patients} without an out-patient "
        "visit that day, 10 discharged on one day.",
        (
            Figure("admissions", patients, 5, "persons"),
            Figure("within_hours", 2, None, "h"),
            Figure("same_diagnosis_share", 0.82, 0.6, "ratio"),
            Figure("same_origin_share", 0.0, 0.6, "ratio"),
            Figure("without_visit_share", 1.0, 0.8, "ratio"),
            Figure("left_together_share", 0.91, 0.5, "ratio"),
        ),
        also=(*ends, *bills),
        law=Law("20", "第四十条第一项"),
        period="2026-03-16",
    )


def one_script() -> Lead:
    """One prescription of one person, settled five times for three."""
    who = [PERSON, *persons(2)]
    script = event("x-rx", "rx", at(3, 9, 5), HOSPITAL, PERSON, rxno="H33010210434-20260303-0071", items=STATIN)
    shows = [
        bill(f"x{n}", (3, 5, 5, 11, 20)[n], 10 + n % 3, who=who[(0, 1, 0, 2, 1)[n]], items=STATIN) for n in range(5)
    ]
    return lead(
        "rx_missing_or_forged",
        Subject("org", PHARMACY),
        shows,
        "1个处方号（0071）：结算5次，涉及3人；3月5日11:12起4笔，医保范围内金额472.00元。",
        "1 prescription number (0071): settled 5 times for 3 persons; 4 bills from 5 March, 472.00 yuan in scope.",
        (Figure("uses_of_script", 5, 1, "times"), Figure("users_of_script", 3, 1, "persons")),
        also=(script,),
        law=Law("23", "第四十条第二项"),
    )


def without_scripts(bills: int = 40) -> Lead:
    """Prescription drugs for many persons, and no prescription."""
    who = persons(27)
    shows = [bill(f"y{n:03d}", 2 + n // 2, 8 + n % 12, OTHER, who[n % 27], items=STATIN) for n in range(bills)]
    return lead(
        "rx_missing_or_forged",
        Subject("org", OTHER),
        shows,
        f"{bills}种处方药没有处方号就结算：3月2日08:12起，医保范围内金额4,720.00元。",
        f"{bills} prescription drugs were settled without a prescription number, 4,720.00 yuan in scope.",
        (Figure("lines_without_rx", bills, 1, "lines"),),
        level=Level.ORANGE,
        law=Law("23", "第四十条第二项"),
    )


def silent_stock(bills: int = 57) -> Lead:
    """No stock movement for four days, while goods are settled."""
    who = persons(31)
    shows = [bill(f"z{n:03d}", 10 + n // 20, 8 + n % 12, who=who[n % 31], items=STATIN) for n in range(bills)]
    one = lead(
        "upload_gap",
        Subject("org", PHARMACY),
        shows,
        f"97小时没有进销存数据上传（3月9日21:00起），其间结算{bills}笔药品、耗材账单。",
        f"97 h without the stock feed from 9 March 21:00; meanwhile {bills} bills with goods were settled.",
        (Figure("hours_silent", 97.0, 30.0, "h"), Figure("bills_meanwhile", bills, 3, "bills")),
        level=Level.BLUE,
        law=Law("5", "第三十九条第三项", "GZ10000201007000"),
        period="2026-03-11",
    )
    return lasting(one, at(9, 21), at(13, 22))


def silent_ward() -> Lead:
    """No bedside check for more than two days, and it goes on."""
    who = persons(5)
    stays = tuple(
        event(f"w{n}", "adm", at(2 + 3 * n, 9, 30), HOSPITAL, who[n], mdtrt_id=f"w{n}", dept="rehab") for n in range(5)
    )
    one = lead(
        "upload_gap",
        Subject("org", HOSPITAL),
        list(stays),
        "超过55小时没有在床核验数据上传（3月14日08:00起），其间有5名患者在院。",
        "more than 55 h without the bedside feed from 14 March 08:00; meanwhile 5 patients were in bed.",
        (Figure("hours_silent", 55.0, 24.0, "h"), Figure("patients_meanwhile", 5, 2, "persons")),
        level=Level.YELLOW,
        law=Law("5", "第三十九条第三项", "GZ10000201007000"),
        period="2026-03-15",
    )
    return lasting(replace(one, events=()), at(14, 8), None)


def lasting(one: Lead, since: datetime, to: datetime | None) -> Lead:
    """The same lead over another time."""
    return replace(one, period=Period(one.period.name, since, to))


def much_and_little() -> list[Lead]:
    """The same where their pictures look different: longer than is drawn, or hardly anything."""
    return [
        overstock(single=False),
        long_lost_card(),
        fetched(40),
        fetched(2),
        taken_back_again(34),
        no_service(40),
        suspended(4),
    ]


def ten_kinds() -> list[Lead]:
    """At least one of each of the ten."""
    return [
        overstock(),
        empty_shelf(),
        burst(),
        taken_back_again(),
        no_service(),
        suspended(),
        after_death(),
        fetched(),
        one_script(),
        without_scripts(),
        silent_stock(),
        silent_ward(),
    ]
