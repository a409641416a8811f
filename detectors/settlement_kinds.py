"""Kinds of care (med_type) by their leading digits: 14 means 14, 140104 and 140201 alike.

Source: domain.md 4.4 and A1. Local code tables differ: a detector takes its list as a field, so that rules.toml can.
"""

MedTypes = tuple[str, ...]

# general, emergency, chronic and special diseases, special drugs, Chinese medicine, at a pharmacy, antenatal, high
# blood pressure and diabetes, chronic disease at a pharmacy. Not 12: relatives register a coming visit.
OUT_PATIENT: MedTypes = ("11", "13", "14", "15", "16", "41", "51", "9901", "9929")
# ordinary, injury, transferred, from emergency, elsewhere, by disease, own choice, day surgery, birth and newborn
IN_PATIENT: MedTypes = ("21", "22", "23", "24", "25", "26", "27", "28", "52")
DAY_SURGERY: MedTypes = ("28",)
CHRONIC: MedTypes = ("14",)  # chronic and special diseases, for which one must be registered (X06)


def is_one_of(med_type: str, kinds: MedTypes) -> bool:
    return med_type.startswith(kinds)
