"""The audit trail for auditors: what people did, filtered, and whether the chain of hashes holds."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import anyio
import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.kept import CHANGES, Note
from alerts.trail import GROUPS, Row, read
from alerts.web.audit_api import Asked, Auditor, Seq
from alerts.web.beside import VIEWED
from alerts.web.context import Asks, Speaks
from alerts.web.pages import draw_page
from alerts.web.wording import Words

pages = APIRouter(include_in_schema=False)
_walking = anyio.CapacityLimiter(1)  # a walk reads the whole trail


class Line(NamedTuple):
    """One row in words."""

    seq: int
    at: str
    actor: str
    what: str
    told: Sequence[tuple[str, str]]
    alert_id: str
    hash: str


class Proof(NamedTuple):
    """What a walk along the chain found. broken: the first row that is not as it was written."""

    rows: int
    broken: int | None
    at: str


@pages.get("/audit")
async def page(
    request: Request, asks: Asks, words: Speaks, account: Auditor, of: Asked, before: Seq = None, verify: bool = False
) -> Response:
    """That it was read is written down, too."""
    found = await run_sync(read, asks.store, of, before)
    note = Note(kind=VIEWED, actor=account.name, at=asks.clock(), data=b'{"how":"audit"}')
    await run_sync(asks.store.note, note)
    proof = None
    if verify:
        broken = await run_sync(asks.store.chain_broken_at, limiter=_walking)
        proof = Proof(await run_sync(asks.store.last_seq), broken, words.clock(asks.clock(), seconds=True))
    chosen = {name: request.query_params.get(name, "") for name in ("who", "what", "lead", "since", "until")}
    return draw_page(
        request,
        "audit.html",
        words,
        lines=[_line(row, words) for row in found.rows],
        older=urlencode(chosen | {"before": found.before}) if found.before else "",
        chosen=chosen,
        groups=tuple(GROUPS),
        proof=proof,
        account=account,
    )


WORDED = {  # what a name's value is one of, as the keys of texts begin
    "how": "audit.how",
    "why": "reveal.why",
    "role": "role",
    "move": "work.move",
    "from": "work.state",
    "to": "work.state",
    "reason": "work.reason",
    "result": "call.result",
}


def _line(row: Row, words: Words) -> Line:
    entry = row.entry
    return Line(
        seq=entry.seq,
        at=words.moment(entry.at, seconds=True),
        actor=entry.actor,
        what=words.known("audit.kind", entry.kind),
        told=[] if entry.kind in CHANGES else list(_told(msgspec.json.decode(entry.data), words)),
        alert_id=entry.alert_id or "",
        hash=row.hash[:12],
    )


def _told(data: Any, words: Words) -> Iterator[tuple[str, str]]:  # Any: JSON, of as many shapes as there are kinds
    """What was written, name by name; persons by their tails, for an auditor works no lead."""
    for name, value in data.items() if isinstance(data, dict) else ():
        if value not in ("", None, [], {}):
            yield words.known("audit.data", name), _said(name, value, words)


def _said(name: str, value: Any, words: Words) -> str:  # Any: JSON
    if name == "persons" and isinstance(value, list):
        return words("list.joint").join(words.tail(str(one)) for one in value)
    if name == "subject" and isinstance(value, str) and ":" in value:
        kind, _, subject = value.partition(":")
        return words.subject(kind, subject)
    if name in ("until", "unchanged_since") and isinstance(value, str):
        return words.moment(datetime.fromisoformat(value))
    if name == "amount_fen" and isinstance(value, int):
        return words.yuan(value)
    if name in WORDED:
        return words.known(WORDED[name], str(value))
    if isinstance(value, list):
        return words("list.joint").join(_said("", one, words) for one in value)
    if isinstance(value, dict):
        return words("list.joint").join(f"{key} {_said(key, one, words)}" for key, one in value.items())
    return str(value)
