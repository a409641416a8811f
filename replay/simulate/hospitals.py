"""An ordinary day in the hospitals: who is admitted, who is born and who dies, what is checked at the bed."""

from dataclasses import dataclass, field, replace
from random import Random

from replay.simulate.city import City, doctor_at
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.fates import Fates
from replay.simulate.people import Person
from replay.simulate.places import SPECIAL_WARDS, Ward
from replay.simulate.town import Town
from replay.simulate.ward import DIAGNOSES, DIED, ROUND_LASTS, Admission, Finds, Stay, admit, admit_by_mistake, check

ADMITTED = 0.0008  # per insured person and day
REST_BETWEEN_STAYS = 40  # days; a split stay comes back within 28


@dataclass(slots=True)
class Hospitals:
    """All beds of the city, a day at a time. stays: of those who are in."""

    town: Town
    fates: Fates
    stays: list[Stay] = field(default_factory=list)

    @property
    def city(self) -> City:
        return self.town.city

    @property
    def chance(self) -> Random:
        return self.town.chance

    def live(self) -> None:
        """Everything that happens today in a ward. Before anybody goes on an errand: the sick stay in bed."""
        self._fated()
        self._admissions()
        self._rounds()
        self._sign_in()

    def _admissions(self) -> None:
        for _ in range(self.town.many(ADMITTED)):
            person = self.town.somebody()
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
        if any(city.day <= spell.first <= city.day + days for spell in person.spells):
            return  # the bill would name a card that is lost by then
        org = self.town.open(person.hospital, person)
        if not all(org.is_open(day) for day in range(city.day, city.day + days)):
            return
        ward = chance.choice([ward for ward in org.wards if _general(ward, person)])
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
        self._take_in(plan, mistaken=chance.random() < 0.01)

    def _take_in(self, plan: Admission, *, mistaken: bool = False) -> Stay | None:
        plan.person.last_seen = self.city.day
        if mistaken:
            admit_by_mistake(self.city, plan)
            return None
        stay = admit(self.city, plan, self.chance)
        if stay is not None:
            self.stays.append(stay)
        return stay

    def _fated(self) -> None:
        """Who loses a card, who is born, who goes to hospital and will not come home."""
        day = self.city.day
        for person in self.fates.cards.get(day, ()):
            person.cert = "02"
        for mother in self.fates.births.get(day, ()):
            self._bear(mother)
        for person, last in self.fates.dying.get(day, ()):
            self._die(person, last)

    def _die(self, person: Person, last: int) -> None:
        house = self.town.open(person.hospital, person)
        begin = self.city.day * DAY + 10 * HOUR + int(self.chance.random() * HOUR)
        if begin >= self.city.opens:
            self._take_in(
                Admission(
                    person=person,
                    org=house,
                    ward=house.wards[0],
                    doctor=doctor_at(house, self.city.day, self.chance),
                    begin=begin,
                    end=last * DAY + int(self.chance.uniform(9, 19) * HOUR),
                    diagnosis="J18.900",
                    dscg_way=DIED,
                )
            )

    def _bear(self, mother: Person) -> None:
        """Mother and child in the largest house; half of the children lie in a ward of their own, under the mother's
        number (X04)."""
        city, chance = self.city, self.chance
        house = next((org for org in self.town.large if org.area is mother.area), self.town.large[0])
        begin = city.day * DAY + int(chance.uniform(7, 20) * HOUR)
        end = (city.day + chance.choice((3, 3, 4, 5))) * DAY + 9 * HOUR + int(chance.random() * HOUR)
        if begin < city.opens:
            return
        wards = {ward.dept: ward for ward in house.wards}
        lying_in = Admission(
            person=mother,
            org=house,
            ward=wards["obgyn"],
            doctor=doctor_at(house, city.day, chance),
            begin=begin,
            end=end,
            diagnosis="O80.000",
            med_type="52",
        )
        if self._take_in(lying_in) is not None and chance.random() < 0.5:
            self._take_in(newborn(lying_in, wards["neonatal"], begin + 9 * HOUR))

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


def newborn(mother: Admission, ward: Ward, born: int) -> Admission:
    """The child's own stay, under the mother's number, until an hour before she goes home. Nobody checks there."""
    return replace(
        mother,
        ward=ward,
        begin=born,
        end=mother.end - HOUR,
        diagnosis="Z38.000",
        med_type="5212",
        finds=lambda number, planned: None,
        treatment="nebuliser",
    )


def _general(ward: Ward, person: Person) -> bool:
    """Where this person may be admitted by the general door."""
    if ward.dept == "obgyn":
        return person.gend == "2" and 22 <= person.age <= 38
    return ward.dept not in SPECIAL_WARDS


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
