"""Every story there is. A new one: its own file, and one line here."""

from replay.simulate.stories import (
    batch_admission,
    card_batch_swipe,
    decoys_at_the_till,
    decoys_in_hospital,
    decoys_of_admissions,
    decoys_of_codes,
    decoys_of_persons,
    decoys_of_status,
    decoys_of_stock,
    decoys_of_supply,
    drug_overstock,
    empty_swipe_reverse,
    geo_time_conflict,
    ghost_bed_absence,
    ghost_bed_no_service,
    ineligible_credential_use,
    inpatient_concurrent_claim,
    inventory_imbalance,
    multi_org_burst,
    readmission_split,
    rx_missing_or_forged,
    suspended_org_settlement,
    trace_code_repeat,
    upload_gap,
)
from replay.simulate.stories.story import Family

FRAUDS: tuple[Family, ...] = (
    card_batch_swipe.FAMILY,
    geo_time_conflict.FAMILY,
    inpatient_concurrent_claim.FAMILY,
    ghost_bed_absence.FAMILY,
    trace_code_repeat.FAMILY,
    readmission_split.FAMILY,
    ghost_bed_no_service.FAMILY,
    drug_overstock.FAMILY,
    inventory_imbalance.FAMILY,
    ineligible_credential_use.FAMILY,
    empty_swipe_reverse.FAMILY,
    suspended_org_settlement.FAMILY,
    batch_admission.FAMILY,
    rx_missing_or_forged.FAMILY,
    multi_org_burst.FAMILY,
    upload_gap.FAMILY,
)
DECOYS: tuple[Family, ...] = (
    *decoys_at_the_till.FAMILIES,
    *decoys_of_persons.FAMILIES,
    *decoys_in_hospital.FAMILIES,
    *decoys_of_codes.FAMILIES,
    *decoys_of_supply.FAMILIES,
    *decoys_of_stock.FAMILIES,
    *decoys_of_status.FAMILIES,
    *decoys_of_admissions.FAMILIES,
)
FAMILIES: dict[str, Family] = {family.name: family for family in (*FRAUDS, *DECOYS)}


def chosen(names: tuple[str, ...]) -> list[Family]:
    """The families meant by ``names``: their own, or all, frauds, decoys, none. Raises KeyError with the stranger."""
    groups: dict[str, tuple[Family, ...]] = {"all": (*FRAUDS, *DECOYS), "frauds": FRAUDS, "decoys": DECOYS, "none": ()}
    wanted = {family.name for name in names for family in (groups[name] if name in groups else (FAMILIES[name],))}
    return [family for name, family in FAMILIES.items() if name in wanted]
