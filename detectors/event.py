"""What happened, in the words of the national interface: every event and reference record of SPEC 3.

English names inside, the national name once, in ``field(name=...)``. Values are sound by construction: an event that
exists was read without complaint (detectors/wire.py) or written by hand in a case.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

# the very object that events are read with: between two zones, even equal ones, a comparison takes ten times as long
CHINA = msgspec.json.decode(b'"1970-01-01T08:00:00+08:00"', type=datetime).tzinfo
EVER = datetime(1970, 1, 1, 8, tzinfo=CHINA)  # before anything we know
NEVER = datetime.max.replace(tzinfo=CHINA)
LATE_UPLOAD = timedelta(minutes=10)  # received so much later: offline or batch upload (X15, X16)

Moment = Annotated[datetime, Meta(tz=True)]
LONGEST_CODE = 256  # characters; codes become keys and ids, and PostgreSQL indexes no more than 2,700 bytes
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_CODE)]
Code = Annotated[str, Meta(max_length=LONGEST_CODE)]  # or "" where there is none
OrgCode = Annotated[str, Meta(min_length=12, max_length=12)]
AreaCode = Annotated[str, Meta(pattern=r"^([0-9]{6})?$(?!\n)")]  # (?!): Python's $ lets one line end pass
Name = tuple[str, ...]  # two copies that share one tell of the same fact


class Fen(int):
    """Money. Yuan with at most two decimals on the wire, an integer of 1/100 yuan inside."""

    __slots__ = ()


class Flag(int):
    """1 or 0; read from true/false, 1/0 and "1"/"0", written "1"/"0"."""

    __slots__ = ()


class Count(Decimal):
    """Packs, units, days, doses: up to 4 decimals, kept exactly."""

    __slots__ = ()


class Price(Decimal):
    """Yuan a pack or unit: up to 6 decimals, kept exactly."""

    __slots__ = ()


ZERO, OFF = Fen(0), Flag(0)
DrugTraces = tuple[Text, ...]
CertType = Literal["01", "02", "03"]  # e-credential, identity card, card


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of a bill (费用明细). cnt is packs, or minimum units where ``by_unit``."""

    sn: Text = field(name="feedetl_sn")
    item: Text = field(name="med_list_codg")
    count: Count = field(name="cnt")
    price: Price = field(name="pric")
    amount: Fen = field(name="det_item_fee_sumamt")
    local_item: Code = field(name="medins_list_codg", default="")
    list_type: str = ""
    in_scope: Fen | None = field(name="inscp_scp_amt", default=None)
    days: Count | None = field(name="prd_days", default=None)
    dose: Count | None = field(name="sin_dos", default=None)
    frequency: str = field(name="used_frqu", default="")
    rx: Code = field(name="rxno", default="")
    needs_rx: Flag = field(name="rx_flag", default=OFF)
    traces: DrugTraces = field(name="drug_trac_codg", default=())
    by_unit: Flag = field(name="trdn_flag", default=OFF)
    doctor: Code = field(name="bilg_dr_codg", default="")
    dept: Code = field(name="bilg_dept_codg", default="")
    occurred_at: Moment | None = field(name="fee_ocur_time", default=None)
    examined_outside: Flag = field(name="etip_flag", default=OFF)
    take_home: Flag = field(name="dscg_tkdrug_flag", default=OFF)
    emergency: Flag = field(name="er_flag", default=OFF)


class RxLine(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One drug of a prescription."""

    item: Text = field(name="med_list_codg")
    count: Count = field(name="cnt")
    sn: str = field(name="feedetl_sn", default="")
    price: Price | None = field(name="pric", default=None)
    amount: Fen | None = field(name="det_item_fee_sumamt", default=None)
    days: Count | None = field(name="prd_days", default=None)
    dose: Count | None = field(name="sin_dos", default=None)
    frequency: str = field(name="used_frqu", default="")
    needs_rx: Flag = field(name="rx_flag", default=OFF)
    by_unit: Flag = field(name="trdn_flag", default=OFF)


class Header(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event_type", gc=False):
    """What every event carries. ``seal`` tells differing copies apart in memory (ledger.py); never from the wire."""

    event_id: Text
    happened_at: Moment = field(name="biz_time")  # never arrival time
    received_at: Moment | None = field(name="recv_time", default=None)
    org: OrgCode = field(name="fixmedins_code")
    device: Code = field(name="dev_no", default="")
    operator: Code = field(name="opter", default="")
    care_area: AreaCode = field(name="mdtrtarea_admvs", default="")
    insured_area: AreaCode = field(name="insuplc_admdvs", default="")
    is_test: Flag = OFF
    seal: int = field(name="_seal", default=0)

    @property
    def identity(self) -> Name:
        """Its name at the bureau: two events that share it are one fact told twice."""
        return ("event", self.event_id)

    @property
    def undone_by(self) -> Name | None:
        """The identity of the fact that takes it along if taken back: mostly its own."""
        return None

    @property
    def takes_back(self) -> Name | None:
        """The identity of what this event undoes, for good."""
        return None

    @property
    def late(self) -> bool:
        """Received more than ten minutes after it happened (X16). Unknown lateness is not late: see ``lateness``."""
        received = self.received_at
        return received is not None and received - self.happened_at > LATE_UPLOAD

    @property
    def till(self) -> str:
        """``org/dev_no``, or ``org/opter`` where the device is blank."""
        return f"{self.org}/{self.device or self.operator}"


class OfPerson(Header, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    person: Text = field(name="psn_no")


class OfVisit(OfPerson, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An event of one visit or stay (mdtrt_id). Taking back the admission takes it along."""

    visit: Text = field(name="mdtrt_id")

    @property
    def undone_by(self) -> Name | None:
        return ("adm", self.org, self.visit)


class Swipe(OfPerson, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="swipe"):
    """A credential was read (刷卡)."""

    cert_type: CertType = field(name="mdtrt_cert_type")
    verify_mode: str = ""
    agent: str = field(name="agent_certno_hash", default="")
    lon: float | None = None
    lat: float | None = None


class Settlement(OfPerson, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="setl"):
    """One bill settled with the fund at one institution (结算)."""

    bill: Text = field(name="setl_id")
    visit: Text = field(name="mdtrt_id")
    med_type: Text
    total: Fen = field(name="medfee_sumamt")
    fund: Fen = field(name="fund_pay_sumamt")
    account: Fen = field(name="acct_pay", default=ZERO)
    cash: Fen = field(name="psn_cash_pay", default=ZERO)
    mutual_aid: Fen = field(name="acct_mulaid_pay", default=ZERO)
    payer: Code = field(name="acct_payer_no", default="")
    balance: Fen | None = field(name="balc", default=None)
    insurance: str = field(name="insutype", default="")
    cert_type: CertType | Literal[""] = field(name="mdtrt_cert_type", default="")
    verify_mode: str = ""
    agent: str = field(name="agent_certno_hash", default="")
    disease: str = field(name="dise_codg", default="")
    interim: Flag = field(name="mid_setl_flag", default=OFF)
    lines: tuple[Line, ...] = ()

    @property
    def identity(self) -> Name:
        return ("setl", self.org, self.bill)

    @property
    def undone_by(self) -> Name:
        return ("setl", self.org, self.bill)


class SettlementReversal(OfPerson, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="setl_rev"):
    """A settlement taken back (冲正, 退费). It does not say when that was, nor at which till."""

    bill: Text = field(name="setl_id")
    visit: Code = field(name="mdtrt_id", default="")

    @property
    def identity(self) -> Name:
        return ("setl_rev", self.org, self.bill)

    @property
    def takes_back(self) -> Name:
        return ("setl", self.org, self.bill)


class Fee(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="fee"):
    """Lines of a visit uploaded (费用明细上传). Its own time is the upload; the lines carry when."""

    lines: tuple[Line, ...]


class FeeReversal(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="fee_rev"):
    """One line taken back."""

    sn: Text = field(name="feedetl_sn")

    @property
    def identity(self) -> Name:
        return ("fee_rev", self.org, self.visit, self.sn)

    @property
    def undone_by(self) -> Name | None:
        return None

    @property
    def takes_back(self) -> Name:
        return ("line", self.org, self.visit, self.sn)


class Admission(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="adm"):
    """A stay in hospital begins (入院)."""

    med_type: Text
    dept: Text = field(name="adm_dept_codg")
    bed: Code = field(name="adm_bed", default="")
    ward: Code = ""
    doctor: Code = field(name="atddr_no", default="")
    diagnosis: str = field(name="maindiag_code", default="")
    cert_type: CertType | Literal[""] = field(name="mdtrt_cert_type", default="")

    @property
    def identity(self) -> Name:
        return ("adm", self.org, self.visit)


class AdmissionChange(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="adm_chg"):
    """Another department, ward or bed from now on (住院信息变更)."""

    dept: Code = field(name="adm_dept_codg", default="")
    bed: Code = field(name="adm_bed", default="")
    ward: Code = ""


class AdmissionReversal(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="adm_rev"):
    """A stay that never was: it goes with all its checks, orders and lines (入院撤销)."""

    @property
    def identity(self) -> Name:
        return ("adm_rev", self.org, self.visit)

    @property
    def undone_by(self) -> Name | None:
        return None

    @property
    def takes_back(self) -> Name:
        return ("adm", self.org, self.visit)


class Discharge(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="dscg"):
    """A stay ends (出院). Of several, the one with the latest business time holds."""

    way: str = field(name="dscg_way", default="")  # 1 order, 2 transfer, 3 community, 4 against advice, 5 died, 9 other
    diagnosis: str = field(name="maindiag_code", default="")
    died_on: date | None = field(name="die_date", default=None)


class Prescription(OfPerson, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="rx"):
    """A prescription (处方)."""

    rx: Text = field(name="rxno")
    doctor: Text = field(name="dr_code")
    lines: tuple[RxLine, ...]
    long_term: Flag = field(name="long_rx_flag", default=OFF)
    valid_until: Moment | None = field(name="vali_end_time", default=None)

    @property
    def identity(self) -> Name:
        return ("rx", self.org, self.rx)


class Order(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="order"):
    """A doctor's order during a stay (医嘱)."""

    order: Text = field(name="drord_no")
    order_type: Text = field(name="drord_type")
    since: Moment | None = field(name="medc_begntime", default=None)
    to: Moment | None = field(name="medc_endtime", default=None)
    doctor: Code = field(name="dr_code", default="")
    item: str = field(name="med_list_codg", default="")

    @property
    def identity(self) -> Name:
        return ("order", self.org, self.order)


class Presence(Header, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="presence"):
    """Somebody went to see whether the patient, or the doctor, is there (在床核验, 医师签到).

    A patient's check names person and visit, a doctor's the doctor: whatever else it names is dropped when read.
    """

    check: Text = field(name="check_id")
    check_type: Literal["scheduled", "surprise", "gate", "night", "call"]
    result: Literal["pass", "face_mismatch", "not_found", "on_leave", "refused", "device_error", "timeout"]
    subject: Literal["patient", "doctor"] = "patient"
    person: Code = field(name="psn_no", default="")
    visit: Code = field(name="mdtrt_id", default="")
    doctor: Code = field(name="dr_code", default="")
    planned_at: Moment | None = field(name="planned_time", default=None)
    ward: Code = ""
    bed: Code = ""
    direction: Literal["in", "out", ""] = ""

    @property
    def identity(self) -> Name:
        return ("presence", self.org, self.check)

    @property
    def undone_by(self) -> Name | None:
        return ("adm", self.org, self.visit) if self.visit else None


class Leave(OfVisit, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="leave"):
    """An approved absence of a patient (请假)."""

    leave: Text = field(name="leave_id")
    since: Moment = field(name="from")
    to: Moment
    reason: str = ""

    @property
    def identity(self) -> Name:
        return ("leave", self.org, self.leave)


class Inventory(Header, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="inv"):
    """Goods counted, bought, given back or otherwise moved (进销存)."""

    inv_type: Literal["count", "change", "purchase", "purchase_return"]
    item: Text = field(name="med_list_codg")
    count: Count = field(name="cnt")
    traces: DrugTraces = field(name="drug_trac_codg", default=())
    batch: str = field(name="fixmedins_bchno", default="")
    invoice: str = field(name="purc_invo_no", default="")
    expires_on: date | None = field(name="expy_end", default=None)


class Sale(Header, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="sale"):
    """Goods sold or taken back over the counter (销售, 销售退货). With a bill: its dispensing told again."""

    sale_type: Literal["sale", "return"]
    item: Text = field(name="med_list_codg")
    count: Count = field(name="cnt")
    bill: Code = field(name="setl_id", default="")
    person: Code = field(name="psn_no", default="")
    traces: DrugTraces = field(name="drug_trac_codg", default=())
    by_unit: Flag = field(name="trdn_flag", default=OFF)
    rx: Code = field(name="rxno", default="")

    @property
    def undone_by(self) -> Name | None:
        return ("setl", self.org, self.bill) if self.bill else None


class Beat(Struct, frozen=True, kw_only=True, gc=False, tag="beat"):
    """That an institution told anything over one interface, to the hour. Kept in a ledger; never on the wire."""

    event_id: str
    happened_at: Moment
    seal: int = 1


class OnShelf(Struct, frozen=True, kw_only=True, gc=False, tag="shelf"):
    """That an institution dealt in an item, to the month; ``event_id`` is the item. Never on the wire.

    For links to find the goods by, not for judging: it says nothing of the day.
    """

    event_id: str
    happened_at: Moment
    seal: int = 1


class Open(Struct, frozen=True, kw_only=True, gc=False, tag="open"):
    """That an institution admitted to a department, to the month; ``event_id`` is the institution. Never on the wire.

    As OnShelf: for links to find it by, not for judging.
    """

    event_id: str
    happened_at: Moment
    seal: int = 1


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event_type", gc=False):
    """A reference record: holds from ``valid_from`` until the next one of its subject."""

    event_id: Text
    happened_at: Moment = field(name="biz_time")
    received_at: Moment | None = field(name="recv_time", default=None)  # known_at
    valid_from: Moment
    is_test: Flag = OFF

    @property
    def subject(self) -> str:
        """What the record is about: the key under which it is looked up."""
        raise TypeError("every kind of record names its subject")

    @property
    def edition(self) -> str:
        """Tells apart what may hold of one subject at the same time; "" where a later record replaces an earlier."""
        return ""

    @property
    def groups(self) -> tuple[str, ...]:
        """Under which names its subject is found among others like it."""
        return ()


Status = Literal["active", "suspended", "dead", "lost_card", "settlement_suspended"]


class PersonRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.person"):
    person: Text = field(name="psn_no")
    born_on: date | None = field(name="brdy", default=None)
    sex: str = field(name="gend", default="")
    status: Status | tuple[Status, ...] = "active"
    died_on: date | None = field(name="die_date", default=None)
    household: Code = ""
    village: Code = ""
    employer: Code = field(name="emp", default="")
    diseases: tuple[str, ...] = field(name="dise_codg", default=())
    filings: tuple[str, ...] = field(name="filing_admdvs", default=())
    insured_area: AreaCode = field(name="insuplc_admdvs", default="")
    insurance: str = field(name="insutype", default="")

    @property
    def subject(self) -> str:
        return self.person

    @property
    def tells_of(self) -> datetime:
        """The earliest use that it may show in another light: a death is often entered later than it was."""
        died = datetime.combine(self.died_on, time(), CHINA) if self.died_on else self.valid_from
        return min(died, self.valid_from)

    @property
    def statuses(self) -> tuple[Status, ...]:
        return (self.status,) if isinstance(self.status, str) else self.status


class OrgRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.org"):
    org: OrgCode = field(name="fixmedins_code")
    kind: Literal["pharmacy", "clinic", "hospital"] | None = None
    level: str = ""
    area: AreaCode = field(name="admdvs", default="")
    lon: float | None = None
    lat: float | None = None
    beds: int | None = None
    extra_beds: int | None = field(name="beds_extra", default=None)
    hours: str = ""  # "07:30-21:30"; "00:00-24:00", or across midnight
    owner: Code = field(name="owner_group", default="")
    campus: Code = field(name="campus_group", default="")
    contract: Literal["active", "suspended", "terminated"] = "active"
    contract_doc: str = ""
    tags: frozenset[str] = frozenset()

    @property
    def subject(self) -> str:
        return self.org

    @property
    def groups(self) -> tuple[str, ...]:
        """Its peers: of the same type, level and district, and of the same type and level everywhere (readings 5)."""
        return (f"{self.kind}/{self.level}/{self.area}", f"{self.kind}/{self.level}") if self.kind else ()


class DoctorRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.doctor"):
    doctor: Text = field(name="dr_code")
    sites: tuple[str, ...] = ()
    dept: Code = ""
    status: Literal["active", "leave", "suspended", "retired"] = "active"
    person: Code = field(name="psn_no", default="")

    @property
    def subject(self) -> str:
        return self.doctor


class DeviceRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.device"):
    device: Text = field(name="dev_no")
    org: str = field(name="fixmedins_code", default="")
    lon: float | None = None
    lat: float | None = None

    @property
    def subject(self) -> str:
        return self.device


class DrugRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.drug"):
    item: Text = field(name="med_list_codg")
    group: Code = ""
    units_per_pack: Count | None = None
    daily_dose: Count | None = None
    needs_rx: Flag = field(name="rx_flag", default=OFF)
    watched: Flag = field(name="watch", default=OFF)
    price_limit: Price | None = field(name="pric_uplmt", default=None)

    @property
    def subject(self) -> str:
        return self.item


ItemKind = Literal[
    "bed",
    "nursing",
    "diet",
    "exam",
    "lab",
    "drug",
    "treatment",
    "operation",
    "consumable",
    "registration",
    "diagnosis",
]


class ItemRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.item"):
    item: Text = field(name="med_list_codg")
    sex: str = field(name="gend", default="")
    age_min: float | None = None
    age_max: float | None = None
    max_per_day: Count | None = None
    min_interval_days: Count | None = None
    excludes: tuple[str, ...] = ()
    kind: ItemKind | None = None
    series: str = ""  # dialysis, chemo, rehab, dressings (X07)
    price_limit: Price | None = field(name="pric_uplmt", default=None)

    @property
    def subject(self) -> str:
        return self.item


class CalendarRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.calendar"):
    day: date
    org: str = field(name="fixmedins_code", default="")
    village: Code = ""
    kind: Literal["holiday", "mass_screening", "vaccination", "outbreak"] | None = None

    @property
    def subject(self) -> str:
        return f"{self.day.isoformat()}/{self.org or self.village}"

    @property
    def edition(self) -> str:
        return self.kind or ""


class AgreementRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.agreement"):
    indicator: Text
    target: Text | int | float
    org: str = field(name="fixmedins_code", default="")
    area: AreaCode = field(name="admdvs", default="")
    insurance: str = field(name="insutype", default="")

    @property
    def subject(self) -> str:
        return f"{self.org or self.area + '/' + self.insurance}/{self.indicator}"


class MappingRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.mapping"):
    org: OrgCode = field(name="fixmedins_code")
    local_item: Text = field(name="medins_list_codg")
    item: Text = field(name="med_list_codg")
    item_name: str = field(name="med_list_name", default="")

    @property
    def subject(self) -> str:
        return f"{self.org}/{self.local_item}"


class ExceptionRecord(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ref.exception"):
    """A time-limited exception with a named confirmer. Looked up by ``kind`` and whom it names first."""

    exception: Text = field(name="exception_id")
    kind: Text
    since: Moment = field(name="from")
    to: Moment
    confirmer: Text
    org: str = field(name="fixmedins_code", default="")
    person: Code = field(name="psn_no", default="")
    item: str = field(name="med_list_codg", default="")
    value: str | int | float | None = None

    @property
    def subject(self) -> str:
        return f"{self.kind}/{self.person or self.org or self.item}"

    @property
    def edition(self) -> str:
        return self.exception


Event = (
    Swipe
    | Settlement
    | SettlementReversal
    | Fee
    | FeeReversal
    | Admission
    | AdmissionChange
    | AdmissionReversal
    | Discharge
    | Prescription
    | Order
    | Presence
    | Leave
    | Inventory
    | Sale
)
Reference = (
    PersonRecord
    | OrgRecord
    | DoctorRecord
    | DeviceRecord
    | DrugRecord
    | ItemRecord
    | CalendarRecord
    | AgreementRecord
    | MappingRecord
    | ExceptionRecord
)
Kind = type[Any]  # one of Event's classes


def person_of(event: Event) -> str:
    """Whose event it is; "" for stock, and for a doctor's check."""
    return getattr(event, "person", "")


def ordinal_of(moment: datetime) -> int:
    """The day in +08:00, counted from the year 1: the quickest to name, to compare and to look things up by."""
    return (moment if moment.tzinfo is CHINA else moment.astimezone(CHINA)).toordinal()


def day_of(moment: datetime) -> date:
    """The day in +08:00."""
    return (moment if moment.tzinfo is CHINA else moment.astimezone(CHINA)).date()
