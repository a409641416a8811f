"""An office in the middle of its work: four weeks of leads, some worked to the end, some late."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from alerts.accounts import Account, Role
from alerts.alert import alert_id
from alerts.casework import move, work_of
from alerts.deadlines import CHINA
from alerts.indicators import IndicatorKind as Indicator
from alerts.indicators import Measured, replace
from alerts.keeper import keep
from alerts.kept import AccountRecord
from alerts.life import NOTHING, Asked, Kind, Measure, Name, Reason
from alerts.store import Store
from detectors.finding import Lead, Level
from tests.browser.leads import verdicts
from tests.leads import lead

DAY = timedelta(days=1)
SHOP, WARD = "P33010210007", "H33010200003"
PEOPLE = {"chen": Role.SCREENER, "fang": Role.REVIEWER, "gao": Role.INVESTIGATOR, "hou": Role.INVESTIGATOR}
# detector, kind of subject, its id with {n} for which one, level, one every so many days
KINDS = (
    ("card_batch_swipe", "till", f"{SHOP}/T{{n}}", Level.RED, 3),
    ("drug_overstock", "drug", "p10875efd5d63b8{n:02d}/氯吡格雷 片剂", Level.ORANGE, 1),
    ("trace_code_repeat", "trace_code", "8150000000000000{n:04d}", Level.RED, 5),
    ("ghost_bed_absence", "stay", f"{WARD}/m{{n:04d}}", Level.RED, 2),
    ("geo_time_conflict", "person", "p10875efd5d63b8{n:02d}", Level.ORANGE, 4),
    ("multi_org_burst", "person", "p10875efd5d63b8{n:02d}", Level.YELLOW, 1),
    ("inventory_imbalance", "drug", f"{SHOP}/XA{{n:03d}}", Level.ORANGE, 3),
    ("upload_gap", "org", WARD, Level.BLUE, 7),
    ("doctor_rx_burst", "doctor", "D3301{n:04d}", Level.YELLOW, 6),
)


def made(moment: datetime, days: int = 28) -> Iterator[Lead]:
    """The leads of so many days up to this moment, oldest first."""
    for back in range(days - 1, -1, -1):
        for i, (detector, kind, name, level, every) in enumerate(KINDS):
            if (back + i) % every:
                continue
            org = name[:12] if name[:1] in "PH" and name[1:12].isdigit() else SHOP
            yield lead(
                name.format(n=(back * 7 + i) % 12),
                kind=kind,
                detector=detector,
                level=level,
                day=f"{moment - back * DAY:%Y-%m-%d}",
                at=moment - back * DAY - timedelta(minutes=50 + i),
                amount=12_300 + 4_321 * ((back * 3 + i) % 17),
                orgs=(org,),
                events=tuple(f"{detector}-{back}-{part}" for part in range(3)),
            )


def fill(store: Store, moment: datetime, days: int = 28) -> list[Lead]:
    """Keep them, each on its day, and work on the older ones; what was kept."""
    for name, role in PEOPLE.items():
        _hire(store, name, role, moment)
    leads = list(made(moment, days))
    for one in leads:
        keep(store, list(verdicts([one])), one.last_seen + timedelta(minutes=1))
    for i, one in enumerate(leads[: len(leads) * 2 // 3]):
        _work(store, one, i, one.last_seen + timedelta(hours=2))
    today = moment.astimezone(CHINA).date()
    replace(store, measured(today), since=today - timedelta(days=60), now=moment)
    return leads


def measured(today: date) -> Iterator[Measured]:
    """Of a store and a hospital: the month so far, and the checks of four weeks, of which some went badly."""
    month = {"since": today.replace(day=1), "until": today + timedelta(days=1), "area": "330102", "cases": 240}
    yield Measured(org=SHOP, kind=Indicator.FUND, amount=8_650_000, of=240, target="260000.00", **month)
    yield Measured(org=WARD, kind=Indicator.OUT_PATIENT, amount=9_840_000, of=240, target="380.00", **month)
    yield Measured(org=WARD, kind=Indicator.IN_PATIENT, amount=45_600_000, of=38, **month | {"cases": 38})
    yield Measured(org=WARD, kind=Indicator.DRUGS, amount=41, of=100, target="0.45", **month | {"cases": 12})
    for n in range(28):
        day = {"since": today - timedelta(days=n), "until": today - timedelta(days=n - 1), "area": "330102"}
        found = 21 if n in (3, 4, 9) else 37 + n % 3
        yield Measured(org=WARD, kind=Indicator.IN_BED, amount=found, of=40, cases=40, apart=n % 4, **day)


def _hire(store: Store, name: str, role: Role, moment: datetime) -> None:
    with store.writing() as writing:
        writing.put_account(AccountRecord(
            name=name, password_hash="", role=role.value, areas=(), disabled=False, failures=0,
            locked_until=None, created_at=moment, changed_at=moment,
        ))  # fmt: skip


def _work(store: Store, one: Lead, i: int, at: datetime) -> None:
    """A fifth is left lying, a fifth excluded, and so on to the archive."""
    if i % 5 == 0:
        return
    if i % 5 == 1:
        _go(store, one, "chen", Name.DISMISS, at, Asked(reason=Reason.EXCLUSION, exclusion="X10", note="义诊"))
        return
    officers, found = ("gao", "hou"), one.amount_at_risk_fen * 2 // 3
    _go(store, one, "chen", Name.SCREEN, at)
    if i % 5 == 2:
        return
    _go(store, one, "fang", Name.DISPATCH, at, Asked(note="调监控", officers=officers))
    _go(store, one, "gao", Name.VERIFY, at)
    if i % 5 == 3 and i % 2:
        return
    _go(store, one, "gao", Name.REPORT, at, Asked(note="核对完毕", amount_fen=found))
    _go(store, one, "gao", Name.SUBMIT, at)
    if i % 7 == 3:
        _go(store, one, "fang", Name.UNFOUND, at, Asked(note="盘点延时"))
        return
    _go(store, one, "fang", Name.CONFIRM, at, Asked(note="属实", amount_fen=found))
    taken = (
        Measure(kind=Kind.RECOVER, amount_fen=found),
        Measure(kind=Kind.POINTS, points=1 + i % 3, subject_kind="org", subject_id=SHOP),
    )
    _go(store, one, "fang", Name.DISPOSE, at, Asked(note="追回", document="2026-17", measures=taken))


def _go(store: Store, one: Lead, who: str, name: Name, at: datetime, asked: Asked = NOTHING) -> None:
    work = work_of(store, alert_id(one))
    assert work is not None
    account = Account(name=who, role=PEOPLE[who], areas=(), disabled=False, locked_until=None, changed_at=at)
    move(store, account, work.alert_id, work.version, name, asked, at)
