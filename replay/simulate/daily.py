"""An ordinary day: who falls ill, who fetches the next month's tablets, who is admitted, what is checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from replay.simulate.city import City, doctor_at
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Bill, Goods, Pack, Service, Visit, prescribe, sell_for_cash, settle, take_back
from replay.simulate.goods import ACUTE, COUNTER, EXAMS, ITEMS, LABS
from replay.simulate.ids import dice
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.ward import DIAGNOSES, ROUND_LASTS, Admission, Finds, Stay, admit, admit_by_mistake, check

# Per insured person and day. Together about 0.03 settlements: between the national mean of 0.0136 and Fuzhou's 0.036.
AT_A_STORE = 0.010
AT_A_DOCTOR = 0.011
ADMITTED = 0.0008
FOR_CASH = 0.0006
BY_MAIL = 0.0003
AT_THE_STATION = 0.0003
AT_THE_WORKS = 0.0003

REVERSED = 0.02  # of all bills
AGAIN_NEXT_DAY = 0.3  # of the reversals
RETOLD = 0.001  # of all bills: told once more, differently
REST_BETWEEN_STAYS = 40  # days; a split stay comes back within 28

_WEEK = (1.16, 1.04, 1.0, 1.0, 1.02, 0.92, 0.82)  # Monday to Sunday
_STORE_HOURS = (0, 0, 0, 0, 0, 0, 0, 0, 6, 10, 9, 7, 4, 4, 6, 7, 7, 6, 8, 9, 4)
_DOCTOR_HOURS = (0, 0, 0, 0, 0, 0, 0, 4, 28, 36, 32, 18, 4, 10, 20, 18, 14, 6, 0, 1, 1, 1, 1)

Outing = Callable[[int], object]


@dataclass(slots=True)
class Life:
    """The city's ordinary life, a day at a time. due: who fetches drugs on which day."""

    city: City
    due: dict[int, list[Person]] = field(default_factory=dict)
    stays: list[Stay] = field(default_factory=list)
    chance: Random = field(default_factory=Random)  # replaced every day
    outings: list[tuple[int, int, Outing]] = field(default_factory=list)
    offline: dict[int, tuple[int, int]] = field(default_factory=dict)  # of an institution, today
    planned: int = 0  # outings ever planned: settles who comes first of two at the same second
    large: list[Org] = field(default_factory=list)  # hospitals of the third level
    tagged: dict[str, list[Org]] = field(default_factory=dict)  # special places: station, internet, employer

    def __post_init__(self) -> None:
        chance = dice(self.city.plan.seed, "refills")
        self.large = [org for org in self.city.orgs if org.level == 3]
        for org in self.city.orgs:
            for tag in org.tags:
                self.tagged.setdefault(tag, []).append(org)
        for person in self.city.people.all:
            if person.drugs or person.dialysis:
                every = 3 if person.dialysis else 84 if person.long_rx else 28
                self.due.setdefault(chance.randrange(every), []).append(person)

    def live(self) -> None:
        """Everything that the day being lived brings."""
        city = self.city
        self.chance = dice(city.plan.seed, "day", city.day)
        self._cut_lines()
        self._refill()
        self._errands()
        while self.outings:
            at, _, go = heappop(self.outings)
            go(at)
        self._admissions()
        self._rounds()
        self._sign_in()
        self._test()

    # who goes where

    def _plan(self, at: int, go: Outing) -> None:
        if at >= self.city.opens:
            self.planned += 1
            heappush(self.outings, (at, self.planned, go))

    def _many(self, rate: float) -> int:
        """How often something happens today that happens ``rate`` times per person and day."""
        mean = rate * len(self.city.people.all) * _WEEK[self.city.clock.weekday(self.city.day)]
        return max(0, int(self.chance.gauss(mean, mean**0.5) + self.chance.random()))

    def _somebody(self) -> Person | None:
        people = self.city.people.all
        person = people[int(self.chance.random() * len(people))]
        return person if self._is_free(person) else None

    def _is_free(self, person: Person) -> bool:
        """At home, well enough, and not in a story; each goes out once a day, so that nobody is in two places."""
        city = self.city
        if person.last_seen == city.day or person.last_stay >= city.day or person.dialysis:
            return False
        return person.number not in city.wanted or not city.is_wanted(person, city.day, city.day)

    def _time(self, hours: tuple[int, ...]) -> int:
        hour = self.chance.choices(range(len(hours)), hours)[0]
        return self.city.day * DAY + hour * HOUR + int(self.chance.random() * HOUR)

    def _errands(self) -> None:
        for rate, hours, go in (
            (AT_A_STORE, _STORE_HOURS, self._to_store),
            (AT_A_DOCTOR, _DOCTOR_HOURS, self._to_doctor),
            (BY_MAIL, (1,) * 24, self._by_mail),
            (AT_THE_STATION, _STORE_HOURS, self._at_the_station),
            (AT_THE_WORKS, _DOCTOR_HOURS, self._at_the_works),
            (FOR_CASH, _STORE_HOURS, self._for_cash),
        ):
            for _ in range(self._many(rate)):
                self._plan(self._time(hours), go)

    def _to_store(self, at: int) -> None:
        person = self._somebody()
        if person is None:
            return
        org = person.pharmacy
        bill = self._settle(person, org, at, self._remedies(), agent=self._proxy(person), payer=self._payer(person))
        if self.chance.random() < 0.08:
            self._with_family(person, bill)

    def _remedies(self) -> list[Goods]:
        drugs = self.chance.sample(COUNTER, self.chance.choices((1, 2, 3), (60, 32, 8))[0])
        return [Pack(drug=drug, cnt=2 if drug.days <= 4 and self.chance.random() < 0.3 else 1) for drug in drugs]

    def _proxy(self, person: Person) -> str:
        """One in fourteen sends somebody of the household with both certificates (代购)."""
        family = self.city.people.households[person.household]
        return f"agHH{person.household:06d}" if len(family) > 1 and self.chance.random() < 0.07 else ""

    def _payer(self, person: Person) -> Person | None:
        """A child's bill is sometimes paid from a parent's account."""
        if person.insutype == "310" or self.chance.random() > 0.06:
            return None
        family = self.city.people.households[person.household]
        return next((p for p in family if p.insutype == "310" and p.balance > 10_000), None)

    def _with_family(self, person: Person, bill: Bill) -> None:
        """One after the other at the same till, half a minute apart: a queue of one household."""
        at = bill.at
        for other in self.city.people.households[person.household][:4]:
            if other is not person and self._is_free(other):
                at += 30 + int(self.chance.random() * 30)
                visit = Visit(person=other, org=bill.visit.org, till=bill.visit.till, at=at, late=bill.visit.late)
                settle(self.city, visit, self._remedies(), self.chance)
                other.last_seen = self.city.day
        self.city.served(bill.visit.till, at, self.chance)

    def _to_doctor(self, at: int) -> None:
        """A consultation: registration, something measured, a prescription that the house or a pharmacy fills."""
        person = self._somebody()
        if person is None:
            return
        chance, city = self.chance, self.city
        org = person.clinic if chance.random() < 0.4 else person.hospital
        if chance.random() < 0.1:
            org = chance.choice(self.large)
        if not org.opens <= at % DAY < org.closes - HOUR:
            org = person.hospital
        doctor = doctor_at(org, city.day, chance)
        goods: list[Goods] = [Service(item=ITEMS["reg"], doctor=doctor.code)]
        measured = chance.sample((*LABS, *EXAMS), chance.choice((0, 1, 1, 2, 3)))
        goods += [Service(item=item, doctor=doctor.code, dept="OPD") for item in measured]
        packs = [Pack(drug=drug) for drug in chance.sample(ACUTE, chance.choice((0, 1, 1, 2)))]
        emergency = not 7 <= at % DAY // HOUR < 18
        if packs:
            prescribe(city, person, org, doctor, packs, at - 4 * MINUTE)
            if org.area is person.area and not emergency and chance.random() < 0.3:
                later = at + 20 * MINUTE + int(chance.random() * HOUR)
                self._plan(later, lambda then: self._fill(person, packs, then))
            else:
                goods += packs
        med_type = "13" if emergency else "11"
        self._settle(person, org, at, goods, med_type=med_type, fee_first=chance.random() < 0.35)

    def _fill(self, person: Person, packs: list[Pack], at: int, med_type: str = "41") -> None:
        self._settle(person, person.pharmacy, at, packs, med_type=med_type)

    def _by_mail(self, at: int) -> None:
        if (person := self._somebody()) is not None:
            self._settle(person, self.tagged["internet"][0], at, self._remedies(), cert="01")

    def _at_the_station(self, at: int) -> None:
        """A traveller; those who live here for long have filed (异地备案)."""
        person = self.chance.choice(self.city.people.visitors)
        if self._is_free(person):
            self._settle(person, self.tagged["station"][0], at, self._remedies())

    def _at_the_works(self, at: int) -> None:
        workers = self.city.people.workers
        if workers:
            person = self.chance.choice(workers[self.chance.choice(list(workers))])
            if self._is_free(person):
                org = self.chance.choice(self.tagged["employer"])
                doctor = doctor_at(org, self.city.day, self.chance)
                self._settle(person, org, at, [Service(item=ITEMS["reg"], doctor=doctor.code)], med_type="11")

    def _for_cash(self, at: int) -> None:
        org = self.chance.choice(self.city.people.all).pharmacy
        sell_for_cash(self.city, org, Pack(drug=self.chance.choice(COUNTER)), at)

    # the chronically ill

    def _refill(self) -> None:
        day = self.city.day
        for person in self.due.pop(day, ()):
            if person.dialysis:
                self._dialyse(person)
            elif self._is_free(person):
                early = int(self.chance.random() * 5)
                self.due.setdefault(day + (84 if person.long_rx else 28) - early, []).append(person)
                self._fetch(person)
            else:
                self.due.setdefault(day + 1, []).append(person)

    def _fetch(self, person: Person) -> None:
        """A prescription in the morning for all the drugs, filled in the house or at the usual pharmacy."""
        city, chance = self.city, self.chance
        at = city.day * DAY + 8 * HOUR + int(chance.random() * 3 * HOUR)
        if at - 5 * MINUTE < city.opens:
            return
        org = person.clinic if chance.random() < 0.3 else person.hospital
        packs = [Pack(drug=drug, cnt=3 if person.long_rx else 1) for drug in person.drugs]
        prescribe(city, person, org, doctor_at(org, city.day, chance), packs, at - 5 * MINUTE)
        person.last_seen = city.day
        if chance.random() < 0.55:
            later = at + 15 * MINUTE + int(chance.random() * 75 * MINUTE)
            self._plan(later, lambda then: self._fill(person, packs, then, "9929"))
        else:
            fee_first = chance.random() < 0.5
            self._plan(
                at,
                lambda then: self._settle(
                    person, org, then, packs, med_type="140104", fee_first=fee_first, chronic=True
                ),
            )

    def _dialyse(self, person: Person) -> None:
        """Three times a week, always at the same place (X07)."""
        day, city = self.city.day, self.city
        self.due.setdefault(day + (3 if city.clock.weekday(day) == 4 else 2), []).append(person)
        if person.last_stay >= day or city.is_wanted(person, day, day):
            return
        goods = [Service(item=ITEMS["dialysis"], doctor=person.hospital.doctors[0].code, dept="HD")]
        at = day * DAY + 8 * HOUR + person.number % 240 * MINUTE
        self._plan(at, lambda then: self._settle(person, person.hospital, then, goods, med_type="140201", chronic=True))

    # at the till

    def _settle(
        self,
        person: Person,
        org: Org,
        at: int,
        goods: Sequence[Goods],
        *,
        med_type: str = "41",
        cert: str = "",
        agent: str = "",
        payer: Person | None = None,
        fee_first: bool = False,
        chronic: bool = False,
    ) -> Bill:
        """Wait for a till, be served; some of it goes wrong in the ways that it does in life."""
        city, chance = self.city, self.chance
        till, turn = city.queue(org, at, chance)
        city.served(till, turn, chance)
        person.last_seen = city.day
        visit = Visit(
            person=person,
            org=org,
            till=till,
            at=turn,
            med_type=med_type,
            cert=cert,
            verify="face" if chance.random() < 0.035 else "",
            agent=agent,
            payer=payer,
            late=self._down(org, turn),
            fee_first=fee_first,
            illness=person.illness if chronic else "",
        )
        bill = settle(city, visit, goods, chance)
        fate = chance.random()
        if fate < REVERSED:
            self._reverse(bill)
        elif fate > 1 - RETOLD:
            self._retell(bill)
        return bill

    def _reverse(self, bill: Bill) -> None:
        """A wrong drug, a wrong card: taken back soon or the next morning, mostly with the goods on record."""
        chance = self.chance
        if chance.random() < AGAIN_NEXT_DAY:
            at = (bill.at // DAY + 1) * DAY + 9 * HOUR + int(chance.random() * 2 * HOUR)
        else:
            at = bill.at + 2 * MINUTE + int(chance.random() * 28 * MINUTE)
        take_back(self.city, bill, at, with_goods=chance.random() < 0.9)

    def _retell(self, bill: Bill) -> None:
        """The same settlement once more: under its own id with another balance, or under another id."""
        later = bill.at + bill.visit.late + 5 * MINUTE + int(self.chance.random() * HOUR)
        again: Event = {**bill.event, "recv_time": self.city.clock.text(later)}
        if self.chance.random() < 0.5:
            again["event_id"] = self.city.mint("e")
        else:
            again.pop("balc", None)
        self.city.journal.write(again, bill.at, later)

    def _cut_lines(self) -> None:
        """Now and then a place is offline for two hours and makes up for it afterwards (X16)."""
        self.offline = {}
        for org in self.city.orgs:
            if self.chance.random() < 0.008:
                begin = self.city.day * DAY + int(self.chance.uniform(9, 18) * HOUR)
                self.offline[org.number] = (begin, begin + 2 * HOUR)

    def _down(self, org: Org, at: int) -> int:
        begin, end = self.offline.get(org.number, (0, 0))
        return end - at + 60 if begin <= at < end else 0

    # in hospital

    def _admissions(self) -> None:
        for _ in range(self._many(ADMITTED)):
            person = self._somebody()
            if person is not None and self.city.day - person.last_stay > REST_BETWEEN_STAYS:
                self._admit(person)

    def _admit(self, person: Person) -> None:
        city, chance = self.city, self.chance
        hour = chance.uniform(8, 11.5) if chance.random() < 0.8 else chance.uniform(13, 17.5)
        begin = city.day * DAY + int(hour * HOUR)
        days = chance.choice((3, 4, 5, 6, 6, 7, 8, 9))
        end = (city.day + days) * DAY + 9 * HOUR + int(chance.random() * 105 * MINUTE)
        if begin < city.opens or city.is_wanted(person, city.day - 1, city.day + days + 1):
            return
        org = person.hospital
        wards = [ward for ward in org.wards if ward.dept != "obgyn" or (person.gend == "2" and 22 <= person.age <= 38)]
        ward = chance.choice(wards)
        leave = None
        if days >= 5 and chance.random() < 0.08:
            first = (city.day + 2) * DAY + 7 * HOUR
            leave = (first, first + 11 * HOUR)
        plan = Admission(
            person=person,
            org=org,
            ward=ward,
            doctor=doctor_at(org, city.day, chance),
            begin=begin,
            end=end,
            diagnosis=chance.choice(DIAGNOSES[ward.dept]),
            med_type="52" if ward.dept == "obgyn" else "21",
            finds=honest_finds(chance, leave),
            treatment="rehab" if ward.dept == "rehab" else "infusion",
            move_at=begin + DAY + 6 * HOUR if chance.random() < 0.04 else 0,
            leave=leave,
        )
        person.last_seen = city.day
        if chance.random() < 0.01:
            admit_by_mistake(city, plan)
        elif (stay := admit(city, plan, chance)) is not None:
            self.stays.append(stay)

    def _rounds(self) -> None:
        """Unannounced rounds by day and by night, and patients who take a walk through the gate."""
        day, chance = self.city.day, self.chance
        self.stays = [stay for stay in self.stays if stay.admission.end > day * DAY]
        visited = {
            org.number: "surprise" if chance.random() < 0.7 else "night"
            for org in self.city.orgs
            if org.wards and chance.random() < 0.15
        }
        for stay in self.stays:
            kind = visited.get(stay.admission.org.number)
            if kind is not None:
                at = day * DAY + (10 if kind == "surprise" else 23) * HOUR + int(chance.random() * 40 * MINUTE)
                self._look_in(stay, kind, at)
            if chance.random() < 0.03:
                self._walk(stay, day * DAY + 16 * HOUR + 20 * MINUTE + int(chance.random() * HOUR))

    def _look_in(self, stay: Stay, kind: str, at: int) -> None:
        if self._is_inside(stay, at, at):
            check(self.city, stay, kind, at, "pass")

    def _walk(self, stay: Stay, out: int) -> None:
        """Out and in again before supper, well within four hours."""
        back = out + HOUR + int(self.chance.random() * HOUR)
        if self._is_inside(stay, out, back):
            check(self.city, stay, "gate", out, "pass", gate="out")
            check(self.city, stay, "gate", back, "pass", gate="in")

    def _is_inside(self, stay: Stay, first: int, last: int) -> bool:
        plan = stay.admission
        if plan.leave is not None and plan.leave[0] - HOUR < last and first < plan.leave[1] + HOUR:
            return False
        return plan.begin + HOUR < first and last < plan.end - HOUR

    def _sign_in(self) -> None:
        """Doctors sign in by face before the first patient, where the hospital has it."""
        city = self.city
        for org in city.orgs:
            for doctor in org.duty(city.day) if org.signs_in else ():
                at = city.day * DAY + 6 * HOUR + 30 * MINUTE + int(self.chance.random() * 80 * MINUTE)
                event = city.head("presence", at, at + 1, org)
                event.update(check_id=city.mint("c"), check_type="scheduled", result="pass", subject="doctor")
                event["dr_code"] = doctor.code
                if at >= city.opens:
                    city.journal.write(event, at, at + 1)

    def _test(self) -> None:
        """A line of test on some mornings (X22)."""
        city = self.city
        at = city.day * DAY + 6 * HOUR + int(self.chance.random() * HOUR)
        if self.chance.random() < 0.1 and at >= city.opens:
            org = self.chance.choice(city.orgs)
            event = city.head("setl", at, at + 2, org)
            event.update(psn_no="TESTPSN0001", setl_id=city.mint("s"), mdtrt_id=city.mint("m"), med_type="41")
            event.update(medfee_sumamt="1.00", fund_pay_sumamt="1.00", is_test="1", lines=[])
            city.journal.write(event, at, at + 2)


def honest_finds(chance: Random, leave: tuple[int, int] | None) -> Finds:
    """In bed at almost every round: now and then in the corridor, or the device fails, never twice within a day."""
    last_missed = -10

    def finds(number: int, planned: int) -> str:
        nonlocal last_missed
        if leave is not None and leave[0] <= planned + ROUND_LASTS and planned <= leave[1]:
            return "on_leave"
        if number - last_missed < 4 or chance.random() > 0.012:
            return "pass"
        last_missed = number
        return "device_error" if chance.random() < 0.4 else "not_found"

    return finds
