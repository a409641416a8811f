"""The five links of a lead: what makes one stand out, agree, or have nothing to go by."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from msgspec.structs import replace

from alerts.five_links import Mark, five_links
from alerts.price_limits import PriceLimit
from detectors.case import settlement
from detectors.event import Count, Fen, Flag, Line, Price
from detectors.finding import Evidence
from detectors.lead import MOST_LINES, evidence

NOON = datetime(2026, 3, 12, 12, tzinfo=timezone(timedelta(hours=8)))
STATIN = "XC10AAA061A001010101"


def record(kind: str, day: int = 0, **facts: str) -> Evidence:
    return Evidence(
        f"{kind}{day}{sorted(facts.items())}", kind, NOON + timedelta(days=day), "H33010210434", "p1", facts=facts
    )


def line(**more: object) -> Line:
    fields = {"sn": "1", "item": STATIN, "count": Count(2), "price": Price("31.50"), "amount": Fen(6_300)}
    return Line(**{**fields, **more})  # type: ignore[arg-type]  # each field is given its own kind


def bill(day: int, *lines: Line) -> Evidence:
    """As a detector passes a bill on."""
    told = settlement(f"{day:02d} 08:15", org="A")
    return evidence(replace(told, lines=lines))


def marks(*records: Evidence, reached: dict[str, tuple[str, str, str]] | None = None) -> dict[str, str]:
    return {link.name: link.mark.value for link in five_links(reached or {}, records)}


def test_without_anything_to_compare_no_link_says_that_it_agrees() -> None:
    assert set(marks(record("inv"), bill(4)).values()) == {"no_data"}


def test_a_figure_past_its_limit_makes_its_link_stand_out_in_its_own_words() -> None:
    links = five_links({"days_after_purchase": ("购后在手药量", "379天", "≥ 280天")}, [record("inv")])
    assert [link.name for link in links if link.mark is Mark.STANDS_OUT] == ["drug_quantity"]
    (said,) = links[3].said
    assert dict(said.values) == {"what": "购后在手药量", "observed": "379天", "limit": "≥ 280天"}


@pytest.mark.parametrize(
    ("records", "mark"),
    [
        ([record("setl", verify="face"), record("swipe", verify="pin")], "agrees"),
        ([record("setl", verify="face"), record("swipe", verify="none")], "doubtful"),
        ([record("setl", verify="face"), record("swipe", cert="03")], "no_data"),
        ([record("setl", verify="face", agent="1")], "doubtful"),
        ([record("swipe", cert="03")], "no_data"),
        ([record("presence", result="face_mismatch")], "stands_out"),
    ],
)
def test_card_and_person(records: list[Evidence], mark: str) -> None:
    assert marks(*records)["card_person"] == mark


@pytest.mark.parametrize(
    ("records", "mark"),
    [
        ([record("adm", diag="I10.x05", mdtrt_id="m"), record("dscg", diag="I10.x00", mdtrt_id="m")], "agrees"),
        ([record("adm", diag="I10.x05", mdtrt_id="m"), record("dscg", diag="J18.9", mdtrt_id="m")], "doubtful"),
        ([record("adm", diag="I10.x05", mdtrt_id="m"), record("dscg", diag="I10", mdtrt_id="n")], "no_data"),
        ([record("presence", result="pass")], "agrees"),
        ([record("presence", result="pass"), record("presence", 1, result="not_found")], "doubtful"),
        ([record("presence", result="on_leave")], "no_data"),
    ],
)
def test_person_and_disease(records: list[Evidence], mark: str) -> None:
    assert marks(*records)["person_disease"] == mark


def test_a_diagnosis_is_told_by_its_category_only() -> None:
    said = five_links({}, [record("adm", diag="F20.001", mdtrt_id="m")])[1].said
    assert [dict(one.values) for one in said] == [{"codes": "F20"}, {}]


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"needs_rx": Flag(1), "rx": "r1"}, "agrees"),
        ({"needs_rx": Flag(1)}, "doubtful"),
        ({}, "no_data"),
    ],
)
def test_disease_and_drug(more: dict[str, object], mark: str) -> None:
    assert marks(bill(4, line(**more)))["disease_drug"] == mark


@pytest.mark.parametrize(
    ("days", "mark"),
    [
        ((28,), "agrees"),
        ((84,), "agrees"),
        ((85,), "doubtful"),
        ((), "no_data"),
        ((40, 44), "agrees"),
        ((44, 44), "doubtful"),
    ],
)
def test_drug_and_quantity(days: tuple[int, ...], mark: str) -> None:
    """Two bills a day apart: 85 days are the most that may be in hand."""
    bills = [bill(4 + i, line(days=Count(n))) for i, n in enumerate(days)] or [bill(4, line())]
    assert marks(*bills)["drug_quantity"] == mark


@pytest.mark.parametrize(
    ("lines", "mark"),
    [
        ((line(), line(sn="2")), "agrees"),
        ((line(), line(sn="2", price=Price("40.95"), amount=Fen(8_190))), "doubtful"),
        ((line(), line(sn="2", price=Price("40.94"), amount=Fen(8_188))), "agrees"),
        ((line(amount=Fen(6_302)),), "doubtful"),
        ((line(amount=Fen(6_301)),), "no_data"),
        ((line(price=Price(0), amount=Fen(0)),), "no_data"),
    ],
)
def test_quantity_and_price(lines: tuple[Line, ...], mark: str) -> None:
    assert marks(bill(4, *lines))["quantity_price"] == mark


def test_a_bill_that_was_taken_back_counts_for_nothing() -> None:
    wrong = bill(4, line(days=Count(200)))
    back = Evidence("back", "setl_rev", wrong.at, wrong.org, wrong.person, facts={"setl_id": wrong.facts["setl_id"]})
    assert marks(wrong)["drug_quantity"] == "doubtful"
    assert marks(wrong, back)["drug_quantity"] == "no_data"


def test_a_refund_row_is_no_supply() -> None:
    assert marks(bill(4, line(count=Count(-2), days=Count(200))))["drug_quantity"] == "no_data"


def test_of_a_long_bill_a_bounded_number_of_lines_goes_with_the_lead() -> None:
    many = bill(4, *(line(sn=str(n), count=Count(Decimal(1))) for n in range(MOST_LINES + 5)))
    assert many.facts["lines"].count(STATIN) == MOST_LINES


def test_services_are_no_goods() -> None:
    assert "lines" not in bill(4, line(list_type="201")).facts


def test_a_price_above_its_limit_stands_out_by_the_limit_of_that_day() -> None:
    told = bill(4, line(price=Price("40.94"), amount=Fen(8_188)))
    item, day = line().item, timedelta(days=1)
    before, on = PriceLimit(item, told.at - day, Decimal("40.94")), PriceLimit(item, told.at, Decimal("40.00"))
    gone, later = PriceLimit(item, told.at, None), PriceLimit(item, told.at + day, Decimal(1))

    def mark(*limits: PriceLimit) -> str:
        (*_, last) = five_links({}, [told], {item: limits})
        return last.mark.value

    assert [mark(before), mark(before, on), mark(before, gone), mark(later)] == [
        "no_data",
        "stands_out",
        "no_data",
        "no_data",
    ]
