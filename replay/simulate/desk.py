"""What happens at a counter: prescription, credential, settlement, goods handed out, a bill taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from replay.simulate.city import City
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.goods import Drug, Item
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import Doctor, Org, Till

# Part of a bill that the fund pays, in percent, by med_type (医疗类别).
FUND_SHARE = {
    **{"11": 60, "13": 60, "51": 60, "140104": 80, "140201": 85, "9929": 80, "41": 50},
    **{"21": 70, "24": 70, "2105": 80, "2114": 80, "52": 75, "5212": 75},
}
_FREQUENCY = {2: ("1", "bid"), 3: ("1", "tid"), 4: ("1", "qid")}  # other daily doses are taken at once


@dataclass(slots=True, kw_only=True)
class Pack:
    """Goods of one drug on a bill. cnt: packs, or tablets where ``loose`` (拆零). take_home: at the end of a stay."""

    drug: Drug
    cnt: int = 1
    days: int = 0  # of supply; 0: what the packs last
    rxno: str = ""
    doctor: str = ""
    loose: bool = False
    take_home: bool = False
    codes: list[str] | None = None  # None: from the shelf

    @property
    def lasts(self) -> int:
        return self.days or (self.cnt // self.drug.daily if self.loose else self.cnt * self.drug.days)

    @property
    def price(self) -> int:
        """Fen a pack, or a tablet."""
        return round(self.drug.price / self.drug.units) if self.loose else self.drug.price


@dataclass(slots=True, kw_only=True)
class Service:
    """One item on a bill, with the flags that tell an outside examination (外检) or an emergency."""

    item: Item
    doctor: str = ""
    dept: str = ""
    outside: bool = False
    emergency: bool = False


Goods = Pack | Service


@dataclass(slots=True, kw_only=True)
class Visit:
    """Somebody at a till. at: the second of the settlement; late: seconds by which the line was down."""

    person: Person
    org: Org
    till: Till
    at: int
    med_type: str = "41"
    cert: str = ""
    verify: str = ""
    agent: str = ""  # hash of the proxy's certificate
    payer: Person | None = None  # whose account pays (家庭共济)
    late: int = 0
    fee_first: bool = False  # the lines are uploaded before the settlement, which then has none
    illness: str = ""
    is_test: bool = False
    haste: bool = False  # card after card: each is read a few seconds before its bill


@dataclass(slots=True)
class Bill:
    """A settlement as it was written. others: the swipe, fee and sale events of the same visit."""

    event_id: str
    setl_id: str
    mdtrt_id: str
    visit: Visit
    fund: int
    total: int
    event: Event
    goods: list[tuple[Pack, list[str]]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def at(self) -> int:
        return self.visit.at


def settle(city: City, visit: Visit, goods: Sequence[Goods], chance: Random) -> Bill:
    """Read the credential, settle, hand out the goods. All amounts fit together to the fen."""
    org, at, late = visit.org, visit.at, visit.late
    handed = [(one, codes(city, org, one, at)) for one in goods if isinstance(one, Pack)]
    of = {id(pack): taken for pack, taken in handed}
    lines = [
        drug_line(city, org, one, of[id(one)]) if isinstance(one, Pack) else service_line(city, org, one)
        for one in goods
    ]
    total = sum(one.price * one.cnt if isinstance(one, Pack) else one.item.price for one in goods)
    swipe_at = at - 5 - int(chance.random() * (4 if visit.haste else 22))
    swipe_recv = swipe_at + late + int(chance.random() * 3)
    swipe = _at_till(city, "swipe", swipe_at, swipe_recv, visit)
    recv = at + late + int(chance.random() * 3)
    event = _at_till(city, "setl", at, recv, visit)
    setl_id, mdtrt_id = city.mint("s"), city.mint("m")
    event["setl_id"], event["mdtrt_id"], event["med_type"] = setl_id, mdtrt_id, visit.med_type
    fund = total * FUND_SHARE[visit.med_type] // 100
    _pay(event, visit, total, fund)
    if visit.illness:
        event["dise_codg"] = visit.illness
    bill = Bill(str(event["event_id"]), setl_id, mdtrt_id, visit, fund, total, event, handed)
    if visit.fee_first:
        bill.others.append(_fee(city, visit, mdtrt_id, lines, at - 40 - int(chance.random() * 60)))
    else:
        event["lines"] = lines
    city.journal.write(swipe, swipe_at, swipe_recv)
    city.journal.write(event, at, recv)
    bill.others.append(str(swipe["event_id"]))
    for pack, taken in () if visit.is_test else handed:
        bill.others.append(hand_out(city, bill, pack, taken, at))
    return bill


def codes(city: City, org: Org, pack: Pack, at: int) -> list[str]:
    """The trace codes of what is handed out ``at``: the pack's own, else from the shelf."""
    return city.take(org, pack.drug, 1 if pack.loose else pack.cnt, at) if pack.codes is None else pack.codes


def drug_line(city: City, org: Org, pack: Pack, taken: list[str], at: int | None = None) -> Event:
    """at: fee_ocur_time, for lines that are uploaded later."""
    drug, money = pack.drug, amount(org, pack.price * pack.cnt)
    dose, frequency = _FREQUENCY.get(drug.daily, (str(drug.daily), "qd"))
    line: Event = {
        "feedetl_sn": city.mint("f"),
        "med_list_codg": drug.code,
        "medins_list_codg": f"{org.number}-{drug.number}",
        "list_type": drug.list_type,
        "cnt": pack.cnt,
        "pric": amount(org, pack.price),
        "det_item_fee_sumamt": money,
        "inscp_scp_amt": money,
        "sin_dos": dose,
        "used_frqu": frequency,
        "rx_flag": "1" if drug.rx else "0",
        "trdn_flag": "1" if pack.loose else "0",
    }
    if taken:
        line["drug_trac_codg"] = taken
    if org.says_days or pack.days:
        line["prd_days"] = pack.lasts
    if pack.take_home:
        line["dscg_tkdrug_flag"] = "1"
    if pack.rxno:
        line["rxno"] = pack.rxno
    if pack.doctor:
        line["bilg_dr_codg"] = pack.doctor
    if at is not None:
        line["fee_ocur_time"] = city.clock.text(at)
    return line


def service_line(city: City, org: Org, service: Service, at: int | None = None) -> Event:
    item = service.item
    money = amount(org, item.price)
    line: Event = {
        "feedetl_sn": city.mint("f"),
        "med_list_codg": item.code,
        "medins_list_codg": f"{org.number}-{item.name}",
        "list_type": "201",
        "cnt": 1,
        "pric": money,
        "det_item_fee_sumamt": money,
        "inscp_scp_amt": money,
    }
    if service.doctor:
        line["bilg_dr_codg"] = service.doctor
    if service.dept:
        line["bilg_dept_codg"] = service.dept
    if service.outside:
        line["etip_flag"] = "1"
    if service.emergency:
        line["er_flag"] = "1"
    if at is not None:
        line["fee_ocur_time"] = city.clock.text(at)
    return line


def amount(org: Org, fen: int) -> str | float:
    """Yuan, as this place's software writes them."""
    return fen / 100 if org.numbers else f"{fen // 100}.{fen % 100:02d}"


def _at_till(city: City, kind: str, at: int, recv: int, visit: Visit) -> Event:
    event = city.head(kind, at, recv, visit.org)
    cert = visit.cert or visit.person.cert
    event["psn_no"] = visit.person.psn_no
    event["mdtrt_cert_type"] = cert
    event["verify_mode"] = "agent" if visit.agent else visit.verify or ("token" if cert == "01" else "pin")
    if visit.agent:
        event["agent_certno_hash"] = visit.agent
    event["insuplc_admdvs"] = visit.person.insuplc
    event["opter"] = visit.till.opter
    if visit.till.dev_no:
        event["dev_no"] = visit.till.dev_no
    if visit.is_test:
        event["is_test"] = "1"
    return event


def _pay(event: Event, visit: Visit, total: int, fund: int) -> None:
    """Who pays: the fund its share, then a relative's account, then the own account, the rest in cash."""
    org, person, rest = visit.org, visit.person, total - fund
    event["medfee_sumamt"] = amount(org, total)
    event["fund_pay_sumamt"] = amount(org, fund)
    account = 0
    if visit.payer is not None:
        shared = min(rest, visit.payer.balance)
        visit.payer.balance -= shared
        rest -= shared
        event["acct_mulaid_pay"] = amount(org, shared)
        event["acct_payer_no"] = visit.payer.psn_no
    elif person.insutype == "310":
        account = min(rest, person.balance)
        person.balance -= account
    event["acct_pay"] = amount(org, account)
    event["psn_cash_pay"] = amount(org, rest - account)
    event["balc"] = amount(org, person.balance)
    event["insutype"] = person.insutype


def _fee(city: City, visit: Visit, mdtrt_id: str, lines: list[Event], at: int) -> str:
    event = city.head("fee", at, at + visit.late + 1, visit.org)
    event["psn_no"] = visit.person.psn_no
    event["mdtrt_id"] = mdtrt_id
    event["opter"] = visit.till.opter
    event["lines"] = lines
    city.journal.write(event, at, at + visit.late + 1)
    return str(event["event_id"])


def hand_out(city: City, bill: Bill, pack: Pack, taken: list[str], at: int, sale_type: str = "sale") -> str:
    """The store's own record of goods given out, or taken back (3505, 3506)."""
    visit = bill.visit
    recv = uploaded(visit.org, at) + visit.late
    event = city.head("sale", at, recv, visit.org)
    event["sale_type"] = sale_type
    event["med_list_codg"] = pack.drug.code
    event["cnt"] = pack.cnt
    event["setl_id"] = bill.setl_id
    event["psn_no"] = visit.person.psn_no
    if taken:
        event["drug_trac_codg"] = taken
    event["trdn_flag"] = "1" if pack.loose else "0"
    if pack.rxno:
        event["rxno"] = pack.rxno
    if sale_type == "return":
        city.shelf(visit.org, pack.drug).put_back(0 if pack.loose else pack.cnt, at)
    city.journal.write(event, at, recv)
    return str(event["event_id"])


def uploaded(org: Org, at: int) -> int:
    """When a stock record of ``at`` arrives: at once, with the hour, or in the evening."""
    if org.uploads == "hourly":
        return (at // HOUR + 1) * HOUR + org.number % 97
    if org.uploads == "nightly":
        tonight = at // DAY * DAY + 22 * HOUR + 40 * MINUTE + org.number % 1900
        return tonight if at < tonight else tonight + DAY
    return at + 4


def sell_for_cash(city: City, org: Org, pack: Pack, at: int) -> None:
    """A sale that the fund has no part in (自费): no person, no settlement."""
    recv = uploaded(org, at)
    event = city.head("sale", at, recv, org)
    event["sale_type"] = "sale"
    event["med_list_codg"] = pack.drug.code
    event["cnt"] = pack.cnt
    if taken := codes(city, org, pack, at):
        event["drug_trac_codg"] = taken
    event["trdn_flag"] = "0"
    city.journal.write(event, at, recv)


def take_back(city: City, bill: Bill, at: int, *, with_goods: bool = True) -> list[str]:
    """Reverse the bill; the goods come back too, or at least no record says so. The ids written."""
    visit = bill.visit
    event = city.head("setl_rev", at, at + 1, visit.org)
    event["psn_no"] = visit.person.psn_no
    event["setl_id"] = bill.setl_id
    event["mdtrt_id"] = bill.mdtrt_id
    event["opter"] = visit.till.opter
    event["insuplc_admdvs"] = visit.person.insuplc
    if visit.till.dev_no:
        event["dev_no"] = visit.till.dev_no
    city.journal.write(event, at, at + 1)
    written = [str(event["event_id"])]
    for pack, taken in bill.goods:
        if with_goods:
            written.append(hand_out(city, bill, pack, taken, at + 20, "return"))
        else:
            city.shelf(visit.org, pack.drug).put_back(0 if pack.loose else pack.cnt, at)
    return written


def prescribe(
    city: City, person: Person, org: Org, doctor: Doctor, packs: Sequence[Pack], at: int, late: int = 1
) -> str:
    """Write a prescription and put its number on the packs. late: seconds until it is uploaded; on paper, days."""
    rxno = city.mint("rx")
    longest = max(pack.lasts for pack in packs)
    event = city.head("rx", at, at + late, org)
    event["psn_no"] = person.psn_no
    event["rxno"] = rxno
    event["dr_code"] = doctor.code
    event["insuplc_admdvs"] = person.insuplc
    event["long_rx_flag"] = "1" if longest > 28 else "0"
    event["vali_end_time"] = city.clock.text(at + (84 if longest > 28 else 7) * DAY)
    lines = []
    for pack in packs:
        pack.rxno, pack.doctor = rxno, doctor.code
        dose, frequency = _FREQUENCY.get(pack.drug.daily, (str(pack.drug.daily), "qd"))
        lines.append(
            {
                "feedetl_sn": city.mint("f"),
                "med_list_codg": pack.drug.code,
                "cnt": pack.cnt,
                "pric": amount(org, pack.price),
                "det_item_fee_sumamt": amount(org, pack.price * pack.cnt),
                "prd_days": pack.lasts,
                "sin_dos": dose,
                "used_frqu": frequency,
            }
        )
    event["lines"] = lines
    city.journal.write(event, at, at + late)
    return rxno
