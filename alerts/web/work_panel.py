"""The work panel of a lead's page: where it stands, by when, what the reader may do now, what was done."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

import msgspec

from alerts.casework import MOVED, Work, recovered_fen
from alerts.deadlines import CHINA
from alerts.kept import Entry
from alerts.life import EXCLUSIONS, LEDGERS, PENALTIES, Kind, Need, Reason, Rule
from alerts.web.wording import Mask, Words
from alerts.web.workdesk import WorkDesk

MEASURES_ON_PAGE = 3  # rows in the form
STAGES = ("screened", "assigned", "verifying", "feedback", "review", "disposed", "archived")
_STAGE_OF = {
    "new": 0,
    "screened": 1,
    "assigned": 2,
    "verifying": 3,
    "pending_evidence": 3,
    "feedback": 4,
    "appeal": 4,
    "review": 5,
    "confirmed": 5,
    "partly": 5,
    "unfounded": 5,
    "filed": 5,
    "disposed": 6,
    "rectified": 6,
    "transferred": 6,
    "dismissed": 1,
    "archived": 7,
}


class Form(NamedTuple):
    """One move on offer. ``needs``: names of life.Need; ``is_open``: it was sent and refused."""

    move: str
    label: str
    note: str
    needs: frozenset[str]
    is_open: bool


class WorkPanel(NamedTuple):
    """All that the panel shows. ``typed``: what somebody sent that was refused, so that nothing is lost."""

    alert_id: str
    version: int
    key: str
    state: str
    warning: str
    due: str
    facts: Sequence[tuple[str, str]]
    done: int  # stages passed, of STAGES
    stages: Sequence[str]
    forms: Sequence[Form]
    may_comment: bool
    officers: Sequence[str]
    reasons: Sequence[tuple[str, str]]
    exclusions: Sequence[tuple[str, str]]
    kinds: Sequence[tuple[str, str]]
    ledgers: Sequence[tuple[str, str]]
    measure_rows: int
    measures: Sequence[Sequence[str]]
    notice: str
    typed: Mapping[str, str]


NOTHING_TYPED: Mapping[str, str] = {}


def work_panel(
    desk: WorkDesk, alert_id: str, words: Words, notice: str = "", typed: Mapping[str, str] = NOTHING_TYPED
) -> WorkPanel | None:
    """The panel of a lead; None if there is no such lead within the account's areas."""
    work = desk.work(alert_id)
    if work is None:
        return None
    moves = desk.moves(work)
    return WorkPanel(
        alert_id=alert_id,
        version=work.version,
        key=secrets.token_urlsafe(16),
        state=words(f"work.state.{work.state}"),
        warning=desk.warning(work),
        due=_day(work.due, words) if work.due else "",
        facts=list(_facts(work, desk, words)),
        done=_STAGE_OF[work.state],
        stages=[words(f"work.stage.{stage}") for stage in STAGES],
        forms=[_form(rule, words, typed) for rule in moves],
        may_comment=desk.may_comment(),
        officers=desk.officers(alert_id) if any(Need.OFFICERS in rule.needs for rule in moves) else (),
        reasons=[(one.value, words(f"work.reason.{one}")) for one in Reason],
        exclusions=[(code, words.known("exclusion", code)) for code in EXCLUSIONS],
        kinds=[(one.value, words(f"work.measure.{one}")) for one in Kind],
        ledgers=[(one, words(f"work.ledger.{one}")) for one in sorted(LEDGERS, reverse=True)],
        measure_rows=MEASURES_ON_PAGE,
        measures=[
            (
                words(f"work.measure.{one.kind}"),
                words("work.yuan", n=words.yuan(one.amount_fen)) if one.amount_fen else "",
                words("work.points", n=one.points) if one.points else "",
                one.document,
            )
            for one in desk.measures(alert_id)
        ],
        notice=notice,
        typed=typed,
    )


def _form(rule: Rule, words: Words, typed: Mapping[str, str]) -> Form:
    return Form(
        move=rule.move.value,
        label=words(f"work.move.{rule.move}"),
        note=words(f"work.move.{rule.move}.what"),
        needs=frozenset(need.value for need in rule.needs),
        is_open=typed.get("move") == rule.move,
    )


def _facts(work: Work, desk: WorkDesk, words: Words) -> list[tuple[str, str]]:
    taken = desk.measures(work.alert_id)
    penalty = sum(one.amount_fen for one in taken if one.kind in PENALTIES)
    points = sum(one.points for one in taken)
    reason = words(f"work.reason.{work.reason}") if work.reason else ""
    pairs = (
        ("work.fact.entered", words.moment(work.entered_at)),
        ("work.fact.screened_by", work.screened_by),
        ("work.fact.officers", words("list.joint").join(work.officers)),
        ("work.fact.reason", f"{reason} {work.exclusion}".strip()),
        ("work.fact.outcome", words(f"work.state.{work.outcome}") if work.outcome else ""),
        ("work.fact.found", words("work.yuan", n=words.yuan(work.found_fen)) if work.found_fen is not None else ""),
        ("work.fact.recovered", words("work.yuan", n=words.yuan(recovered_fen(taken))) if taken else ""),
        ("work.fact.penalty", words("work.yuan", n=words.yuan(penalty)) if penalty else ""),
        ("work.fact.points", words("work.points", n=points) if points else ""),
        ("work.share", _share(desk, work.alert_id, words)),
    )
    return [(words(key), value) for key, value in pairs if value]


def _share(desk: WorkDesk, alert_id: str, words: Words) -> str:
    """How the detector's leads were confirmed so far; empty while none is decided."""
    told = desk.outcome(alert_id)
    share = told.confirmed_share if told else None
    if told is None or share is None or share.low is None or share.high is None:
        return ""
    return words(
        "work.share.value", confirmed=told.confirmed, of=share.of, low=f"{share.low:.0%}", high=f"{share.high:.0%}"
    )


def _day(day: date, words: Words) -> str:
    return words.day(datetime.combine(day, time(12), CHINA))


def said(entry: Entry, mask: Mask, words: Words) -> tuple[str, str]:
    """A move or a comment in the history: what was done, and what was said with it."""
    data: dict[str, Any] = msgspec.json.decode(entry.data)  # Any: JSON of alerts.casework
    if entry.kind != MOVED:
        return words("work.history.commented"), mask(str(data["note"]))
    told = [str(data["note"]), str(data["document"])]
    if data["reason"]:
        told.insert(0, f"{words('work.reason.' + str(data['reason']))} {data['exclusion']}".strip())
    if data["officers"]:
        told.insert(0, words("list.joint").join(map(str, data["officers"])))
    if data["amount_fen"] is not None:
        told.insert(0, words("work.yuan", n=words.yuan(int(data["amount_fen"]))))
    return words(f"work.move.{data['move']}"), mask(" · ".join(part for part in told if part))
