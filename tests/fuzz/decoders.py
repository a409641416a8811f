"""Bytes that no one would send, against what reads bytes: nothing but Refused may come of them.

    make fuzz                      a million inputs
    python -m tests.fuzz.decoders CORPUS -runs=1000000

What is read without complaint is told again and read again: it must be the same event. atheris follows the coverage of
our code and of msgspec's Python side; CORPUS begins as one line of every kind and keeps what led somewhere new.
"""

import json
import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["detectors", "stream_app.rows"]):
    from detectors.event import Header
    from detectors.wire import LONGEST, Refused, canonical, quarantined, read, seal_of
    from stream_app.rows import pressed, text_of, unpack

from detectors.event import EVER

LINES = (
    {"event_type": "swipe", "mdtrt_cert_type": "01", "lon": 120.1, "lat": "30", "verify_mode": "face"},
    {
        "event_type": "setl", "setl_id": "s", "mdtrt_id": "m", "med_type": "41", "medfee_sumamt": "12.30",
        "fund_pay_sumamt": 10, "acct_pay": -1.5, "is_test": "0",
        "lines": [
            {
                "feedetl_sn": "1", "med_list_codg": "X", "cnt": "0.5", "pric": 1e-6, "det_item_fee_sumamt": 0.1,
                "drug_trac_codg": ["c"], "trdn_flag": 1, "fee_ocur_time": "2026-03-02T08:00:00Z", "sin_dos": 2,
            }
        ],
    },
    {"event_type": "setl_rev", "setl_id": "s"},
    {"event_type": "fee", "mdtrt_id": "m", "lines": []},
    {"event_type": "fee_rev", "mdtrt_id": "m", "feedetl_sn": "1"},
    {"event_type": "adm", "mdtrt_id": "m", "med_type": "21", "adm_dept_codg": "d", "ward": "w"},
    {"event_type": "adm_chg", "mdtrt_id": "m"},
    {"event_type": "adm_rev", "mdtrt_id": "m"},
    {"event_type": "dscg", "mdtrt_id": "m", "die_date": "2026-03-02"},
    {"event_type": "rx", "rxno": "r", "dr_code": "d", "lines": [{"med_list_codg": "X", "cnt": 1}]},
    {"event_type": "order", "mdtrt_id": "m", "drord_no": "o", "drord_type": "long"},
    {"event_type": "presence", "check_id": "c", "check_type": "scheduled", "result": "pass", "mdtrt_id": "m"},
    {"event_type": "leave", "mdtrt_id": "m", "leave_id": "l", "from": "2026-03-02T08:00:00+08:00", "to": None},
    {"event_type": "inv", "inv_type": "count", "med_list_codg": "X", "cnt": 1, "expy_end": "2027-01-01"},
    {"event_type": "sale", "sale_type": "sale", "med_list_codg": "X", "cnt": "1"},
    {"event_type": "ref.person", "valid_from": "2026-03-02T08:00:00+08:00", "status": ["dead", "lost_card"]},
    {"event_type": "ref.org", "valid_from": "2026-03-02T08:00:00+08:00", "tags": ["24h"], "beds": 3},
)  # fmt: skip
NAMES = sorted({name for line in LINES for name in line} | {"accuracy", "lon", "long_rx_flag", "subject", "direction"})
HEADER = {
    "event_id": "e", "biz_time": "2026-03-02T08:00:00+08:00", "recv_time": "2026-03-02T08:00:01.5Z",
    "fixmedins_code": "P33010100001", "psn_no": "p",
}  # fmt: skip


ODD = [
    *(None, True, False, 0, 1, -1, 2**63, 2**64, -(2**63), 10**19, 0.1 + 0.2, 1e-7, 1e308, -0.0),
    *("", "0", "1", "x", "x" * 300, "\0", "\ud800", "٣", "1e5", "-0", "NaN", "Infinity", "0.1234567", "9" * 40),
    *("2026-03-02", "2026-03-02T08:00:00+08:00", "2026-03-02T08:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *("2026-02-30T00:00:00Z", "2026-03-02T24:00:00+24:00", [], [None], ["x", "x"], {}, {"x": 1}, [[]], [{}]),
]


def mended(data: bytes) -> bytes:
    """A line of some kind with a few of its fields odd, missing, or strange to it: what plain bytes hardly reach."""
    told = atheris.FuzzedDataProvider(data)
    line: dict[str, Any] = json.loads(json.dumps(HEADER | LINES[told.ConsumeIntInRange(0, len(LINES) - 1)]))
    for _ in range(told.ConsumeIntInRange(0, 4)):
        lines = line.get("lines")
        inside = lines[0] if told.ConsumeBool() and isinstance(lines, list) and lines else line
        if not isinstance(inside, dict) or not inside:
            break
        name = told.PickValueInList(sorted(inside)) if told.ConsumeBool() else told.PickValueInList(NAMES)
        match told.ConsumeIntInRange(0, 2):
            case 0:
                inside.pop(name, None)
            case 1:
                inside[name] = told.PickValueInList(ODD)
            case _:
                inside[name] = told.ConsumeUnicode(12)
    return json.dumps(line, ensure_ascii=told.ConsumeBool()).encode("utf-8", "surrogatepass")


def try_one(data: bytes) -> None:
    """Raises whatever it should not."""
    raw = mended(data[1:]) if data[:1] > b"\x40" else data
    try:
        event = read(raw)
    except Refused as refused:
        quarantined(refused, raw, "fuzz", 1, EVER)
        return
    again = canonical(event)
    assert canonical(read(again)) == again
    assert len(raw) <= LONGEST
    if isinstance(event, Header):
        seal_of(event)
    key = raw[:20].decode("latin-1")
    assert unpack(text_of(event), key) == event
    assert unpack(pressed([(text_of(event), key)])[0], key) == event


def seed(folder: Path) -> None:
    """One line of every kind to begin from, and one from which lines are made up."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "made-up").write_bytes(b"\xff" * 64)
    for number, line in enumerate(LINES):
        (folder / f"line-{number}").write_text(json.dumps(HEADER | line))


if __name__ == "__main__":
    corpora = [word for word in sys.argv[1:] if not word.startswith("-")]
    if corpora and not Path(corpora[0]).exists():
        seed(Path(corpora[0]))
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
