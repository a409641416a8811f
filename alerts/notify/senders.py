"""How each kind of target is spoken to. What goes wrong is an UndeliveredError that says what."""

import base64
import hashlib
import hmac
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import quote_plus, urlsplit

import httpx
import msgspec
from msgspec import structs
from standardwebhooks.webhooks import Webhook

from alerts.notify.letters import Letter, Said
from alerts.notify.targets import Mail, Target, TargetKind

ANSWER_WITHIN_S = 10.0
LONGEST_ANSWER = 64 * 1024  # bytes of it that are read
LONGEST_WECOM = 4_096  # bytes of markdown
LONGEST_DINGTALK = 20_000
TYPE = "fundwatch.leads.told.v1"


class UndeliveredError(Exception):
    """The target has not taken the message; the text says why."""


def send(target: Target, letter: Letter, source: str = "/fundwatch") -> None:
    """Hand the message over. Raises UndeliveredError."""
    match target.kind:
        case TargetKind.WEBHOOK:
            _post(target.url, *signed(target, letter, source))
        case TargetKind.WECOM:
            body = {"msgtype": "markdown", "markdown": {"content": markdown(letter, LONGEST_WECOM)}}
            _robot(target.url, body)
        case TargetKind.DINGTALK:
            text = {"title": letter.title, "text": markdown(letter, LONGEST_DINGTALK)}
            _robot(_dingtalk_address(target, datetime.now(UTC)), {"msgtype": "markdown", "markdown": text})
        case TargetKind.MAIL:
            _mail(_mail_of(target), letter)


def reach(target: Target) -> None:
    """Is it there? A robot would show a message to everybody, so only its port is tried. Raises UndeliveredError."""
    if target.kind is TargetKind.MAIL:
        with _mailing(_mail_of(target)) as server:
            server.noop()
        return
    address = urlsplit(target.url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), ANSWER_WITHIN_S).close()
    except OSError as error:
        raise UndeliveredError(f"{address.hostname}:{port}: {error}") from None


def signed(target: Target, letter: Letter, source: str) -> tuple[bytes, dict[str, str]]:
    """The CloudEvents envelope and its headers, signed as the Standard Webhooks specification has it."""
    now = datetime.now(UTC)
    body = msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": letter.id,
            "source": source,
            "type": TYPE,
            "time": letter.at.astimezone(UTC),
            "datacontenttype": "application/json",
            "data": {"title": letter.title, "leads": [structs.asdict(one) for one in letter.leads]},
        }
    )
    headers = {"content-type": "application/cloudevents+json", "webhook-id": letter.id}
    if target.secret:
        headers["webhook-timestamp"] = str(int(now.timestamp()))
        headers["webhook-signature"] = Webhook(target.secret).sign(letter.id, now, body.decode())
    return body, headers


def markdown(letter: Letter, longest: int) -> str:
    """As robots show it; leads that do not fit into so many bytes are left to the page."""
    text = f"**{letter.title}**"
    for part in (*map(_in_markdown, letter.leads), letter.beyond):
        longer = f"{text}\n\n{part}" if part else text
        if len(longer.encode()) > longest:
            break
        text = longer
    return text


def _in_markdown(one: Said) -> str:
    heading = f"[{one.heading}]({one.link})" if one.link else one.heading
    return f"{heading}\n> {one.sentence}"


def dingtalk_sign(secret: str, timestamp_ms: int) -> str:
    """HMAC-SHA256 of the time and the secret, as DingTalk's robots ask for it."""
    made = hmac.new(secret.encode(), f"{timestamp_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(made).decode()


def _dingtalk_address(target: Target, now: datetime) -> str:
    if not target.secret:
        return target.url
    at = round(now.timestamp() * 1_000)
    joint = "&" if "?" in target.url else "?"
    return f"{target.url}{joint}timestamp={at}&sign={quote_plus(dingtalk_sign(target.secret, at))}"


def _robot(address: str, body: object) -> None:
    """Robots answer 200 even to what they refuse, and say so in ``errcode``."""
    answer = _post(address, msgspec.json.encode(body), {"content-type": "application/json"})
    try:
        said = msgspec.json.decode(answer, type=dict[str, object])
    except msgspec.DecodeError:
        raise UndeliveredError("its answer is not a robot's") from None
    if said.get("errcode") != 0:
        raise UndeliveredError(f"refused: {said.get('errcode')} {said.get('errmsg')}")


def _post(address: str, body: bytes, headers: dict[str, str]) -> bytes:
    """What was answered. The address holds a robot's key: no message of ours names more of it than the host."""
    host = urlsplit(address).hostname
    try:
        with (
            httpx.Client(timeout=ANSWER_WITHIN_S, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", address, content=body, headers=headers) as answer,
        ):
            if not answer.is_success:
                raise UndeliveredError(f"{host} answered {answer.status_code}")
            return _beginning(answer)
    except httpx.HTTPError as error:
        raise UndeliveredError(f"{host}: {type(error).__name__}") from None


def _beginning(answer: httpx.Response) -> bytes:
    parts = bytearray()
    for part in answer.iter_bytes():
        parts += part
        if len(parts) > LONGEST_ANSWER:
            break
    return bytes(parts)


def _mail_of(target: Target) -> Mail:
    if target.mail is None:
        raise UndeliveredError("no mail server is set")
    return target.mail


def _mail(mail: Mail, letter: Letter) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = letter.title, mail.sender, ", ".join(mail.to)
    message["Date"], message["Message-ID"] = format_datetime(letter.at), f"<{letter.id}@fundwatch>"
    parts = [f"{one.heading}\n{one.sentence}\n{one.link}".rstrip() for one in letter.leads]
    message.set_content("\n\n".join(filter(None, [letter.title, *parts, letter.beyond, letter.link])))
    with _mailing(mail) as server:
        refused = server.send_message(message)
    if refused:
        raise UndeliveredError(f"{len(refused)} of {len(mail.to)} addresses were refused")


@contextmanager
def _mailing(mail: Mail) -> Iterator[smtplib.SMTP]:
    """A mail server that has let us in."""
    try:
        with smtplib.SMTP(mail.host, mail.port, timeout=ANSWER_WITHIN_S) as server:
            if mail.starttls:
                server.starttls(context=ssl.create_default_context(cafile=mail.cafile))
            if mail.login:
                server.login(mail.login, mail.password)
            yield server
    except (OSError, smtplib.SMTPException) as error:
        raise UndeliveredError(f"{mail.host}:{mail.port}: {str(error)[:200]}") from None
