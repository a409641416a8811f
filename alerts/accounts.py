"""Who may log in to the feed: local accounts, their roles, and the areas they are limited to."""

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct
from msgspec.structs import replace

from alerts.kept import AccountRecord, Note
from alerts.store import Store
from alerts.writing import Writing

FAILURES = 5  # log-ins in a row that fail, then the account is locked
LOCKED_FOR = timedelta(minutes=15)
SHORTEST, LONGEST = 12, 1_024  # characters of a password; the upper bound keeps hashing cheap to refuse

LEAST_EXPONENT = 8.0  # 10^8 guesses, what zxcvbn calls safely unguessable online: score 3 of 4
MOST_LOOKED_AT = 72  # characters that are looked up: its time grows with their number

ELSEWHERE = "elsewhere:"  # stands, with the provider, where a password's hash would: no password fits it

_hasher = PasswordHasher()
_NOBODY: Final = _hasher.hash(secrets.token_urlsafe())  # what an unknown name's password is checked against


class Role(StrEnum):
    """What somebody may do. auditor reads everything and changes nothing; admin sees no business data."""

    VIEWER = "viewer"  # 值班
    SCREENER = "screener"  # 初审
    REVIEWER = "reviewer"  # 复审
    INVESTIGATOR = "investigator"  # 调查
    RULES = "rules"  # 规则管理
    AUDITOR = "auditor"  # 审计
    ADMIN = "admin"  # 系统管理


class Account(Struct, frozen=True):
    """Somebody who may log in. ``areas``: 6 digits each, 330100 is all of 3301; none: every area.

    ``stamp`` differs after every change of password, role or areas: a session that carries another one has ended.
    """

    name: str
    role: Role
    areas: tuple[str, ...]
    disabled: bool
    locked_until: datetime | None
    changed_at: datetime
    must_change: bool = False  # its password, before anything else

    @property
    def stamp(self) -> str:
        return f"{self.changed_at.timestamp():.6f}"


class AccountError(Exception):
    """An account that cannot be made or changed so; the message says why."""


def check_login(store: Store, name: str, password: str, now: datetime) -> Account | None:
    """Who this is; None for an unknown name, a wrong password, or an account that is locked or disabled.

    Does the same work, hashing and writing, for a name that does not exist as for one that does.
    An attempt counts as failed before the password is looked at, so that many at once gain nothing.
    The audit trail has every attempt (``login_tried``) and every success (``login``).
    """
    record = _count_attempt(store, name, now)
    is_local = record is not None and not record.password_hash.startswith(ELSEWHERE)
    fits = _fits(record.password_hash if record and is_local else _NOBODY, password)
    return _let_in(store, record, now) if fits and record else None


def add_account(
    store: Store,
    name: str,
    password: str,
    role: Role,
    areas: tuple[str, ...],
    now: datetime,
    by: str,
    *,
    must_change: bool = False,
) -> None:
    """Make an account. Raises AccountError for a name that is taken or a password or area that will not do.

    must_change: whoever logs in with this password chooses another one before anything else.
    """
    _check_name(name)
    _check_areas(areas)
    _check_password(name, password)
    record = replace(_blank(name, _hasher.hash(_typed(password)), now), role=role.value, areas=areas)
    record = replace(record, must_change=must_change)
    with store.writing() as writing:
        if writing.account(name) is not None:
            raise AccountError(f"there is an account {name!r} already")
        writing.put_account(record)
        _log(writing, "account_added", by, now, account=name, role=role.value, areas=areas)


def enter(store: Store, name: str, role: Role, areas: tuple[str, ...], now: datetime, provider: str) -> Account:
    """Let somebody in whom an identity provider vouches for, with the rights that it tells.

    The account is made at the first time; other rights than the last time end the former sessions.
    Raises AccountError for a name or area that will not do, a local account of that name, or a disabled one.
    """
    _check_name(name)
    _check_areas(areas)
    with store.writing() as writing:
        known = writing.account(name)
        record = known or _blank(name, ELSEWHERE + provider, now)
        if record.password_hash != ELSEWHERE + provider:
            raise AccountError(f"{name!r} is an account of another kind")
        if record.disabled:
            raise AccountError(f"{name!r} is disabled")
        if known is None or (record.role, record.areas) != (role.value, areas):
            record = replace(record, role=role.value, areas=areas, changed_at=now)
            writing.put_account(record)
            _log(writing, "account_told", provider, now, account=name, role=role.value, areas=areas)
        _log(writing, "login", name, now, provider=provider)
    return _account(record)


def reset_password(
    store: Store, name: str, password: str, now: datetime, by: str, *, must_change: bool = False
) -> None:
    """Give an account a new password, unlock and enable it; its sessions end. Raises AccountError."""
    _check_password(name, password)
    hashed = _hasher.hash(_typed(password))
    with store.writing() as writing:
        record = _known(writing, name)
        if record.password_hash.startswith(ELSEWHERE):
            raise AccountError(f"{name!r} logs in at {record.password_hash.removeprefix(ELSEWHERE)}: no password here")
        fresh = replace(record, password_hash=hashed, disabled=False, failures=0, locked_until=None, changed_at=now)
        fresh = replace(fresh, must_change=must_change)
        writing.put_account(fresh)
        _log(writing, "account_reset", by, now, account=name)


def change_password(store: Store, name: str, old: str, new: str, now: datetime) -> Account | None:
    """Give one's own account another password; all its sessions end. None: the old one does not fit, or no more tries.

    Raises AccountError for a new one that will not do.
    """
    _check_password(name, new)
    if check_login(store, name, old, now) is None:
        return None
    if old == new:
        raise AccountError("a new password differs from the old one")
    reset_password(store, name, new, now, by=name)
    return account(store, name)


def disable_account(store: Store, name: str, now: datetime, by: str) -> None:
    """Let nobody in under this name; its sessions end. Raises AccountError."""
    with store.writing() as writing:
        writing.put_account(replace(_known(writing, name), disabled=True, changed_at=now))
        _log(writing, "account_disabled", by, now, account=name)


def account(store: Store, name: str) -> Account | None:
    """The account of this name, for checking a session against; None if there is none or it is disabled."""
    record = store.account(name)
    return _account(record) if record and not record.disabled else None


def is_local(store: Store, name: str) -> bool:
    """Does it log in here, with a password, and not at an identity provider?"""
    record = store.account(name)
    return record is not None and not record.password_hash.startswith(ELSEWHERE)


def accounts(store: Store) -> list[Account]:
    """All accounts, by name."""
    return [_account(record) for record in store.accounts()]


def generated_password() -> str:
    """A password nobody can guess, of letters and digits that are not mistaken for one another."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def _count_attempt(store: Store, name: str, now: datetime) -> AccountRecord | None:
    """The account if it may try, with this attempt counted as failed."""
    with store.writing() as writing:
        record = writing.account(name)
        # What was typed for an unknown name is not written down: it is often a password.
        _log(writing, "login_tried", name if record else "?", now)
        if record is None or record.disabled or (record.locked_until is not None and now < record.locked_until):
            return None
        failures = 1 if record.locked_until is not None else record.failures + 1  # a lock that has passed begins anew
        record = replace(record, failures=failures, locked_until=now + LOCKED_FOR if failures >= FAILURES else None)
        writing.put_account(record)
        return record


def _let_in(store: Store, record: AccountRecord, now: datetime) -> Account | None:
    """The account, unless it was changed (disabled, say) while the password was being looked at."""
    with store.writing() as writing:
        known = writing.account(record.name)
        if known is None or known.changed_at != record.changed_at:
            return None
        known = replace(known, failures=0, locked_until=None)
        writing.put_account(known)
        _log(writing, "login", record.name, now)
        return _account(known)


def _fits(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, _typed(password))
    except (VerificationError, InvalidHashError):
        return False


def _typed(password: str) -> bytes:
    """As bytes, whatever was sent; a bound keeps what is refused cheap."""
    return password[:LONGEST].encode(errors="surrogatepass")


def _account(record: AccountRecord) -> Account:
    return Account(
        name=record.name,
        role=Role(record.role),
        areas=record.areas,
        disabled=record.disabled,
        locked_until=record.locked_until,
        changed_at=record.changed_at,
        must_change=record.must_change,
    )


def _blank(name: str, password_hash: str, now: datetime) -> AccountRecord:
    return AccountRecord(
        name=name,
        password_hash=password_hash,
        role=Role.VIEWER.value,
        areas=(),
        disabled=False,
        failures=0,
        locked_until=None,
        created_at=now,
        changed_at=now,
    )


def _known(writing: Writing, name: str) -> AccountRecord:
    record = writing.account(name)
    if record is None:
        raise AccountError(f"there is no account {name!r}")
    return record


def _check_name(name: str) -> None:
    if not name.isprintable() or not 1 <= len(name) <= 64 or name != name.strip() or name == "?":
        raise AccountError(f"{name!r} is no name: 1 to 64 printable characters, no blank at either end")


def _check_areas(areas: tuple[str, ...]) -> None:
    for area in areas:
        if not (len(area) == 6 and area.isascii() and area.isdigit()):
            raise AccountError(f"{area!r} is no area: six digits, such as 330100")


def _check_password(name: str, password: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"a password has {SHORTEST} to {LONGEST} characters, this one {len(password)}")
    if name.casefold() in password.casefold() and len(name) > 3:
        raise AccountError("a password may not contain the account's name")
    if len(set(password)) < 5:
        raise AccountError("a password has at least 5 different characters")
    if _guesses_exponent(name, password) < LEAST_EXPONENT:
        raise AccountError("a password is not among those that many people have, nor close to one")


def _guesses_exponent(name: str, password: str) -> float:
    """After 10 to the power of what somebody who knows the usual passwords has found it."""
    from zxcvbn import zxcvbn  # its lists take 40 ms and 15 MB to load

    return float(zxcvbn(password[:MOST_LOOKED_AT], user_inputs=[name])["guesses_log10"])


def _log(writing: Writing, kind: str, actor: str, at: datetime, **data: object) -> None:
    writing.append([Note(kind=kind, actor=actor, at=at, data=msgspec.json.encode(data))])
