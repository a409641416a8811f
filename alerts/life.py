"""The life of a lead: one table of states and of the moves between them, and nothing that reads or writes.

    fits = [rule for rule in moves_from(State.NEW) if rule.role is Role.SCREENER]
    check(work, rule, who, asked)       # raises MoveError, with the code of what is wrong

States and days are domain.md 6.1's; docs/decisions/n-the-life-of-a-lead.md says where it leaves a choice.
"""

from enum import StrEnum

from msgspec import Struct

from alerts.accounts import Account, Role

LONGEST_NOTE = 2_000  # characters
LONGEST_NUMBER = 100  # characters of a document's number
MOST_MEASURES = 20
MOST_FEN = 10**13  # of one amount: a hundred thousand million yuan, more than any fund holds
MOST_POINTS = 12  # of one measure: a full year's


class State(StrEnum):
    """How far people have come with a lead. That its ground is gone (withdrawn) stands beside: see the alert."""

    NEW = "new"  # 待研判
    SCREENED = "screened"  # 初筛
    DISMISSED = "dismissed"  # 已排除
    ASSIGNED = "assigned"  # 已派发
    VERIFYING = "verifying"  # 核查中
    FEEDBACK = "feedback"  # 已反馈
    APPEAL = "appeal"  # 申诉中
    REVIEW = "review"  # 复核
    CONFIRMED = "confirmed"  # 属实
    PARTLY = "partly"  # 部分属实
    UNFOUNDED = "unfounded"  # 不属实
    PENDING_EVIDENCE = "pending_evidence"  # 待补证
    FILED = "filed"  # 立案
    DISPOSED = "disposed"  # 已处理
    RECTIFIED = "rectified"  # 整改完成
    TRANSFERRED = "transferred"  # 已移送
    ARCHIVED = "archived"  # 已归档


CLOSED = frozenset({State.DISMISSED, State.UNFOUNDED, State.TRANSFERRED, State.ARCHIVED})  # nothing is awaited of them


class Name(StrEnum):
    """What can be done to a lead."""

    SCREEN = "screen"
    DISMISS = "dismiss"
    RETURN = "return"
    DISPATCH = "dispatch"
    VERIFY = "verify"
    EXTEND = "extend"
    REPORT = "report"
    APPEAL = "appeal"
    HEARD = "heard"
    SUBMIT = "submit"
    CONFIRM = "confirm"
    CONFIRM_PARTLY = "confirm_partly"
    UNFOUND = "unfound"
    MORE_EVIDENCE = "more_evidence"
    RESUME = "resume"
    FILE = "file"
    DISPOSE = "dispose"
    TRANSFER = "transfer"
    RECTIFY = "rectify"
    ARCHIVE = "archive"
    REOPEN = "reopen"


class Reason(StrEnum):
    """Why a lead is dismissed; ``exclusion`` is one of X01 to X22 and goes with its code."""

    EXCLUSION = "exclusion"
    RULE = "rule"  # 规则问题
    DATA = "data"  # 数据问题
    POLICY = "policy"  # 政策允许
    DUPLICATE = "duplicate"  # 重复


EXCLUSIONS = tuple(f"X{number:02d}" for number in range(1, 23))


class Kind(StrEnum):
    """Measures; see domain.md 6.1."""

    TALK = "talk"  # 约谈
    RECTIFY = "rectify"  # 责令限期整改
    RECOVER = "recover"  # 追回、责令退回
    REFUSE = "refuse"  # 拒付
    BREACH = "breach"  # 违约金
    FINE = "fine"  # 罚款
    SUSPEND = "suspend"  # 中止协议、暂停联网结算
    TERMINATE = "terminate"  # 解除协议
    NOTICE = "notice"  # 通报、曝光
    POINTS = "points"  # 协议记分、支付资格记分
    OTHER = "other"


RECOVERED = frozenset({Kind.RECOVER, Kind.REFUSE})  # money the fund has back, or keeps
PENALTIES = frozenset({Kind.BREACH, Kind.FINE})
WITH_MONEY = RECOVERED | PENALTIES
LEDGERS = frozenset({"org", "doctor", "cashier"})  # who points are held against


class Need(StrEnum):
    """What has to be given with a move."""

    NOTE = "note"
    REASON = "reason"
    OFFICERS = "officers"
    AMOUNT = "amount"
    DOCUMENT = "document"
    MEASURES = "measures"


class Bar(StrEnum):
    """Whom four eyes keep from a move, though the role would do."""

    SCREENER = "own_screening"  # who screened it may not review it
    OFFICER = "own_check"  # who checked it may not find on it
    OTHERS = "not_an_officer"  # only the officers it was dispatched to


class Rule(Struct, frozen=True):
    """One row: from here by this move to there; who may, and what must be given."""

    state: State
    move: Name
    to: State
    role: Role
    needs: tuple[Need, ...] = ()
    bar: Bar | None = None


class Measure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measure taken. Points are held against a subject: an institution, a doctor, or a cashier."""

    kind: Kind
    amount_fen: int = 0
    points: int = 0
    subject_kind: str = ""
    subject_id: str = ""
    document: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """What is given with a move; what the move does not need is left out."""

    note: str = ""
    reason: Reason | None = None
    exclusion: str = ""
    officers: tuple[str, ...] = ()
    amount_fen: int | None = None
    document: str = ""
    measures: tuple[Measure, ...] = ()


NOTHING = Asked()


class Trail(Struct, frozen=True):
    """What four eyes and the one extension need to know of a lead's past."""

    state: State = State.NEW
    screened_by: str = ""
    officers: tuple[str, ...] = ()
    extended: bool = False


class MoveError(ValueError):
    """A move that is not allowed here or lacks something; ``code`` names why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code


_S, _N, _R, _G = State, Name, Role, Need

TABLE: tuple[Rule, ...] = (
    Rule(_S.NEW, _N.SCREEN, _S.SCREENED, _R.SCREENER),
    Rule(_S.NEW, _N.DISMISS, _S.DISMISSED, _R.SCREENER, (_G.REASON,)),
    Rule(_S.SCREENED, _N.DISMISS, _S.DISMISSED, _R.REVIEWER, (_G.REASON,), Bar.SCREENER),
    Rule(_S.SCREENED, _N.RETURN, _S.NEW, _R.REVIEWER, (_G.NOTE,), Bar.SCREENER),
    Rule(_S.SCREENED, _N.DISPATCH, _S.ASSIGNED, _R.REVIEWER, (_G.NOTE, _G.OFFICERS), Bar.SCREENER),
    Rule(_S.ASSIGNED, _N.VERIFY, _S.VERIFYING, _R.INVESTIGATOR, (), Bar.OTHERS),
    Rule(_S.VERIFYING, _N.EXTEND, _S.VERIFYING, _R.REVIEWER, (_G.NOTE,)),
    Rule(_S.VERIFYING, _N.REPORT, _S.FEEDBACK, _R.INVESTIGATOR, (_G.NOTE, _G.AMOUNT), Bar.OTHERS),
    Rule(_S.FEEDBACK, _N.APPEAL, _S.APPEAL, _R.INVESTIGATOR, (_G.NOTE,), Bar.OTHERS),
    Rule(_S.FEEDBACK, _N.SUBMIT, _S.REVIEW, _R.INVESTIGATOR, (), Bar.OTHERS),
    Rule(_S.APPEAL, _N.HEARD, _S.REVIEW, _R.INVESTIGATOR, (_G.NOTE,), Bar.OTHERS),
    Rule(_S.REVIEW, _N.CONFIRM, _S.CONFIRMED, _R.REVIEWER, (_G.NOTE, _G.AMOUNT), Bar.OFFICER),
    Rule(_S.REVIEW, _N.CONFIRM_PARTLY, _S.PARTLY, _R.REVIEWER, (_G.NOTE, _G.AMOUNT), Bar.OFFICER),
    Rule(_S.REVIEW, _N.UNFOUND, _S.UNFOUNDED, _R.REVIEWER, (_G.NOTE,), Bar.OFFICER),
    Rule(_S.REVIEW, _N.MORE_EVIDENCE, _S.PENDING_EVIDENCE, _R.REVIEWER, (_G.NOTE,), Bar.OFFICER),
    Rule(_S.PENDING_EVIDENCE, _N.RESUME, _S.VERIFYING, _R.INVESTIGATOR, (), Bar.OTHERS),
    *(
        Rule(found, move, to, _R.REVIEWER, needs, Bar.OFFICER)
        for found in (_S.CONFIRMED, _S.PARTLY, _S.FILED)
        for move, to, needs in (
            (_N.FILE, _S.FILED, (_G.DOCUMENT,)),
            (_N.DISPOSE, _S.DISPOSED, (_G.MEASURES,)),
            (_N.TRANSFER, _S.TRANSFERRED, (_G.NOTE, _G.DOCUMENT)),
        )
        if (found, move) != (_S.FILED, _N.FILE)
    ),
    Rule(_S.DISPOSED, _N.RECTIFY, _S.RECTIFIED, _R.INVESTIGATOR, (_G.NOTE,), Bar.OTHERS),
    *(
        Rule(done, _N.ARCHIVE, _S.ARCHIVED, _R.REVIEWER)
        for done in (_S.DISMISSED, _S.UNFOUNDED, _S.RECTIFIED, _S.TRANSFERRED)
    ),
    *(Rule(done, _N.REOPEN, _S.NEW, _R.REVIEWER, (_G.NOTE,)) for done in (_S.DISMISSED, _S.UNFOUNDED, _S.ARCHIVED)),
)

_BY_KEY = {(rule.state, rule.move): rule for rule in TABLE}
FOUND = {_S.CONFIRMED, _S.PARTLY, _S.UNFOUNDED}  # states that say what came of it
OVER = {_S.DISMISSED, _S.UNFOUNDED, _S.RECTIFIED, _S.TRANSFERRED, _S.ARCHIVED}  # nothing is awaited in time


def rule_of(state: State, move: Name) -> Rule:
    """The row of the table. Raises MoveError where there is none."""
    found = _BY_KEY.get((state, move))
    if found is None:
        raise MoveError("no_such_move", f"{move} is no move from {state}")
    return found


def hindrance(trail: Trail, rule: Rule, who: Account) -> str | None:
    """Why this account may not make this move; None if it may. Asks nothing about what would be given."""
    if who.role is not rule.role:
        return "not_your_role"
    if rule.bar is Bar.SCREENER and who.name == trail.screened_by:
        return rule.bar.value
    if rule.bar is Bar.OFFICER and who.name in trail.officers:
        return rule.bar.value
    if rule.bar is Bar.OTHERS and who.name not in trail.officers:
        return rule.bar.value
    if rule.move is Name.EXTEND and trail.extended:
        return "extended_already"
    return None


def allowed(trail: Trail, who: Account) -> list[Rule]:
    """The moves this account may make now, in the table's order."""
    return [rule for rule in TABLE if rule.state is trail.state and hindrance(trail, rule, who) is None]


def check(trail: Trail, move: Name, who: Account, asked: Asked) -> Rule:
    """The row by which this account may do so with what it gives. Raises MoveError."""
    rule = rule_of(trail.state, move)
    why_not = hindrance(trail, rule, who)
    if why_not:
        raise MoveError(why_not)
    _check_sizes(asked)
    for need in rule.needs:
        _NEEDS[need](asked)
    return rule


def _check_sizes(asked: Asked) -> None:
    if len(asked.note) > LONGEST_NOTE or len(asked.document) > LONGEST_NUMBER:
        raise MoveError("too_long")
    if asked.amount_fen is not None and not 0 <= asked.amount_fen <= MOST_FEN:
        raise MoveError("amount_needed")


def _note(asked: Asked) -> None:
    if not asked.note.strip():
        raise MoveError("note_needed")


def _document(asked: Asked) -> None:
    if not asked.document.strip():
        raise MoveError("document_needed")


def _amount(asked: Asked) -> None:
    if asked.amount_fen is None:
        raise MoveError("amount_needed")


def _reason(asked: Asked) -> None:
    if asked.reason is None:
        raise MoveError("reason_needed")
    if asked.reason is Reason.EXCLUSION and asked.exclusion not in EXCLUSIONS:
        raise MoveError("exclusion_needed")
    if asked.reason is not Reason.EXCLUSION:
        _note(asked)


def _officers(asked: Asked) -> None:
    if len(set(asked.officers)) != 2 or len(asked.officers) != 2:
        raise MoveError("two_officers_needed")


def _measures(asked: Asked) -> None:
    if not 0 < len(asked.measures) <= MOST_MEASURES:
        raise MoveError("measures_needed")
    for measure in asked.measures:
        _measure(measure)


def _measure(one: Measure) -> None:
    if not (0 <= one.amount_fen <= MOST_FEN and 0 <= one.points <= MOST_POINTS):
        raise MoveError("measure_amount")
    if (one.kind in WITH_MONEY) != (one.amount_fen > 0) or (one.kind is Kind.POINTS) != (one.points > 0):
        raise MoveError("measure_amount")
    named = one.subject_kind in LEDGERS and 0 < len(one.subject_id) <= LONGEST_NUMBER
    if one.points and not named:
        raise MoveError("measure_subject")
    if not one.points and (one.subject_kind or one.subject_id):
        raise MoveError("measure_subject")
    if len(one.document) > LONGEST_NUMBER:
        raise MoveError("too_long")


_NEEDS = {
    Need.NOTE: _note,
    Need.REASON: _reason,
    Need.OFFICERS: _officers,
    Need.AMOUNT: _amount,
    Need.DOCUMENT: _document,
    Need.MEASURES: _measures,
}
