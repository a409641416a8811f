"""A made-up city: the same for the same seed, sound on the wire, honest where nothing is planted."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from click.testing import CliRunner

from detectors.wire import read
from replay.simulate.city import Plan
from replay.simulate.journal import Journal
from replay.simulate.label import Label
from replay.simulate.simulation import Simulation, write
from replay.simulate.stories.catalogue import DECOYS, FRAUDS
from stream_app.commands.history import simulate

START = datetime.fromisoformat("2026-03-02T00:00:00+08:00")
OUT_PATIENT = ("11", "13", "41", "9929", "140104", "140201")
Event = dict[str, Any]  # any message, as JSON has it


def plan(
    persons: int = 4_000,
    days: int = 24,
    families: str = "all",
    seed: int = 7,
    start: datetime = START,
    intensity: float = 1.0,
) -> Plan:
    wanted = tuple(families.split(","))
    return Plan(persons=persons, days=days, seed=seed, start=start, families=wanted, intensity=intensity)


@dataclass
class World:
    """A recording, read by nothing but json."""

    lines: list[bytes]
    labels: list[Label]
    reference: list[Event] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)  # each once

    def __post_init__(self) -> None:
        seen = set()
        for line in self.lines:
            event = json.loads(line)
            if event["event_type"].startswith("ref."):
                self.reference.append(event)
            elif event["event_id"] not in seen:
                seen.add(event["event_id"])
                self.events.append(event)

    def of(self, *kinds: str) -> list[Event]:
        """Events of these kinds without tests, in business time."""
        return sorted(
            (event for event in self.events if event["event_type"] in kinds and "is_test" not in event),
            key=lambda event: (event["biz_time"], event["event_id"]),
        )

    @cached_property
    def by_id(self) -> dict[str, Event]:
        return {event["event_id"]: event for event in self.events}

    def bills(self) -> list[Event]:
        """Settlements that stand: each told once, none taken back."""
        back = {event["setl_id"] for event in self.of("setl_rev")}
        return [bill for bill in one_each(self.of("setl"), "setl_id") if bill["setl_id"] not in back]

    @cached_property
    def places(self) -> dict[str, Event]:
        return {record["fixmedins_code"]: record for record in self.reference if record["event_type"] == "ref.org"}


def one_each(events: Iterable[Event], identity: str) -> Iterator[Event]:
    seen = set()
    for event in events:
        if event[identity] not in seen:
            seen.add(event[identity])
            yield event


def told(wanted: Plan) -> World:
    simulation = Simulation(wanted)
    lines = list(simulation.lines())
    return World(lines, simulation.labels)


@pytest.fixture(scope="module")
def honest() -> World:
    return told(plan(days=35, families="none"))


@pytest.fixture(scope="module")
def crooked() -> World:
    return told(plan(persons=8_000, intensity=1.5))


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["biz_time"])


def km(one: Event, other: Event) -> float:
    lat1, lat2 = radians(one["lat"]), radians(other["lat"])
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin(radians(other["lon"] - one["lon"]) / 2) ** 2
    return 2 * 6371 * asin(sqrt(half))


# the recording


@pytest.mark.parametrize("name", ["city.ndjson", "city.ndjson.gz", "city.ndjson.zst"])
def test_the_same_plan_makes_the_same_bytes(tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        write(plan(persons=600, days=3), folder / name, folder / "labels.ndjson")
    assert (first / name).read_bytes() == (second / name).read_bytes()
    assert (first / "labels.ndjson").read_bytes() == (second / "labels.ndjson").read_bytes()


def test_another_seed_makes_another_city() -> None:
    assert list(Simulation(plan(persons=300, days=1)).lines()) != list(Simulation(plan(300, 1, seed=8)).lines())


def test_a_compressed_recording_holds_the_same_lines(tmp_path: Path) -> None:
    write(plan(persons=300, days=1), tmp_path / "plain.ndjson", None)
    write(plan(persons=300, days=1), tmp_path / "packed.ndjson.gz", None)
    assert gzip.decompress((tmp_path / "packed.ndjson.gz").read_bytes()) == (tmp_path / "plain.ndjson").read_bytes()


def test_every_line_is_an_event_that_we_accept(crooked: World, honest: World) -> None:
    for line in (*crooked.lines, *honest.lines):
        read(line)


def test_flags_are_written_as_the_national_interface_writes_them(crooked: World) -> None:
    for event in (*crooked.events, *crooked.reference):
        for told in (event, *event.get("lines", ())):
            for name, value in told.items():
                if name.endswith("_flag") or name in ("watch", "is_test"):
                    assert value in ("0", "1"), (name, value)


def test_reference_comes_first_and_then_all_in_order_of_arrival(crooked: World) -> None:
    kinds = [json.loads(line)["event_type"].startswith("ref.") for line in crooked.lines]
    assert kinds == sorted(kinds, reverse=True)
    latest, seen = "", set()
    for line in crooked.lines[kinds.count(True) :]:
        received = json.loads(line)["recv_time"]
        assert received >= latest or line in seen, "only a repeated line may say that it came earlier"
        latest = max(latest, received)
        seen.add(line)


def test_some_lines_come_twice_and_some_facts_are_told_differently(crooked: World) -> None:
    repeated = len(crooked.lines) - len(set(crooked.lines))
    assert 0.002 < repeated / len(crooked.lines) < 0.01
    ids = defaultdict(set)
    for line in crooked.lines:
        ids[json.loads(line)["event_id"]].add(line)
    settlements = [event["setl_id"] for event in crooked.of("setl")]
    assert any(len(copies) > 1 for copies in ids.values()) or len(settlements) > len(set(settlements))


def test_nothing_happens_outside_the_world_or_before_it_is_known(crooked: World) -> None:
    end = START + timedelta(days=24)
    for event in crooked.events:
        assert START <= at(event) < end
        assert event["biz_time"] <= event["recv_time"]


def test_every_name_of_an_event_is_known_beforehand(crooked: World) -> None:
    known = {record.get("psn_no") for record in crooked.reference} | {"TESTPSN0001", None}
    goods = {r["med_list_codg"] for r in crooked.reference if r["event_type"] in ("ref.drug", "ref.item")}
    for event in crooked.events:
        assert event["fixmedins_code"] in crooked.places
        assert event.get("psn_no") in known
        for line in event.get("lines", ()):
            assert line["med_list_codg"] in goods


def test_a_bill_adds_up(crooked: World) -> None:
    for bill in crooked.of("setl"):
        paid = [bill.get(name, 0) for name in ("fund_pay_sumamt", "acct_pay", "psn_cash_pay", "acct_mulaid_pay")]
        assert sum(fen(one) for one in paid) == fen(bill["medfee_sumamt"])
        if bill.get("lines"):
            assert sum(fen(line["det_item_fee_sumamt"]) for line in bill["lines"]) == fen(bill["medfee_sumamt"])


def fen(yuan: object) -> int:
    return round(float(str(yuan)) * 100)


def test_the_bill_of_a_stay_is_the_sum_of_its_uploads(honest: World) -> None:
    sums: defaultdict[str, int] = defaultdict(int)
    prices = {}
    for event in honest.of("fee"):
        for line in event["lines"]:
            sums[event["mdtrt_id"]] += fen(line["det_item_fee_sumamt"])
            prices[line["feedetl_sn"]] = fen(line["det_item_fee_sumamt"])
    for event in honest.of("fee_rev"):
        sums[event["mdtrt_id"]] -= prices[event["feedetl_sn"]]
    final = [bill for bill in honest.bills() if bill["med_type"] in ("21", "52")]
    assert len(final) > 20
    for bill in final:
        assert sums[bill["mdtrt_id"]] == fen(bill["medfee_sumamt"])


def test_a_journal_holds_only_what_has_not_arrived() -> None:
    from random import Random

    journal = Journal(end=3 * 86_400, chance=Random(1))
    journal.write({"event_id": "late"}, 10, 90_000)
    journal.write({"event_id": "second"}, 5, 30)
    journal.write({"event_id": "first"}, 5, 20)
    journal.write({"event_id": "beyond"}, 3 * 86_400, 3 * 86_400)
    assert list(journal.arrived(0)) == [b'{"event_id":"first"}', b'{"event_id":"second"}']
    assert list(journal.arrived(0)) == []
    assert list(journal.rest()) == [b'{"event_id":"late"}']
    assert journal.unwritten == {"beyond"}


# the labels


def test_labels_point_at_events_that_exist(crooked: World) -> None:
    known = crooked.by_id
    assert crooked.labels
    for label in crooked.labels:
        assert label.events
        assert set(label.events) <= known.keys()
        assert label.aliases.keys() <= known.keys()
        assert set(label.aliases.values()) <= set(label.events)
        times = sorted(known[event]["biz_time"] for event in label.events)
        assert (label.start, label.end) == (times[0], times[-1])
        assert {known[event].get("psn_no") for event in label.events} <= set(label.persons)


def test_every_story_is_told(crooked: World) -> None:
    assert {label.family for label in crooked.labels} == {family.name for family in (*FRAUDS, *DECOYS)}


def test_cases_are_as_dense_as_in_the_recorded_worlds(crooked: World) -> None:
    for family in FRAUDS:
        assert sum(label.family == family.name for label in crooked.labels) == 1.5 * 4
    for decoys in DECOYS:
        assert sum(label.family == decoys.name for label in crooked.labels) == 1.5 * 2


def test_frauds_and_decoys_are_told_apart(crooked: World) -> None:
    for label in crooked.labels:
        if label.kind == "fraud":
            assert label.expect
            assert label.minimum_level
            assert not label.forbid
            assert label.exclusion is None
        else:
            assert label.forbid
            assert not label.expect
            assert label.exclusion


def test_only_the_families_asked_for_are_told() -> None:
    world = told(plan(persons=1_000, days=3, families="geo_time_conflict,near_geo"))
    assert {label.family for label in world.labels} == {"geo_time_conflict", "near_geo"}


def test_a_city_without_families_has_no_labels(honest: World) -> None:
    assert honest.labels == []


def test_a_city_that_wakes_by_day_has_a_fraud_within_the_hour() -> None:
    world = told(plan(persons=2_000, days=1, start=START + timedelta(hours=8)))
    first = min(label.start for label in world.labels if label.kind == "fraud")
    assert "2026-03-02T08:00" < first < "2026-03-02T08:30"
    assert min(event["biz_time"] for event in world.events) >= "2026-03-02T08:00:00+08:00"


# what is planted is what it says


def cases(world: World, family: str) -> list[Label]:
    found = [label for label in world.labels if label.family == family]
    assert found
    return found


def grounds(world: World, label: Label) -> list[Event]:
    known = world.by_id
    return sorted((known[event] for event in label.events), key=lambda event: str(event["biz_time"]))


def test_collected_cards_are_many_fast_and_at_one_till(crooked: World) -> None:
    for label in cases(crooked, "card_batch_swipe"):
        bills = grounds(crooked, label)
        gaps = [(at(b) - at(a)).total_seconds() for a, b in pairwise(bills)]
        assert len({bill["psn_no"] for bill in bills}) >= 8
        assert median(gaps) <= 60
        assert len({(bill["fixmedins_code"], bill["opter"]) for bill in bills}) == 1


def test_no_collected_cards_hide_behind_a_registered_day(crooked: World) -> None:
    days = {
        (record["village"], record["day"]) for record in crooked.reference if record["event_type"] == "ref.calendar"
    }
    home = {record["psn_no"]: record.get("village") for record in crooked.reference if "psn_no" in record}
    assert days
    for label in cases(crooked, "card_batch_swipe"):
        for person in label.persons:
            assert (home[person], label.start[:10]) not in days


def test_collected_cards_are_read_one_after_the_other(crooked: World) -> None:
    for label in cases(crooked, "card_batch_swipe"):
        known = crooked.by_id
        told = [known[event] for event in (*label.events, *label.aliases)]
        row = sorted((event for event in told if event["event_type"] in ("swipe", "setl")), key=at)
        persons = [event["psn_no"] for event in row]
        assert persons[::2] == persons[1::2]


def test_a_lent_card_is_faster_than_any_car(crooked: World) -> None:
    places = crooked.places
    for label in cases(crooked, "geo_time_conflict"):
        bills = grounds(crooked, label)
        for one, other in zip(bills[::2], bills[1::2], strict=True):
            far = km(places[one["fixmedins_code"]], places[other["fixmedins_code"]])
            assert far >= 20
            assert far / ((at(other) - at(one)).total_seconds() / 3600) > 200


def test_a_patient_who_buys_is_in_hospital(crooked: World) -> None:
    stays = {stay["mdtrt_id"]: stay for stay in crooked.of("adm")}
    ends = {event["mdtrt_id"]: at(event) for event in crooked.of("dscg")}
    for label in cases(crooked, "inpatient_concurrent_claim"):
        stay = next(stays[name] for name in label.ids if name in stays)
        for bill in grounds(crooked, label):
            assert at(stay) + timedelta(hours=4) < at(bill)
            assert at(bill) < ends.get(stay["mdtrt_id"], at(bill) + timedelta(days=9)) - timedelta(hours=4)


def test_a_box_sold_again_has_one_code_and_no_return(crooked: World) -> None:
    back = {event["setl_id"] for event in crooked.of("setl_rev", "sale") if event.get("sale_type") != "sale"}
    for label in cases(crooked, "trace_code_repeat"):
        for bill in grounds(crooked, label):
            assert bill["lines"][0]["drug_trac_codg"] == [label.subject.id]
            assert bill["setl_id"] not in back


def test_a_split_stay_comes_back_with_the_same_illness(crooked: World) -> None:
    for label in cases(crooked, "readmission_split"):
        first, second = grounds(crooked, label)
        assert first["maindiag_code"][:3] == second["maindiag_code"][:3]
        assert first["fixmedins_code"] == second["fixmedins_code"]


def test_a_bed_nobody_checks_is_in_a_ward_that_is_checked(crooked: World) -> None:
    silent = [label for label in cases(crooked, "ghost_bed_absence") if label.absence]
    assert silent
    checks = crooked.of("presence")
    for label in silent:
        (adm,) = grounds(crooked, label)
        own = [at(check) for check in checks if check.get("mdtrt_id") == adm["mdtrt_id"]]
        gap_from, gap_to = max(pairwise(own), key=lambda pair: pair[1] - pair[0])
        assert gap_to - gap_from > timedelta(hours=36)
        others = {
            check["mdtrt_id"]
            for check in checks
            if check.get("ward") == adm["ward"]
            and check["fixmedins_code"] == adm["fixmedins_code"]
            and gap_from < at(check) < gap_to
        }
        assert len(others) >= 2


def test_a_half_empty_ward_has_its_patients_on_paper(crooked: World) -> None:
    wards = [label for label in cases(crooked, "ghost_bed_absence") if label.subject.kind == "area"]
    assert wards
    admitted = {event["mdtrt_id"] for event in crooked.of("adm")}
    for label in wards:
        stays = [name for name in label.ids if name in admitted]
        assert len(stays) >= 10
        assert len(label.events) > 0.3 * len(stays)


def test_a_ward_whose_device_is_offline_has_no_other_patients(crooked: World) -> None:
    checks = crooked.of("presence")
    for label in cases(crooked, "x19_ward_device_offline"):
        stays = {event["mdtrt_id"] for event in grounds(crooked, label)}
        first = grounds(crooked, label)[0]
        quiet = (at(first) + timedelta(hours=20), at(first) + timedelta(hours=48))
        seen = {
            check["mdtrt_id"]
            for check in checks
            if check.get("ward") == first["ward"]
            and check["fixmedins_code"] == first["fixmedins_code"]
            and quiet[0] < at(check) < quiet[1]
        }
        assert seen <= stays


# the honest city


def test_an_honest_box_is_sold_once(honest: World) -> None:
    sold: defaultdict[str, list[str]] = defaultdict(list)
    back = {(event["setl_id"], code) for event in honest.of("sale") if event["sale_type"] == "return"
            for code in event["drug_trac_codg"]}  # fmt: skip
    for event in honest.of("sale"):
        if event["sale_type"] == "sale":
            for code in event["drug_trac_codg"]:
                if (event.get("setl_id"), code) not in back:
                    sold[code].append(event["event_id"])
    assert len(sold) > 1_000
    assert not {code: ids for code, ids in sold.items() if len(ids) > 1}


def test_an_honest_box_was_delivered_before_it_was_sold(honest: World) -> None:
    owned: dict[str, tuple[str, str]] = {}
    for event in honest.of("inv"):
        for code in event["drug_trac_codg"]:
            owned[code] = (event["fixmedins_code"], event["biz_time"])
    for event in honest.of("sale", "setl", "fee"):
        told = event.get("lines", ()) if event["event_type"] != "sale" else (event,)
        for line in told:
            for code in line.get("drug_trac_codg", ()):
                place, delivered = owned[code]
                assert place == event["fixmedins_code"]
                assert delivered < (line.get("fee_ocur_time") or event["biz_time"])


def test_nobody_honest_is_in_two_places(honest: World) -> None:
    places = honest.places
    last: dict[str, Event] = {}
    for event in honest.of("swipe", "setl"):
        place = places[event["fixmedins_code"]]
        if "internet" in place.get("tags", ()) or event.get("med_type") in ("21", "52"):
            continue
        before = last.get(event["psn_no"])
        last[event["psn_no"]] = event
        if before is not None and before["fixmedins_code"] != event["fixmedins_code"]:
            far = km(places[before["fixmedins_code"]], place)
            hours = max((at(event) - at(before)).total_seconds(), 60) / 3600
            assert far < 20 or far / hours <= 100, (before["event_id"], event["event_id"])


def test_no_honest_till_serves_strangers_as_fast_as_a_collector(honest: World) -> None:
    people = [record for record in honest.reference if record["event_type"] == "ref.person"]
    home = {record["psn_no"]: str(record.get("household", record["psn_no"])) for record in people}
    tills: defaultdict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
    for event in honest.of("swipe"):
        tills[event["fixmedins_code"], event["opter"]].append((at(event), home[event["psn_no"]]))
    for visits in tills.values():
        fast = 0
        for (before, one), (after, other) in pairwise(visits):
            if one != other:
                fast = fast + 1 if (after - before).total_seconds() <= 60 else 0
                assert fast < 4


def test_honest_patients_buy_nothing_elsewhere(honest: World) -> None:
    ends = {event["mdtrt_id"]: at(event) for event in honest.of("dscg")}
    taken_back = {event["mdtrt_id"] for event in honest.of("adm_rev")}
    stays = defaultdict(list)
    for event in honest.of("adm"):
        if event["mdtrt_id"] not in taken_back:
            stays[event["psn_no"]].append(
                (at(event), ends.get(event["mdtrt_id"], datetime.max.replace(tzinfo=START.tzinfo)))
            )
    assert len(stays) > 50
    for bill in honest.bills():
        if bill["med_type"] in OUT_PATIENT:
            assert not any(begin < at(bill) < end for begin, end in stays[bill["psn_no"]])


def test_honest_beds_hold_one_patient(honest: World) -> None:
    ends = {event["mdtrt_id"]: at(event) for event in honest.of("dscg")}
    taken_back = {event["mdtrt_id"] for event in honest.of("adm_rev")}
    free: dict[tuple[str, str, str], datetime] = {}
    for event in honest.of("adm"):
        if event["mdtrt_id"] not in taken_back:
            bed = (event["fixmedins_code"], event["ward"], event["adm_bed"])
            assert free.get(bed, at(event)) <= at(event)
            free[bed] = ends.get(event["mdtrt_id"], START + timedelta(days=99))


def test_nobody_honest_comes_back_within_four_weeks(honest: World) -> None:
    left: dict[str, datetime] = {}
    for event in honest.of("adm", "dscg"):
        if event["event_type"] == "dscg":
            left[event["psn_no"]] = at(event)
        elif event["psn_no"] in left:
            assert at(event) - left[event["psn_no"]] > timedelta(days=28)


def test_honest_patients_miss_no_two_checks_in_a_row(honest: World) -> None:
    checks = defaultdict(list)
    for event in honest.of("presence"):
        if event["subject"] == "patient":
            checks[event["mdtrt_id"]].append(event["result"])
    assert sum(map(len, checks.values())) > 500
    for results in checks.values():
        for one, other in pairwise(results):
            assert "pass" in (one, other) or (one, other) == ("on_leave", "on_leave")


def test_honest_patients_are_seen_at_least_once_a_day_and_treated(honest: World) -> None:
    seen = defaultdict(list)
    for event in honest.of("presence"):
        if event["subject"] == "patient":
            seen[event["mdtrt_id"]].append(at(event))
    for times in seen.values():
        assert all(b - a <= timedelta(hours=26) for a, b in pairwise(times))
    ordered = {event["mdtrt_id"] for event in honest.of("order")}
    assert {event["mdtrt_id"] for event in honest.of("dscg")} <= ordered


def test_an_honest_prescription_is_filled_once_by_its_patient(honest: World) -> None:
    written = {event["rxno"]: event for event in honest.of("rx")}
    used: dict[str, str] = {}
    for bill in honest.bills():
        for line in bill.get("lines", ()):
            if line.get("rxno"):
                rx = written[line["rxno"]]
                assert rx["psn_no"] == bill["psn_no"]
                assert used.setdefault(line["rxno"], bill["setl_id"]) == bill["setl_id"]
                assert rx["biz_time"] < bill["biz_time"]
            elif bill["fixmedins_code"].startswith("P"):
                assert line["rx_flag"] == "0"


def test_an_honest_store_never_sells_what_it_has_not(honest: World) -> None:
    stock: defaultdict[tuple[str, str], int] = defaultdict(int)
    for event in honest.of("inv", "sale"):
        sign = -1 if event.get("sale_type") == "sale" else 1
        shelf = (event["fixmedins_code"], event["med_list_codg"])
        stock[shelf] += sign * event["cnt"]
        assert stock[shelf] >= 0


def test_the_honest_city_is_like_a_city(honest: World) -> None:
    per_person_day = len(honest.bills()) / 4_000 / 35
    assert 0.0136 < per_person_day < 0.036, "between the national mean and Fuzhou's figure"
    reversed_share = len(honest.of("setl_rev")) / len(honest.of("setl"))
    assert 0.01 < reversed_share < 0.04
    kinds = {event["event_type"] for event in honest.events}
    assert kinds >= {"swipe", "setl", "setl_rev", "fee", "adm", "adm_chg", "dscg", "rx", "order", "presence", "leave",
                     "inv", "sale"}  # fmt: skip
    checks = {event["check_type"] for event in honest.of("presence")}
    assert checks == {"scheduled", "surprise", "night", "gate"}
    hours = [at(bill).hour for bill in honest.bills()]
    assert sum(hour in (8, 9, 10, 11) for hour in hours) > 5 * sum(hour < 6 for hour in hours)


# the command


def test_a_story_that_does_not_exist_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(simulate, ["--out", str(tmp_path / "x.ndjson"), "--families", "none,nonsense"])
    assert result.exit_code == 2
    assert "'nonsense' is no story" in result.output


def test_a_city_may_begin_at_eight_but_not_later(tmp_path: Path) -> None:
    result = CliRunner().invoke(simulate, ["--out", str(tmp_path / "x.ndjson"), "--start", "2026-03-02T09:00"])
    assert result.exit_code == 2
    assert "08:00 at the latest" in result.output


def test_the_command_writes_a_recording_and_its_labels(tmp_path: Path) -> None:
    out, labels = tmp_path / "city.ndjson", tmp_path / "labels.ndjson"
    arguments = ["--out", str(out), "--labels", str(labels), "--persons", "500", "--days", "1"]
    result = CliRunner().invoke(simulate, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert out.stat().st_size > 0
    assert labels.read_text(encoding="utf-8").count("\n") > 5
