"""Thresholds made easier to reach, one or two at a time, which still remember what is in force."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import combinations
from math import ceil, floor, log10
from typing import Any, NamedTuple

from detectors.detector import Detector, limits
from detectors.event import Count, Fen, Price

NEAR = 2  # half of a limit, or twice of it, is still near
NEVER_MATCHES = r"(?!)"
SECOND = timedelta(seconds=1)
NUMBERS = (int, float, Fen, Decimal, Count, Price, timedelta)


class Ease(NamedTuple):
    """Other values of some thresholds. ``by``: how far from what is in force; 0 where that is no number."""

    values: Mapping[str, Any]
    by: float = 0.0

    def of(self, detector: Detector) -> Detector:
        """The detector with these thresholds. Raises ValueError where it does not allow them."""
        eased = {name: remembering(value, getattr(detector, name)) for name, value in self.values.items()}
        return replace(detector, **eased)  # type: ignore[type-var]  # all detectors are dataclasses


def single(detector: Detector) -> Iterator[Ease]:
    """Every number halved and doubled, since nobody says which of these is easier; every list of exemptions emptied.

    A detector may name other values of its own: ``relaxed: ClassVar[Mapping[str, Any]]``.
    """
    for field in limits(detector):
        value = getattr(detector, field.name)
        yield from (Ease({field.name: near}) for near in _near(value) if near != value)
    for name, value in getattr(detector, "relaxed", {}).items():
        yield Ease({name: value})


def pairs(detector: Detector) -> Iterator[Ease]:
    """Two numbers at once."""
    numbers = [ease for ease in single(detector) if all(map(_is_number, ease.values.values()))]
    for one, other in combinations(numbers, 2):
        if one.values.keys() != other.values.keys():
            yield Ease({**one.values, **other.values})


def _near(value: Any) -> list[Any]:
    """Any: the value of any threshold; nothing for what has no easier one that is easily told."""
    if _is_number(value):
        return [_scaled(value, more=False), _scaled(value, more=True)]
    if isinstance(value, Mapping) and all(map(_is_number, value.values())):
        return [{key: _scaled(one, more=more) for key, one in value.items()} for more in (False, True)]
    if isinstance(value, tuple | frozenset) and all(isinstance(one, str) for one in value):
        return [type(value)()]
    return [NEVER_MATCHES] if isinstance(value, str) else []


def _scaled(value: Any, *, more: bool) -> Any:
    """Any: a number. Of what is counted, at least one."""
    if isinstance(value, int):
        return type(value)(value * NEAR if more else -(-value // NEAR))
    return value * NEAR if more else value / NEAR


def _is_number(value: object) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def least(ease: Ease, detector: Detector, fires: Callable[[Ease], bool]) -> Ease:
    """As near to what is in force as it still fires, one threshold after the other. ``ease`` itself must fire."""
    values = dict(ease.values)
    by = 0.0
    for name, far in ease.values.items():
        limit = getattr(detector, name)
        if _is_numeric(limit):
            enough = partial(_fires_with, fires, values, name)
            found = _bisected(limit, far, enough)
            rounded = (_each(change, limit, found) for change in (_rounded, _rounded_away))
            values[name] = next(filter(enough, rounded), found)
            by = max(by, _apart(limit, values[name]))
    return Ease(values, by)


def _fires_with(fires: Callable[[Ease], bool], values: Mapping[str, Any], name: str, value: Any) -> bool:
    """Any: of a threshold's type."""
    return fires(Ease({**values, name: value}))


STEPS = 20  # of halving: a millionth of the way between


def _bisected(limit: Any, far: Any, fires: Callable[[Any], bool]) -> Any:
    """Any: numbers, or tables of them. ``far`` fires, ``limit`` does not."""
    for _ in range(STEPS):
        middle = _each(_half_way, limit, far)
        if middle in (limit, far):
            break
        if fires(middle):
            far = middle
        else:
            limit = middle
    return far


# of two numbers, or of two tables of numbers, each with its own. Any: these


def _is_numeric(value: Any) -> bool:
    if isinstance(value, tuple | Mapping):
        return all(map(_is_numeric, value.values() if isinstance(value, Mapping) else value))
    return _is_number(value)


def _each(change: Callable[[Any, Any], Any], limit: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_each(change, *both) for both in zip(limit, value, strict=True))
    if isinstance(value, Mapping):
        return {key: _each(change, limit[key], one) for key, one in value.items()}
    return value if value == limit else change(limit, value)


def _half_way(limit: Any, far: Any) -> Any:
    whole = isinstance(limit, int) and isinstance(far, int)
    return type(limit)((limit + far) // 2) if whole else limit + (far - limit) / 2


def _apart(limit: Any, value: Any) -> float:
    """As a share of the limit; of a table the most."""
    if isinstance(value, tuple):
        return max(_apart(*both) for both in zip(limit, value, strict=True))
    if isinstance(value, Mapping):
        return max(_apart(limit[key], one) for key, one in value.items())
    if not limit:
        return float(value != limit)
    return 0.0 if value == limit else abs(float((value - limit) / limit))


def _rounded(limit: Any, value: Any) -> Any:
    """To seconds, or to three digits."""
    return _in_steps(round, value)


def _rounded_away(limit: Any, value: Any) -> Any:
    return _in_steps(ceil if value > limit else floor, value)


def _in_steps(to_whole: Callable[[Any], int], value: Any) -> Any:
    if isinstance(value, timedelta):
        return SECOND * to_whole(value / SECOND)
    if isinstance(value, float) and value:
        digits = 2 - floor(log10(abs(value)))
        return round(to_whole(value * 10**digits) / 10**digits, max(0, digits))
    return value


# numbers that remember


def remembering(value: Any, limit: Any) -> Any:
    """A number that compares as ``value``, and knows, through arithmetic, what it would be with ``limit`` in force.

    So the figures that a detector makes with eased thresholds can be told against those in force. It forgets where
    Python does not ask it: as a whole number on the right of a fraction. Any: numbers, and what is made of them.
    """
    if isinstance(value, tuple) and isinstance(limit, tuple) and len(value) == len(limit):
        return tuple(map(remembering, value, limit))
    if isinstance(value, Mapping):
        return {key: remembering(one, limit.get(key, one)) for key, one in value.items()}
    if type(value) not in NUMBERS:
        return value
    return _REMEMBERING[type(value)](value, limit)


def in_force(value: Any) -> Any:
    """Any: what was remembered, or the value itself."""
    return getattr(value, "limit_in_force", value)


def plain(value: Any) -> Any:
    """Any: the number as it compares, without a memory."""
    return value.plain if hasattr(value, "limit_in_force") else value


FORWARD = ("add", "sub", "mul", "truediv", "floordiv", "mod")


def _remembering(kind: Any) -> Callable[[Any, Any], Any]:
    """A class of such numbers. Any: one of NUMBERS; numbers, of whatever kind arithmetic makes of them."""

    def made(cls: Any, value: Any, limit: Any) -> Any:
        parts = (value.days, value.seconds, value.microseconds) if kind is timedelta else (value,)
        number = kind.__new__(cls, *parts)
        number.plain, number.limit_in_force = value, limit
        return number

    def forward(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda self, other: _both(operate, self, other)

    def backward(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda self, other: _both(operate, other, self)

    methods: dict[str, Any] = {"__new__": made, "__round__": lambda self, *digits: _round(self, *digits)}
    for name in FORWARD:
        operate = getattr(operator, name)
        methods |= {f"__{name}__": forward(operate), f"__r{name}__": backward(operate)}
    return type(f"Remembering{kind.__name__.capitalize()}", (kind,), methods)


def _both(operate: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    """Any: numbers, or what one is added to, such as a moment."""
    return remembering(operate(plain(one), plain(other)), operate(in_force(one), in_force(other)))


def _round(number: Any, *digits: int) -> Any:
    """Any: see above."""
    return remembering(round(plain(number), *digits), round(in_force(number), *digits))


_REMEMBERING = {kind: _remembering(kind) for kind in NUMBERS}
