"""What is read, what is refused, and that both say exactly what and where (SPEC 3, 3.1, 3.2; readings.md 3)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.event import Event, Fee, Fen, Inventory, PersonRecord, Presence, Reference, Settlement
from detectors.wire import LONGEST, Refused, canonical, quarantined, read

T = "2026-03-02T08:00:00+08:00"
ORG = "P33020310315"
HEADER = {"event_id": "e1", "biz_time": T, "fixmedins_code": ORG}
LINE = {"feedetl_sn": "f1", "med_list_codg": "X1", "cnt": 1, "pric": "2.50", "det_item_fee_sumamt": "2.50"}
VISIT = {"psn_no": "p1", "mdtrt_id": "m1"}
RECORD = {"event_id": "r1", "biz_time": T, "valid_from": T}

# the least that each type must say
LEAST: dict[str, dict[str, Any]] = {
    "swipe": HEADER | {"psn_no": "p1", "mdtrt_cert_type": "01"},
    "setl": HEADER | VISIT | {"setl_id": "s1", "med_type": "11", "medfee_sumamt": "9.00", "fund_pay_sumamt": "5.00"},
    "setl_rev": HEADER | {"psn_no": "p1", "setl_id": "s1"},
    "fee": HEADER | VISIT | {"lines": [LINE]},
    "fee_rev": HEADER | VISIT | {"feedetl_sn": "f1"},
    "adm": HEADER | VISIT | {"med_type": "21", "adm_dept_codg": "surgery"},
    "adm_chg": HEADER | VISIT,
    "adm_rev": HEADER | VISIT,
    "dscg": HEADER | VISIT,
    "rx": HEADER | {"psn_no": "p1", "rxno": "rx1", "dr_code": "D1", "lines": [{"med_list_codg": "X1", "cnt": 1}]},
    "order": HEADER | VISIT | {"drord_no": "o1", "drord_type": "long"},
    "presence": HEADER | VISIT | {"check_id": "c1", "check_type": "night", "result": "pass"},
    "leave": HEADER | VISIT | {"leave_id": "l1", "from": T, "to": T},
    "inv": HEADER | {"inv_type": "count", "med_list_codg": "X1", "cnt": 1},
    "sale": HEADER | {"sale_type": "sale", "med_list_codg": "X1", "cnt": 1},
    "ref.person": RECORD | {"psn_no": "p1"},
    "ref.org": RECORD | {"fixmedins_code": ORG},
    "ref.doctor": RECORD | {"dr_code": "D1"},
    "ref.device": RECORD | {"dev_no": "T1"},
    "ref.drug": RECORD | {"med_list_codg": "X1"},
    "ref.item": RECORD | {"med_list_codg": "X1"},
    "ref.calendar": RECORD | {"day": "2026-03-06"},
    "ref.agreement": RECORD | {"indicator": "药占比", "target": "0.3"},
    "ref.mapping": RECORD | {"fixmedins_code": ORG, "medins_list_codg": "80-reg", "med_list_codg": "X1"},
    "ref.exception": RECORD | {"exception_id": "x1", "kind": "X20", "from": T, "to": T, "confirmer": "w"},
}
KINDS = {str(kind.__struct_config__.tag): kind for kind in (*get_args(Event), *get_args(Reference))}


def told(kind: str, /, **more: object) -> dict[str, Any]:
    return {"event_type": kind} | LEAST[kind] | more


def raw(kind: str, /, **more: object) -> bytes:
    return json.dumps(told(kind, **more)).encode()


def refusal(line: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read(line)
    return caught.value


def why(line: bytes) -> tuple[str, str]:
    refused = refusal(line)
    return refused.reason, refused.field


def fields() -> Iterator[tuple[str, str]]:
    for kind, struct in KINDS.items():
        for field in msgspec.structs.fields(struct):
            if not field.encode_name.startswith("_"):
                yield kind, field.encode_name


def required() -> Iterator[tuple[str, str]]:
    yield from ((kind, name) for kind, least in LEAST.items() for name in ("event_type", *least))


def optional() -> Iterator[tuple[str, str]]:
    yield from ((kind, name) for kind, name in fields() if name not in LEAST[kind])


def test_every_type_has_its_sample() -> None:
    assert KINDS.keys() == LEAST.keys()


@pytest.mark.parametrize("kind", LEAST)
def test_the_least_a_type_must_say_is_read(kind: str) -> None:
    assert type(read(raw(kind))) is KINDS[kind]


@pytest.mark.parametrize(("kind", "name"), [*required()])
def test_a_missing_required_field_is_named(kind: str, name: str) -> None:
    event = told(kind)
    del event[name]
    assert why(json.dumps(event).encode()) == ("missing", name)


@pytest.mark.parametrize(("kind", "name"), [*required()])
def test_null_in_a_required_field_is_a_missing_field(kind: str, name: str) -> None:
    assert why(json.dumps(told(kind) | {name: None}).encode()) == ("missing", name)


@pytest.mark.parametrize(("kind", "name"), [*required()])
def test_nothing_between_quotes_is_no_value(kind: str, name: str) -> None:
    refused = refusal(json.dumps(told(kind) | {name: ""}).encode())
    # "missing": a patient's check that names nobody
    assert refused.reason in ({"unknown_type"} if name == "event_type" else {"malformed", "missing"})
    assert refused.field == name


@pytest.mark.parametrize(("kind", "name"), [*optional()])
def test_null_in_an_optional_field_says_nothing(kind: str, name: str) -> None:
    assert canonical(read(raw(kind, **{name: None}))) == canonical(read(raw(kind)))


@pytest.mark.parametrize(("kind", "name"), [*fields()])
def test_any_known_field_that_is_malformed_is_named(kind: str, name: str) -> None:
    assert why(raw(kind, **{name: {"no": "value"}})) == ("malformed", name)


@pytest.mark.parametrize("name", sorted(LINE))
def test_a_field_of_a_line_is_named_with_its_place(name: str) -> None:
    broken = {key: value for key, value in LINE.items() if key != name}
    assert why(raw("fee", lines=[LINE, broken])) == ("missing", f"lines[1].{name}")
    assert why(raw("fee", lines=[LINE, LINE | {name: []}])) == ("malformed", f"lines[1].{name}")


def test_a_line_of_a_prescription_needs_only_drug_and_count() -> None:
    assert why(raw("rx", lines=[{"med_list_codg": "X1"}])) == ("missing", "lines[0].cnt")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("swipe", "mdtrt_cert_type"), ("inv", "inv_type"), ("sale", "sale_type")),
        *(("presence", "check_type"), ("presence", "result"), ("presence", "subject"), ("presence", "direction")),
        *(("ref.person", "status"), ("ref.org", "kind"), ("ref.org", "contract"), ("ref.doctor", "status")),
        *(("ref.item", "kind"), ("ref.calendar", "kind")),
    ],
)
def test_a_closed_set_is_closed(kind: str, name: str) -> None:
    assert why(raw(kind, **{name: "something new"})) == ("malformed", name)


def test_an_unknown_type_is_said_to_be_one() -> None:
    assert why(json.dumps(HEADER | {"event_type": "refund"}).encode()) == ("unknown_type", "event_type")


@pytest.mark.parametrize("name", ["med_type", "insutype", "verify_mode"])
def test_open_codes_are_kept_as_they_are(name: str) -> None:
    assert json.loads(canonical(read(raw("setl", **{name: "新"}))))[name] == "新"


@pytest.mark.parametrize("text", ["12", "1.234", "x", "", "１２３４５６", "330102\n"])
def test_areas_have_six_digits(text: str) -> None:
    line = raw("swipe", insuplc_admdvs=text)
    if text == "":
        read(line)  # optional: says nothing
    else:
        assert why(line) == ("malformed", "insuplc_admdvs")


@pytest.mark.parametrize("code", ["P3302031031", "P330203103150"])
def test_an_institution_has_twelve_characters(code: str) -> None:
    assert why(raw("swipe", fixmedins_code=code)) == ("malformed", "fixmedins_code")


# numbers


@pytest.mark.parametrize("amount", ["12.34", 12.34, "12.340", "-12.34", -12.34, 12, "12", 0, "0.00", 1e2])
def test_amounts_are_numbers_or_strings_and_exact(amount: float | str) -> None:
    bill = read(raw("setl", medfee_sumamt=amount))
    assert isinstance(bill, Settlement)
    assert bill.total == round(float(amount) * 100)
    assert type(bill.total) is Fen


@pytest.mark.parametrize(
    "amount",
    ["12.345", 12.345, "1e3", "+1", " 1", "1 ", "1.", ".5", "1,000.00", "一", "", "NaN", "1000000000000.01", True, []],
)
def test_what_is_no_amount_is_refused(amount: object) -> None:
    assert why(raw("setl", medfee_sumamt=amount)) == ("malformed", "medfee_sumamt")


def test_a_flag_is_never_a_number_whatever_was_read_before() -> None:
    read(raw("inv", cnt=1))
    read(raw("inv", cnt=0))
    assert why(raw("inv", cnt=True)) == ("malformed", "cnt")
    assert why(raw("inv", cnt=False)) == ("malformed", "cnt")


@pytest.mark.parametrize(
    ("name", "sound", "too_fine"),
    [("cnt", "0.1234", "0.12345"), ("pric", "0.123456", "0.1234567"), ("det_item_fee_sumamt", "0.12", "0.123")],
)
def test_each_number_has_its_own_fineness(name: str, sound: str, too_fine: str) -> None:
    read(raw("fee", lines=[LINE | {name: sound}]))
    read(raw("fee", lines=[LINE | {name: float(sound)}]))
    assert why(raw("fee", lines=[LINE | {name: too_fine}])) == ("malformed", f"lines[0].{name}")


def test_prices_and_counts_are_kept_exactly() -> None:
    fee = read(raw("fee", lines=[LINE | {"cnt": "0.3333", "pric": "0.100001"}]))
    assert isinstance(fee, Fee)
    assert (str(fee.lines[0].count), str(fee.lines[0].price)) == ("0.3333", "0.100001")


@pytest.mark.parametrize("flag", ["1", 1, True])
def test_a_set_flag_is_written_in_three_ways(flag: object) -> None:
    assert json.loads(canonical(read(raw("setl", is_test=flag))))["is_test"] == "1"


@pytest.mark.parametrize("flag", ["yes", "true", 2, -1, "", [], "01"])
def test_what_is_no_flag_is_refused(flag: object) -> None:
    assert why(raw("setl", mid_setl_flag=flag)) == ("malformed", "mid_setl_flag")


# times


@pytest.mark.parametrize(
    "when", ["2026-03-02T08:00:00", "2026-03-02", "08:00", 1772402693, "2026-02-30T08:00:00+08:00"]
)
def test_a_time_has_a_date_and_an_offset(when: object) -> None:
    assert why(raw("swipe", biz_time=when)) == ("malformed", "biz_time")


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
def test_a_time_that_no_zone_can_hold_is_refused(when: str) -> None:
    assert why(raw("swipe", biz_time=when)) == ("malformed", "biz_time")


@pytest.mark.parametrize(
    ("received", "sound"),
    [("2026-03-02T07:50:00+08:00", True), ("2026-03-02T07:49:59+08:00", False), ("2026-03-01T23:50:00Z", True)],
)
def test_the_future_begins_ten_minutes_after_receipt(received: str, sound: bool) -> None:
    line = raw("swipe", recv_time=received)
    if sound:
        read(line)
    else:
        assert why(line) == ("clock", "biz_time")


def test_without_time_of_receipt_there_is_no_future() -> None:
    read(raw("swipe", biz_time="2099-01-01T00:00:00+08:00"))


# what one field asks of another


def test_a_sale_of_a_bill_names_its_person() -> None:
    assert why(raw("sale", setl_id="s1")) == ("missing", "psn_no")
    read(raw("sale", setl_id="s1", psn_no="p1"))


def test_a_check_of_a_patient_names_person_and_visit_and_one_of_a_doctor_the_doctor() -> None:
    bare = {"psn_no": None, "mdtrt_id": None}
    assert why(raw("presence", **bare)) == ("missing", "psn_no")
    assert why(raw("presence", mdtrt_id=None)) == ("missing", "mdtrt_id")
    assert why(raw("presence", subject="doctor")) == ("missing", "dr_code")
    read(raw("presence", subject="doctor", dr_code="D1", **bare))


def test_whom_a_doctors_check_names_besides_is_dropped() -> None:
    check = read(raw("presence", subject="doctor", dr_code="D1"))
    assert isinstance(check, Presence)
    assert (check.person, check.visit, check.doctor) == ("", "", "D1")


def test_one_status_or_several() -> None:
    one, both = read(raw("ref.person", status="dead")), read(raw("ref.person", status=["suspended", "lost_card"]))
    assert isinstance(one, PersonRecord)
    assert isinstance(both, PersonRecord)
    assert (one.statuses, both.statuses) == (("dead",), ("suspended", "lost_card"))


# bytes


def test_unknown_fields_are_ignored_and_kept_out() -> None:
    line = raw("swipe", psn_name="某人", certno="330102199001011234", more={"x": [1, None]}, _seal="mine", seal=7)
    assert canonical(read(line)) == canonical(read(raw("swipe")))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        *((b"", "not_json"), (b"{", "not_json"), (b"event", "not_json"), (raw("swipe") + b"{}", "not_json")),
        *((b"[]", "not_an_object"), (b"1", "not_an_object"), (b"null", "not_an_object"), (b'"x"', "not_an_object")),
        (raw("swipe").replace(b'"p1"', b'"\xd5\xc5"'), "not_utf8"),  # GBK
        (b"\xef\xbb\xbf" + raw("swipe"), "not_json"),  # a byte-order mark is a file's, not a message's
        (b"[" * 100_000, "not_json"),
        (raw("swipe", dev_no=None)[:-1] + b', "x": ' + b"[" * 500 + b"]" * 500 + b"}", "not_json"),
        (raw("inv", cnt=0).replace(b'"cnt": 0', b'"cnt": 1e400'), "not_json"),
    ],
    ids=range(13),
)
def test_bytes_that_are_no_event_are_called_what_they_are(line: bytes, reason: str) -> None:
    assert refusal(line).reason == reason


def test_a_line_may_have_a_mebibyte_and_no_more() -> None:
    line = raw("swipe")
    read(line + b" " * (LONGEST - len(line)))
    assert refusal(line + b" " * (LONGEST + 1 - len(line))).reason == "too_long"


def test_of_a_field_said_twice_the_last_counts() -> None:
    stock = read(raw("inv")[:-1] + b', "cnt": null, "cnt": 7}')
    assert isinstance(stock, Inventory)
    assert stock.count == 7


def test_a_text_with_a_nul_is_refused_where_it_would_be_stored() -> None:
    assert why(raw("swipe", dev_no="a\0b")) == ("malformed", "dev_no")
    assert why(raw("fee", lines=[LINE, LINE | {"rxno": "\0"}])) == ("malformed", "lines[1].rxno")
    read(raw("swipe", psn_name="a\0b"))
    read(raw("swipe", dev_no="\\u0000"))


def test_the_record_of_a_refusal_says_what_where_and_keeps_the_bytes() -> None:
    line = raw("inv", cnt="many")
    at = datetime(2026, 3, 2, tzinfo=UTC)
    record = json.loads(msgspec.json.encode(quarantined(refusal(line), line, "stock/3", 17, at)))
    assert record == {
        "reason": "malformed",
        "detail": "Expected a number, got 'many'",
        "field": "cnt",
        "source": "stock/3",
        "line": 17,
        "event_id": "e1",
        "at": "2026-03-02T00:00:00Z",
        "raw": record["raw"],
    }
    assert msgspec.convert(record, type(quarantined(refusal(line), line, "", 0, at))).raw == line


def test_the_event_id_is_found_in_what_is_no_json() -> None:
    record = quarantined(Refused("not_json", ""), b'{"event_id": "e9", "cnt": ', "f", 1, datetime.now(UTC))
    assert record.event_id == "e9"


# canonical bytes

amounts = st.integers(-(10**13), 10**13).map(lambda fen: f"{'-' * (fen < 0)}{abs(fen) // 100}.{abs(fen) % 100:02d}")
texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=8)
flags = st.sampled_from(["0", "1", 0, 1, True, False])
counts = st.decimals(-9999, 9999, places=4, allow_nan=False, allow_infinity=False).map(str)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001  # hypothesis adds the zone
bill_lines = st.fixed_dictionaries(
    {"feedetl_sn": texts, "med_list_codg": texts, "cnt": counts, "pric": counts, "det_item_fee_sumamt": amounts},
    optional={"trdn_flag": flags, "drug_trac_codg": st.lists(texts), "prd_days": counts, "fee_ocur_time": moments},
)
bills = st.fixed_dictionaries(
    {"psn_no": texts, "medfee_sumamt": amounts, "fund_pay_sumamt": amounts, "biz_time": moments},
    optional={
        "lines": st.lists(bill_lines, max_size=3),
        "is_test": flags,
        "balc": st.none() | amounts,
        "mdtrt_cert_type": st.sampled_from(["01", "02", "03", None]),
        "opter": st.none() | texts,
    },
)


@given(bill=bills, rng=st.randoms(use_true_random=False))
def test_canonical_bytes_do_not_depend_on_how_it_was_told(bill: dict[str, Any], rng: Any) -> None:
    event = told("setl", **bill)
    shuffled = list(event.items())
    rng.shuffle(shuffled)
    once = canonical(read(json.dumps(event).encode()))
    assert canonical(read(json.dumps(dict(shuffled), ensure_ascii=False, indent=1).encode())) == once
    assert canonical(read(once)) == once
    assert list(json.loads(once)) == sorted(json.loads(once))


@given(bill=bills)
def test_canonical_bytes_tell_the_same_event(bill: dict[str, Any]) -> None:
    event = read(raw("setl", **bill))
    again = read(canonical(event))
    assert msgspec.structs.replace(again, seal=0) == msgspec.structs.replace(event, seal=0)


@given(
    line=st.binary(max_size=60)
    | texts.map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | texts,
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["event_type", "event_id", "lines", "cnt"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_read_or_refused(line: bytes) -> None:
    reasons = {"not_json", "not_utf8", "not_an_object", "unknown_type", "missing", "malformed", "clock"}
    assert reason_of(line) in {"", *reasons}


def reason_of(line: bytes) -> str:
    try:
        read(line)
    except Refused as refused:
        return refused.reason
    return ""


@pytest.mark.parametrize("name", ["event_id", "psn_no", "dev_no", "opter"])
def test_a_code_of_more_than_256_characters_is_malformed(name: str) -> None:
    read(raw("swipe", **{name: "x" * 256}))
    assert why(raw("swipe", **{name: "x" * 257})) == ("malformed", name)
