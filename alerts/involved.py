"""Whom a lead names, beside the institutions it happened at: what other leads may share with it."""

from collections.abc import Iterable, Iterator

from detectors.finding import Evidence, Lead, Subject

MOST = 400  # subjects of one lead


def involved(lead: Lead) -> list[Subject]:
    """Whom it is about, and the persons and tills of its records."""
    main = (subject for subject in main_subjects(lead.subject) if subject.kind != "org")
    return list(dict.fromkeys((*main, *in_records(lead.evidence))))[:MOST]


def main_subjects(subject: Subject) -> Iterator[Subject]:
    """Whom an id of several parts (org/psn_no, psn_no/group, org/item) is about; one part: that."""
    first, slash, rest = subject.id.partition("/")
    match subject.kind:
        case "person":
            yield Subject("person", rest or first)
        case "drug" | "area" if is_org(first):
            yield Subject("org", first)
        case "drug" if slash:
            yield Subject("person", first)
        case _:
            yield subject


def in_records(evidence: Iterable[Evidence]) -> Iterator[Subject]:
    """Persons and tills."""
    for event in evidence:
        if event.person:
            yield Subject("person", event.person)
        if event.till and event.org:
            yield Subject("till", f"{event.org}/{event.till}")


def is_org(name: str) -> bool:
    """Is it an institution's code: a letter and eleven digits?"""
    return len(name) == 12 and name[:1].isalpha() and name[1:].isdigit()
