"""An ordinary day: who goes to the pharmacy, to the doctor, who fetches the next month's tablets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from replay.simulate.city import City, doctor_at
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Bill, Goods, Pack, Service, Visit, prescribe, sell_for_cash, settle, take_back
from replay.simulate.goods import ACUTE, COUNTER, EXAMS, HERBS, ITEMS, LABS
from replay.simulate.ids import dice
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.town import Town

# Per insured person and day. Together about 0.03 settlements: between the national mean of 0.0136 and Fuzhou's 0.036.
AT_A_STORE = 0.010
AT_A_DOCTOR = 0.011
FOR_CASH = 0.0006
BY_MAIL = 0.0003
AT_THE_STATION = 0.0003
AT_THE_WORKS = 0.0003
AT_SCHOOL = 0.0001
IN_OLD_AGE = 0.0001
AT_NIGHT = 0.0001

REVERSED = 0.02  # of all bills
AGAIN_NEXT_DAY = 0.3  # of the reversals
PUT_RIGHT = 0.4  # of the others: a wrong article, and the right one a few minutes later
ON_PAPER = 0.02  # of the prescriptions: keyed in a day or two later
RETOLD = 0.001  # of all bills: told once more, differently

_STORE_HOURS = (0, 0, 0, 0, 0, 0, 0, 0, 6, 10, 9, 7, 4, 4, 6, 7, 7, 6, 8, 9, 4)
_NIGHT_HOURS = (3, 2, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3)
_DOCTOR_HOURS = (0, 0, 0, 0, 0, 0, 0, 4, 28, 36, 32, 18, 4, 10, 20, 18, 14, 6, 0, 1, 1, 1, 1)

SEEN = ("reg", "glucose")  # what the clinic of a school or a home does
Outing = Callable[[int], object]


@dataclass(slots=True)
class Life:
    """The city's ordinary life, a day at a time. due: who fetches drugs on which day."""

    town: Town
    due: dict[int, list[Person]] = field(default_factory=dict)
    outings: list[tuple[int, int, Outing]] = field(default_factory=list)
    offline: dict[int, tuple[int, int]] = field(default_factory=dict)  # of an institution, today
    planned: int = 0  # outings ever planned: settles who comes first of two at the same second

    def __post_init__(self) -> None:
        chance = dice(self.city.plan.seed, "refills")
        for person in self.city.people.all:
            if person.drugs or person.dialysis:
                every = 3 if person.dialysis else 84 if person.long_rx else 28
                self.due.setdefault(chance.randrange(every), []).append(person)

    @property
    def city(self) -> City:
        return self.town.city

    @property
    def chance(self) -> Random:
        return self.town.chance

    def live(self) -> None:
        """Everything that happens today at a till."""
        self._cut_lines()
        self._refill()
        self._errands()
        while self.outings:
            at, _, go = heappop(self.outings)
            go(at)
        self._test()

    # who goes where

    def _plan(self, at: int, go: Outing) -> None:
        if at >= self.city.opens:
            self.planned += 1
            heappush(self.outings, (at, self.planned, go))

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
            (AT_SCHOOL, _DOCTOR_HOURS, lambda at: self._at_the_own_clinic("school", self.city.people.pupils, at)),
            (IN_OLD_AGE, _DOCTOR_HOURS, lambda at: self._at_the_own_clinic("nursing_home", self.city.people.aged, at)),
            (AT_NIGHT, _NIGHT_HOURS, self._at_night),
            (FOR_CASH, _STORE_HOURS, self._for_cash),
        ):
            for _ in range(self.town.many(rate)):
                self._plan(self._time(hours), go)

    def _to_store(self, at: int) -> None:
        person = self.town.somebody()
        if person is None:
            return
        org = self.town.open(person.pharmacy, person)
        bill = self._settle(person, org, at, self._remedies(), agent=self._proxy(person), payer=self._payer(person))
        if self.chance.random() < 0.08:
            self._with_family(person, bill)

    def _remedies(self) -> list[Goods]:
        drugs = self.chance.sample(COUNTER, self.chance.choices((1, 2, 3), (60, 32, 8))[0])
        if self.chance.random() < 0.05:
            drugs.append(self.chance.choice(HERBS))
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
        return next((p for p in family if p.insutype == "310" and p.balance > 10_000 and not p.spells), None)

    def _with_family(self, person: Person, bill: Bill) -> None:
        """One after the other at the same till, half a minute apart: a queue of one household."""
        at = bill.at
        for other in self.city.people.households[person.household][:4]:
            if other is not person and self.town.is_free(other):
                at += 30 + int(self.chance.random() * 30)
                visit = Visit(person=other, org=bill.visit.org, till=bill.visit.till, at=at, late=bill.visit.late)
                settle(self.city, visit, self._remedies(), self.chance)
                other.last_seen = self.city.day
        self.city.served(bill.visit.till, at, self.chance)

    def _to_doctor(self, at: int) -> None:
        """A consultation: registration, something measured, a prescription that the house or a pharmacy fills."""
        person = self.town.somebody()
        if person is None:
            return
        chance, city = self.chance, self.city
        org = person.clinic if chance.random() < 0.4 else person.hospital
        if chance.random() < 0.1:
            org = chance.choice(self.town.large)
        if not org.opens <= at % DAY < org.closes - HOUR:
            org = person.hospital
        org = self.town.open(org, person)
        doctor = doctor_at(org, city.day, chance)
        goods: list[Goods] = [Service(item=ITEMS["reg"], doctor=doctor.code)]
        measured = chance.sample((*LABS, *EXAMS), chance.choice((0, 1, 1, 2, 3)))
        goods += [Service(item=item, doctor=doctor.code, dept="OPD") for item in measured]
        packs = [Pack(drug=drug) for drug in chance.sample(ACUTE, chance.choice((0, 1, 1, 2)))]
        emergency = not 7 <= at % DAY // HOUR < 18
        if packs:
            prescribe(city, person, org, doctor, packs, at - 4 * MINUTE, self._keyed())
            if org.area is person.area and not emergency and chance.random() < 0.3:
                later = at + 20 * MINUTE + int(chance.random() * HOUR)
                self._plan(later, lambda then: self._fill(person, org, packs, then))
            else:
                goods += packs
        med_type = "13" if emergency else "11"
        self._settle(person, org, at, goods, med_type=med_type, fee_first=chance.random() < 0.35)

    def _keyed(self) -> int:
        """Seconds until a prescription is uploaded: at once, or on paper first."""
        return int(self.chance.uniform(20, 60) * HOUR) if self.chance.random() < ON_PAPER else 1

    def _fill(self, person: Person, house: Org, packs: list[Pack], at: int, med_type: str = "41") -> None:
        """At the usual pharmacy, or at the hospital's own across the street."""
        store = person.pharmacy
        if house.campus and self.chance.random() < 0.4:
            across = self.town.near["pharmacy", house.area.code]
            store = next((org for org in across if org.campus == house.campus), store)
        self._settle(person, self.town.open(store, person), at, packs, med_type=med_type)

    def _by_mail(self, at: int) -> None:
        if (person := self.town.somebody()) is not None:
            self._settle(person, self.town.tagged["internet"][0], at, self._remedies(), cert="01")

    def _at_the_station(self, at: int) -> None:
        """A traveller; those who live here for long have filed (异地备案)."""
        person = self.chance.choice(self.city.people.visitors)
        if self.town.is_free(person):
            self._settle(person, self.town.tagged["station"][0], at, self._remedies())

    def _at_the_works(self, at: int) -> None:
        workers = self.city.people.workers
        if workers:
            person = self.chance.choice(workers[self.chance.choice(list(workers))])
            if self.town.is_free(person):
                org = self.chance.choice(self.town.tagged["employer"])
                doctor = doctor_at(org, self.city.day, self.chance)
                self._settle(person, org, at, [Service(item=ITEMS["reg"], doctor=doctor.code)], med_type="11")

    def _at_the_own_clinic(self, tag: str, people: Sequence[Person], at: int) -> None:
        """The school's, or the old people's home's."""
        if people and self.town.is_free(person := self.chance.choice(people)):
            org = self.town.tagged[tag][0]
            seen = [Service(item=ITEMS[name], doctor=doctor_at(org, self.city.day, self.chance).code) for name in SEEN]
            self._settle(person, org, at, list(seen), med_type="11")

    def _at_night(self, at: int) -> None:
        """Where a store is open all night (X12)."""
        person = self.town.somebody()
        stores = [org for org in self.town.tagged.get("24h", ()) if person is not None and org.area is person.area]
        if person is not None and stores:
            self._settle(person, self.chance.choice(stores), at, self._remedies())

    def _for_cash(self, at: int) -> None:
        somebody = self.chance.choice(self.city.people.all)
        drug = self.chance.choice(COUNTER)
        sell_for_cash(self.city, self.town.open(somebody.pharmacy, somebody), Pack(drug=drug), at)

    # the chronically ill

    def _refill(self) -> None:
        day = self.city.day
        for person in self.due.pop(day, ()):
            if person.dialysis:
                self._dialyse(person)
            elif self.town.is_free(person):
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
        org = self.town.open(person.clinic if chance.random() < 0.3 else person.hospital, person)
        packs = [Pack(drug=drug, cnt=3 if person.long_rx else 1) for drug in person.drugs]
        prescribe(city, person, org, doctor_at(org, city.day, chance), packs, at - 5 * MINUTE, self._keyed())
        person.last_seen = city.day
        if chance.random() < 0.55:
            later = at + 15 * MINUTE + int(chance.random() * 75 * MINUTE)
            self._plan(later, lambda then: self._fill(person, org, packs, then, "9929"))
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
        org = self.town.open(person.hospital, person)
        goods = [Service(item=ITEMS["dialysis"], doctor=org.doctors[0].code, dept="HD")]
        at = day * DAY + 8 * HOUR + person.number % 240 * MINUTE
        self._plan(at, lambda then: self._settle(person, org, then, goods, med_type="140201", chronic=True))

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
        if org.kind == "pharmacy":
            city.customers.setdefault(org.number, {})[person.number] = person
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
            if bill.visit.org.kind == "pharmacy" and chance.random() < PUT_RIGHT:
                self._put_right(bill, at + 2 * MINUTE + int(chance.random() * 6 * MINUTE))
        take_back(self.city, bill, at, with_goods=chance.random() < 0.9)

    def _put_right(self, bill: Bill, at: int) -> None:
        """The article that was meant, if it needs no prescription."""
        if not any(pack.drug.rx for pack, _ in bill.goods):
            goods = self._remedies()
            self._plan(at, lambda then: self._settle(bill.visit.person, bill.visit.org, then, goods))

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
