"""Every story there is. A new one: its own file, and one line here."""

from replay.simulate.stories import (
    card_batch_swipe,
    decoys_at_the_till,
    decoys_in_hospital,
    decoys_of_codes,
    decoys_of_persons,
    geo_time_conflict,
    ghost_bed_absence,
    inpatient_concurrent_claim,
    readmission_split,
    trace_code_repeat,
)
from replay.simulate.stories.story import Family

FRAUDS: tuple[Family, ...] = (
    card_batch_swipe.FAMILY,
    geo_time_conflict.FAMILY,
    inpatient_concurrent_claim.FAMILY,
    ghost_bed_absence.FAMILY,
    trace_code_repeat.FAMILY,
    readmission_split.FAMILY,
)
DECOYS: tuple[Family, ...] = (
    *decoys_at_the_till.FAMILIES,
    *decoys_of_persons.FAMILIES,
    *decoys_in_hospital.FAMILIES,
    *decoys_of_codes.FAMILIES,
)
FAMILIES: dict[str, Family] = {family.name: family for family in (*FRAUDS, *DECOYS)}


def chosen(names: tuple[str, ...]) -> list[Family]:
    """The families meant by ``names``: their own, or all, frauds, decoys, none. Raises KeyError with the stranger."""
    groups: dict[str, tuple[Family, ...]] = {"all": (*FRAUDS, *DECOYS), "frauds": FRAUDS, "decoys": DECOYS, "none": ()}
    wanted = {family.name for name in names for family in (groups[name] if name in groups else (FAMILIES[name],))}
    return [family for name, family in FAMILIES.items() if name in wanted]
