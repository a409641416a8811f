"""What must be told is not told, or days later, or without the codes (数据上传中断、迟传、缺码)."""

from replay.simulate.clock import DAY, HOUR
from replay.simulate.desk import Pack
from replay.simulate.goods import COUNTER
from replay.simulate.label import Named
from replay.simulate.places import Org
from replay.simulate.stories.story import Family, Stage, Variant, packs

KNOWN_FOR = 8  # days of custom before an interface is expected
USUAL = 0.8  # of those days on which it was used
SILENT = 3  # days
TOLD_BY = 5  # days until the silence is old enough to be told of
UNCODED = 26  # bills
DELAY = 30 * HOUR


def speaks(stage: Stage, org: Org, kind: str) -> bool:
    """It has told something of the kind on most days so far."""
    days = [day for day in stage.city.journal.told.get((org.code, kind), ()) if day < stage.day]
    return len(days) >= USUAL * stage.day


def sales_untold(stage: Stage) -> None:
    """A store settles, and tells nothing of what it hands out."""
    org = stage.alone(lambda org: org.kind == "pharmacy" and not org.tags and speaks(stage, org, "sale"))
    stage.city.journal.silence(org.code, "sale", stage.day * DAY, (stage.day + SILENT) * DAY)
    for nth, person in enumerate(stage.people(3 * SILENT)):
        stage.buy(person, org, stage.at(9, 9, day=stage.day + nth % SILENT), packs(stage.chance.choice(COUNTER)))
    _about(stage, org)
    stage.absence, stage.notes = True, f"no record of goods for {SILENT} days of a store that settles"


def beds_unchecked(stage: Stage) -> None:
    """A hospital that checks its beds every day stops doing so, with patients in them."""
    org = stage.alone(lambda org: speaks(stage, org, "presence") and stage.has_beds(org, "internal", 6))
    first = (stage.day + 2) * DAY + 12 * HOUR
    stage.city.journal.silence(org.code, "presence", first, first + SILENT * DAY)
    for person in stage.people(4, last=stage.day + 9):
        stay = stage.stay(person, org, stage.at(8.5, 2), (stage.day + 8) * DAY + 10 * HOUR)
        for fee, at in stay.fees:
            if first <= at < first + SILENT * DAY:
                stage.show(fee, at)
        stage.ids.append(stay.mdtrt_id)
    _about(stage, org)
    stage.absence, stage.notes = True, f"no check at any bed of a hospital for {SILENT} days"


def without_codes(stage: Stage) -> None:
    """A day's bills whose boxes were not scanned."""
    org = stage.alone(lambda org: org.kind == "pharmacy" and not org.tags)
    for person in stage.people(UNCODED):
        at = stage.at(9, 10)
        remedy = stage.chance.choice([one for one in COUNTER if one.number not in org.uncoded])
        stage.city.take(org, remedy, 1, at)
        stage.buy(person, org, at, [Pack(drug=remedy, codes=[])])
    _about(stage, org)
    stage.notes = f"{UNCODED} bills in a day without a trace code"


def days_late(stage: Stage) -> None:
    """A day's bills, received more than a day later."""
    org = stage.alone(lambda org: org.kind == "pharmacy" and not org.tags)
    for person in stage.people(UNCODED):
        stage.buy(person, org, stage.at(9, 10), packs(stage.chance.choice(COUNTER)), late=DELAY)
    _about(stage, org)
    stage.notes = f"{UNCODED} bills received {DELAY // HOUR} hours later"


def fees_days_late(stage: Stage) -> None:
    """A hospital's lines of the day, two days later, day after day."""
    org = stage.alone(lambda org: stage.has_beds(org, "internal", 6))
    for person in stage.people(4, last=stage.day + 6):
        stay = stage.stay(person, org, stage.at(8.5, 2), (stage.day + 5) * DAY + 10 * HOUR, fee_late=50 * HOUR)
        for fee, at in stay.fees:
            stage.show(fee, at)
        stage.ids.append(stay.mdtrt_id)
    _about(stage, org)
    stage.absence, stage.notes = True, "fee lines of four stays, 50 hours late every day"


def _about(stage: Stage, org: Org) -> None:
    stage.subject = Named("org", org.code)
    stage.level = "blue"


FAMILY = Family(
    name="upload_gap",
    kind="fraud",
    wave=1,
    expect=("upload_gap",),
    also=("inventory_imbalance", "ghost_bed_absence", "ghost_bed_no_service", "trace_code_path_conflict"),
    variants=(
        Variant(name="sales untold", tell=sales_untold, days=SILENT + TOLD_BY, after=KNOWN_FOR),
        Variant(name="beds unchecked", tell=beds_unchecked, days=2 + SILENT + TOLD_BY, after=KNOWN_FOR),
        Variant(name="without codes", tell=without_codes, days=2),
        Variant(name="days late", tell=days_late, days=3),
        Variant(name="fees days late", tell=fees_days_late, days=8),
    ),
)
