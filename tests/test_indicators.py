"""What visits, stays and beds come to: counted in the archive as it is judged, kept, and shown to whom it concerns."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from alerts.indicators import FEWEST, Measured, indicators, replace, target_of
from alerts.indicators import IndicatorKind as Kind
from alerts.price_limits import holding, limits_of
from alerts.price_limits import replace as keep_limits
from alerts.store import Store
from detectors.case import (
    admission,
    at,
    check,
    discharge,
    drug,
    fee,
    fen,
    leave,
    line,
    line_reversal,
    reversal,
    settlement,
    swipe,
)
from detectors.event import AgreementRecord, Event, Price, Reference
from detectors.wire import canonical
from replay.indicators import first_month, measure, price_limits
from replay.recording import RecordingError
from stream_app.archiver import row_of, write
from stream_app.commands.indicators import indicators as command
from tests.test_work import Office, office  # noqa: F401

HERE, STORE = "H33010310441", "P33010210007"
MARCH = date(2024, 3, 1)
COMPUTED = datetime(2024, 4, 1, 2, tzinfo=UTC)
DRUG, EXAM = {"list_type": "101"}, {"list_type": "201"}


def archive(folder: Path, *told: Event | Reference, parts: int = 1) -> Path:
    rows = [row_of(canonical(event), "t", 0, n) for n, event in enumerate(told)]
    for part in range(parts):
        write(folder, rows[part::parts])
    return folder


def bill(when: str, yuan: str, **more: Any) -> Any:
    """Of a visit to the clinic of a hospital, all of it paid by the fund."""
    usual = {"event_id": f"bill of {when}", "org": HERE, "yuan": yuan, "fund": fen(yuan), "med_type": "11"}
    return settlement(when, **usual | more)


def sums(folder: Path, since: date | None = None) -> dict[tuple[str, str, int], tuple[int, int, int, int]]:
    """By institution, kind, and the month, or of checks the day."""
    _, found = measure(folder, since)
    return {
        (one.org, str(one.kind), one.since.day if one.kind is Kind.IN_BED else one.since.month): (
            one.amount,
            one.of,
            one.cases,
            one.apart,
        )
        for one in found
    }


def test_a_visit_costs_what_all_of_its_bills_do_in_the_month_of_the_last(tmp_path: Path) -> None:
    found = sums(
        archive(
            tmp_path,
            bill("02-28 09:00", "10", visit="V1"),
            bill("04 09:00", "30", visit="V1"),
            bill("05 09:00", "60", visit="V2"),
            bill("02-20 09:00", "7", visit="V0"),
        )
    )
    assert found[HERE, "out_patient_cost", 3] == (10_000, 2, 2, 0)
    assert found[HERE, "out_patient_cost", 2] == (700, 1, 1, 0)
    assert found[HERE, "fund_paid", 3] == (9_000, 2, 2, 0)
    assert found[HERE, "fund_paid", 2] == (1_700, 2, 2, 0)


def test_what_is_told_twice_counts_once_and_what_is_taken_back_not_at_all(tmp_path: Path) -> None:
    gone, stays = bill("04 09:00", "30", visit="V1"), bill("05 09:00", "60", visit="V2")
    told = archive(tmp_path, gone, stays, stays, reversal("06 09:00", gone))
    archive(told, stays)  # written again after a crash
    assert sums(told)[HERE, "out_patient_cost", 3] == (6_000, 1, 1, 0)


def test_a_stay_is_divided_by_its_nights_and_its_lines_count_once(tmp_path: Path) -> None:
    stay = {"org": HERE, "visit": "stay of P"}
    drug, exam = line("D", "40", sn="1", **DRUG), line("E", "60", sn="2", **EXAM)
    wrong = line("W", "500", sn="3", **DRUG)
    uploaded = fee("05 08:00", drug, wrong, org=HERE)
    found = sums(
        archive(
            tmp_path,
            admission("02-28 09:00", org=HERE),
            discharge("04 10:00", org=HERE),
            uploaded,
            line_reversal("05 09:00", uploaded, "3"),
            bill("05 10:00", "100", med_type="21", lines=(drug, exam), **stay),
        )
    )
    assert found[HERE, "in_patient_cost", 3] == (10_000, 1, 1, 0)
    assert found[HERE, "bed_day_cost", 3] == (10_000, 5, 1, 0)  # 28, 29 February, 1, 2, 3 March
    assert found[HERE, "drug_share", 3] == (4_000, 10_000, 1, 0)


def test_of_a_store_the_funds_money_is_counted_only(tmp_path: Path) -> None:
    found = sums(archive(tmp_path, bill("04 09:00", "30", org=STORE, med_type="41", lines=(line("D", "30", **DRUG),))))
    assert found == {(STORE, "fund_paid", 3): (3_000, 1, 1, 0)}


def test_in_bed_is_who_was_found_of_those_whom_a_check_should_have_found(tmp_path: Path) -> None:
    checks = [
        check("04 21:00", "pass", org=HERE),
        check("04 21:05", "not_found", "Q", org=HERE),
        check("04 21:10", "refused", "R", org=HERE),
        check("04 21:20", "on_leave", "S", org=HERE),
        check("04 21:25", "timeout", "T", org=HERE),
        leave("04 18:00", "05 08:00", "U", org=HERE),
        check("04 21:30", "not_found", "U", org=HERE),
        check("04 22:00", "pass", "V", org=HERE, check_type="gate", direction="out"),
        check("04 22:10", "not_found", "X", org=HERE, ward="ICU"),
        check("05 21:00", "pass", org=HERE),
    ]
    found = sums(archive(tmp_path, *checks))
    assert found == {(HERE, "in_bed", 4): (1, 3, 3, 3), (HERE, "in_bed", 5): (1, 1, 1, 0)}


@given(seed=st.integers(0, 1_000), parts=st.integers(1, 4))
def test_neither_order_nor_repeats_nor_parts_change_a_sum(tmp_path_factory: Any, seed: int, parts: int) -> None:
    rng = Random(seed)
    bills = [bill(f"{4 + n:02} 09:00", str(10 + n), visit=f"V{n}", person="PQ"[n % 2]) for n in range(6)]
    others = admission("06 08:00", org=HERE), check("07 09:00", "pass", org=HERE)
    told = [*bills, *others, reversal("20 09:00", bills[2])]
    quiet = sums(archive(tmp_path_factory.mktemp("quiet"), *told))
    shuffled = [*told, *rng.sample(told, 4)]
    rng.shuffle(shuffled)
    assert sums(archive(tmp_path_factory.mktemp("odd"), *shuffled, parts=parts)) == quiet


def test_the_newest_three_months_are_counted_unless_told_otherwise(tmp_path: Path) -> None:
    told = archive(tmp_path, *(bill(f"{day} 09:00", "10", visit=day) for day in ("01-05", "02-05", "03-05", "05-05")))
    assert {month for _, _, month in sums(told)} == {3, 5}
    assert {month for _, _, month in sums(told, date(2024, 2, 9))} == {2, 3, 5}
    assert first_month(date(2024, 2, 1)) == date(2023, 11, 1)


def test_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no archive here"):
        measure(tmp_path)


def agreed(target: str, since: str, indicator: str = "次均门诊费用") -> AgreementRecord:
    moment = at(f"{since} 00:00")
    return AgreementRecord(
        event_id=f"r{since}{target}",
        happened_at=moment,
        valid_from=moment,
        org=HERE,
        indicator=indicator,
        target=target,
    )


def test_the_target_is_the_one_agreed_last_before_the_end_of_the_month(tmp_path: Path) -> None:
    known = agreed("100", "01-01"), agreed("120.50", "03-15"), agreed("900", "04-02"), agreed("x", "01-01", "不知道")
    folder = archive(tmp_path, *known, bill("04 09:00", "10"), bill("04-03 09:00", "10", visit="V"))
    _, found = measure(folder)
    targets = {one.since.month: one.target for one in found if one.kind is Kind.OUT_PATIENT}
    assert targets == {3: "120.50", 4: "900"}


# -- kept and told --------------------------------------------------------------------------------------------------


def one(kind: Kind, amount: int, of: int, **more: Any) -> Measured:
    given = {"org": HERE, "since": MARCH, "until": date(2024, 4, 1), "area": "330103", "cases": of}
    return Measured(kind=kind, amount=amount, of=of, **given | more)


def test_what_is_counted_anew_replaces_its_months_and_leaves_those_before(store: Store) -> None:
    earlier = one(Kind.FUND, 900, 40, since=date(2024, 2, 1), until=MARCH)
    replace(store, [earlier, one(Kind.FUND, 100, 40)], since=date(2024, 2, 1), now=COMPUTED)
    replace(store, [one(Kind.FUND, 300, 50)], since=MARCH, now=COMPUTED + timedelta(days=1))
    (told,) = indicators(store).orgs
    assert (told.value, told.cases, told.since) == (12.0, 90, date(2024, 2, 1))
    assert indicators(store).computed_at == COMPUTED + timedelta(days=1)


def test_nothing_is_told_where_nothing_was_ever_counted(store: Store) -> None:
    told = indicators(store)
    assert (told.computed_at, told.days, told.orgs) == (None, (), ())


def test_beyond_is_told_against_what_was_agreed_and_of_enough_cases_only(store: Store) -> None:
    replace(
        store,
        [
            one(Kind.OUT_PATIENT, 15_000 * FEWEST, FEWEST, target="100"),
            one(Kind.IN_PATIENT, 900_000, FEWEST - 1, target="100"),
            one(Kind.DRUGS, 40, 100, target="0.40"),
            one(Kind.BED_DAY, 100, 100, target="as agreed"),
            one(Kind.IN_BED, 35, 100, since=date(2024, 3, 31)),
            one(Kind.FUND, 310_000, 100, target="36500"),
        ],
        since=MARCH,
        now=COMPUTED,
    )
    off = {told.kind: told.off if told.off is None else round(told.off, 2) for told in indicators(store).orgs}
    assert off[Kind.OUT_PATIENT] == 0.5
    assert off[Kind.IN_PATIENT] is None
    assert off[Kind.DRUGS] == 0
    assert off[Kind.BED_DAY] is None
    assert off[Kind.IN_BED] == 0.5
    assert off[Kind.FUND] == 0  # 31 of 365 days of the budget
    assert {told.kind for told in indicators(store).orgs if told.is_bad} == {
        Kind.OUT_PATIENT,
        Kind.IN_BED,
    }
    assert [told.off is None for told in indicators(store).orgs] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("told", ["", "0", "-1", "NaN", "Infinity", "about 5"])
def test_a_target_that_is_no_number_above_zero_is_none(told: str) -> None:
    assert target_of(Kind.DRUGS, told) is None


def test_days_are_added_up_over_institutions_and_other_areas_are_left_out(store: Store) -> None:
    days = [
        one(Kind.IN_BED, n, 10, org=org, area=area, since=date(2024, 3, n), until=date(2024, 3, n + 1), apart=1)
        for n in (8, 9)
        for org, area in ((HERE, "330103"), ("H44010310441", "440103"))
    ]
    replace(store, days, since=MARCH, now=COMPUTED)
    assert [(day.found, day.expected, day.apart) for day in indicators(store).days] == [(16, 20, 2), (18, 20, 2)]
    within = indicators(store, areas=("330100",))
    assert [day.found for day in within.days] == [8, 9]
    assert {told.org for told in within.orgs} == {HERE}
    assert {told.org for told in indicators(store, org="H44010310441").orgs} == {"H44010310441"}


def test_the_command_counts_into_the_store(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNDWATCH_STORE__URL", store.engine.url.render_as_string(hide_password=False))
    folder = archive(tmp_path / "archive", bill("04 09:00", "30"), swipe("04 08:59", org=HERE))
    said = CliRunner().invoke(command, ["--archive", str(folder)], catch_exceptions=False)
    assert said.output == "2 sums of 1 institutions from 2024-01 on, 0 limits of prices\n"
    assert {told.kind for told in indicators(store).orgs} == {Kind.OUT_PATIENT, Kind.FUND}
    none = CliRunner().invoke(command, ["--archive", str(tmp_path)])
    assert (none.exit_code, "no archive here" in none.output) == (1, True)


def test_the_pages_and_the_api_show_them_to_whom_they_concern(office: Office) -> None:  # noqa: F811
    fang = office.client("fang")
    assert "还没有算过" in fang.get("/overview").text
    days = [
        one(Kind.IN_BED, 60, 100, since=date(2024, 3, 31)),
        one(Kind.OUT_PATIENT, 450_000, 30, target="100"),
    ]
    replace(office.store, days, since=MARCH, now=COMPUTED)
    for path in ("/overview", "/indicators", f"/subjects/org/{HERE}"):
        text = fang.get(path).text
        for words in ("在院率", "60.0%", "-14%", "次均门诊费用", "150.00元", "+50%", "2024年3月1日至2024年3月31日"):
            assert words in text, (path, words)
    told = fang.get("/api/v1/indicators", params={"org": HERE}).json()
    assert {one["kind"] for one in told["orgs"]} == {"in_bed", "out_patient_cost"}
    assert httpx.get(f"{office.address}/api/v1/indicators").status_code == 401


# -- limits of prices ------------------------------------------------------------------------------------------------


def test_limits_of_prices_are_the_records_that_hold_each_from_its_day(store: Store, tmp_path: Path) -> None:
    first, second = at("01-01 00:00"), at("03-01 00:00")
    known = (
        drug("X", first, price_limit=Price("32.00"), event_id="r1", received_at=first),
        drug("X", first, price_limit=Price("31.50"), event_id="r2", received_at=first + timedelta(hours=1)),
        drug("X", second, event_id="r3"),
        drug("Y", first, event_id="r4"),
    )
    told = price_limits(archive(tmp_path, *known))
    assert [(one.item, one.since, one.yuan) for one in told] == [("X", first, Decimal("31.50")), ("X", second, None)]
    assert keep_limits(store, told) == 2
    kept = limits_of(store, ["X", "Y"])
    assert [holding(kept["X"], moment) for moment in (first, second)] == [Decimal("31.50"), None]
    assert keep_limits(store, told[:1]) == 1
    assert "Y" not in limits_of(store, ["X", "Y"])
