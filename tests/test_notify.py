"""Leads told to others: who hears of what and when, over real HTTP and SMTP, and what happens when nobody takes it."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from click.testing import CliRunner
from standardwebhooks.webhooks import Webhook

from alerts.alert import alert_id
from alerts.keeper import keep
from alerts.notify import queue
from alerts.notify.delivery import Courier, deliver_forever
from alerts.notify.senders import UndeliveredError, dingtalk_sign, reach
from alerts.notify.targets import MOST_A_MINUTE, Mail, Target, TargetKind
from alerts.store import Store
from detectors.finding import Level
from stream_app.check import AWAY
from stream_app.check import _targets as checked
from stream_app.commands.notify import notify
from stream_app.embedded.ports import choose
from stream_app.notifier import targets_of
from stream_app.settings import NotifySettings, Settings
from tests.browser.site import until
from tests.leads import ORG, lead, verdict
from tests.live.test_secured import Certificate
from tests.live.test_secured import certificate as certificate  # a fixture

MORNING = datetime(2026, 3, 12, 2, tzinfo=UTC)  # 10:00 in China
NIGHT = datetime(2026, 3, 12, 15, tzinfo=UTC)  # 23:00
SECRET = base64.b64encode(b"thirty-two bytes of a good secret").decode()
PERSON = "p00000000000000000000000000007f3a"
FREE = "127.0.0.1", 9  # nobody listens there


class Heard(BaseHTTPRequestHandler):
    """Writes down what comes, and answers as it is told to."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = self.rfile.read(int(self.headers["content-length"]))
        server.heard.append((self.path, dict(self.headers), body))
        status, answer = server.answer
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Receiver(ThreadingHTTPServer):
    answer: tuple[int, bytes] = (200, b'{"errcode":0,"errmsg":"ok"}')

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Heard)
        self.heard: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=secret-of-the-robot"


@pytest.fixture
def engine() -> str:
    """SQLite, but where a test names both."""
    return "sqlite"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Inbox:
    """A mailbox behind a log-in."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        self.envelopes.append(envelope)
        return "250 taken"


@contextmanager
def mailbox(certificate: Certificate) -> Iterator[tuple[Inbox, int]]:
    def allow(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=given.password == b"right", handled=False)

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.cert, certificate.key)
    inbox, [port] = Inbox(), choose(None)
    controller = Controller(
        inbox, hostname="127.0.0.1", port=port, authenticator=allow, auth_required=True, tls_context=tls,
        require_starttls=True,
    )  # fmt: skip
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


def target(kind: TargetKind = TargetKind.WEBHOOK, name: str = "office", **told: object) -> Target:
    return Target(name=name, kind=kind, **told)  # type: ignore[arg-type]  # the fields of a Target


def told(store: Store, *subjects: str, level: Level = Level.RED, at: datetime = MORNING, **more: object) -> None:
    """The keeper hears of leads about these tills."""
    for subject in subjects:
        events = (f"{subject}-1", f"{subject}-2")
        one = lead(f"{ORG}/{subject}", level=level, events=events, **more)  # type: ignore[arg-type]  # the fields of a lead
        keep(store, [verdict(one, unit=subject)], at)


class Office:
    """A store, its targets, and a clock that only we move."""

    def __init__(self, store: Store, *targets: Target) -> None:
        self.store, self.targets, self.now = store, targets, MORNING
        self.outcomes: list[tuple[str, int]] = []
        self.couriers = [Courier(store, one, "https://desk.example", lambda: self.now, self._heard) for one in targets]
        queue.begin(store)

    def _heard(self, kind: TargetKind, outcome: str, count: int) -> None:
        self.outcomes.append((outcome, count))

    def turn(self, now: datetime | None = None) -> None:
        self.now = now or self.now
        queue.fill(self.store, self.targets, self.now)
        for one in self.couriers:
            one.deliver()

    def states(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for (_, state), count in queue.counts(self.store).items():
            found[state] = found.get(state, 0) + count
        return found


def test_a_webhook_is_signed_once_for_each_lead_and_names_no_person(store: Store, receiver: Receiver) -> None:
    told(store, "OLD")
    office = Office(store, target(url=receiver.url, secret=SECRET))
    person = lead(PERSON, kind="person", summary=f"{PERSON}一日四院")
    keep(store, [verdict(person, unit="u9")], MORNING)
    office.turn()
    office.turn()  # nothing is told twice
    [(_, headers, body)] = receiver.heard
    event = Webhook(SECRET).verify(body, headers)
    assert (event["specversion"], event["id"]) == ("1.0", headers["webhook-id"])
    [said] = event["data"]["leads"]
    assert (said["alert_id"], said["link"]) == (alert_id(person), f"https://desk.example/alerts/{alert_id(person)}")
    assert PERSON not in body.decode()
    assert "7F3A" in said["sentence"]
    assert office.outcomes == [("sent", 1)]


def test_each_target_hears_only_what_its_route_lets_pass(store: Store, receiver: Receiver) -> None:
    routes = {
        "red": target(name="red", url=receiver.url, levels=frozenset({Level.RED})),
        "rule": target(name="rule", url=receiver.url, detectors=frozenset({"geo_time_conflict"})),
        "here": target(name="here", url=receiver.url, areas=("330100",)),
        "elsewhere": target(name="elsewhere", url=receiver.url, areas=("110000",)),
    }
    office = Office(store, *routes.values())
    told(store, "T1", level=Level.ORANGE)
    office.turn()
    assert queue.counts(store) == {("here", "sent"): 1}
    told(store, "T2")
    office.turn()
    assert queue.counts(store) == {("here", "sent"): 2, ("red", "sent"): 1}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_lead_is_told_again_when_it_grows_graver_and_when_it_is_taken_back(store: Store, receiver: Receiver) -> None:
    office = Office(store, target(url=receiver.url))
    for ticket, level in enumerate((Level.ORANGE, Level.YELLOW, Level.RED), start=1):
        keep(store, [verdict(lead(level=level), ticket=ticket)], MORNING)
        office.turn()
    keep(store, [verdict(ticket=4)], MORNING)
    office.turn()
    keep(store, [verdict(lead(), ticket=5)], MORNING)
    office.turn()
    keep(store, [verdict(lead(events=("e1", "e2", "e3")), ticket=6)], MORNING)
    office.turn()
    said = [json.loads(body)["data"]["leads"][0]["told"] for _, _, body in receiver.heard]
    assert said == ["orange", "red", "withdrawn", "red"]


def test_what_is_taken_back_before_it_was_told_is_not_told(store: Store, receiver: Receiver) -> None:
    office = Office(store, target(url=receiver.url, quiet=(time(20), time(7, 30))))
    keep(store, [verdict(lead(level=Level.ORANGE))], NIGHT)
    office.turn(NIGHT)
    keep(store, [verdict(ticket=2)], NIGHT)
    office.turn(NIGHT + timedelta(hours=9))
    assert (receiver.heard, office.outcomes) == ([], [("dropped", 1)])


def test_at_night_only_red_is_told_and_the_rest_when_it_is_over(store: Store, receiver: Receiver) -> None:
    office = Office(store, target(url=receiver.url, quiet=(time(20), time(7, 30))))
    told(store, "T1", at=NIGHT)
    told(store, "T2", level=Level.ORANGE, at=NIGHT)
    office.turn(NIGHT)
    assert office.states() == {"sent": 1, "waiting": 1}
    office.turn(NIGHT + timedelta(hours=8, minutes=29))
    assert len(receiver.heard) == 1
    office.turn(NIGHT + timedelta(hours=8, minutes=30))
    assert len(receiver.heard) == 2


def test_yellow_and_blue_come_once_a_day_in_one_message(store: Store, receiver: Receiver) -> None:
    office = Office(store, target(TargetKind.WECOM, url=receiver.url, digest_at=time(8, 30)))
    told(store, *(f"T{n}" for n in range(23)), level=Level.YELLOW)
    told(store, "B", level=Level.BLUE)
    office.turn(MORNING)
    assert receiver.heard == []
    office.turn(MORNING + timedelta(hours=22, minutes=30))
    [(_, _, body)] = receiver.heard
    message = json.loads(body)
    text = message["markdown"]["content"]
    assert (message["msgtype"], "24 条" in text) == ("markdown", True)
    assert len(text.encode()) <= 4_096
    assert office.states() == {"sent": 24}


def test_a_robot_is_sent_twenty_messages_a_minute_at_most_and_the_rest_later(store: Store, receiver: Receiver) -> None:
    secret = "SEC0123456789"
    office = Office(store, target(TargetKind.DINGTALK, url=receiver.url, secret=secret))
    for n in range(MOST_A_MINUTE + 3):
        told(store, f"T{n}", at=MORNING)
        office.turn(MORNING + timedelta(seconds=n))
    assert len(receiver.heard) == MOST_A_MINUTE
    office.turn(MORNING + timedelta(seconds=90))
    assert len(receiver.heard) == MOST_A_MINUTE + 3
    asked = parse_qs(urlsplit(receiver.heard[0][0]).query)
    assert asked["sign"] == [dingtalk_sign(secret, int(asked["timestamp"][0]))]


def test_a_target_that_fails_is_tried_with_pauses_given_up_and_holds_up_nobody(
    store: Store, receiver: Receiver
) -> None:
    receiver.answer = (200, b'{"errcode":93000,"errmsg":"invalid webhook url"}')
    bad = target(TargetKind.WECOM, "bad", url=receiver.url)
    with Receiver() as good:
        thread = threading.Thread(target=good.serve_forever, args=(0.05,))
        thread.start()
        office = Office(store, bad, target(name="good", url=good.url))
        told(store, "T1")
        office.turn()
        good.shutdown()
        thread.join()
        assert len(good.heard) == 1
    office.turn(MORNING + timedelta(seconds=5))  # it rests
    assert len(receiver.heard) == 1
    for _ in queue.PAUSES:
        office.turn(office.now + max(queue.PAUSES))
    [dead] = queue.listed(store, [queue.DEAD])
    assert (dead.target, dead.attempts, dead.error) == (
        "bad",
        len(queue.PAUSES) + 1,
        "refused: 93000 invalid webhook url",
    )
    office.turn(office.now + max(queue.PAUSES))
    assert len(receiver.heard) == len(queue.PAUSES) + 1
    receiver.answer = Receiver.answer
    assert queue.again(store, "bad", office.now) == 1
    office.turn(office.now + max(queue.PAUSES))
    assert queue.counts(store) == {("bad", "sent"): 1, ("good", "sent"): 1}


def test_no_more_wait_for_a_target_than_there_is_room(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 2)
    one = target(url=receiver.url, digest_at=time(8, 30))
    queue.begin(store)
    told(store, "T1", "T2", "T3", level=Level.BLUE)
    assert queue.fill(store, [one], MORNING) == {"office": 1}
    assert queue.counts(store) == {("office", "waiting"): 2, ("office", "dropped"): 1}


def test_mail_goes_by_starttls_and_log_in_and_what_hinders_it_is_told(
    store: Store,
    certificate: Certificate,
) -> None:
    with mailbox(certificate) as (inbox, port):
        mail = Mail(
            host="127.0.0.1", port=port, cafile=str(certificate.cert), login="desk", password="right",
            sender="desk@bureau.example", to=("duty@bureau.example",),
        )  # fmt: skip
        office = Office(store, target(TargetKind.MAIL, mail=mail))
        told(store, "T1")
        office.turn()
        [envelope] = inbox.envelopes
        assert envelope.rcpt_tos == ["duty@bureau.example"]
        assert isinstance(envelope.content, bytes)
        assert b"Message-ID: <msg_" in envelope.content
        for wrong, why in (({"password": "wrong"}, "535"), ({"cafile": None}, "certificate verify failed")):
            with pytest.raises(UndeliveredError, match=why):
                reach(target(TargetKind.MAIL, mail=replace(mail, **wrong)))


def test_the_loop_tells_what_comes_and_leaves_the_lease_to_the_next(store: Store, receiver: Receiver) -> None:
    stop, beats = threading.Event(), list[bool]()
    queue.begin(store)
    told(store, "T1")
    thread = threading.Thread(
        target=deliver_forever,
        args=(store, [target(url=receiver.url)], ""),
        kwargs={"holder": "one", "stop": stop, "clock": lambda: datetime.now(UTC), "beat": beats.append},
    )
    thread.start()
    until(lambda: receiver.heard)
    stop.set()
    thread.join()
    now = datetime.now(UTC)
    assert beats
    assert all(beats)
    assert store.take_lease(queue.READER, "two", now, now + timedelta(seconds=1))


def test_settings_become_targets_and_an_unsafe_one_stops_the_start() -> None:
    told = NotifySettings.model_validate(
        {
            "link": "https://desk.example",
            "targets": {
                "office": {"kind": "webhook", "url": "https://hook.example/x", "quiet": ["20:00", "07:30"]},
                "mail": {"kind": "mail", "mail": {"host": "m", "sender": "a@b", "to": ["c@d"]}, "digest_at": ""},
            },
        }
    )
    mail, office = targets_of(told)
    assert (office.quiet, office.digest_at, mail.digest_at) == ((time(20), time(7, 30)), time(8, 30), None)
    for wrong in (
        {"kind": "wecom", "url": "http://hook.example/x"},
        {"kind": "webhook"},
        {"kind": "webhook", "url": "https://hook.example/x", "secret": "***"},
        {"kind": "mail", "mail": {"host": "m", "sender": "a@b", "to": ["c@d"], "login": "x"}},
    ):
        with pytest.raises(ValueError, match=r"must be|expected base64"):
            NotifySettings.model_validate({"targets": {"office": wrong}})


def test_check_names_a_target_that_cannot_be_reached_and_the_command_tries_it(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "fundwatch.toml"
    config.write_text(
        f'[notify.targets.here]\nkind = "wecom"\nurl = "{receiver.url}"\n'
        f'[notify.targets.gone]\nkind = "webhook"\nurl = "http://{FREE[0]}:{FREE[1]}/"\n'
    )
    monkeypatch.setenv("FUNDWATCH_CONFIG", str(config))
    findings = {finding.name: finding for finding in checked(Settings.load())}
    assert (findings["notify/gone"].state, findings["notify/here"].state) == (AWAY, "ok")
    tried = CliRunner().invoke(notify, ["test", "here"])
    assert (tried.exit_code, len(receiver.heard)) == (0, 1)
    tried = CliRunner().invoke(notify, ["test", "gone"])
    assert (tried.exit_code, "gone: 127.0.0.1" in tried.output) == (4, True)
    assert "there are: gone, here" in CliRunner().invoke(notify, ["test", "other"]).output
