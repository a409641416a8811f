"""A made-up city: the same for the same seed, sound on the wire, honest where nothing is planted."""

import gzip
import json
import os
import subprocess
import sys
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
END = 3 * 86_400
DAYS = 32  # the longest story of a fraud takes 31
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
    return told(plan(persons=8_000, days=DAYS, intensity=1.5))


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


def test_the_same_plan_makes_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    """Nothing hangs on the order in which this process happens to keep a set."""
    written = []
    for hash_seed in ("1", "2"):
        out, labels = tmp_path / f"{hash_seed}.ndjson", tmp_path / f"{hash_seed}.labels.ndjson"
        size = ["--persons", "1500", "--days", "16", "--seed", "3"]
        command = [sys.executable, "-m", "stream_app", "simulate", "--out", str(out), "--labels", str(labels), *size]
        subprocess.run(command, check=True, timeout=120, env={**os.environ, "PYTHONHASHSEED": hash_seed})
        written.append((out.read_bytes(), labels.read_bytes()))
    assert written[0] == written[1]


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
    end = START + timedelta(days=DAYS)
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

    journal = Journal(end=END, chance=Random(1))
    for name, happened, arrives in (("late", 10, 90_000), ("second", 5, 30), ("first", 5, 20), ("beyond", END, END)):
        journal.write({"event_id": name, "event_type": "sale", "fixmedins_code": "A"}, happened, arrives)
    assert [json.loads(line)["event_id"] for line in journal.arrived(0)] == ["first", "second"]
    assert list(journal.arrived(0)) == []
    assert [json.loads(line)["event_id"] for line in journal.rest()] == ["late"]
    assert journal.unwritten == {"beyond"}


def test_what_a_silent_interface_would_tell_is_never_told() -> None:
    from random import Random

    journal = Journal(end=END, chance=Random(1))
    for org, kind, happened in (("A", "sale", 50), ("A", "sale", 100), ("A", "setl", 100), ("B", "sale", 100)):
        name = f"{org}/{kind}/{happened}"
        journal.write({"event_id": name, "event_type": kind, "fixmedins_code": org}, happened, happened + 1)
    journal.silence("A", "sale", 60, 200)
    assert [json.loads(line)["event_id"] for line in journal.rest()] == ["A/sale/50", "A/setl/100", "B/sale/100"]
    assert journal.unwritten == {"A/sale/100"}


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
        assert {known[event]["psn_no"] for event in label.events} <= set(label.persons)
        assert {known[event]["fixmedins_code"] for event in label.events} <= set(label.orgs)


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
        (record.get("village"), record["day"]) for record in crooked.reference if record["event_type"] == "ref.calendar"
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
        quiet = (at(first) + timedelta(hours=24), at(first) + timedelta(hours=48))
        seen = {
            check["mdtrt_id"]
            for check in checks
            if check.get("ward") == first["ward"]
            and check["fixmedins_code"] == first["fixmedins_code"]
            and quiet[0] < at(check) < quiet[1]
        }
        assert seen <= stays


def test_a_stay_without_service_has_nothing_done_in_it(crooked: World) -> None:
    kinds = {r["med_list_codg"]: r["kind"] for r in crooked.reference if r["event_type"] == "ref.item"}
    bare = {"bed", "nursing", "diet", "registration"}
    for label in cases(crooked, "ghost_bed_no_service"):
        (stay,) = grounds(crooked, label)
        name = stay["mdtrt_id"]
        orders = [event for event in crooked.of("order") if event["mdtrt_id"] == name]
        told = [event for event in crooked.of("fee") if event["mdtrt_id"] == name]
        done = {
            line["fee_ocur_time"][:10]
            for event in told
            for line in event["lines"]
            if kinds.get(line["med_list_codg"], "drug") not in bare
        }
        days = [(at(stay).date() + timedelta(days=n)).isoformat() for n in range(1, 6)]
        idle = any(done.isdisjoint(days[n : n + 3]) for n in range(3))
        assert told
        assert idle or not orders


def test_a_hoarder_has_as_much_as_the_level_says(crooked: World) -> None:
    drugs = {r["med_list_codg"]: r for r in crooked.reference if r["event_type"] == "ref.drug"}
    beyond = {"yellow": 30, "orange": 180, "red": 365}
    taken = sorted(of_patients(crooked), key=lambda one: one[0])
    for label in cases(crooked, "drug_overstock"):
        person, _, group = label.subject.id.partition("/")
        until, most = START, timedelta()
        fetched = [one for one in taken if one[1] == person and drugs[one[2]["med_list_codg"]]["group"] == group]
        for when, _, line in fetched:
            until = max(until, when) + timedelta(days=days_of(line, drugs[line["med_list_codg"]]))
            most = max(most, until - when)
        assert label.minimum_level
        assert most > timedelta(days=beyond[label.minimum_level])


def test_goods_that_were_never_bought_are_missing_by_the_records(crooked: World) -> None:
    shelves = balances(crooked)
    for label in cases(crooked, "inventory_imbalance"):
        org, _, item = label.subject.id.partition("/")
        shelf = shelves[org, item]
        assert shelf.least < -10
        assert (shelf.opened == 0) == (label.minimum_level == "red")
        assert not [e for e in crooked.of("inv") if e["fixmedins_code"] == org and e["med_list_codg"] == item
                    and e["inv_type"] == "purchase"]  # fmt: skip


def test_a_stopped_credential_is_used_all_the_same(crooked: World) -> None:
    known = spells(crooked, "ref.person", "psn_no", "status")
    records = {(r.get("psn_no"), r.get("status")): r for r in crooked.reference}
    seen = set()
    for label in cases(crooked, "ineligible_credential_use"):
        for bill in grounds(crooked, label):
            status = status_at(known[bill["psn_no"]], at(bill))
            seen.add(status)
            record = records[bill["psn_no"], status]
            assert at(bill) - datetime.fromisoformat(record["valid_from"]) > timedelta(days=1)
            heard_later = record["recv_time"] > bill["biz_time"]
            assert heard_later == (label.minimum_level == "orange")
            assert status != "lost_card" or bill["mdtrt_cert_type"] == "03"
    assert seen == {"dead", "suspended", "lost_card", "settlement_suspended"}


def test_empty_swipes_are_taken_back_within_the_half_hour(crooked: World) -> None:
    back = {event["setl_id"]: at(event) for event in crooked.of("setl_rev")}
    for label in cases(crooked, "empty_swipe_reverse"):
        bills = grounds(crooked, label)
        reversed_ = [bill for bill in bills if bill["setl_id"] in back]
        quick = [bill for bill in reversed_ if back[bill["setl_id"]] - at(bill) <= timedelta(minutes=30)]
        if label.subject.kind == "org":
            assert len(quick) >= 20
            assert len({at(bill).isocalendar()[:2] for bill in quick}) == 1
        else:
            goods = {(bill["fixmedins_code"], bill["psn_no"], bill["lines"][0]["med_list_codg"]) for bill in bills}
            assert len(goods) == 1
            assert len(quick) >= 3


def test_a_suspended_institution_settles_or_its_customers_go_to_its_sister(crooked: World) -> None:
    known = spells(crooked, "ref.org", "fixmedins_code", "contract")
    shapes = set()
    for label in cases(crooked, "suspended_org_settlement"):
        bills = grounds(crooked, label)
        places = {bill["fixmedins_code"] for bill in bills}
        stopped = [org for org in label.orgs if status_at(known[org], at(bills[0])) != "active"]
        assert len(stopped) == 1
        shapes.add(places == set(stopped))
        if places != set(stopped):
            (sister,) = places
            assert crooked.places[sister]["owner_group"] == crooked.places[stopped[0]]["owner_group"]
            earlier = [b for b in crooked.bills() if b["fixmedins_code"] == stopped[0] and at(b) < at(bills[0])]
            before = {bill["psn_no"] for bill in earlier}
            assert len(before & {bill["psn_no"] for bill in bills}) >= 0.3 * len(before)
    assert shapes == {True, False}


def test_patients_by_the_busload_come_together_with_one_illness(crooked: World) -> None:
    for label in cases(crooked, "batch_admission"):
        stays = grounds(crooked, label)
        times = [at(stay) for stay in stays]
        hours = (times[-1] - times[0]).total_seconds() / 3600
        assert len({(stay["fixmedins_code"], stay["adm_dept_codg"], stay["maindiag_code"][:3]) for stay in stays}) == 1
        assert (len(stays) >= 5 and hours <= 2) or (len(stays) >= 10 and hours <= 24)


def test_a_forged_prescription_is_none_or_somebody_elses(crooked: World) -> None:
    written = {rx["rxno"]: rx for rx in crooked.of("rx")}
    known = spells(crooked, "ref.doctor", "dr_code", "status")
    for label in cases(crooked, "rx_missing_or_forged"):
        lines = [(bill, line) for bill in grounds(crooked, label) for line in bill["lines"]]
        assert all(line["rx_flag"] == "1" for _, line in lines)
        numbers = [line.get("rxno") for _, line in lines]
        missing = [number for number in numbers if number not in written]
        reused = len(numbers) - len(set(numbers))
        doctors = {written[number]["dr_code"] for number in numbers if number in written}
        retired = any(status_at(known[doctor], at(lines[0][0])) == "retired" for doctor in doctors)
        assert missing or reused or retired or (len(numbers) >= 30 and len(doctors) == 1)
        assert label.minimum_level != "red" or reused >= 3


def test_a_burst_goes_to_as_many_places_as_the_rule_says(crooked: World) -> None:
    for label in cases(crooked, "multi_org_burst"):
        bills = grounds(crooked, label)
        hours = (at(bills[-1]) - at(bills[0])).total_seconds() / 3600
        places = {bill["fixmedins_code"] for bill in bills}
        dear = sum(fen(bill["medfee_sumamt"]) for bill in bills) >= 50_000
        stores = {place for place in places if place.startswith("P")}
        assert (len(places) >= 3 and hours <= 1) or (len(places) >= 5 and hours <= 24) or (len(stores) >= 3 and dear)


def test_an_upload_gap_is_silent_late_or_without_codes(crooked: World) -> None:
    for label in cases(crooked, "upload_gap"):
        org = label.subject.id
        told = grounds(crooked, label)
        of_org = [event for event in crooked.events if event["fixmedins_code"] == org]
        used = {kind: {e["biz_time"][:10] for e in of_org if e["event_type"] == kind} for kind in ("sale", "presence")}
        days = sorted({e["biz_time"][:10] for e in told})
        silent = [kind for kind, on in used.items() if len(on) > 8 and on.isdisjoint(days[1:])]
        late = median(datetime.fromisoformat(e["recv_time"]).timestamp() - at(e).timestamp() for e in told) > 24 * 3600
        uncoded = sum(not line.get("drug_trac_codg") for e in told for line in e.get("lines", ()))
        assert silent or late or uncoded > 10


# what only looks like it


def test_no_look_alike_rests_on_a_credential_that_is_stopped(crooked: World) -> None:
    """But for those whose story it is."""
    known = spells(crooked, "ref.person", "psn_no", "status")
    by_id = crooked.by_id
    for label in crooked.labels:
        if label.family not in ("ineligible_credential_use", "near_ineligible", "x16_lapsed_while_offline"):
            for event in (by_id[name] for name in (*label.events, *label.aliases)):
                if event["event_type"] in ("swipe", "setl") and "is_test" not in event:
                    assert status_at(known[event["psn_no"]], at(event)) == "active", label.case_id


def test_what_is_short_of_a_rule_is_short_of_it(crooked: World) -> None:
    shelves = balances(crooked)
    for label in cases(crooked, "near_inventory"):
        org, _, item = label.subject.id.partition("/")
        assert -10 < shelves[org, item].least < -5
    for label in cases(crooked, "near_batch_seven"):
        bills = grounds(crooked, label)
        gaps = [(at(b) - at(a)).total_seconds() for a, b in pairwise(bills)]
        assert len(bills) < 8 or median(gaps) > 60
    for label in cases(crooked, "near_upload"):
        lines = [line for bill in grounds(crooked, label) for line in bill["lines"]]
        assert 0 < sum(not line.get("drug_trac_codg") for line in lines) < 0.1 * len(lines)


def test_late_records_come_within_three_days(crooked: World) -> None:
    for family in ("x15_late_purchase_record", "x15_prescriptions_on_paper", "x15_nightly_fees"):
        for label in cases(crooked, family):
            events = [e for e in crooked.events if e["fixmedins_code"] in label.orgs]
            late = [datetime.fromisoformat(e["recv_time"]) - at(e) for e in events]
            assert timedelta(hours=20) <= max(late) < timedelta(hours=72) or family == "x15_prescriptions_on_paper"


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("x06_registered_disease", "X06"),
        ("x14_goods_without_codes", "X14"),
        ("x20_before_a_shortage", "X20"),
        ("x20_dispensed_elsewhere", "X20"),
        ("x07_dialysed_elsewhere", "X20"),
    ],
)
def test_the_bureau_has_the_exception_on_record(crooked: World, family: str, kind: str) -> None:
    exceptions = [r for r in crooked.reference if r["event_type"] == "ref.exception" and r["kind"] == kind]
    for label in cases(crooked, family):
        whom = {*label.persons, *label.orgs}
        own = [r for r in exceptions if whom & {r.get("psn_no"), r.get("fixmedins_code")}]
        assert any(r["from"] <= label.start and label.end <= r["to"] and r["confirmer"] for r in own)


@pytest.mark.parametrize("kind", ["mass_screening", "outbreak"])
def test_the_bureau_has_the_day_on_record(crooked: World, kind: str) -> None:
    days = [r for r in crooked.reference if r["event_type"] == "ref.calendar" and r["kind"] == kind]
    assert days
    for record in days:
        assert record["valid_from"] <= f"{record['day']}T00:00:00+08:00"
        assert record.get("village") or record.get("fixmedins_code")


def test_every_exclusion_code_has_its_look_alikes(crooked: World) -> None:
    codes = {label.exclusion for label in crooked.labels if label.kind == "decoy"}
    assert codes == {"near", *(f"X{n:02d}" for n in range(1, 23))}


def test_every_detector_of_the_first_wave_is_tempted_and_has_a_fraud_to_find() -> None:
    wave = {family.name for family in FRAUDS}
    assert len(wave) == 16
    assert all(family.expect == (family.name,) for family in FRAUDS)
    assert wave <= {name for family in DECOYS for name in family.forbid}


def test_no_case_is_left_untold_in_a_city_of_some_size() -> None:
    simulation = Simulation(plan(persons=6_000, days=20, seed=5))
    list(simulation.lines())
    assert simulation.untold == []


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_city_too_small_for_a_case_leaves_it_untold(seed: int) -> None:
    simulation = Simulation(plan(persons=60, days=4, seed=seed))
    assert list(simulation.lines())
    assert simulation.untold


# the honest city


def test_an_honest_box_is_sold_once(honest: World) -> None:
    sold: defaultdict[str, list[str]] = defaultdict(list)
    back = {(event["setl_id"], code) for event in honest.of("sale") if event["sale_type"] == "return"
            for code in event.get("drug_trac_codg", ())}  # fmt: skip
    for event in honest.of("sale"):
        if event["sale_type"] == "sale":
            for code in event.get("drug_trac_codg", ()):
                if (event.get("setl_id"), code) not in back:
                    sold[code].append(event["event_id"])
    assert len(sold) > 1_000
    assert not {code: ids for code, ids in sold.items() if len(ids) > 1}


def test_an_honest_box_was_delivered_before_it_was_sold(honest: World) -> None:
    owned: dict[str, tuple[str, str]] = {}
    for event in honest.of("inv"):
        for code in event.get("drug_trac_codg", ()):
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
            assert {one, other} & {"pass", "on_leave"}


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
    latest = max(map(at, honest.events))
    used: dict[str, str] = {}
    for bill in honest.bills():
        for line in bill.get("lines", ()):
            if line.get("rxno"):
                rx = written.get(line["rxno"])
                if rx is None:  # on paper, and the world ended before it was keyed in
                    assert latest - at(bill) < timedelta(hours=72)
                    continue
                assert rx["psn_no"] == bill["psn_no"]
                assert used.setdefault(line["rxno"], bill["setl_id"]) == bill["setl_id"]
                assert rx["biz_time"] < bill["biz_time"]
            elif bill["fixmedins_code"].startswith("P"):
                assert line["rx_flag"] == "0"


@dataclass
class Balance:
    """What an institution has of an item by its own records, in packs: readings 2 and domain.md B3, written anew."""

    packs: dict[str, float] = field(default_factory=dict)
    least: float = 0.0
    counts: list[tuple[float, float]] = field(default_factory=list)  # (by the records, as counted)
    opened: float | None = None


def balances(world: World) -> dict[tuple[str, str], Balance]:
    """Every shelf that was counted at least once, moved in business time; records of one moment by when they came."""
    units = {r["med_list_codg"]: r["units_per_pack"] for r in world.reference if r["event_type"] == "ref.drug"}
    standing = {(bill["fixmedins_code"], bill["setl_id"]) for bill in world.bills()}
    settled_visits = {(bill["fixmedins_code"], bill["mdtrt_id"]) for bill in world.bills()}
    moves: defaultdict[tuple[str, str], list[tuple[str, str, str, float]]] = defaultdict(list)

    def move(event: Event, line: Event, what: str, packs: float, at: str = "") -> None:
        shelf = (event["fixmedins_code"], line["med_list_codg"])
        moves[shelf].append((at or event["biz_time"], event["event_id"], what, packs))

    def packs_of(line: Event) -> float:
        return float(line["cnt"]) / (units[line["med_list_codg"]] if line.get("trdn_flag") == "1" else 1)

    for event in world.of("inv"):
        sign = -1 if event["inv_type"] == "purchase_return" else 1
        move(event, event, "count" if event["inv_type"] == "count" else "move", sign * event["cnt"])
    for event in world.of("sale"):
        if "setl_id" not in event or (
            event["sale_type"] == "return" and (event["fixmedins_code"], event["setl_id"]) in standing
        ):
            move(event, event, "move", packs_of(event) * (1 if event["sale_type"] == "return" else -1))
    seen = set()
    for event in (*world.bills(), *world.of("fee")):
        if event["event_type"] == "fee" and (event["fixmedins_code"], event["mdtrt_id"]) not in settled_visits:
            continue
        for line in event.get("lines", ()):
            if line["med_list_codg"] in units and line["feedetl_sn"] not in seen:
                seen.add(line["feedetl_sn"])
                move(event, line, "move", -packs_of(line), line.get("fee_ocur_time", ""))
    return {shelf: _balance(sorted(told)) for shelf, told in moves.items()}


def _balance(told: list[tuple[str, str, str, float]]) -> Balance:
    found, here = Balance(), 0.0
    for _, _, what, packs in told:
        if what != "count":
            here += packs
        elif found.opened is None:
            found.opened = here = packs
        else:
            found.counts.append((here, packs))
            here = packs
        found.least = min(found.least, here)
    return found


def test_honest_stock_balances_in_pharmacies_and_hospitals(honest: World) -> None:
    shelves = balances(honest)
    kinds = {honest.places[org]["kind"] for org, _ in shelves}
    assert kinds == {"pharmacy", "clinic", "hospital"}
    assert sum(shelf.opened is not None for shelf in shelves.values()) > 1_000
    for shelf in shelves.values():
        assert shelf.least > -1, "part of an opened box at most"


def test_an_honest_count_finds_what_the_records_say(honest: World) -> None:
    counts = [count for shelf in balances(honest).values() for count in shelf.counts]
    assert len(counts) > 500
    for recorded, counted in counts:
        assert abs(recorded - counted) <= 1


def test_honest_stock_moves_in_all_the_ways_that_it_does_in_life(honest: World) -> None:
    kinds = {(event["inv_type"], event["cnt"] > 0) for event in honest.of("inv")}
    assert kinds >= {
        ("count", True),
        ("purchase", True),
        ("purchase_return", True),
        ("change", True),
        ("change", False),
    }


def test_every_honest_box_has_its_code_unless_the_bureau_knows_why(honest: World) -> None:
    listed = {
        (record.get("fixmedins_code"), record["med_list_codg"])
        for record in honest.reference
        if record["event_type"] == "ref.exception" and record["kind"] == "X14"
    }
    uncoded = 0
    for bill in honest.of("setl"):
        for line in bill.get("lines", ()):
            if line["list_type"] in ("101", "102") and not line.get("drug_trac_codg"):
                uncoded += 1
                assert {(None, line["med_list_codg"]), (bill["fixmedins_code"], line["med_list_codg"])} & listed
    assert uncoded > 10


def test_nobody_honest_has_more_of_a_drug_than_a_month(honest: World) -> None:
    """Or, on a long prescription, than 99 days: readings 6, A2, written anew."""
    drugs = {r["med_list_codg"]: r for r in honest.reference if r["event_type"] == "ref.drug"}
    long = {rx["rxno"] for rx in honest.of("rx") if rx["long_rx_flag"] == "1"}
    until: dict[tuple[str, str], datetime] = {}
    for when, person, line in sorted(of_patients(honest), key=lambda one: one[0]):
        drug = drugs[line["med_list_codg"]]
        stock = (person, drug["group"])
        before = max(until.get(stock, when) - when, timedelta())
        after = before + timedelta(days=days_of(line, drug))
        assert before < timedelta(days=15) or after <= timedelta(days=99 if line.get("rxno") in long else 30)
        until[stock] = when + after


def of_patients(world: World) -> Iterator[tuple[datetime, str, Event]]:
    """Drugs that patients took home: out-patient lines that stand, and what they were given at discharge."""
    goods = {r["med_list_codg"] for r in world.reference if r["event_type"] == "ref.drug"}
    standing = {bill["mdtrt_id"]: bill for bill in world.bills()}
    for bill in standing.values():
        if bill["med_type"] in OUT_PATIENT:
            for line in bill.get("lines", ()):
                if line["med_list_codg"] in goods:
                    yield at(bill), bill["psn_no"], line
    for event in world.of("fee"):
        settled = standing.get(event["mdtrt_id"])
        if settled is None:
            continue
        for line in event["lines"]:
            at_home = line.get("dscg_tkdrug_flag") == "1" or settled["med_type"] in OUT_PATIENT
            if line["med_list_codg"] in goods and at_home:
                yield datetime.fromisoformat(line.get("fee_ocur_time") or event["biz_time"]), event["psn_no"], line


def days_of(line: Event, drug: Event) -> float:
    if "prd_days" in line:
        return float(line["prd_days"])
    units = line["cnt"] * (1 if line["trdn_flag"] == "1" else drug["units_per_pack"])
    times = {"qd": 1, "bid": 2, "tid": 3, "qid": 4}[line["used_frqu"]]
    return float(units) / (float(line["sin_dos"]) * times)


def spells(world: World, kind: str, subject: str, status: str) -> dict[str, list[tuple[datetime, str]]]:
    """The versions of the records of one kind, by subject: from when on which status holds."""
    found: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for record in world.reference:
        if record["event_type"] == kind:
            found[record[subject]].append((datetime.fromisoformat(record["valid_from"]), record[status]))
    return {name: sorted(versions) for name, versions in found.items()}


def status_at(versions: list[tuple[datetime, str]], moment: datetime) -> str:
    return [status for since, status in versions if since <= moment][-1]


def test_nobody_honest_uses_a_credential_that_is_stopped(honest: World) -> None:
    known = spells(honest, "ref.person", "psn_no", "status")
    statuses = {status for versions in known.values() for _, status in versions}
    assert statuses == {"active", "dead", "suspended", "lost_card"}
    for event in honest.of("swipe", "setl"):
        status = status_at(known[event["psn_no"]], at(event))
        final_bill_of_the_dead = status == "dead" and event.get("med_type") == "21"
        another_credential = status == "lost_card" and event["mdtrt_cert_type"] != "03"
        assert status == "active" or final_bill_of_the_dead or another_credential, event["event_id"]


def test_some_die_and_the_bureau_hears_of_it_later(honest: World) -> None:
    dead = [record for record in honest.reference if record.get("status") == "dead"]
    assert dead
    for record in dead:
        assert record["die_date"] == record["valid_from"][:10]
        assert record["recv_time"] > record["valid_from"]
    assert any(event["dscg_way"] == "5" for event in honest.of("dscg"))


def test_children_are_born_and_some_lie_under_their_mothers_number(honest: World) -> None:
    births = [stay for stay in honest.of("adm") if stay["maindiag_code"].startswith("O80")]
    assert births
    mothers = {stay["psn_no"] for stay in births}
    newborns = [stay for stay in honest.of("adm") if stay["med_type"] == "5212"]
    assert {stay["psn_no"] for stay in newborns} <= mothers


def test_no_honest_bill_is_made_where_the_agreement_is_stopped(honest: World) -> None:
    known = spells(honest, "ref.org", "fixmedins_code", "contract")
    assert {status for versions in known.values() for _, status in versions} > {"active"}
    for event in honest.of("swipe", "setl"):
        assert status_at(known[event["fixmedins_code"]], at(event)) == "active"


def test_no_doctor_on_leave_prescribes_or_orders(honest: World) -> None:
    known = spells(honest, "ref.doctor", "dr_code", "status")
    assert {status for versions in known.values() for _, status in versions} >= {"active", "leave"}
    for event in honest.of("rx", "order"):
        assert status_at(known[event["dr_code"]], at(event)) == "active"


def test_nobody_honest_goes_from_counter_to_counter(honest: World) -> None:
    visits: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for bill in honest.bills():
        if bill["med_type"] in OUT_PATIENT:
            place = honest.places[bill["fixmedins_code"]]
            visits[bill["psn_no"]].append((at(bill), place.get("campus_group") or bill["fixmedins_code"]))
    for made in visits.values():
        for first, _ in made:
            near = {place for when, place in made if timedelta() <= when - first < timedelta(days=1)}
            soon = {place for when, place in made if timedelta() <= when - first < timedelta(hours=1)}
            assert len(near) < 4
            assert len(soon) < 3
            assert sum(place.startswith("P") for place in near) < 3


def test_no_honest_ward_fills_within_two_hours(honest: World) -> None:
    admitted: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
    for stay in honest.of("adm"):
        admitted[stay["fixmedins_code"], stay["adm_dept_codg"]].append(at(stay))
    for times in admitted.values():
        for first in times:
            assert sum(first <= other < first + timedelta(hours=2) for other in times) < 5


def test_nobody_honest_takes_bills_back_again_and_again(honest: World) -> None:
    made = {(bill["fixmedins_code"], bill["setl_id"]): bill for bill in honest.of("setl")}
    quick: defaultdict[tuple[str, str], int] = defaultdict(int)
    for event in honest.of("setl_rev"):
        bill = made[event["fixmedins_code"], event["setl_id"]]
        if at(event) - at(bill) <= timedelta(minutes=30):
            quick[event["fixmedins_code"], event["psn_no"]] += 1
    assert quick
    assert max(quick.values()) < 3


def test_honest_patients_are_ordered_for_and_treated_every_few_days(honest: World) -> None:
    ordered: defaultdict[str, list[datetime]] = defaultdict(list)
    treated: defaultdict[str, set[str]] = defaultdict(set)
    services = {r["med_list_codg"]: r["kind"] for r in honest.reference if r["event_type"] == "ref.item"}
    for event in honest.of("order"):
        ordered[event["mdtrt_id"]].append(at(event))
    for event in honest.of("fee"):
        for line in event["lines"]:
            if services.get(line["med_list_codg"], "drug") not in ("bed", "nursing", "diet", "registration"):
                treated[event["mdtrt_id"]].add(line.get("fee_ocur_time", event["biz_time"])[:10])
    ends = {event["mdtrt_id"]: at(event) for event in honest.of("dscg")}
    mistaken = {event["mdtrt_id"] for event in honest.of("adm_rev")}
    for stay in honest.of("adm"):
        name, begin = stay["mdtrt_id"], at(stay)
        if name in ends and name not in mistaken:
            assert min(ordered[name]) - begin < timedelta(hours=1)
            day = begin.date() + timedelta(days=1)
            while day < ends[name].date():
                assert day.isoformat() in treated[name]
                day += timedelta(days=1)


def test_prescriptions_on_paper_come_within_three_days(honest: World) -> None:
    late = [
        datetime.fromisoformat(rx["recv_time"]) - at(rx)
        for rx in honest.of("rx")
        if datetime.fromisoformat(rx["recv_time"]) - at(rx) > timedelta(hours=1)
    ]
    assert late
    assert max(late) < timedelta(hours=72)


def test_what_the_bureau_knows_is_on_record(honest: World) -> None:
    kinds = {record["event_type"] for record in honest.reference}
    assert kinds == {"ref.org", "ref.device", "ref.doctor", "ref.drug", "ref.item", "ref.person", "ref.agreement",
                     "ref.exception", "ref.calendar"}  # fmt: skip
    tags = {tag for place in honest.places.values() for tag in place.get("tags", ())}
    assert tags == {"24h", "dual_channel", "internet", "station", "employer", "school", "nursing_home"}
    assert any(place.get("campus_group") for place in honest.places.values())
    people = [record for record in honest.reference if record["event_type"] == "ref.person"]
    for name in ("household", "village", "emp", "dise_codg", "filing_admdvs"):
        assert any(person.get(name) for person in people), name


def test_the_honest_city_is_like_a_city(honest: World) -> None:
    per_person_day = len(honest.bills()) / 4_000 / 35
    assert 0.0136 < per_person_day < 0.036, "between the national mean and Fuzhou's figure"
    reversed_share = len(honest.of("setl_rev")) / len(honest.of("setl"))
    assert 0.01 < reversed_share < 0.04
    kinds = {event["event_type"] for event in honest.events}
    assert kinds >= {"swipe", "setl", "setl_rev", "fee", "adm", "adm_chg", "dscg", "rx", "order", "presence", "leave",
                     "inv", "sale"}  # fmt: skip
    assert any(int(bill["biz_time"][11:13]) < 6 for bill in honest.bills() if bill["med_type"] == "41")
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
