"""What stands on the shelves: boxes with their trace codes, and when how many of them came and went."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from replay.simulate.goods import ACUTE, CHRONIC, COUNTER, HERBS, WARD, WATCHED, Drug
from replay.simulate.places import Org


@dataclass(slots=True)
class Shelf:
    """Packs of one drug at one place. codes: of what nobody has taken yet, "" for goods that have none."""

    codes: list[str] = field(default_factory=list)
    numbered: int = 0  # boxes of this place and drug that ever had a code
    moved: list[tuple[int, int]] = field(default_factory=list)  # (second, packs in or out) since the last count
    counted: int = 0  # packs that were there then

    @property
    def here(self) -> int:
        return len(self.codes)

    def add(self, org: Org, drug: Drug, packs: int, at: int) -> list[str]:
        """New boxes, with the codes that they bring."""
        first = self.numbered
        self.numbered += packs
        new = [code_of(org, drug, number) if drug.coded else "" for number in range(first, first + packs)]
        return self.receive(new, at)

    def receive(self, codes: list[str], at: int) -> list[str]:
        """Boxes that have their codes already, from another place."""
        self.codes += codes
        self.moved.append((at, len(codes)))
        return codes

    def take(self, packs: int, at: int) -> list[str]:
        """The oldest first."""
        taken, self.codes = self.codes[:packs], self.codes[packs:]
        self.moved.append((at, -packs))
        return taken

    def put_back(self, packs: int, at: int) -> None:
        """Boxes that a customer brought back; they stand apart, and are not sold again."""
        self.moved.append((at, packs))

    def on_hand(self, at: int) -> int:
        """How many packs there are ``at``. What moved before is forgotten."""
        self.counted += sum(packs for when, packs in self.moved if when <= at)
        self.moved = [(when, packs) for when, packs in self.moved if when > at]
        return self.counted


def kept(org: Org) -> Iterable[Drug]:
    """What the place keeps on its shelves."""
    if org.kind == "pharmacy":
        return (*CHRONIC, *ACUTE, *COUNTER, *HERBS, *(WATCHED if "dual_channel" in org.tags else ()))
    if org.kind == "clinic":
        return (*CHRONIC[:10], *ACUTE)
    return (*CHRONIC, *ACUTE, *WARD, *(WATCHED if org.level == 3 else ()))


def code_of(org: Org, drug: Drug, number: int) -> str:
    """Twenty digits, as the commonest scheme has them."""
    return f"80{drug.number:03d}{org.number:05d}{number:07d}{(number * 7 + drug.number + org.number) % 1000:03d}"
