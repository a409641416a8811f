"""The picture of a lead: each kind draws its behaviour, and every picture is a table as well."""

from collections.abc import Sequence
from datetime import datetime

from alerts.alert import WireReason
from alerts.web.charts import (
    admitted,
    balance,
    lanes,
    pairs,
    scripts,
    services,
    silence,
    split,
    status,
    stay,
    stock,
    strip,
    unusual,
)
from alerts.web.charts.drawing import Chart
from alerts.web.wording import Words
from detectors.finding import Evidence, Figure


def chart(
    detector: str,
    events: Sequence[Evidence],
    shown: frozenset[str],
    figures: Sequence[Figure],
    camera: tuple[datetime, datetime] | None,
    words: Words,
    period: tuple[datetime, datetime | None] | None = None,
    reasons: Sequence[WireReason] = (),
) -> Chart | None:
    """The picture for this kind of lead; a plain timeline where it has none, or too little to draw.

    shown: ids of the events that the lead rests on; the others are background. camera: the range cameras are asked for.
    period: of the lead; without it from the first event to the last. reasons: of a model, the weightiest first.
    """
    main = [event for event in events if event.event_id in shown]
    also = [event for event in events if event.event_id not in shown]
    drawn: Chart | None = None
    match detector:
        case "card_batch_swipe":
            drawn = strip.strip(main, also, camera, words)
        case "ghost_bed_absence" | "inpatient_concurrent_claim":
            drawn = stay.stay(events, words)
        case "geo_time_conflict":
            drawn = lanes.places(main, also, figures, words)
        case "trace_code_repeat":
            drawn = lanes.chain(main, also, words)
        case "readmission_split":
            drawn = split.split(events, words)
        case "drug_overstock":
            drawn = stock.stock(main, also, figures, words)
        case "inventory_imbalance":
            drawn = balance.balance(main, also, figures, words)
        case "multi_org_burst":
            drawn = lanes.burst(main, words)
        case "empty_swipe_reverse":
            drawn = pairs.pairs(events, figures, words)
        case "ghost_bed_no_service":
            drawn = services.services(events, figures, words)
        case "suspended_org_settlement" | "ineligible_credential_use":
            drawn = status.status(main, also, figures, words)
        case "batch_admission":
            drawn = admitted.admitted(main, also, words)
        case "rx_missing_or_forged":
            drawn = scripts.scripts(main, also, words)
        case "anomaly_person" | "anomaly_pharmacy":
            drawn = unusual.unusual(reasons, words)
        case "upload_gap" if period:
            drawn = silence.silence(events, figures, period, words)
    return drawn or lanes.line(main, also, words)
