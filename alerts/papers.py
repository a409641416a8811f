"""Papers of a lead: handed in or made here, each a file named by its SHA-256, beside the store and not in it.

    paper = file_paper(store, cabinet, account, alert_id, "record.pdf", body, now)
    body = read_paper(store, cabinet, account, alert_id, paper.number, now)

What a paper is, its content says and not its name. None is ever removed: one that should not be there is withdrawn with
a reason, and then read by nobody. Filing, reading and withdrawing are in alert_event.
"""

import hashlib
import io
import os
import re
import tempfile
import unicodedata
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import puremagic
from msgspec import Struct, structs
from sqlalchemy import Connection, func, insert, select, update

from alerts import tables as t
from alerts.accounts import Account
from alerts.casework import WRITERS, NoLeadError, answered_before, digest, is_repeated
from alerts.kept import Note
from alerts.life import LONGEST_NOTE, MoveError
from alerts.store import Store

FILED, READ, WITHDRAWN = "paper_filed", "paper_read", "paper_withdrawn"  # kinds of alert_event
LONGEST_NAME = 120  # characters
NEW = timedelta(days=1)  # a file that no lead names yet may be about to be named
MEDIA = {
    "pdf": "application/pdf",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text": "text/plain; charset=utf-8",
}
ENDINGS = {"pdf": ("pdf",), "jpeg": ("jpg", "jpeg"), "png": ("png",), "docx": ("docx",), "xlsx": ("xlsx",)} | {
    "text": ("txt", "csv", "md", "log")
}
_OF_MAGIC = {".pdf": "pdf", ".jpg": "jpeg", ".jpeg": "jpeg", ".jfif": "jpeg", ".png": "png"}
_MAIN_PART = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cabinet:
    """Where papers lie, and how many a lead may have of what size."""

    folder: Path
    most_bytes: int = 20 * 1024 * 1024
    most_papers: int = 100
    kinds: frozenset[str] = frozenset(MEDIA)


class Paper(Struct, frozen=True, kw_only=True):
    """One paper. ``notice``: the template that it was made from here."""

    alert_id: str
    number: int
    name: str
    kind: str
    size: int
    sha256: str
    notice: str
    filed_by: str
    filed_at: datetime
    withdrawn_by: str = ""
    withdrawn_because: str = ""
    withdrawn_at: datetime | None = None


class DamagedError(Exception):
    """The file of a paper is gone, or is not what was filed."""


def papers_of(store: Store, alert_id: str) -> list[Paper]:
    """Those of a lead, in the order of filing, withdrawn ones among them."""
    p = t.paper
    with store.engine.connect() as db:
        rows = db.execute(select(p).where(p.c.alert_id == alert_id).order_by(p.c.number))
        return [Paper(**row._mapping) for row in rows]


def file_paper(
    store: Store,
    cabinet: Cabinet,
    who: Account,
    alert_id: str,
    name: str,
    body: bytes,
    now: datetime,
    *,
    notice: str = "",
    key: str = "",
) -> Paper:
    """Put a paper to a lead. A key sent again with the same file, or for the same notice, files no second one.

    Raises NoLeadError, MoveError, KeyReusedError.
    """
    _check_reach(store, who, alert_id, writes=True)
    shown = shown_name(name)
    kind = _checked_kind(cabinet, shown, body)
    sha256 = hashlib.sha256(body).hexdigest()
    asked = digest(alert_id, FILED, shown, notice or sha256)  # a notice written again has other bytes
    _put(cabinet, sha256, body)  # before the row: a row without its file would be a paper that nobody can read
    with store.writing() as writing:
        p = t.paper
        last, count = writing.db.execute(
            select(func.coalesce(func.max(p.c.number), 0), func.count()).where(p.c.alert_id == alert_id)
        ).one()
        if (before := answered_before(writing, who, key, asked, last + 1, now)) is not None:
            return _paper_of(writing.db, alert_id, before)
        if count >= cabinet.most_papers:
            raise MoveError("too_many_papers")
        paper = Paper(
            alert_id=alert_id,
            number=last + 1,
            name=shown,
            kind=kind,
            size=len(body),
            sha256=sha256,
            notice=notice,
            filed_by=who.name,
            filed_at=now,
        )
        writing.db.execute(insert(p), [structs.asdict(paper)])
        writing.append([_note(FILED, paper, who, now)])
    return paper


def read_paper(
    store: Store, cabinet: Cabinet, who: Account, alert_id: str, number: int, now: datetime
) -> tuple[Paper, bytes]:
    """A paper and its bytes, as they were filed. Raises NoLeadError, DamagedError."""
    _check_reach(store, who, alert_id)
    with store.engine.connect() as db:
        paper = _standing(db, alert_id, number)
    try:
        body = _path(cabinet, paper.sha256).read_bytes()
    except OSError as error:
        raise DamagedError(f"paper {number} of {alert_id}: {error.strerror}") from None
    if hashlib.sha256(body).hexdigest() != paper.sha256:
        raise DamagedError(f"paper {number} of {alert_id}: its file was altered")
    store.note(_note(READ, paper, who, now))
    return paper, body


def withdraw_paper(
    store: Store, who: Account, alert_id: str, number: int, because: str, now: datetime, *, key: str = ""
) -> None:
    """Nobody shall read it any more; that it was there stays. Raises NoLeadError, MoveError, KeyReusedError."""
    _check_reach(store, who, alert_id, writes=True)
    reason = because.strip()
    if not 0 < len(reason) <= LONGEST_NOTE:
        raise MoveError("too_long" if reason else "note_needed")
    p = t.paper
    told = {"withdrawn_by": who.name, "withdrawn_because": reason, "withdrawn_at": now}
    with store.writing() as writing:
        if is_repeated(writing, who, key, digest(alert_id, WITHDRAWN, number, reason), 0, now):
            return
        paper = _standing(writing.db, alert_id, number)
        writing.db.execute(update(p).where(p.c.alert_id == alert_id, p.c.number == number).values(**told))
        writing.append([_note(WITHDRAWN, structs.replace(paper, **told), who, now)])


def shown_name(name: str) -> str:
    """A file's name without folders, and without what could lead a reader or a header astray."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(one for one in last if unicodedata.category(one)[0] not in "CZ" or one == " ")
    kept = re.sub(r"[\"<>|:*?;%]", "_", kept).strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if not dot:
        return kept[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"[:LONGEST_NAME]


def kind_of(body: bytes) -> str | None:
    """What these bytes are; None for what we do not take."""
    if body.startswith(b"PK\x03\x04"):
        return _kind_of_archive(body)
    try:
        found = _OF_MAGIC.get(puremagic.from_string(body))
    except (puremagic.PureError, ValueError):
        found = None
    return found or ("text" if _is_text(body) else None)


def _kind_of_archive(body: bytes) -> str | None:
    """A document or a workbook without macros."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if "[Content_Types].xml" not in names or any(name.endswith("vbaProject.bin") for name in names):
        return None
    return next((kind for part, kind in _MAIN_PART.items() if part in names), None)


def _is_text(body: bytes) -> bool:
    try:
        said = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    is_markup = re.match(r"\s*<", said) is not None  # no page that a browser might run
    return not is_markup and all(one in "\t\n\r\f" or unicodedata.category(one) != "Cc" for one in said)


def _checked_kind(cabinet: Cabinet, name: str, body: bytes) -> str:
    if not body or not name:
        raise MoveError("paper_empty")
    if len(body) > cabinet.most_bytes:
        raise MoveError("paper_too_large")
    kind = kind_of(body)
    if kind is None or kind not in cabinet.kinds:
        raise MoveError("paper_kind")
    if name.rpartition(".")[2].lower() not in ENDINGS[kind]:
        raise MoveError("paper_ending")
    return kind


def _check_reach(store: Store, who: Account, alert_id: str, *, writes: bool = False) -> None:
    if not store.rows([alert_id], areas=who.areas):
        raise NoLeadError(alert_id)
    if writes and who.role not in WRITERS:
        raise MoveError("not_your_role")


def _standing(db: Connection, alert_id: str, number: int) -> Paper:
    paper = _paper_of(db, alert_id, number)
    if paper.withdrawn_at is not None:
        raise NoLeadError(f"{alert_id}/{number}")
    return paper


def _paper_of(db: Connection, alert_id: str, number: int) -> Paper:
    p = t.paper
    for row in db.execute(select(p).where(p.c.alert_id == alert_id)):
        if row.number == number:  # compared here: a number from outside may be too large for an engine
            return Paper(**row._mapping)
    raise NoLeadError(f"{alert_id}/{number}")


def missing(store: Store, cabinet: Cabinet) -> list[Paper]:
    """Papers whose file is gone, or has another size than what was filed; the oldest first."""
    p = t.paper
    with store.engine.connect() as db:
        papers = [Paper(**row._mapping) for row in db.execute(select(p).order_by(p.c.filed_at, p.c.alert_id))]
    return [one for one in papers if _size(_path(cabinet, one.sha256)) != one.size]


def sweep(store: Store, cabinet: Cabinet, now: datetime) -> int:
    """Delete files that no lead names any more; how many. Those of the last day stay: one may be about to be named."""
    with store.engine.connect() as db:
        named = set(db.execute(select(t.paper.c.sha256)).scalars())
    gone = [
        file
        for file in cabinet.folder.glob("??/*")
        if file.name not in named and now.timestamp() - file.stat().st_mtime > NEW.total_seconds()
    ]
    for file in gone:
        file.unlink(missing_ok=True)
    return len(gone)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _path(cabinet: Cabinet, digest: str) -> Path:
    return cabinet.folder / digest[:2] / digest


def _put(cabinet: Cabinet, digest: str, body: bytes) -> None:
    """Write the file in one step, for its owner only; the same bytes are one file."""
    path = _path(cabinet, digest)
    if path.exists() and path.stat().st_size == len(body):
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        draft.write(body)
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).replace(path)


def _note(kind: str, paper: Paper, who: Account, now: datetime) -> Note:
    told = {"number": paper.number, "name": paper.name, "sha256": paper.sha256, "notice": paper.notice}
    data = msgspec.json.encode(told | {"note": paper.withdrawn_because})
    return Note(kind=kind, actor=who.name, at=now, alert_id=paper.alert_id, data=data)
