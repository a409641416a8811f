"""From bytes to events, and from events to bytes; what cannot be read is refused with reason, field and place."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from detectors.event import LATE_UPLOAD, Count, Event, Fen, Flag, Header, Presence, Price, Reference, Sale

LONGEST = 1 << 20  # bytes of one line: SPEC readings 3
MOST_YUAN = Decimal(10**12)
FIRST_YEAR, LAST_YEAR = 1900, 2999  # beyond, datetime overflows from one time zone to another
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,12})?", re.ASCII)
_KEPT = 100_000  # values remembered by each kind of number: prices and amounts repeat


class Refused(ValueError):  # noqa: N818 - it says what happened to the bytes
    """This is not an event. reason: a code of SPEC 3.2; detail: a sentence; field: a path (lines[0].cnt), or ""."""

    def __init__(self, reason: str, detail: str, field: str = "") -> None:
        super().__init__(f"{reason}: {detail}" + (f" ({field})" if field else ""))
        self.reason, self.detail, self.field = reason, detail, field


class Quarantined(Struct, kw_only=True, omit_defaults=True):
    """The record of SPEC 3.2. source: file, or topic/partition; line: from 1, or the offset; raw is base64 in JSON."""

    reason: str
    detail: str
    field: str = ""
    source: str
    line: int
    event_id: str = ""
    at: datetime
    raw: bytes


def read(raw: bytes) -> Event | Reference:
    """The event that these bytes tell.

    Raises Refused. Unknown fields are dropped; a field that is null counts as absent.
    """
    if len(raw) > LONGEST:
        raise Refused("too_long", f"longer than {LONGEST:,} bytes")
    event: Any  # msgspec's union cannot be narrowed below
    try:
        event = _decode(raw)
    except msgspec.ValidationError as error:
        event = _read_without_nulls(raw, error)
    except msgspec.DecodeError as error:
        raise Refused("not_json", str(error)) from None
    except UnicodeDecodeError as error:
        raise Refused("not_utf8", f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise Refused("not_json", "nested too deeply") from None
    event = _sound(event)
    if b"\\u0000" in raw:
        _refuse_nul(event)
    if isinstance(event, Header):
        msgspec.structs.force_setattr(event, "seal", crc32(raw) or 1)
    return event  # type: ignore[no-any-return]  # Any, see above


def _read_without_nulls(raw: bytes, error: msgspec.ValidationError) -> Event | Reference:
    """Read it once more, slowly: null counts as absent, and the first fault is to be named."""
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as broken:
        raise Refused("not_json", str(broken)) from None
    except UnicodeDecodeError as broken:
        raise Refused("not_utf8", f"byte {broken.start} is not UTF-8") from None
    if not isinstance(told, dict):
        raise Refused("not_an_object", f"an event is a JSON object, this is {type(told).__name__}") from None
    told.pop("_seal", None)  # ours, not the wire's
    try:
        return _decode(msgspec.json.encode(_without_nulls(told)))  # type: ignore[no-any-return]  # the decoder's union
    except msgspec.ValidationError as second:
        error = second
    except RecursionError:
        raise Refused("not_json", "nested too deeply") from None
    raise _refusal(str(error)) from None


def _without_nulls(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _without_nulls(value) for name, value in told.items() if value is not None}
    if isinstance(told, list):
        return [_without_nulls(value) for value in told]
    return told


def _refuse_nul(event: Event | Reference) -> None:
    """PostgreSQL stores no text with a NUL in it; of unknown fields nothing is stored."""
    if place := _place_of_nul(msgspec.json.decode(canonical(event))):
        raise Refused("malformed", "Expected a text without NUL characters", place)


def _place_of_nul(told: Any, place: str = "") -> str:
    if isinstance(told, str):
        return place if "\0" in told else ""
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(told, dict):
        inside = ((f"{place}.{name}".lstrip("."), value) for name, value in told.items())
    elif isinstance(told, list):
        inside = ((f"{place}[{number}]", value) for number, value in enumerate(told))
    return next(filter(None, (_place_of_nul(value, where) for where, value in inside)), "")


def _refusal(message: str) -> Refused:
    """msgspec's complaint, with its place, as ours."""
    detail, _, place = message.partition(" - at `$")
    place = place.rstrip("`").lstrip(".").replace("[...]", "[]")
    if missing := re.match(r"Object missing required field `(.+)`", detail):
        name = missing[1]
        return Refused("missing", f"{name} is required", f"{place}.{name}" if place else name)
    if place == "event_type":
        return Refused("unknown_type", detail, place)
    return Refused("malformed", detail, place)


def _sound(event: Any) -> Event | Reference:
    """What the types alone cannot say. Any: each check names the kind that it is for."""
    happened, received = event.happened_at, event.received_at
    _check_year(happened, "biz_time")
    if received is not None:
        _check_year(received, "recv_time")
        if happened - received > LATE_UPLOAD:
            raise Refused("clock", "biz_time is more than 10 minutes after recv_time", "biz_time")
    if isinstance(event, Sale):
        if event.bill and not event.person:
            raise Refused("missing", "psn_no is required beside setl_id", "psn_no")
    elif isinstance(event, Presence):
        return _checked(event)
    return event  # type: ignore[no-any-return]  # Any, see above


def _check_year(moment: datetime, name: str) -> None:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Refused("malformed", f"Expected a year from {FIRST_YEAR} to {LAST_YEAR}", name)


def _checked(check: Presence) -> Presence:
    of_doctor = check.subject == "doctor"
    required = {"dr_code": check.doctor} if of_doctor else {"psn_no": check.person, "mdtrt_id": check.visit}
    for name, value in required.items():
        if not value:
            raise Refused("missing", f"{name} is required of a {check.subject}'s check", name)
    if of_doctor:
        return msgspec.structs.replace(check, person="", visit="")
    return msgspec.structs.replace(check, doctor="") if check.doctor else check


def _number(raw: Any, decimals: int, what: str) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"Expected a number, got `{type(raw).__name__}`")  # noqa: TRY004 - msgspec wants a ValueError
    text = raw if isinstance(raw, str) else str(Decimal(repr(raw)).__format__("f"))
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"Expected {what}, got {text[:40]!r}")
    value = Decimal(text)
    if value != round(value, decimals):
        raise ValueError(f"Expected at most {decimals} decimals, got {text[:40]}")
    if abs(value) > MOST_YUAN:
        raise ValueError(f"Expected at most 10^12, got {text[:40]}")
    return value or Decimal(0)  # -0 is 0, and is written so


def _fen(raw: Any) -> Fen:
    return Fen(_number(raw, 2, "an amount in yuan") * 100)


_FLAGS = {"1": Flag(1), 1: Flag(1), "0": Flag(0), 0: Flag(0)}  # True and False are 1 and 0 as keys


def _flag(raw: Any) -> Flag:
    try:
        return _FLAGS[raw]
    except (KeyError, TypeError):
        raise ValueError(f'Expected "0", "1", true or false, got {str(raw)[:40]!r}') from None


_READ: dict[Any, Callable[[Any], Any]] = {
    Fen: _fen,
    Flag: _flag,
    Count: lambda raw: Count(_number(raw, 4, "a number")),
    Price: lambda raw: Price(_number(raw, 6, "a price")),
}
_known: dict[Any, dict[Any, Any]] = {kind: {} for kind in _READ}  # from what the wire says to what it means


def _dec_hook(kind: Any, raw: Any) -> Any:
    """Any: one of our kinds of numbers, and whatever JSON holds in its place."""
    if raw is not True and raw is not False:  # equal to 1 and 0 as keys, but no numbers
        known = _known[kind]
        try:
            return known[raw]
        except TypeError:
            return _READ[kind](raw)
        except KeyError:
            made = _READ[kind](raw)
            if len(known) < _KEPT:
                known[raw] = made
            return made
    return _READ[kind](raw)


def _enc_hook(value: Any) -> str:
    """Numbers as the wire writes them: yuan with two decimals, others without an exponent, flags "0" and "1"."""
    if isinstance(value, Fen):
        return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(int(value))


_decode = msgspec.json.Decoder(Event | Reference, dec_hook=_dec_hook).decode
_encode = msgspec.json.Encoder(order="sorted", enc_hook=_enc_hook).encode


def canonical(event: Struct) -> bytes:
    """Known fields, sorted keys: the same bytes for every telling of the same copy.

    A field that says what its absence says is left out.
    """
    told = _told(event)
    told.pop("_seal", None)
    return _encode(told)


def _told(event: Struct) -> dict[str, Any]:
    """By comparing, since msgspec leaves out defaults by identity. Any: the values of the fields."""
    told = {
        wire: tuple(map(_told, value)) if name == "lines" else value
        for name, wire, default in _fields(type(event))
        if (value := getattr(event, name)) != default
    }
    if tag := event.__struct_config__.tag:
        told["event_type"] = tag
    return told


@cache
def _fields(kind: type[Struct]) -> tuple[tuple[str, str, Any], ...]:
    return tuple((field.name, field.encode_name, field.default) for field in msgspec.structs.fields(kind))


def seal_of(event: Event) -> int:
    """Tells differing copies apart: CRC-32 of the bytes it was read from, of its canonical bytes if written by hand.

    Never 0. It names a copy, no more: which of two copies counts is decided by their content (file.py).
    """
    if not event.seal:
        msgspec.structs.force_setattr(event, "seal", crc32(canonical(event)) or 1)
    return event.seal


_EVENT_ID = re.compile(rb'"event_id"\s*:\s*"([^"\\]{1,200})"')


def quarantined(refused: Refused, raw: bytes, source: str, line: int, at: datetime) -> Quarantined:
    """The record of what could not be read. raw is kept up to LONGEST bytes."""
    found = _EVENT_ID.search(raw)
    return Quarantined(
        reason=refused.reason,
        detail=refused.detail,
        field=refused.field,
        source=source,
        line=line,
        event_id=found[1].decode(errors="replace") if found else "",
        at=at,
        raw=raw[:LONGEST],
    )
