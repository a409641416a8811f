"""The file of a lead as one account may see and change it: papers, notices, calls. Under its pages and its API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from alerts import callbacks, notices, papers
from alerts.accounts import Role
from alerts.callbacks import Call, Result
from alerts.casework import WRITERS, NoLeadError
from alerts.life import MoveError
from alerts.papers import Cabinet, Paper
from alerts.reveal import persons_of
from alerts.web.desk import Desk
from alerts.web.handles import handle_of
from alerts.web.workdesk import WorkDesk
from detectors.finding import Subject

NOTICE_WRITERS = frozenset({Role.INVESTIGATOR, Role.REVIEWER})
FORMS = ("docx", "pdf")


@dataclass(frozen=True, slots=True)
class FileDesk:
    """Its calls block, and raise NoLeadError for a lead outside the account's areas, or without papers here."""

    desk: Desk
    cabinet: Cabinet | None = None

    def papers(self, alert_id: str) -> list[Paper]:
        self._check_reach(alert_id)
        return papers.papers_of(self.desk.store, alert_id)

    def paper(self, alert_id: str, number: int) -> Paper:
        """One of them, withdrawn or not."""
        for one in self.papers(alert_id):
            if one.number == number:
                return one
        raise NoLeadError(f"{alert_id}/{number}")

    def hand_in(self, alert_id: str, name: str, body: bytes | None, key: str = "") -> Paper:
        """File what was sent; None: it was told to be too large. Raises MoveError, KeyReusedError."""
        desk, cabinet = self.desk, self._kept()
        if body is None:
            raise MoveError("paper_too_large")
        return papers.file_paper(desk.store, cabinet, desk.account, alert_id, name, body, desk.now, key=key)

    def read(self, alert_id: str, number: int) -> tuple[Paper, bytes]:
        """Raises DamagedError."""
        return papers.read_paper(self.desk.store, self._kept(), self.desk.account, alert_id, number, self.desk.now)

    def withdraw(self, alert_id: str, number: int, because: str, key: str = "") -> None:
        """Raises MoveError, KeyReusedError."""
        desk = self.desk
        papers.withdraw_paper(desk.store, desk.account, alert_id, number, because, desk.now, key=key)

    def offered(self, alert_id: str) -> list[str]:
        """The kinds of notices that this account may write now."""
        work = WorkDesk(self.desk).work(alert_id)
        if work is None:
            raise NoLeadError(alert_id)
        writes = self.cabinet is not None and self.desk.account.role in NOTICE_WRITERS
        return notices.offered(work.state) if writes else []

    def write(self, alert_id: str, kind: str, form: str, key: str = "") -> Paper:
        """Write a notice from the lead's record, and file it. Raises MoveError, KeyReusedError."""
        desk, at, cabinet = self.desk, WorkDesk(self.desk), self._kept()
        detail, work = desk.detail(alert_id), at.work(alert_id)
        if detail is None or work is None or form not in FORMS:
            raise NoLeadError(alert_id)
        if desk.account.role not in NOTICE_WRITERS:
            raise MoveError("not_your_role")
        if kind not in notices.offered(work.state):
            raise MoveError("no_such_move")
        notice = notices.written(kind, detail, work, at.measures(alert_id), desk.now)
        body = notices.as_docx(notice) if form == "docx" else notices.as_pdf(notice)
        name = f"{notice.title}-{notice.number}.{form}"
        return papers.file_paper(
            desk.store, cabinet, desk.account, alert_id, name, body, desk.now, notice=kind, key=key
        )

    def patients(self, alert_id: str) -> Sequence[str]:
        """Whom a call may be about; nobody for who may set none."""
        self._check_reach(alert_id)
        return persons_of(self.desk.store, alert_id) if self.desk.account.role in WRITERS else ()

    def handles(self, alert_id: str, secret: str) -> Mapping[str, str]:
        """The same by names that tell nothing."""
        return {handle_of(Subject("person", one), secret): one for one in self.patients(alert_id)}

    def calls(self, alert_id: str) -> list[Call]:
        self._check_reach(alert_id)
        return callbacks.calls_of(self.desk.store, alert_id)

    def call(self, alert_id: str, number: int) -> Call:
        for one in self.calls(alert_id):
            if one.number == number:
                return one
        raise NoLeadError(f"{alert_id}/{number}")

    def set_call(self, alert_id: str, person: str, ask: str, assignee: str, due: date, key: str = "") -> Call:
        """Raises MoveError, KeyReusedError."""
        desk = self.desk
        return callbacks.set_call(desk.store, desk.account, alert_id, person, ask, assignee, due, desk.now, key=key)

    def report(self, alert_id: str, number: int, result: Result, said: str, key: str = "") -> None:
        """What a call has brought. Raises MoveError, KeyReusedError."""
        desk = self.desk
        callbacks.done(desk.store, desk.account, alert_id, number, result, said, desk.now, key=key)

    def _kept(self) -> Cabinet:
        if self.cabinet is None:
            raise NoLeadError("no papers are kept here")
        return self.cabinet

    def _check_reach(self, alert_id: str) -> None:
        if self.desk.row(alert_id) is None:
            raise NoLeadError(alert_id)
