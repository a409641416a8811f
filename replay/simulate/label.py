"""What was planted, and how to tell whether it was found: one JSON object a line, as the recorded worlds have it."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct


class Named(Struct, frozen=True):
    """kind: person, org, till, doctor, stay, device, trace_code, drug, group, area."""

    kind: str
    id: str


class Label(Struct, frozen=True, kw_only=True):
    """One planted fraud, or one honest situation that looks like one (a decoy).

    expect: detectors of which one must speak (all, if ``must_all``); also: detectors that would be right too.
    forbid, maximum_level: for decoys, who must not speak above that level (None: at all).
    ids: every other name the subject may have; events: the ground; aliases: other events that stand for one of these.
    minimum_level: the least it deserves; absence: its ground is a silence or an aggregate; amount: yuan at stake.
    """

    case_id: str
    kind: Literal["fraud", "decoy"]
    family: str
    wave: int
    exclusion: str | None
    expect: tuple[str, ...]
    must_all: bool = False
    also: tuple[str, ...]
    forbid: tuple[str, ...]
    subject: Named
    ids: tuple[str, ...]
    persons: tuple[str, ...]
    orgs: tuple[str, ...]
    events: tuple[str, ...]
    aliases: dict[str, str]
    start: str
    end: str
    minimum_level: str | None
    maximum_level: str | None
    absence: bool = False
    amount: str
    hypothesis: str | None = None
    notes: str = ""


def write(labels: Iterable[Label]) -> bytes:
    """NDJSON."""
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(label) + b"\n" for label in labels)


def read(raw: bytes) -> list[Label]:
    """The labels of a file; fields that it does not know are ignored. Raises msgspec.ValidationError."""
    decoder = msgspec.json.Decoder(Label)
    return [decoder.decode(line) for line in raw.splitlines() if line.strip()]
