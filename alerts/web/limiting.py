"""How often one account, or one address without a session, may ask.

Counted in the memory of the process: the feed is one process for each host, a start forgets a minute at most, and no
other server has to answer before a page does. What must hold over all processes is counted in the store instead:
failed log-ins (alerts.accounts), reveals and exports (the trail).
"""

import time
from ipaddress import IPv6Address, ip_address
from math import ceil

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from alerts.web.bounds import Bounds

NETWORK_BITS = 64  # of an IPv6 address: what one subscriber is given


class TooOftenError(Exception):
    """Asked too often; ``wait_s``: until it may ask again."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


class Limiter:
    """Counts over the last minute; what is older is forgotten, so it holds no more than a minute's askers."""

    def __init__(self, bounds: Bounds) -> None:
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._account = RateLimitItemPerMinute(bounds.requests_a_minute, namespace="account")
        self._address = RateLimitItemPerMinute(bounds.tries_a_minute, namespace="address")

    def account(self, name: str) -> None:
        """A request of somebody logged in. Raises TooOftenError."""
        self._count(self._account, name)

    def stranger(self, request: Request) -> None:
        """A log-in, or a request without a session. Raises TooOftenError."""
        self._count(self._address, network(request.client.host if request.client else ""))

    def _count(self, item: RateLimitItem, key: str) -> None:
        if not self._window.hit(item, key):
            resets_at = self._window.get_window_stats(item, key).reset_time
            raise TooOftenError(max(1, ceil(resets_at - time.time())))


def network(host: str) -> str:
    """The address, of IPv6 the network that one subscriber has."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> (128 - NETWORK_BITS) << (128 - NETWORK_BITS)))
    return host
