"""The file of a lead on its page: papers, notices that can be written now, and calls to patients."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import NamedTuple

from alerts import callbacks, notices, papers
from alerts.callbacks import Call, Result
from alerts.casework import WRITERS, Work
from alerts.deadlines import CHINA
from alerts.kept import LeadRow
from alerts.papers import ENDINGS, Cabinet, Paper
from alerts.reveal import persons_of
from alerts.web.desk import Desk
from alerts.web.filedesk import NOTICE_WRITERS
from alerts.web.wording import Words


class PaperLine(NamedTuple):
    """One paper. ``because``: why it was withdrawn, and by whom."""

    number: int
    name: str
    size: str
    digest: str
    by: str
    at: str
    notice: str
    because: str


class CallLine(NamedTuple):
    """One call. ``mine``: this reader is to make it."""

    alert_id: str
    number: int
    person: str
    ask: str
    assignee: str
    due: str
    is_overdue: bool
    result: str
    said: str
    mine: bool


class FilePanel(NamedTuple):
    """All that the panel shows. ``accept``: endings that can be handed in; None where nothing is kept."""

    alert_id: str
    keeps_papers: bool
    may_write: bool
    papers: Sequence[PaperLine]
    accept: str
    most: str
    notices: Sequence[tuple[str, str]]
    calls: Sequence[CallLine]
    patients: Sequence[tuple[int, str]]
    callers: Sequence[str]
    results: Sequence[tuple[str, str]]
    ask: str


def file_panel(desk: Desk, row: LeadRow, work: Work | None, cabinet: Cabinet | None, words: Words) -> FilePanel:
    """The panel of a lead that this account may see."""
    may_write = desk.account.role in WRITERS
    writes_notices = cabinet is not None and work is not None and desk.account.role in NOTICE_WRITERS
    patients = persons_of(desk.store, row.alert_id) if may_write else ()
    return FilePanel(
        alert_id=row.alert_id,
        keeps_papers=cabinet is not None,
        may_write=may_write,
        papers=[_paper(one, words) for one in papers.papers_of(desk.store, row.alert_id)],
        accept=",".join(f".{one}" for kind in sorted(cabinet.kinds) for one in ENDINGS[kind]) if cabinet else "",
        most=size(cabinet.most_bytes) if cabinet else "",
        notices=[(name, notices.templates()[name].title) for name in notices.offered(work.state)]
        if work and writes_notices
        else [],
        calls=[call_line(one, desk, words) for one in callbacks.calls_of(desk.store, row.alert_id)],
        patients=[(number, words.person(person)) for number, person in enumerate(patients)],
        callers=callbacks.callers(desk.store, row.areas) if may_write and patients else (),
        results=results(words),
        ask=question(row.detector, words),
    )


def question(detector: str, words: Words) -> str:
    """What to ask a patient, by what the lead is about."""
    return words(f"call.ask.{callbacks.ABOUT.get(detector, 'visit')}")


def results(words: Words) -> list[tuple[str, str]]:
    return [(one.value, words(f"call.result.{one}")) for one in Result]


def call_line(one: Call, desk: Desk, words: Words) -> CallLine:
    """A call as lists show it."""
    return CallLine(
        alert_id=one.alert_id,
        number=one.number,
        person=words.person(one.person),
        ask=one.ask,
        assignee=one.assignee,
        due=words.day(datetime.combine(one.due, time(12), CHINA)),
        is_overdue=one.is_overdue(desk.now),
        result=words(f"call.result.{one.result}") if one.result else "",
        said=one.said,
        mine=one.assignee == desk.account.name and not one.result,
    )


def size(count: int) -> str:
    """1536 -> "1.5 KB"."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MB"


def _paper(one: Paper, words: Words) -> PaperLine:
    return PaperLine(
        number=one.number,
        name=one.name,
        size=size(one.size),
        digest=one.sha256,
        by=one.filed_by,
        at=words.moment(one.filed_at),
        notice=notices.templates()[one.notice].title if one.notice in notices.templates() else "",
        because=words("file.withdrawn", who=one.withdrawn_by, why=one.withdrawn_because) if one.withdrawn_at else "",
    )
