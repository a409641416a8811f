"""A trained model as it goes into the registry: arrays, manifest, and a card for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from detectors.finding import Level
from models.day import Array
from models.drift import SCORE, Drift, Reference, drifts
from models.feature import digest
from models.model import Model
from models.train import Found, Learned, Plan, rank_of
from models.versions import KIND, PROBES, SCHEMA, Manifest, Part, named, packed, shapes

NO_VERSION = ""  # until the content is known


class Made(NamedTuple):
    manifest: Manifest
    arrays: bytes
    card: str


def made(
    learned: Mapping[str, Learned],
    plan: Plan,
    *,
    created_at: datetime,
    source: Sequence[str],
    libraries: Mapping[str, str],
) -> Made:
    """libraries: name and version of what it was trained with. source: what the days were read from."""
    models = {entity: one.model for entity, one in learned.items()}
    references = {entity: Reference.of(drifting(one.scaled, one.model, one.values)) for entity, one in learned.items()}
    probes = {entity: _probes(one.values) for entity, one in learned.items()}
    arrays = packed(models, references, probes)
    manifest = named(
        Manifest(
            kind=KIND,
            schema=SCHEMA,
            version=NO_VERSION,
            created_at=created_at,
            since=min(one.since for one in learned.values()),
            until=max(one.until for one in learned.values()),
            source=tuple(source),
            parts={entity: _part(one, plan) for entity, one in learned.items()},
            trees=plan.trees,
            samples=plan.samples,
            seed=plan.seed,
            libraries=dict(libraries),
            arrays=shapes(arrays),
            sha256=sha256(arrays).hexdigest(),
            bytes=len(arrays),
        )
    )
    return Made(manifest, arrays, "\n".join(card(manifest, models)) + "\n")


def _part(learned: Learned, plan: Plan) -> Part:
    model = learned.model
    return Part(
        features=digest(model.features),
        names=tuple(feature.name for feature in model.features),
        groups=tuple(model.peers),
        scale=model.forest.scale,
        thresholds=dict(model.thresholds),
        days=learned.days,
        entities=learned.entities,
        per_day=plan.per_day,
    )


def _probes(values: Array) -> Array:
    """Ordinary days and strange ones."""
    order = np.argsort(values.sum(axis=1), kind="stable")
    return values[order[np.linspace(0, len(order) - 1, PROBES).astype(np.int64)]]


def drifting(scaled: Array, model: Model, values: Array) -> Array:
    """What is watched for drift: every scaled feature, and last the mean surprise."""
    return np.concatenate([scaled, model.surprises(values).mean(axis=1, keepdims=True)], axis=1)


def drift_of(model: Model, reference: Reference, days: Found) -> tuple[list[Drift], float]:
    """How far these days are from those of training, and the leads a day that they would make."""
    keys, totals, seen = rank_of(model, days)
    scaled = np.array([days[key].measures.scaled for key in keys])
    watched = drifting(scaled, model, np.stack([one.values for one in seen]))
    found = drifts(reference, watched, [*(feature.name for feature in model.features), SCORE])
    spoke = float((totals >= model.thresholds[Level.BLUE]).sum())
    return found, spoke / len({day for _, day in keys})


WORDS = {"person": "person-days (人日)", "pharmacy": "pharmacy-days (药店日)"}


def card(manifest: Manifest, models: Mapping[str, Model]) -> Iterator[str]:
    """The model card, in Markdown."""
    yield f"# Model {manifest.version}"
    yield ""
    yield "A hint where to look, no ground for a finding (模型提示，不作为认定依据). It never stops a payment."
    yield ""
    yield f"* **Trained** {manifest.created_at:%Y-%m-%d %H:%M} UTC on {', '.join(manifest.source)};"
    yield f"  business days {manifest.since:%Y-%m-%d} to {manifest.until:%Y-%m-%d} (end not included)."
    yield f"* **Forest** {manifest.trees} trees of at most {manifest.samples} days, seed {manifest.seed}; beside it the"
    yield "  three rarest features, the distance from the middle, and the evidence of the seven days before."
    yield f"* **Libraries** {', '.join(f'{name} {version}' for name, version in manifest.libraries.items())}."
    yield f"* **Arrays** {manifest.bytes:,} bytes, SHA-256 {manifest.sha256}."
    for entity, part in manifest.parts.items():
        yield ""
        yield f"## {entity}"
        yield ""
        yield f"* Learned from {part.days:,} {WORDS[entity]} of {part.entities:,}; {len(part.groups)} groups of peers."
        limits = ", ".join(f"{level} from {value:.3f}" for level, value in part.thresholds.items())
        yield f"* Thresholds: {limits}; made for {part.per_day:g} leads a day among as many days as were learned from."
        yield ""
        yield "| feature | 特征 | median of all | strange if |"
        yield "|---|---|---|---|"
        usual = models[entity].peers[""].told
        for feature, middle in zip(models[entity].features, usual, strict=True):
            way = "more" if feature.direction > 0 else "less"
            yield f"| {feature.en} | {feature.zh} | {feature.told(float(middle), 'en')} | {way} |"
    yield ""
    yield "## Limits"
    yield ""
    yield "* What was always so among those it was trained on is ordinary to it, fraud too."
    yield "* Entities known for less than 28 days are compared with peers only; groups of fewer than 5 with all."
    yield "* Slow ramps, stays in hospital and goods without bills are not seen."
    yield "* How often it finds planted frauds: docs/model.md."
