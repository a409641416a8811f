"""What leaves the store: files for programs and for the desk, messages for other systems, and the commands for it."""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from alerts.accounts import Account, Role, check_login
from alerts.alert import Alert
from alerts.export import COLUMNS, csv_lines, harmless, ndjson, xlsx
from alerts.keeper import alert_lines, keep
from alerts.kept import Filter, Note
from alerts.migrations import head, upgrade
from alerts.publish import Message, pending, publish_forever, sent
from alerts.snooze import snooze
from alerts.store import Store
from detectors.finding import Level, Subject
from tests.leads import NOON, lead, verdict

EVIL = '=HYPERLINK("http://evil","看")'


def said(store: Store) -> list[Alert]:
    """Three alerts: one with a formula for a sentence, one withdrawn, one refunded."""
    keep(store, [
        verdict(lead("a", summary=EVIL), unit="a"),
        verdict(lead("b", level=Level.BLUE), unit="b"),
        verdict(lead("c", amount=-500), unit="c"),
        verdict(unit="b", ticket=2),
    ], NOON)  # fmt: skip
    return list(store.alerts())


# -- files -------------------------------------------------------------------------------------------------------------


def test_ndjson_is_an_alert_file(store: Store) -> None:
    alerts = said(store)
    assert list(ndjson(store)) == list(alert_lines(alerts))
    assert {alert.status for alert in alerts} == {"open", "withdrawn"}


def test_csv_opens_in_a_spreadsheet_and_runs_nothing(store: Store) -> None:
    text = b"".join(csv_lines(said(store), "exported by wang"))
    assert text.startswith(b"\xef\xbb\xbf")
    header, *rows, mark = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))
    assert header == list(COLUMNS)
    by_subject = {row[header.index("对象")]: dict(zip(header, row, strict=True)) for row in rows}
    assert by_subject["a"]["疑点说明"] == "'" + EVIL
    assert by_subject["b"]["状态"] == "已撤回"
    assert by_subject["c"]["涉及基金（元）"] == "-5.00"
    assert mark == ["exported by wang"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "＝1", "\n-1"])
def test_what_begins_like_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text) == "'" + text


@pytest.mark.parametrize("text", ["", "一", "a=1", "P33010210007/T1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_workbook_holds_text_as_text(store: Store) -> None:
    out = io.BytesIO()
    assert xlsx(said(store), out, "exported by wang & co") == 3
    parts = zipfile.ZipFile(out)
    sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))
    names = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    assert sheet.findall(".//m:f", names) == []
    texts = [cell.text for cell in sheet.findall(".//m:is/m:t", names)]
    assert texts[: len(COLUMNS)] == list(COLUMNS)
    assert EVIL in texts
    assert "exported by wang && co" in (sheet.findtext(".//m:oddFooter", namespaces=names) or "")


def test_files_keep_to_the_filter(store: Store) -> None:
    said(store)
    lines = list(ndjson(store, Filter(statuses=frozenset({"withdrawn"}))))
    assert [json.loads(line)["subject"]["id"] for line in lines] == ["b"]


# -- messages ----------------------------------------------------------------------------------------------------------


def test_a_message_is_the_alert_with_cloudevents_headers(store: Store) -> None:
    said(store)
    first = pending(store, "alerts")[0]
    alert = msgspec.json.decode(first.value, type=Alert)
    assert first.key == alert.alert_id.encode()
    assert dict(first.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": f"{alert.alert_id}/1".encode(),
        "ce_source": b"/fundwatch",
        "ce_type": b"fundwatch.alert.created.v1",
        "ce_subject": alert.alert_id.encode(),
        "ce_time": b"2026-03-12T12:00:00Z",
        "content-type": b"application/json",
    }


def test_messages_name_what_happened_and_nothing_else_goes_out(store: Store) -> None:
    keep(store, [verdict(lead("a"), ticket=1), verdict(lead("a", amount=1), ticket=2), verdict(ticket=3)], NOON)
    store.note(Note(kind="viewed", actor="wang", at=NOON))
    keep(store, [verdict(lead("a"), ticket=4)], NOON)
    types = [dict(message.headers)["ce_type"].decode().split(".")[2] for message in pending(store, "alerts")]
    assert types == ["created", "changed", "withdrawn", "changed"]


def test_what_was_sent_is_not_pending_and_what_was_not_is(store: Store) -> None:
    said(store)
    first, *rest = pending(store, "alerts")
    sent(store, "alerts", first.seq)
    assert pending(store, "alerts") == rest
    assert len(pending(store, "webhooks", limit=2)) == 2


class Broker:
    """Keeps what it is given; fails once, at the given message."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.got: list[int] = []
        self.fail_at = fail_at

    async def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.seq == self.fail_at:
                self.fail_at = None
                raise ConnectionError("the broker is gone")
            self.got.append(message.seq)


async def until(claim: Callable[[], bool]) -> None:
    """Wait for something that only the store or the broker knows."""
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110 - neither of them can wake us
            await asyncio.sleep(0.01)


async def publish(store: Store, broker: Broker, *holders: str) -> None:
    """Until everything that is in the store has been dealt with."""
    every = timedelta(milliseconds=10)
    loops = [
        asyncio.create_task(publish_forever(store, broker.send, holder=holder, batch=2, poll=every))
        for holder in holders
    ]
    try:
        await until(lambda: store.position("alerts") == store.last_seq() or any(loop.done() for loop in loops))
    finally:
        for loop in loops:
            loop.cancel()
        results = await asyncio.gather(*loops, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def test_everything_goes_out_in_order(store: Store) -> None:
    keep(store, [verdict(lead(str(i)), unit=str(i)) for i in range(7)], NOON)
    broker = Broker()
    asyncio.run(publish(store, broker, "a"))
    assert broker.got == [1, 2, 3, 4, 5, 6, 7]


def test_what_the_broker_did_not_take_is_sent_again_by_whoever_comes_next(store: Store) -> None:
    keep(store, [verdict(lead(str(i)), unit=str(i)) for i in range(6)], NOON)
    broker = Broker(fail_at=4)
    with pytest.raises(ConnectionError):
        asyncio.run(publish(store, broker, "a"))
    asyncio.run(publish(store, broker, "b"))
    assert broker.got == [1, 2, 3, 3, 4, 5, 6]  # 3 goes out twice: its batch was not acknowledged


def test_of_two_publishers_one_sends(store: Store) -> None:
    keep(store, [verdict(lead(str(i)), unit=str(i)) for i in range(6)], NOON)
    broker = Broker()
    asyncio.run(publish(store, broker, "a", "b"))
    assert broker.got == [1, 2, 3, 4, 5, 6]


def test_rows_that_do_not_go_out_are_passed_by(store: Store) -> None:
    keep(store, [verdict(lead("a"))], NOON)
    store.note(*(Note(kind="viewed", actor="wang", at=NOON) for _ in range(20)))
    broker = Broker()
    asyncio.run(publish(store, broker, "a"))
    assert (broker.got, store.position("alerts")) == ([1], 21)


def test_a_store_that_is_away_is_reported_and_tried_again(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/not-yet/alerts.db")
    broker, told = Broker(), asyncio.Event()

    async def run() -> None:
        loop = asyncio.create_task(
            publish_forever(
                store, broker.send, holder="a", on_away=lambda _: told.set(), away=timedelta(milliseconds=5)
            )
        )
        await asyncio.wait_for(told.wait(), 30)
        (tmp_path / "not-yet").mkdir()
        upgrade(f"sqlite:///{tmp_path}/not-yet/alerts.db")
        keep(store, [verdict(lead("a"))], NOON)
        await until(lambda: broker.got == [1])
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(run())
    store.close()
    assert broker.got == [1]


# -- commands ----------------------------------------------------------------------------------------------------------


# Commands find either kind of server by its address; trying one of them is enough.
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])


def fundwatch(url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FUNDWATCH_")}
    return subprocess.run(
        [sys.executable, "-m", "stream_app", *arguments],
        env=plain | {"FUNDWATCH_STORE__URL": url, "PYTHONUTF8": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@on_sqlite
def test_alerts_export_writes_the_alert_file_to_stdout(store: Store, url: str) -> None:
    alerts = said(store)
    done = fundwatch(url, "alerts", "export")
    assert done.returncode == 0, done.stderr
    assert done.stdout.encode() == b"".join(alert_lines(alerts))
    assert store.events_after(0, kinds=("exported",))[0].actor.startswith("cli")


@on_sqlite
def test_alerts_export_writes_files_whole(store: Store, url: str, tmp_path: Path) -> None:
    said(store)
    for form, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("ndjson", b"{")):
        out = tmp_path / f"alerts.{form}"
        done = fundwatch(url, "alerts", "export", "--format", form, "--level", "red", "--out", str(out))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 alerts\n")
        assert out.read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.glob("alerts.*") if path.suffix != ".db") == [
        "alerts.csv",
        "alerts.db-shm",
        "alerts.db-wal",
        "alerts.ndjson",
        "alerts.xlsx",
    ]


@on_sqlite
def test_alerts_list_is_for_people_and_for_programs(store: Store, url: str) -> None:
    said(store)
    shown = fundwatch(url, "alerts", "list", "--status", "withdrawn")
    assert (shown.returncode, "till:b" in shown.stdout, "till:a" in shown.stdout) == (0, True, False)
    told = json.loads(fundwatch(url, "alerts", "list", "--json", "--order", "gravest", "--limit", "2").stdout)
    assert [row["subject_id"] for row in told] == ["a", "c"]


@on_sqlite
def test_alerts_list_says_what_rests_and_what_is_explained_by_another(store: Store, url: str) -> None:
    till = lead("a", events=("e1", "e2", "e3"))
    person = lead("p1", kind="person", detector="multi_org_burst", level=Level.ORANGE, events=("e1", "e2"))
    keep(
        store, [verdict(till, unit="a"), verdict(person, unit="p"), verdict(lead("c", events=("e9",)), unit="c")], NOON
    )
    screener = Account("zhoumin", Role.SCREENER, (), disabled=False, locked_until=None, changed_at=NOON)
    now = datetime.now(UTC)
    snooze(store, Subject("till", "c"), screener, now + timedelta(days=1), "已约谈，等整改", now)

    def told(*options: str) -> list[str]:
        return [row["subject_id"] for row in json.loads(fundwatch(url, "alerts", "list", "--json", *options).stdout)]

    assert told("--snoozed") == ["c"]
    assert told("--inhibited") == ["p1"]
    assert sorted(told("--not-inhibited")) == ["a", "c"]
    assert sorted(told("--status", "open")) == ["a", "c", "p1"]  # for other programs it is open
    shown = fundwatch(url, "alerts", "list").stdout
    assert "inhibited by card_batch_swipe" in shown
    assert "snoozed until" in shown


@on_sqlite
def test_a_day_given_as_an_end_includes_that_day(store: Store, url: str) -> None:
    keep(store, [verdict(lead("a"))], NOON)
    assert fundwatch(url, "alerts", "export", "--until", "2026-03-12").stdout.count("\n") == 1
    assert fundwatch(url, "alerts", "export", "--until", "2026-03-11").stdout == ""
    assert fundwatch(url, "alerts", "export", "--since", "yesterday").returncode == 2


def test_tables_are_made_by_a_command(empty_url: str) -> None:
    before = fundwatch(empty_url, "db", "current")
    assert (before.returncode, before.stdout) == (1, "none\n")
    for _ in range(2):
        made = fundwatch(empty_url, "db", "upgrade")
        assert (made.returncode, made.stdout) == (0, f"{head()}\n"), made.stderr
    assert fundwatch(empty_url, "db", "current").returncode == 0


def test_a_store_that_is_not_there_is_named_without_its_password() -> None:
    done = fundwatch("postgresql+psycopg://wang:geheim@127.0.0.1:1/none", "alerts", "list")
    assert done.returncode == 4
    assert "127.0.0.1:1/none" in done.stderr
    assert "geheim" not in done.stderr


@on_sqlite
def test_accounts_are_made_by_commands(store: Store, url: str, tmp_path: Path) -> None:
    def lets_in(password: str) -> bool:
        return check_login(store, "wang", password, datetime.now(UTC)) is not None

    secret = tmp_path / "password"
    secret.write_text("correct horse battery\n")
    add = ("user", "add", "wang", "--role", "screener", "--area", "330102")
    made = fundwatch(url, *add, FUNDWATCH_PASSWORD_FILE=str(secret))
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    assert lets_in("correct horse battery")
    assert fundwatch(url, *add, "--generate").returncode == 1  # the name is taken
    fresh = fundwatch(url, "user", "reset", "wang", "--generate").stdout.strip()
    assert lets_in(fresh)
    assert fundwatch(url, "user", "disable", "wang").returncode == 0
    assert not lets_in(fresh)
    (told,) = json.loads(fundwatch(url, "user", "list", "--json").stdout)
    assert (told["name"], told["role"], told["areas"], told["disabled"]) == ("wang", "screener", ["330102"], True)
    assert "hash" not in told
