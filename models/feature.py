"""What a feature is: a number of somebody's day, how it is scaled, which way is strange, and how it is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p
from typing import Literal, NamedTuple

import msgspec

Scale = Literal["log", "share"]
PRIOR = 5  # bills that a share is mixed with: 1 of 1 is no stranger than 4 of 5


@dataclass(frozen=True, slots=True)
class Feature:
    """direction: 1 if more is strange, -1 if less is. own: compared with the entity's own earlier days, too.

    unit: as figures write it. usual: of a share, what little is mixed with.
    """

    name: str
    zh: str
    en: str
    unit: str = ""
    scale: Scale = "log"
    direction: Literal[1, -1] = 1
    own: bool = True
    usual: float = 0.05

    def told(self, value: float, lang: Literal["zh", "en"]) -> str:
        """As people write it: 38%, 12.5元, 6次."""
        if self.unit == "share":
            return f"{100 * value:.0f}%"
        number = f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
        zh, en = UNITS[self.unit]
        return number + (zh if lang == "zh" else f" {en}".rstrip())


UNITS = {
    "": ("", ""),
    "times": ("次", "times"),
    "persons": ("人", "persons"),
    "institutions": ("家", "institutions"),
    "items": ("种", "items"),
    "packs": ("盒", "packs"),
    "yuan": ("元", "yuan"),
    "days": ("天", "days"),
    "min": ("分钟", "min"),
}


class Counted(NamedTuple):
    """``k`` of ``n``: a share, that means little while ``n`` is small."""

    k: float
    n: float


class Measures(NamedTuple):
    """One day of one entity. told: as people are told it; scaled: as it is compared; both in order of the features."""

    told: tuple[float, ...]
    scaled: tuple[float, ...]


def measures(features: Sequence[Feature], values: Sequence[float | Counted]) -> Measures:
    """Amounts and counts by their logarithm, shares by their odds, after mixing in a little of the usual."""
    told, scaled = [], []
    for feature, value in zip(features, values, strict=True):
        if isinstance(value, Counted):
            share = (value.k + PRIOR * feature.usual) / (value.n + PRIOR)
            told.append(value.k / value.n if value.n else 0.0)
            scaled.append(log(share / (1 - share)))
        else:
            told.append(float(value))
            scaled.append(log1p(value) if value > 0 else 0.0)
    return Measures(tuple(told), tuple(scaled))


def digest(features: Sequence[Feature]) -> str:
    """Tells whether a model was fitted on these features, as they are measured now."""
    from hashlib import blake2b

    told = [(MEASURED, PRIOR, f.name, f.scale, f.direction, f.own, f.usual) for f in features]
    return blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()


MEASURED = 3  # raised by hand when a feature of the same name is measured, or compared, otherwise
