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

PERSON_MODEL, PHARMACY_MODEL = AnomalyPerson(), AnomalyPharmacy()
LEARNED: tuple[Detector, ...] = (PERSON_MODEL, PHARMACY_MODEL)  # silent, and not run, without a model
ENTITIES = {PERSON_MODEL.id: "person", PHARMACY_MODEL.id: "pharmacy"}


class InForce(NamedTuple):
    """The models of one version, by entity, and the business time from which they judge."""

    since: datetime
    models: dict[str, Model]


def with_models(book: Rulebook, promoted: Sequence[InForce]) -> Rulebook:
    """The rules with the models that hold, each from its own business time on. promoted: by date.

    What no model is in force for is left out: it would only cost.
    """
    editions: dict[str, tuple[Edition, ...]] = {}
    for own in book:
        entity = ENTITIES.get(own[0].detector.id)
        held = own if entity is None else tuple(_held(own, entity, promoted))
        if held:
            editions[own[0].detector.id] = held
    return Rulebook(editions)


def _held(own: Sequence[Edition], entity: str, promoted: Sequence[InForce]) -> list[Edition]:
    ends = [*(one.since for one in promoted[1:]), NEVER]
    return [
        edition._replace(
            detector=replace(edition.detector, model=one.models[entity]),  # type: ignore[type-var]  # both have a model
            since=max(edition.since, one.since),
            until=min(edition.until, until),
        )
        for one, until in zip(promoted, ends, strict=bool(promoted))
        if entity in one.models
        for edition in own
        if edition.since < until and one.since < edition.until
    ]
