"""Words that several tests share: batches of arrivals, and leads as a Case writes them."""

from collections.abc import Sequence

from replay.run import Standing


def batches(arrivals: Sequence, size: int) -> list[Sequence]:
    return [arrivals[i : i + size] for i in range(0, len(arrivals), size)]


def leads(standing: Standing) -> set[str]:
    """What stands open, in the words of a Case."""
    return {
        f"{lead.level} {lead.subject.kind} {lead.subject.id} {lead.period.name}: {' '.join(lead.events)}"
        for said in standing.values()
        for lead in said
    }


def rising(unit: object, crash: Exception) -> None:
    raise crash
