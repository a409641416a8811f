"""What officers wait for with a hundred thousand alerts stored, and twenty reading along while fifty come a second."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import quantiles
from urllib.parse import quote

import httpx

from alerts import migrations
from alerts.accounts import Role, add_account
from alerts.alert import alert_id
from alerts.keeper import keep
from alerts.store import Store
from alerts.web.gate import COOKIE
from detectors.catalogue import DETECTORS
from detectors.finding import Lead, Level
from stream_app.embedded import ports
from tests.benchmarks.core import batches
from tests.benchmarks.figures import Figure
from tests.browser.leads import verdicts
from tests.browser.site import NAME, PASSWORD, SECRET, session_of
from tests.leads import lead
from tests.live.servers import ROOT, eventually

ALERTS = 100_000
KEPT_AT_ONCE = 2_000
DAYS = 180
TIMES = 20  # each page is asked for
VIEWERS, A_SECOND = 20, 50
LAST_S = 5  # that the last rows are waited for
SHARES = ((Level.RED, 3), (Level.ORANGE, 12), (Level.YELLOW, 35), (Level.BLUE, 50))  # per cent
SERVE = "from alerts.web.server import serve; import sys; serve(sys.argv[1], port=int(sys.argv[2]), secret=sys.argv[3])"


def feed(cache: Path, seconds: int) -> Iterator[Figure]:
    """Waits of one reader, then of twenty while alerts come for so long."""
    url = _filled(cache)
    with closing(Store.open(url)) as store, _served(url) as address:
        session = {COOKIE: session_of(store)}
        with httpx.Client(base_url=address, cookies=session, timeout=60, follow_redirects=True) as reader:
            yield from _waits(reader, store)
        yield from asyncio.run(_read_along(address, session, store, seconds))


def _filled(cache: Path) -> str:
    """A store of so many alerts, made once."""
    cache.mkdir(parents=True, exist_ok=True)
    newest = max(path.stem for path in Path(migrations.__file__).parent.glob("versions/[0-9]*.py"))
    path = cache / f"alerts-{ALERTS}-{newest}.db"
    url = f"sqlite:///{path}"
    if not path.exists():
        draft = path.with_suffix(".part")
        draft.unlink(missing_ok=True)
        migrations.upgrade(f"sqlite:///{draft}")
        with closing(Store.open(f"sqlite:///{draft}")) as store:
            add_account(store, NAME, PASSWORD, Role.SCREENER, (), datetime.now(UTC), "benchmark")
            for some in batches(list(_leads(ALERTS)), KEPT_AT_ONCE):
                keep(store, list(verdicts(list(some))), some[-1].last_seen)
        draft.rename(path)
    return url


def _leads(number: int) -> Iterator[Lead]:
    chance = Random(1)
    names = sorted({one.id.partition("/")[0] for one in DETECTORS})
    levels, weights = zip(*SHARES, strict=True)
    now = datetime.now(UTC).replace(microsecond=0)
    for n in range(number):
        at = now - timedelta(days=DAYS) * (1 - n / number)
        yield _lead(n, at, chance.choice(names), chance.choices(levels, weights)[0], chance)


def _lead(n: int, at: datetime, detector: str, level: Level, chance: Random) -> Lead:
    org = f"{chance.choice('PH')}3301{chance.randrange(1, 14):02d}{chance.randrange(400):05d}"
    kind, subject = chance.choice((("person", f"p{chance.randrange(40_000):015d}"), ("till", f"{org}/T{n % 9}")))
    return lead(
        subject,
        kind=kind,
        detector=detector,
        level=level,
        day=f"{at:%Y-%m-%d}/{n}",
        at=at,
        amount=chance.randrange(1_000, 9_000_000),
        orgs=(org,),
        events=tuple(f"e{n}-{part}" for part in range(chance.randrange(2, 9))),
        summary=f"{chance.randrange(3, 40)}人在{chance.randrange(5, 59)}分钟内于同一终端先后结算",
    )


@contextmanager
def _served(url: str) -> Iterator[str]:
    port = ports.choose(None)[0]
    command = [sys.executable, "-c", SERVE, url, str(port), SECRET]
    address = f"http://{ports.LOOPBACK}:{port}"
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            eventually(lambda: _answers(address), "the feed answers", 60)
            yield address
        finally:
            server.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _waits(reader: httpx.Client, store: Store) -> Iterator[Figure]:
    """Until the last byte of a page is there; drawing it comes on top."""
    rows = store.page(limit=200).items
    one, other = rows[3], rows[70]
    after = quote(store.page(limit=150).next_cursor or "")
    subject = f"/alerts/{one.alert_id}"
    pages = {
        "the list": "/",
        "the list, red": "/?level=red",
        "two levels, one rule": f"/?level=red&level=orange&detector={one.detector}",
        "an area": "/?area=330105",
        "an institution": f"/?org={one.orgs[0]}",
        "words searched for": f"/?q={quote('37人在')}",
        "a subject searched for": f"/?q={quote(other.subject_id[-6:])}",
        "a week, above 50,000 yuan": f"/?since={one.last_seen:%Y-%m-%d}&until={one.last_seen:%Y-%m-%d}&least=50000",
        "all states, newest first": "/?status=open&status=snoozed&status=withdrawn&order=newest",
        "more of the list": f"/rows?order=newest&after={after}",
        "the filters with counts": "/rail?level=red",
        "a lead beside the list": f"{subject}/panel",
        "a lead's page": subject,
        "overview": "/overview",
        "API, 200 alerts": "/api/v1/alerts?limit=200",
    }
    for name, path in pages.items():
        took = [_asked(reader, path) for _ in range(TIMES)]
        note = f"{TIMES} times, the longest {max(took) * 1000:,.0f} ms; {ALERTS:,} alerts stored"
        yield Figure("feed", f"{name}, median", sorted(took)[TIMES // 2] * 1000, "ms", note)


def _asked(reader: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    reader.get(path).raise_for_status()
    return time.perf_counter() - began


async def _read_along(address: str, session: dict[str, str], store: Store, seconds: int) -> list[Figure]:
    """From an alert's being handed to the store until each reader has its row."""
    told: dict[str, float] = {}
    waits: list[float] = []
    ready = asyncio.Semaphore(0)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, cookies=session, timeout=None, limits=limits) as client:
        readers = [asyncio.create_task(_follow(client, told, waits, ready)) for _ in range(VIEWERS)]
        for _ in readers:
            await ready.acquire()
        await asyncio.to_thread(_keep_coming, store, told, seconds)
        await asyncio.sleep(LAST_S)
        for reader in readers:
            reader.cancel()
    cuts = quantiles(waits, n=100)
    there = f"{len(waits):,} of {VIEWERS * len(told):,} rows arrived"
    note = f"{len(told):,} alerts to {VIEWERS} readers, {A_SECOND} a second; {there}"
    return [
        Figure("feed", "stored to on the wire, p50", cuts[49] * 1000, "ms", note),
        Figure("feed", "stored to on the wire, p99", cuts[98] * 1000, "ms"),
    ]


def _keep_coming(store: Store, told: dict[str, float], seconds: int) -> None:
    chance, began, each = Random(2), time.monotonic(), 5
    for turn in range(seconds * A_SECOND // each):
        time.sleep(max(0.0, began + turn * each / A_SECOND - time.monotonic()))
        at = datetime.now(UTC)
        first = int(at.timestamp() * 1000)  # so that no run repeats another's
        some = [_lead(first + n, at, "card_batch_swipe", Level.RED, chance) for n in range(each)]
        told.update((alert_id(one), time.monotonic()) for one in some)
        keep(store, list(verdicts(some)), at)


async def _follow(
    client: httpx.AsyncClient, told: dict[str, float], waits: list[float], ready: asyncio.Semaphore
) -> None:
    async with client.stream("GET", "/live") as answer:
        ready.release()
        async for line in answer.aiter_lines():
            if line.startswith("data:") and '"changes"' in line:
                now = time.monotonic()
                waits += [now - told[one["id"]] for one in json.loads(line[5:])["changes"] if one["id"] in told]
