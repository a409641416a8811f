"""Where things are, and how fast anybody can get from one to the other."""

from math import asin, cos, inf, radians, sin, sqrt
from typing import NamedTuple

from detectors.event import OrgRecord

EARTH = 6371.0  # km, mean radius

Speeds = tuple[tuple[float, float], ...]
# (shorter than so many km, at most so many km/h): by road, by rail, by air (domain.md 3.0)
SPEEDS: Speeds = ((200, 100), (1500, 300), (inf, 900))


class Position(NamedTuple):
    """Degrees, east and north."""

    lon: float
    lat: float


def position(lon: float | None, lat: float | None) -> Position | None:
    return None if lon is None or lat is None else Position(lon, lat)


def position_of(org: OrgRecord | None) -> Position | None:
    """None if nothing is known of the institution, or not where it is."""
    return None if org is None else position(org.lon, org.lat)


def kilometres(a: Position, b: Position) -> float:
    """Along the great circle."""
    north, east = radians(b.lat - a.lat), radians(b.lon - a.lon)
    h = sin(north / 2) ** 2 + cos(radians(a.lat)) * cos(radians(b.lat)) * sin(east / 2) ** 2
    return 2 * EARTH * asin(min(1.0, sqrt(h)))


def fastest(km: float, speeds: Speeds) -> float:
    """The km/h at which so far a way can be travelled at most."""
    return next(limit for below, limit in speeds if km < below)
