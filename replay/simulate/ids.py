"""Names for everything that needs one: unique by construction, the same for the same seed."""

from hashlib import sha256
from random import Random

_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, odd: multiplying by it loses nothing


class Mint:
    """Mints identifiers such as e77fac89e0491ddac. Every step is a bijection of the counter: no two are alike."""

    def __init__(self, seed: int) -> None:
        self._salt = int.from_bytes(sha256(f"mint/{seed}".encode()).digest()[:8])
        self._minted = 0

    def __call__(self, prefix: str) -> str:
        self._minted += 1
        x = (self._minted * _ODD + self._salt) & _MASK
        x ^= x >> 31
        x = (x * 0xBF58476D1CE4E5B9) & _MASK
        x ^= x >> 29
        return f"{prefix}{x:016x}"


def dice(seed: int, *about: object) -> Random:
    """A source of chance of its own for one matter, so that one matter more does not move the others."""
    return Random("/".join(map(str, (seed, *about))))
