"""What a city or a province takes, from figures measured here: python -m tests.benchmarks.scale (docs/scale.md)."""

from dataclasses import dataclass

from detectors.ledger import LEDGERS

# python -m tests.benchmarks redis --world: 60,000 events of world b, all detectors
ROWS = {  # ledger: rows an event, bytes a row
    "person": (0.871, 162),
    "code": (0.726, 183),
    "visit": (0.264, 222),
    "stock": (0.446, 157),
    "till": (0.382, 294),
    "desk": (0.124, 685),
    "bills": (0.202, 190),
    "rx": (0.176, 200),
    "feed": (0.393, 66),
    "ward": (0.080, 137),
    "dept": (0.009, 248),
}
EVENTS_A_SETTLEMENT = 4.8  # world b: 104,601 events, 21 % of them settlements
ON_THE_WIRE = 662  # bytes of an event; world b
IN_THE_ARCHIVE = 0.2  # of that, as Parquet; ours, until measured on real events
KEPT_IN_KAFKA = 14  # days; README
PEAK_HOUR = 0.13  # of a day; domain.md 5.2
BURST = 2  # times the peak hour; the same
WORKER = 3_600  # events/s from Kafka to stored alert, with Kafka, Redis, store and sender on the same two cores
COPIES = 2  # a primary and a replica


@dataclass(frozen=True)
class Place:
    """settlements: a day, few and many (domain.md 5.2)."""

    name: str
    settlements: tuple[int, int]


PLACES = (Place("city of 10 million", (136_000, 358_000)), Place("province of 60 million", (816_000, 2_150_000)))


def row(what: str, values: tuple[float, float], unit: str) -> str:
    few, many = (f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in values)
    return f"| {what} | {few} to {many} {unit} |"


def table(place: Place) -> str:
    events = tuple(n * EVENTS_A_SETTLEMENT for n in place.settlements)
    burst = tuple(n * PEAK_HOUR / 3_600 * BURST for n in events)
    keep = {ledger.name: ledger.keep.days for ledger in LEDGERS}
    held = {name: tuple(n * rows * keep[name] * size / 1e9 for n in events) for name, (rows, size) in ROWS.items()}
    dearest = sorted(held, key=lambda name: -held[name][1])

    def both(of: tuple[float, ...], factor: float) -> tuple[float, float]:
        return of[0] * factor, of[1] * factor

    total = tuple(sum(held[name][i] for name in held) for i in (0, 1))
    lines = [
        f"| {place.name} | |",
        "|---|---|",
        row("settlements a day", both(place.settlements, 1), ""),
        row("events a day", both(events, 1e-6), "million"),
        row("events/s, twice the busiest hour", both(burst, 1), ""),
        row("workers busy at that rate", both(burst, 1 / WORKER), ""),
        row("Redis, all ledgers full, one copy", both(total, 1), "GB"),
        *(row(f"of these: {name} ({keep[name]} days)", both(held[name], 1), "GB") for name in dearest[:6]),
        row("Redis with a replica", both(total, COPIES), "GB"),
        row("Kafka, a fortnight, three copies", both(events, ON_THE_WIRE * KEPT_IN_KAFKA * 3 / 1e9), "GB"),
        row("archive, a year", both(events, ON_THE_WIRE * IN_THE_ARCHIVE * 365 / 1e9), "GB"),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(map(table, PLACES)))
