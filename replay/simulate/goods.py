"""What can be prescribed, sold or done: a small national catalogue (医保目录) of the city's own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug:
    """One pack on the shelf. days: how long a pack lasts at the daily dose; illness: ICD-10 of what it is taken for."""

    number: int
    code: str
    group: str  # generic name and form
    units: int  # tablets or ampoules in a pack
    daily: int  # units a day
    price: int  # fen a pack
    rx: bool
    watch: bool = False  # on the resale list
    illness: str = ""
    coded: bool = True  # every box has a trace code; herbal slices (饮片) have none

    @property
    def days(self) -> int:
        return self.units // self.daily

    @property
    def list_type(self) -> str:
        return "101" if self.coded else "102"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A service: what a hospital does and charges."""

    number: int
    code: str
    name: str
    kind: str
    price: int  # fen
    limits: dict[str, object] = field(default_factory=dict)  # further fields of ref.item


Row = tuple[str, int, int, int]  # generic name and form, units a pack, units a day, fen


def _drug(number: int, row: Row, *, rx: bool, watch: bool = False, illness: str = "", coded: bool = True) -> Drug:
    letter = "ABCDGHJLMNR"[number % 11]
    code = f"X{letter}{(number * 37) % 90 + 10}AB{number:03d}A00101010{number % 2}"
    group, units, daily, price = row
    return Drug(
        number=number,
        code=code,
        group=group,
        units=units,
        daily=daily,
        price=price,
        rx=rx,
        watch=watch,
        illness=illness,
        coded=coded,
    )


_CHRONIC = (  # as a Row, and the ICD-10 of what it is taken for
    (("amlodipine tablet", 28, 1, 2480), "I10"),
    (("nifedipine cr tablet", 28, 1, 3310), "I10"),
    (("irbesartan tablet", 28, 1, 2750), "I10"),
    (("valsartan capsule", 28, 1, 2590), "I10"),
    (("indapamide sr tablet", 28, 1, 2120), "I10"),
    (("metformin tablet", 84, 3, 2960), "E11"),
    (("acarbose tablet", 84, 3, 4230), "E11"),
    (("glimepiride tablet", 28, 1, 3680), "E11"),
    (("dapagliflozin tablet", 28, 1, 6120), "E11"),
    (("aspirin enteric tablet", 28, 1, 1540), "I25"),
    (("clopidogrel tablet", 28, 1, 4410), "I25"),
    (("metoprolol sr tablet", 28, 1, 2330), "I25"),
    (("isosorbide mononitrate tablet", 28, 1, 2870), "I25"),
    (("atorvastatin tablet", 28, 1, 2690), "E78"),
    (("rosuvastatin tablet", 28, 1, 3050), "E78"),
    (("entecavir tablet", 28, 1, 3940), "B18"),
    (("levothyroxine tablet", 28, 1, 1760), "E03"),
    (("finasteride tablet", 28, 1, 4580), "N40"),
)
_ACUTE = (  # prescribed for a few days
    ("amoxicillin capsule", 24, 6, 1450),
    ("cefuroxime tablet", 12, 2, 2680),
    ("azithromycin tablet", 6, 1, 2240),
    ("loratadine prescription syrup", 30, 6, 1990),
    ("montelukast tablet", 5, 1, 2180),
    ("ketoprofen gel", 10, 2, 2010),
    ("omeprazole capsule", 14, 2, 1820),
)
_COUNTER = (  # bought without a prescription
    ("ibuprofen sr capsule", 20, 2, 1350),
    ("paracetamol tablet", 12, 3, 720),
    ("cold relief granule", 9, 3, 1480),
    ("isatis root granule", 20, 4, 1260),
    ("pudilan throat tablet", 24, 6, 1710),
    ("montmorillonite powder", 10, 3, 1590),
    ("loratadine tablet", 6, 1, 1130),
    ("vitamin c tablet", 30, 6, 690),
    ("compound liquorice tablet", 24, 9, 980),
    ("hawthorn digestion pill", 10, 2, 1050),
    ("diclofenac ointment", 7, 1, 2090),
)
_WARD = (  # given at the bedside, an ampoule a day
    ("ceftriaxone injection", 1, 1, 1890),
    ("sodium chloride injection", 1, 1, 420),
    ("ambroxol injection", 1, 1, 1260),
    ("pantoprazole injection", 1, 1, 2170),
    ("xueshuantong injection", 1, 1, 3060),
    ("mecobalamin injection", 1, 1, 1140),
    ("potassium chloride injection", 1, 1, 380),
)
_WATCHED = (  # dear, and sought after by resellers
    ("osimertinib tablet", 14, 1, 68200),
    ("ketosteril tablet", 84, 12, 19600),
    ("human albumin vial", 1, 1, 41500),
)
_HERBS = (  # weighed out, a packet a day
    ("astragalus root slices", 5, 1, 1600),
    ("poria slices", 5, 1, 1250),
    ("tangerine peel slices", 5, 1, 900),
)


def _numbered(rows: Sequence[Row], first: int, *, rx: bool, watch: bool = False, coded: bool = True) -> Iterator[Drug]:
    for number, row in enumerate(rows, first):
        yield _drug(number, row, rx=rx, watch=watch, coded=coded)


CHRONIC = tuple(_drug(number, row, rx=True, illness=icd) for number, (row, icd) in enumerate(_CHRONIC, 1))
ACUTE = tuple(_numbered(_ACUTE, 19, rx=True))
COUNTER = tuple(_numbered(_COUNTER, 26, rx=False))
WARD = tuple(_numbered(_WARD, 37, rx=True))
WATCHED = tuple(_numbered(_WATCHED, 44, rx=True, watch=True))
HERBS = tuple(_numbered(_HERBS, 47, rx=False, coded=False))
DRUGS: tuple[Drug, ...] = (*CHRONIC, *ACUTE, *COUNTER, *WARD, *WATCHED, *HERBS)
BY_ILLNESS: dict[str, tuple[Drug, ...]] = {
    illness: tuple(drug for drug in CHRONIC if drug.illness == illness)
    for illness in dict.fromkeys(drug.illness for drug in CHRONIC)
}


def drug(group: str) -> Drug:
    """The drug of that generic name."""
    return next(one for one in DRUGS if one.group == group)


def _item(number: int, name: str, kind: str, price: int, **limits: object) -> Item:
    letter = {"bed": "B", "nursing": "N", "diet": "D", "registration": "R", "lab": "L", "exam": "E"}.get(kind, "T")
    code = f"00{number % 4 + 2}0{number:02d}0{letter}{number * 131 % 1000:03d}-{3000 + number}"
    return Item(number=number, code=code, name=name, kind=kind, price=price, limits=limits)


_ITEMS = (
    _item(0, "bed1", "bed", 5000, max_per_day=1),
    _item(1, "bed2", "bed", 3800, max_per_day=1),
    _item(2, "nurse1", "nursing", 2200, max_per_day=1),
    _item(3, "nurse2", "nursing", 1400, max_per_day=1),
    _item(4, "diet", "diet", 1800, max_per_day=1),
    _item(5, "reg", "registration", 1000, max_per_day=2),
    _item(6, "blood", "lab", 2000, max_per_day=2),
    _item(7, "urine", "lab", 1200, max_per_day=2),
    _item(8, "liver", "lab", 4800, max_per_day=1),
    _item(9, "glucose", "lab", 800, max_per_day=4),
    _item(10, "ecg", "exam", 2500, max_per_day=2),
    _item(11, "ultrasound", "exam", 11000, max_per_day=2),
    _item(12, "xray", "exam", 7600, max_per_day=2),
    _item(13, "ct", "exam", 24000, max_per_day=1),
    _item(14, "infusion", "treatment", 1500, max_per_day=2),
    _item(15, "nebuliser", "treatment", 1600, max_per_day=3),
    _item(16, "dressing", "treatment", 3200, max_per_day=1, series="dressings"),
    _item(17, "rehab", "treatment", 7800, max_per_day=1, series="rehab"),
    _item(18, "dialysis", "treatment", 42000, max_per_day=1, series="dialysis"),
    _item(19, "chemo", "treatment", 18000, max_per_day=1, series="chemo"),
    _item(20, "appendix", "operation", 186000, max_per_day=1),
    _item(21, "cholecystectomy", "operation", 245000, max_per_day=1),
    _item(22, "delivery", "operation", 152000, max_per_day=1, gend="2"),
    _item(23, "cervical", "lab", 5600, max_per_day=1, gend="2"),
    _item(24, "prostate", "lab", 6400, max_per_day=1, gend="1"),
    _item(25, "moxibustion", "treatment", 4000, max_per_day=1),
    _item(26, "screening", "exam", 2300, max_per_day=1),
)
ITEMS: dict[str, Item] = {item.name: item for item in _ITEMS}
LABS = tuple(ITEMS[name] for name in ("blood", "urine", "liver", "glucose"))
EXAMS = tuple(ITEMS[name] for name in ("ecg", "ultrasound", "xray", "ct"))
