"""The detectors that a model speaks through, and the rules with a model in them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from detectors.detector import Detector
from detectors.event import NEVER
from detectors.rules import Edition, Rulebook
from models.anomaly_person import AnomalyPerson
from models.anomaly_pharmacy import AnomalyPharmacy
from models.model import Model
from models.unusual import OnScored, unheard

PERSON_MODEL, PHARMACY_MODEL = AnomalyPerson(), AnomalyPharmacy()
LEARNED: tuple[Detector, ...] = (PERSON_MODEL, PHARMACY_MODEL)  # silent, and not run, without a model
ENTITIES = {PERSON_MODEL.id: "person", PHARMACY_MODEL.id: "pharmacy"}


class InForce(NamedTuple):
    """The models of one version, by entity, and the business time from which they judge."""

    since: datetime
    models: dict[str, Model]


def with_models(book: Rulebook, promoted: Sequence[InForce], on_scored: OnScored = unheard) -> Rulebook:
    """The rules with the models that hold, each from its own business time on. promoted: by date.

    What no model is in force for is left out: it would only cost. on_scored: hears of each day that is scored.
    """
    editions: dict[str, tuple[Edition, ...]] = {}
    for own in book:
        entity = ENTITIES.get(own[0].detector.id)
        held = own if entity is None else tuple(_held(own, entity, promoted, on_scored))
        if held:
            editions[own[0].detector.id] = held
    return Rulebook(editions)


def _held(own: Sequence[Edition], entity: str, promoted: Sequence[InForce], on_scored: OnScored) -> list[Edition]:
    ends = [*(one.since for one in promoted[1:]), NEVER]
    return [
        edition._replace(
            detector=replace(edition.detector, model=one.models[entity], on_scored=on_scored),  # type: ignore[type-var]  # both have them
            since=max(edition.since, one.since),
            until=min(edition.until, until),
        )
        for one, until in zip(promoted, ends, strict=bool(promoted))
        if entity in one.models
        for edition in own
        if edition.since < until and one.since < edition.until
    ]


def model_of(edition: Edition) -> Model | None:
    """The model that an edition of one of the two judges by; None for any other detector."""
    detector = edition.detector
    return detector.model if isinstance(detector, AnomalyPerson | AnomalyPharmacy) else None
