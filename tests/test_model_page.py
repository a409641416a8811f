"""What officers see of a model's lead: each feature beside its peers and the entity's own days, in both languages."""

import re
from datetime import UTC, datetime

import pytest

from alerts.alert import WireReason
from alerts.web.charts import chart
from alerts.web.charts.drawing import Chart
from alerts.web.wording import LANGS, Lang, Words, catalogue
from models.catalogue import LEARNED
from models.watch import FEATURES

NOW = datetime(2026, 3, 9, tzinfo=UTC)
REASONS = (
    WireReason("pharmacy_night", 0.38, 0.02, 0.01, 0.55, "share"),
    WireReason("pharmacy_amount", 2_350.5, 410.0, None, 0.25, "yuan"),
    WireReason("pharmacy_short_gaps", 0.0, 60.0, 45.0, 0.2, "min"),
)


def drawn_as(lang: Lang, *reasons: WireReason) -> Chart | None:
    return chart("anomaly_pharmacy", (), frozenset(), (), None, Words(lang, NOW), None, reasons)


@pytest.mark.parametrize("lang", LANGS)
def test_each_feature_is_drawn_and_told_with_peers_own_days_and_share(lang: Lang) -> None:
    drawn = drawn_as(lang, *REASONS)
    assert drawn is not None
    told = catalogue(lang)
    assert [row[0] for row in drawn.rows] == [told[f"figure.{one.name}"] for one in REASONS]
    assert drawn.rows[0][1:] == ("38%", "2%", "1%", "55%")
    assert drawn.rows[1][3] == "—"
    assert drawn.rows[2][1].startswith("0")
    assert "100%" in drawn.note
    assert "style=" not in drawn.svg
    assert drawn.svg.count("<circle") == 2 * len(REASONS)
    assert lang == "zh" or not re.search(r"[\u4e00-\u9fff]", drawn.svg + "".join(drawn.head) + drawn.note)


def test_it_says_on_the_picture_that_it_is_a_hint() -> None:
    zh, en = drawn_as("zh", *REASONS), drawn_as("en", *REASONS)
    assert zh is not None
    assert en is not None
    assert "不作为认定依据" in zh.note
    assert "no ground for a finding" in en.note


def test_without_reasons_and_records_there_is_no_picture() -> None:
    assert drawn_as("zh") is None


@pytest.mark.parametrize("lang", LANGS)
def test_every_feature_and_both_detectors_have_a_name(lang: Lang) -> None:
    told = catalogue(lang)
    assert all(f"figure.{feature.name}" in told for features in FEATURES.values() for feature in features)
    assert all(f"detector.{detector.id}" in told for detector in LEARNED)
