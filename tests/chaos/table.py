"""The outcomes of runs as a page of Markdown."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from tests.chaos.run import Outcome, Struck


def markdown(outcomes: Sequence[Outcome], command: str) -> str:
    return "\n".join(_page(outcomes, command)) + "\n"


def _page(outcomes: Sequence[Outcome], command: str) -> Iterator[str]:
    struck = [one for outcome in outcomes for one in outcome.struck]
    yield "# Faults on purpose"
    yield ""
    yield (
        "Apache Kafka, Redis, two workers, feed and archive run as in production while a made-up city is sent "
        "again and again, each time in another order of arrival; faults are drawn by a seed and come one to four at a "
        "time. Afterwards the alerts are compared with those of a replay that nothing disturbed (identity, level, "
        "status and set of events), and quarantine, archive and the topic `alerts` are checked for completeness."
    )
    yield ""
    yield f"Made by `{command}`, which runs it again. Written by the command; not to be edited."
    yield ""
    yield f"**{len(struck)} faults in {len(outcomes)} runs; {sum(not each.is_good for each in outcomes)} runs differ.**"
    yield ""
    yield "| seed | store | faults | events | messages sent | alerts | stalled workers ended | seconds | result |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for each in outcomes:
        result = "equal: 0 missing, 0 extra, 0 doubled" if each.is_good else "; ".join(each.wrong) or "not recovered"
        yield (
            f"| {each.seed} | {each.store} | {len(each.struck)} | {each.events:,} | {each.sent:,} | {each.alerts} "
            f"| {each.stalls} | {each.seconds:.0f} | {result} |"
        )
    yield from _by_fault(struck)
    never = {name: why for each in outcomes for name, why in each.left_out.items()}
    made = {one.fault for one in struck}
    if omitted := {name: why for name, why in never.items() if name not in made}:
        yield from ("", "Left out on the machine of these runs:", "")
        yield from (f"* {name}: {why}" for name, why in omitted.items())
    yield from (
        "",
        "## Each fault",
        "",
        "| seed | fault | when, s | recovered after, s | result |",
        "|---|---|---|---|---|",
    )
    for one in struck:
        after, result = ("", "not recovered") if one.seconds is None else (f"{one.seconds:.1f}", "recovered")
        yield f"| {one.seed} | {one.fault} | {one.at:.1f} | {after} | {result} |"


def _by_fault(struck: Sequence[Struck]) -> Iterator[str]:
    """Recovery: until what was sent a second later is judged and all answer, whatever else was hurt at the time."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for one in struck:
        times[one.fault].append(float("inf") if one.seconds is None else one.seconds)
    yield ""
    yield "Recovery is the time until all that was sent up to a second after the fault was judged and every part "
    yield "answered; of faults that came together it is that of all of them."
    yield ""
    yield "| fault | times | recovery median, s | longest, s |"
    yield "|---|---|---|---|"
    for name, seconds in sorted(times.items()):
        yield f"| {name} | {len(seconds)} | {median(seconds):.1f} | {max(seconds):.1f} |"
