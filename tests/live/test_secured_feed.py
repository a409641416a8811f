"""The feed over https by its own settings, and a certificate that cannot be used said before anybody meets it."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from alerts.accounts import Role, add_account
from alerts.migrations import upgrade
from alerts.store import Store
from stream_app import check
from stream_app.certificates import CertificateError, ends
from stream_app.embedded import ports
from stream_app.settings import FeedSettings, Settings
from tests.live.servers import eventually, spawn
from tests.live.test_secured import Certificate
from tests.live.test_secured import certificate as certificate  # a fixture

NAME, PASSWORD = "zhoumin", "correct-horse-9-battery"


@pytest.fixture
def feed(certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address, as a browser has it."""
    url = f"sqlite:///{tmp_path}/alerts.db"
    upgrade(url)
    store = Store.open(url)
    add_account(store, NAME, PASSWORD, Role.SCREENER, (), datetime.now(UTC), "test")
    store.close()
    [port] = ports.choose(None)
    settings = {
        "STORE__URL": url,
        "FEED__PORT": str(port),
        "FEED__SECRET": "x" * 40,
        "FEED__SSL_CERTFILE": str(certificate.cert),
        "FEED__SSL_KEYFILE": str(certificate.key),
        "METRICS__FEED_PORT": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"FUNDWATCH_{name}", value)
    process = spawn([sys.executable, "-m", "stream_app", "feed"], tmp_path / "feed.log")
    try:
        eventually(lambda: ports.is_open(port), f"the feed listens ({tmp_path}/feed.log)", 60)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_the_feed_serves_https_and_its_cookie_is_for_https_only(feed: str, certificate: Certificate) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate.cert))
    with httpx.Client(verify=trusting, base_url=feed) as browser:
        assert browser.get("/healthz").status_code == 200
        entered = browser.post("/login", data={"name": NAME, "password": PASSWORD}, headers={"origin": feed})
        assert entered.status_code == 303, entered.text
        assert "secure" in entered.headers["set-cookie"].lower()
        assert browser.get("/").status_code == 200
    with httpx.Client(base_url=feed) as stranger, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.get("/healthz")
    with httpx.Client(base_url=feed.replace("https", "http")) as plain, pytest.raises(httpx.HTTPError):
        plain.get("/healthz")


def of_feed(cert: Path, key: Path, now: datetime) -> check.Finding:
    return check.of_feed(Settings(feed=FeedSettings(ssl_certfile=cert, ssl_keyfile=key)), now)


def test_check_tells_until_when_the_certificate_of_the_feed_holds(certificate: Certificate) -> None:
    end = ends(certificate.cert, certificate.key)
    assert timedelta(days=1) < end - datetime.now(UTC) <= timedelta(days=2)
    near = of_feed(certificate.cert, certificate.key, end - timedelta(days=2))
    assert (near.state, "2 days" in near.found, "new one" in near.to_do) == ("wrong", True, True)
    assert of_feed(certificate.cert, certificate.key, end - timedelta(days=60)).state == "ok"


def test_check_says_what_is_wrong_with_a_certificate(certificate: Certificate, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other, now = Certificate.made(tmp_path / "other"), datetime.now(UTC)
    (tmp_path / "broken.pem").write_text("no certificate")
    for cert, key, said in (
        (certificate.cert, other.key, "not the key"),
        (tmp_path / "broken.pem", certificate.key, "cannot be read"),
        (tmp_path / "absent.pem", certificate.key, "No such file"),
    ):
        finding = of_feed(cert, key, now)
        assert (finding.state, bool(finding.to_do)) == ("wrong", True)
        assert said in finding.found
    assert check.of_feed(Settings(), now).state == "ok"


def test_a_certificate_that_has_run_out_is_refused(certificate: Certificate, tmp_path: Path) -> None:
    asked, cert = tmp_path / "request.pem", tmp_path / "cert.pem"
    request = ["req", "-new", "-key", str(certificate.key), "-subj", "/CN=127.0.0.1", "-out", str(asked)]
    signed = ["x509", "-req", "-in", str(asked), "-signkey", str(certificate.key), "-days", "-1", "-out", str(cert)]
    for words in (request, signed):
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)
    with pytest.raises(CertificateError, match="expired"):
        ends(cert, certificate.key)


def test_a_certificate_without_its_key_is_no_setting() -> None:
    with pytest.raises(ValueError, match="go together"):
        FeedSettings(ssl_certfile=Path("cert.pem"))
