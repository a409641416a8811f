"""Leads and verdicts to try the store with, in one line each."""

from datetime import UTC, datetime, timedelta

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

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
ORG = "P33010210007"


def lead(
    subject: str = f"{ORG}/T1",
    *,
    level: Level = Level.RED,
    detector: str = "card_batch_swipe",
    kind: str = "till",
    day: str = "2026-03-12",
    events: tuple[str, ...] = ("e1", "e2"),
    amount: int = 12_300,
    orgs: tuple[str, ...] = (ORG,),
    at: datetime = NOON,
    summary: str = "同一终端 30 分钟内连续刷卡 12 人",
) -> Lead:
    evidence = tuple(
        Evidence(event, "setl", at + timedelta(minutes=i), ORG, "p1", "T1", 500, 300, {"结果": "ok"})
        for i, event in enumerate(events)
    )
    return Lead(
        detector=detector,
        rule_version="1",
        level=level,
        certainty=Certainty.SUSPICIOUS,
        subject=Subject(kind, subject),
        period=Period(day, at, at + timedelta(hours=1)),
        first_seen=at,
        last_seen=at + timedelta(minutes=len(events)),
        hits=len(events),
        amount_at_risk_fen=amount,
        fund_paid_fen=amount,
        summary_zh=summary,
        summary_en="12 persons at one till within 30 minutes",
        figures=(Figure("persons", 12, 8, "persons"),),
        events=events,
        exclusions=(Exclusion("X10", Applies.NOT_APPLICABLE, "无筛查", "no screening"),),
        law=Law("0101", "40", "GZ01"),
        checks=(Check("调取监控", "see the camera", at, at + timedelta(hours=1)),),
        orgs=orgs,
        evidence=evidence,
    )


def verdict(*leads: Lead, unit: str = "u1", ticket: int = 1, detector: str = "card_batch_swipe") -> Verdict:
    return Verdict(UnitId(detector, unit, "2026-03-12"), ticket, leads)
