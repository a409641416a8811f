"""What moves on the shelves without a customer: counting, breakage, goods sent to a sister store or back."""

from random import Random

from replay.simulate.city import City
from replay.simulate.clock import MINUTE
from replay.simulate.goods import Drug
from replay.simulate.places import Org
from replay.simulate.stock import kept

EVERY = 28  # days between two countings of a store
BROKEN = 0.02  # of all stores, a day: one box
EXPIRED = 0.01  # of all stores, a day: goes back to the wholesaler
SENT = 0.01  # of all stores of a chain, a day: some boxes go to a sister


def tidy(city: City, chance: Random) -> None:
    """Early in the morning of the day being lived; not on the city's first, when everything is counted."""
    if city.day == 0:
        return
    chains: dict[str, list[Org]] = {}
    for org in city.orgs:
        if org.owner.startswith("CHAIN"):
            chains.setdefault(org.owner, []).append(org)
    for org in city.orgs:
        at = city.opens - 9 * MINUTE + int(chance.random() * MINUTE)
        if chance.random() < BROKEN:
            _lose(city, chance, org, "change", at, -1)
        if chance.random() < EXPIRED:
            _lose(city, chance, org, "purchase_return", at, 1)
        if org.owner in chains and chance.random() < SENT:
            _send(city, chance, org, chance.choice(chains[org.owner]), at)
    for org in city.orgs:
        if (city.day + org.number) % EVERY == 0 and org.kind == "pharmacy":
            for drug in kept(org):
                city.count(org, drug, city.opens - 6 * MINUTE)


def _lose(city: City, chance: Random, org: Org, kind: str, at: int, sign: int) -> None:
    drug = _some(chance, org)
    if city.shelf(org, drug).here:
        city.deliver(org, drug, city.shelf(org, drug).take(1, at), kind, at, at + 2, sign)


def _send(city: City, chance: Random, here: Org, there: Org, at: int) -> None:
    """A transfer within the chain (调拨): the boxes keep their codes."""
    drug = _some(chance, here)
    if here is not there and city.shelf(here, drug).here >= 3:
        codes = city.shelf(here, drug).take(3, at)
        city.deliver(here, drug, codes, "change", at, at + 2, -1)
        later = at + MINUTE
        city.deliver(there, drug, city.shelf(there, drug).receive(codes, later), "change", later, later + 2)


def _some(chance: Random, org: Org) -> Drug:
    return chance.choice(tuple(kept(org)))
