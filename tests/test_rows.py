"""Rows: what is kept of an event, and how it is written. What was left out is missed by nobody."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.case import at, fee, line, sale, settlement, swipe
from detectors.detector import Detector
from detectors.event import CHINA, Beat, Count, Fee, Fen, Flag, Line, Open, Sale, Settlement
from detectors.file import Fallen
from detectors.finding import Lead
from detectors.ledger import LEDGERS, Ledger, filed
from detectors.wire import canonical, seal_of
from replay.run import replay
from stream_app.rows import DICTIONARY, happened_at, pressed, text_of, unpack
from tests.test_cases import CASES
from tests.world import rising, said, worlds

KEYS = ("", "/", "P", "A/P", "A/stay of P", '"/,', "\x01/\x02", "A/A", "1")  # of files; some that no file has

OF_LINKS = frozenset({"lines", "dise"})  # facts that only alerts/five_links.py reads

# what is left out


@pytest.mark.parametrize(
    "ledger", [ledger for ledger in LEDGERS if ledger.rows and not ledger.sign], ids=lambda x: x.name
)
@pytest.mark.parametrize("filled", [False, True], ids=["as told", "every field filled"])
def test_no_detector_misses_what_a_ledger_leaves_out(ledger: Ledger, filled: bool) -> None:
    """Leads, and the evidence beside them, are the same to the letter when rows are kept with all their fields.

    But for what only the five links read: of a field that memory has not kept they say that there are no data.
    """
    stories = [
        ([*case.known, *(map(_filled, case.story) if filled else case.story)], case.detector)
        for case in CASES
        if ledger in (case.detector.of, *(link.ledger for link in case.detector.links))
    ]
    cut = [_told(story, detector) for story, detector in stories]
    with _keeping_all_fields(ledger):
        whole = [_told(story, detector) for story, detector in stories]
    assert cut == whole
    assert any(cut), "no story made a lead: nothing was compared"


def _told(story: Sequence[Any], detector: Detector) -> set[str]:
    standing = replay([story], [detector], on_crash=rising)
    return said({unit: tuple(map(_without_links, leads)) for unit, leads in standing.items()})


def _without_links(lead: Lead) -> Lead:
    kept = [{name: told for name, told in one.facts.items() if name not in OF_LINKS} for one in lead.evidence]
    evidence = tuple(replace(one, facts=facts) for one, facts in zip(lead.evidence, kept, strict=True))
    return replace(lead, evidence=evidence)


@contextmanager
def _keeping_all_fields(ledger: Ledger) -> Iterator[None]:
    cut = ledger.rows
    assert cut is not None

    def whole(event: Any, key: str) -> Sequence[Any]:
        return [_given_back(event, part) for part in cut(event, key)]

    object.__setattr__(ledger, "rows", whole)
    try:
        yield
    finally:
        object.__setattr__(ledger, "rows", cut)


def _given_back(event: Any, part: Any) -> Any:
    """The same lines and codes as were kept, with all their fields, of an event with all of its."""
    if isinstance(event, Sale):
        return replace(event, traces=part.traces)
    if not isinstance(event, Settlement | Fee):
        return event
    told = {line.sn: line for line in event.lines}
    return replace(event, lines=tuple(replace(told[kept.sn], traces=kept.traces) for kept in part.lines))


def _filled(event: Any) -> Any:
    """With something in every field that ledgers leave out, if there was nothing."""
    if isinstance(event, Settlement | Fee):
        event = replace(event, lines=tuple(map(_filled_line, event.lines)))
    more = {name: value for name, value in OF_EVENTS.items() if getattr(event, name, "no such field") in ("", None, 0)}
    return replace(event, **more)


def _filled_line(line: Line) -> Line:
    return replace(line, **{name: value for name, value in OF_LINES.items() if getattr(line, name) in ("", None, 0)})


OF_EVENTS: dict[str, Any] = {
    **{"care_area": "330101", "account": Fen(11), "cash": Fen(12), "mutual_aid": Fen(13), "payer": "Q"},
    **{"balance": Fen(14), "insurance": "310", "disease": "I10.x00"},
}
OF_LINES: dict[str, Any] = {
    **{"local_item": "L", "in_scope": Fen(15), "days": Count(3), "dose": Count(1), "frequency": "qd"},
    **{"doctor": "D1", "dept": "OPD", "emergency": Flag(1)},
}

# how it is written


@given(events=worlds)
def test_a_row_is_read_as_it_was_written_whatever_the_key_of_its_file(events: list[Any]) -> None:
    for event in events:
        for key in KEYS:
            assert unpack(pack(event, key), key) == event
        assert canonical(unpack(pack(event, "P"), "P")) == canonical(event)


@given(events=worlds)
def test_a_row_says_when_it_happened_without_being_read(events: list[Any]) -> None:
    for event in events:
        assert happened_at(pack(event, "P"), "P") == event.happened_at
        if isinstance(event, Settlement | Fee):
            struck = Fallen(event, frozenset({"line of A"}))
            assert happened_at(pack(struck, "P"), "P") == event.happened_at


@given(
    st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([CHINA, UTC])),  # noqa: DTZ001
    st.timedeltas(timedelta(days=-400), timedelta(days=400)) | st.just(timedelta(seconds=3)),
)
def test_moments_are_kept_to_the_microsecond_and_in_their_zone(moment: datetime, later: timedelta) -> None:
    one = swipe("04 08:00")
    for told in (moment, moment.replace(microsecond=0)):
        row = replace(one, happened_at=told, received_at=told + later)
        read = unpack(pack(row, "P"), "P")
        assert (read, read.happened_at.isoformat()) == (row, row.happened_at.isoformat())
        assert read.received_at is not None
        assert read.received_at.isoformat() == (told + later).isoformat()


@pytest.mark.parametrize("sn", ["line of A", "", "\x01", '["', "行"])
def test_lines_that_do_not_count_are_named_whatever_their_names_hold(sn: str) -> None:
    bill = settlement("04 08:00", lines=(line("A"), line("B", sn="B1")))
    seal_of(bill)
    for struck in (Fallen(bill), Fallen(bill, frozenset({sn, "B1"}))):
        assert unpack(pack(struck, "P"), "P") == struck


def test_equal_content_is_equal_bytes() -> None:
    def told() -> bytes:
        return pack(Fallen(settlement("04 08:00", basket="AB"), frozenset("abcdefgh")), "P")

    assert len({told() for _ in range(20)}) == 1


def test_rows_of_every_ledger_are_a_fraction_of_what_was_told() -> None:
    """What they come to in Redis: make bench ARGS=redis. Here only that none of it was undone."""
    bill = settlement("04 08:00", "P33010410001", "p8b44fbe23411c503", lines=[_box(n) for n in range(4)])
    for event in (
        bill,
        fee("04 09:00", *bill.lines),
        sale("04 08:00", "XJ52AB006A001010101", ("80006769107984284880",)),
    ):
        seal_of(event)
        for ledger, files in filed([event]).items():
            for key in files:
                for part in (event,) if ledger.rows is None else ledger.rows(event, key):
                    assert len(pack(part, key)) < 0.6 * len(canonical(event)), ledger.name


def pack(row: Any, key: str) -> bytes:
    return pressed([(text_of(row), key)])[0]


def _box(n: int) -> Line:
    return line(
        f"XJ52AB006A00101010{n}", sn=f"fd7d9cdf036c4443{n}", traces=(f"8000676910798428488{n}",), list_type="101"
    )


# what was written before


def test_the_dictionary_of_a_schema_is_never_another() -> None:
    """All rows of schema 2 were pressed with it."""
    assert sha256(DICTIONARY.read_bytes()).hexdigest() == DICTIONARY_2


DICTIONARY_2 = "48df291c529e8be9e5a8ed4a3451c69bd17a6a713d10bb1a557d1f4cabc5d59a"


def test_a_pressed_row_of_schema_2_is_still_read() -> None:
    assert unpack(bytes.fromhex(PRESSED), "H33010210476/T006802") == SWIPE


def test_rows_of_schema_1_are_still_read() -> None:
    assert unpack(b'["beat","03-02T00","2026-03-02T00:00:00+08:00"]', "H/inv") == Beat(
        event_id="03-02T00", happened_at=datetime(2026, 3, 2, tzinfo=CHINA)
    )
    assert unpack(b'["open","H33010710679","2026-03-01T00:00:00+08:00"]', "obgyn") == Open(
        event_id="H33010710679", happened_at=datetime(2026, 3, 1, tzinfo=CHINA)
    )
    assert unpack(WRITTEN_SWIPE, "whatever") == SWIPE
    bill = unpack(WRITTEN_BILL, "whatever")
    assert (bill.seal, bill.total, bill.lines[0].traces) == (1951968889, Fen(4200), ("80006769107984284880",))
    assert unpack(b"-\n" + WRITTEN_BILL, "") == Fallen(bill)
    assert unpack(b"-a b\n" + WRITTEN_BILL, "") == Fallen(bill, frozenset("ab"))
    assert happened_at(b"-a b\n" + WRITTEN_BILL, "") == bill.happened_at == at("02 11:06:55").replace(year=2026)


PRESSED = (
    "022079b50100a303080b529a0c27ef233de5144914cfefccb7cf774e85591d15cd98a1514c951ae9a307fc45ebf3945d1ea9ceb148e1dd"
    "2c099b7d03"
)
WRITTEN_SWIPE = (
    b'["swipe","ec94c7de324a200a0","2026-03-02T13:14:26+08:00","2026-03-02T13:14:29+08:00","H33010210476","T006802",'
    b'"OP006802","330102","330109",0,3909337938,"p36414c95636ad4ec","01","token"]'
)
SWIPE = swipe(
    "02 13:14:26",
    "H33010210476",
    "p36414c95636ad4ec",
    event_id="ec94c7de324a200a0",
    device="T006802",
    operator="OP006802",
    care_area="330102",
    insured_area="330109",
    seal=3909337938,
    cert_type="01",
    verify_mode="token",
)
SWIPE = replace(
    SWIPE,
    happened_at=datetime(2026, 3, 2, 13, 14, 26, tzinfo=CHINA),
    received_at=datetime(2026, 3, 2, 13, 14, 29, tzinfo=CHINA),
)
WRITTEN_BILL = (
    b'["setl","e6cfc46ad8f0440b7","2026-03-02T11:06:55+08:00","2026-03-02T11:06:55+08:00","P33010910112","","OP001601",'
    b'"330109","330109",0,1951968889,"p8b44fbe23411c503","sf5ad7fafaed11053","m1381316f26dddc6c","9929",4200,3360,0,840,'
    b'0,"",0,"390","01","token","","",0,[["fd7d9cdf036c4443a","XJ52AB006A001010101","2","21.00",4200,"16-6","101",4200,'
    b'null,"3","qd","rx608b06f2569113d6",1,["80006769107984284880"],0,"D330102013068"]]]'
)
