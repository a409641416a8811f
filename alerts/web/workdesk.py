"""Working leads on behalf of one account: the one layer under the work panel and its API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alerts import casework
from alerts.accounts import Role
from alerts.casework import KeyReusedError, NoLeadError, StaleError, Taken, Work
from alerts.corrected import OvertakenError
from alerts.deadlines import Warning, warning
from alerts.kept import within
from alerts.life import Asked, MoveError, Name, Rule
from alerts.outcomes import Outcome, Outcomes, outcomes
from alerts.web.desk import Desk
from alerts.web.wording import Words

NOT_YOURS = frozenset(
    {"not_your_role", "own_screening", "own_check", "not_an_officer", "not_your_call", "not_your_entry"}
)
NOT_NOW = frozenset(
    {
        "no_such_move",
        "withdrawn",
        "extended_already",
        "too_many_comments",
        "too_many_papers",
        "too_many_calls",
        "call_done",
        "entered_already",
        "decided_already",
    }
)


class RefusedError(Exception):
    """A write that was not carried out, with the status and code to answer and why, in the reader's language."""

    def __init__(self, status: int, code: str, detail: str = "") -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


@dataclass(frozen=True, slots=True)
class WorkDesk:
    """The life of leads as one account may see and move it. Its calls block."""

    desk: Desk

    def work(self, alert_id: str) -> Work | None:
        """How far a lead has come; None if there is none within the account's areas."""
        return casework.work_of(self.desk.store, alert_id) if self.desk.row(alert_id) else None

    def moves(self, work: Work) -> list[Rule]:
        """What the account may do now."""
        row = self.desk.row(work.alert_id)
        return casework.moves_for(work, self.desk.account, row is None or row.status == "withdrawn")

    def outcome(self, alert_id: str) -> Outcome | None:
        """What came of the leads of the same detector; None while nobody worked on one."""
        row = self.desk.row(alert_id)
        told = outcomes(self.desk.store, areas=self.desk.account.areas, detector=row.detector) if row else Outcomes(())
        return told.detectors[0] if told.detectors else None

    def may_comment(self) -> bool:
        return self.desk.account.role in casework.WRITERS

    def measures(self, alert_id: str) -> list[Taken]:
        return casework.measures_of(self.desk.store, alert_id)

    def warning(self, work: Work) -> Warning:
        return warning(work.due, self.desk.now)

    def officers(self, alert_id: str) -> list[str]:
        """Whom a lead can be dispatched to: investigators who may see it, by name."""
        row = self.desk.row(alert_id)
        return [
            one.name
            for one in self.desk.store.accounts()
            if row and one.role == Role.INVESTIGATOR and not one.disabled and within(row.areas, one.areas)
        ]

    def move(self, alert_id: str, version: int, name: Name, asked: Asked, key: str) -> Work:
        """Raises what alerts.casework.move raises."""
        desk = self.desk
        return casework.move(desk.store, desk.account, alert_id, version, name, asked, desk.now, key=key)

    def comment(self, alert_id: str, text: str, key: str) -> None:
        """Raises what alerts.casework.comment raises."""
        casework.comment(self.desk.store, self.desk.account, alert_id, text, self.desk.now, key=key)

    def ledger(self, kind: str, name: str) -> list[Taken]:
        return casework.ledger(self.desk.store, kind, name, areas=self.desk.account.areas)


@contextmanager
def refused(words: Words) -> Iterator[None]:
    """What a write raises becomes a RefusedError that says so in words."""
    try:
        yield
    except StaleError as error:
        raise RefusedError(412, "changed_meanwhile", changed_meanwhile(error.work, words)) from None
    except OvertakenError as error:
        raise RefusedError(412, "changed_meanwhile", words("enter.stale", who=error.by)) from None
    except NoLeadError:
        raise RefusedError(404, "not_found") from None
    except KeyReusedError:
        raise RefusedError(409, "not_now", words("work.why.key_reused")) from None
    except MoveError as error:
        status, code = _kind(error.code)
        raise RefusedError(status, code, words(f"work.why.{error.code}")) from None


def changed_meanwhile(work: Work, words: Words) -> str:
    """Who was first, when, and how it stands now."""
    if not work.changed_by:
        return words("work.stale.unknown")
    return words(
        "work.stale", who=work.changed_by, at=words.recent(work.changed_at), state=words(f"work.state.{work.state}")
    )


def _kind(code: str) -> tuple[int, str]:
    if code in NOT_YOURS:
        return 403, "not_allowed"
    return (409, "not_now") if code in NOT_NOW else (422, "lacking")
