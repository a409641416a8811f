"""Several workers over one Redis, crashes and all, end with the leads of one quiet pass."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event, Semaphore, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from detectors.case import admission, at, check, org, person, reversal, settlement, swipe
from detectors.detector import Finding
from detectors.event import OrgRecord, Presence, Record, Settlement, Swipe
from detectors.finding import Level, Subject, UnitId
from detectors.judge import Judge
from detectors.ledger import BILLS, PERSON, WARD
from detectors.memory import Missing, Wake
from detectors.unit import Day, Link
from replay.memory import Memory as Dicts
from replay.run import replay
from stream_app.memory import Memory, ServerChanged
from tests.world import DETECTORS, Mirror, batches, rising, said, worlds

rngs = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def redis(redis_server):
    with Redis.from_url(redis_server) as client:
        client.config_set("appendfsync", "no")  # thousands of small worlds, none of which must outlive a crash
        yield client
        client.config_set("appendfsync", "always")


def judge(memory, publish) -> Judge:
    return Judge(memory=memory, detectors=DETECTORS, publish=publish, on_crash=rising)


def quiet_pass(events) -> set[str]:
    return said(replay([events], DETECTORS, on_crash=rising))


def keep(table, tickets, verdicts) -> None:
    """What the keeper does: a verdict replaces what was said before, unless it has the lower ticket."""
    for verdict in verdicts:
        if verdict.ticket >= tickets.get(verdict.unit, 0):
            tickets[verdict.unit] = verdict.ticket
            table[verdict.unit] = verdict.leads


def work(memory, arrivals, size, publish, pause) -> None:
    one = judge(Paused(memory, pause), publish)
    for batch in batches(arrivals, size):
        hear(one, batch)


def hear(one, batch) -> None:
    one.learn([row for row in batch if isinstance(row, Record)])
    one.hear([row for row in batch if not isinstance(row, Record)])
    while one.tick():
        pass


class Paused:
    """A memory that lets others go first, each time it is asked."""

    def __init__(self, memory, pause) -> None:
        self.memory, self.pause = memory, pause

    def __getattr__(self, name):
        self.pause()
        return getattr(self.memory, name)


def in_turns(rng, *jobs) -> None:
    """Run the jobs one step at a time, from one pause to the next; rng says whose turn it is."""
    turns, step_is_over, alive = [Semaphore(0) for _ in jobs], Semaphore(0), list(range(len(jobs)))
    faults = []

    given_up = Event()

    def pause(n) -> None:
        if not given_up.is_set():
            step_is_over.release()
            turns[n].acquire()
        if given_up.is_set():
            raise InterruptedError("hypothesis wants no more of this example")

    def run(n) -> None:
        turns[n].acquire()
        try:
            jobs[n](pause=partial(pause, n))
        except BaseException as fault:  # noqa: BLE001 - raised again by the one who waits
            faults.append(fault)
        finally:
            alive.remove(n)
            step_is_over.release()

    threads = [Thread(target=run, args=[n]) for n in alive]
    for thread in threads:
        thread.start()
    try:
        while alive:
            turns[rng.choice(alive)].release()
            step_is_over.acquire()
    finally:
        given_up.set()
        for turn in turns:
            turn.release()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]


@settings(max_examples=40)
@given(events=worlds, rng=rngs, size=st.integers(1, 15))
def test_redis_says_what_dicts_say(redis, events, rng, size) -> None:
    redis.flushall()
    rng.shuffle(events)
    tables = {}, {}
    tickets = {}, {}
    pair = [
        judge(memory, partial(keep, table, seen))
        for memory, table, seen in zip((Dicts(), Memory(redis)), tables, tickets, strict=True)
    ]
    for batch in batches(events, size):
        for one in pair:
            hear(one, batch)
        assert said(tables[0]) == said(tables[1])


DUE = Wake(at("05 00:00"), UnitId("feed", "A/setl", ""))


def two_at_noon(redis) -> tuple[Memory, Memory]:
    """Two workers, after the moment of DUE."""
    redis.flushall()
    mine, other = Memory(redis), Memory(redis)
    for memory in (mine, other):
        memory.remember([swipe("05 12:00")])
    mine.conclude({}, (), {DUE.at: {DUE.unit}})
    return mine, other


def test_what_is_asked_for_again_while_it_is_judged_is_judged_again(redis) -> None:
    """It was forgotten with what had been taken, though that had not seen the row for which it was asked again."""
    mine, other = two_at_noon(redis)
    taken = mine.due(10)
    other.remember([settlement("04 23:00")])
    other.conclude({}, (), {DUE.at: {DUE.unit}})
    mine.woken(taken)
    assert (taken, other.due(10)) == ([DUE], [DUE])
    other.woken([DUE])
    mine.remember(())
    assert mine.due(10) == []


def test_whoever_was_overtaken_removes_nothing_and_takes_less_from_then_on(redis) -> None:
    mine, other = two_at_noon(redis)
    more = [DUE._replace(unit=UnitId("feed", f"A/{n}", "")) for n in range(299)]
    mine.conclude({}, (), {DUE.at: {wake.unit for wake in more}})
    taken = mine.due(1_000)
    redis.delete("{fw}:ticking")  # as when the lease runs out
    other.remember(())
    assert sorted(other.due(1_000)) == sorted(taken)
    mine.woken(taken)
    assert redis.zcard("{fw}:due") == 300
    other.woken(taken)
    assert redis.zcard("{fw}:due") == 0
    mine.conclude({}, (), {DUE.at: {wake.unit for wake in (DUE, *more)}})
    mine.remember(())
    assert len(mine.due(1_000)) == 150


@settings(max_examples=80)
@given(events=worlds, rng=rngs, size=st.integers(1, 4))
def test_two_workers_interleaved_end_like_one_quiet_pass(redis, events, rng, size) -> None:
    redis.flushall()
    mine, other, verdicts = Memory(redis), Memory(redis), []
    arrivals = [*events, *events[:3]]
    rng.shuffle(arrivals)
    middle = rng.randint(0, len(arrivals))
    in_turns(
        rng,
        partial(work, mine, arrivals[:middle], size, verdicts.extend),
        partial(work, other, arrivals[middle:], size, verdicts.extend),
    )
    hear(judge(mine, verdicts.extend), [])
    rng.shuffle(verdicts)
    table = {}
    keep(table, {}, verdicts)
    assert said(table) == quiet_pass(events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meddler(Mirror):
    """Something happens elsewhere whenever it is asked; it wants to see a ward, and has nothing to say."""

    meddle: Callable[[], None]

    def judge(self, unit):
        self.meddle()
        unit.look(self.links[0], Presence, "A/V")
        return ()


def test_a_record_corrected_while_a_lead_is_judged_loses_nothing(redis):
    redis.flushall()
    mine, other = Memory(redis), Memory(redis)
    moved = person("P", at("01 00:00"), household="2")
    mirror = Mirror(id="a", of=PERSON, reads=frozenset({Swipe}), cell=Day())
    meddler = Meddler(
        id="b",
        of=PERSON,
        reads=frozenset({Swipe}),
        cell=Day(),
        links=(Link(ledger=WARD, reads=frozenset({Presence}), units=lambda *_: ()),),
        meddle=lambda: other.learn([moved]),
    )
    table, tickets = {}, {}
    one = Judge(
        memory=mine, detectors=[mirror, meddler], publish=lambda said: keep(table, tickets, said), on_crash=rising
    )
    swipes = [swipe("04 10:00"), swipe("04 11:00")]
    for arrival in swipes:
        one.hear([arrival])
    assert said(table) == said(replay([[moved, *swipes]], [mirror, meddler], on_crash=rising))


def test_what_nobody_else_has_written_since_is_not_read_again(redis) -> None:
    redis.flushall()
    mine, other = Memory(redis), Memory(redis)
    place = (PERSON.name, "P")
    for memory, swiped in ((mine, swipe("04 10:00")), (mine, swipe("04 11:00", person="Q"))):
        view = memory.remember([swiped])
    assert len(view.file(place).kinds[Swipe]) == 1
    other.remember([swipe("04 12:00")])
    view = mine.remember(())
    with pytest.raises(Missing):
        view.file(place)
    mine.fetch(view, [place])
    assert len(view.file(place).kinds[Swipe]) == 2


class Asking(Mirror):
    """Wants to know the institutions of five days ago, one after the other."""

    def judge(self, unit):
        for name in "ABCDE":
            unit.fact(OrgRecord, name, unit.span.start)
        return ()


def test_what_a_unit_lacks_is_fetched_at_once(redis) -> None:
    redis.flushall()
    memory, fetched = Memory(redis), []
    fetch = memory.fetch
    memory.fetch = lambda view, places: fetch(view, fetched.append(places) or places)
    asking = Asking(id="asking", of=PERSON, reads=frozenset({Swipe}), cell=Day())
    one = Judge(memory=memory, detectors=[asking], publish=lambda verdicts: None, on_crash=rising)
    one.hear([swipe("04 10:00")])
    assert [len(places) for places in fetched] == [5]


@settings(max_examples=40)
@given(events=worlds, rng=rngs, size=st.integers(1, 5))
def test_a_crash_before_publishing_loses_nothing(redis, events, rng, size) -> None:
    redis.flushall()
    table, tickets = {}, {}
    rng.shuffle(events)
    for batch in batches(events, size):
        while not delivered(redis, batch, table, tickets, crash=rng.random() < 0.4):
            redis.delete("{fw}:ticking")  # its lease runs out
    assert said(table) == quiet_pass(events)


def delivered(redis, batch, table, tickets, crash: bool) -> bool:
    """Another worker gets the same batch, and remembers nothing of its own."""

    def publish(verdicts) -> None:
        if crash:
            raise ConnectionError
        keep(table, tickets, verdicts)

    with suppress(ConnectionError):
        hear(judge(Memory(redis), publish), batch)
        return True
    return False


@settings(max_examples=40)
@given(events=worlds, rng=rngs)
def test_a_replica_that_forgets_at_once_reads_again(redis, events, rng) -> None:
    redis.flushall()
    rng.shuffle(events)
    table = {}
    one = judge(Memory(redis, most_files=40), partial(keep, table, {}))
    for batch in batches(events, 1):
        hear(one, batch)
    assert said(table) == quiet_pass(events)


def test_time_is_shared_a_worker_wakes_by_what_another_has_seen(redis) -> None:
    redis.flushall()
    table = {}
    mine, other = (judge(Memory(redis), partial(keep, table, {})) for _ in range(2))
    hear(mine, [admission("04 08:00")])
    hear(other, [check("04 20:00", "pass", person="Q")])
    assert not any(unit.detector == "absence" for unit in table)
    other.hear([settlement("06 08:00", person="R")])  # no business of the stay's but its time
    hear(mine, [])
    assert any(unit.detector == "absence" for unit in table)


def test_a_lease_given_before_the_servers_clock_went_back_holds_nobody_up(redis) -> None:
    redis.flushall()
    table = {}
    one = judge(Memory(redis), partial(keep, table, {}))
    hear(one, [admission("04 08:00")])
    redis.set("{fw}:ticking", "1", px=3_600_000)
    hear(one, [settlement("06 08:00", person="R")])
    assert any(unit.detector == "absence" for unit in table)


def test_a_unit_that_never_spoke_is_not_withdrawn(redis) -> None:
    redis.flushall()
    verdicts = []
    one = judge(Memory(redis), verdicts.extend)
    bill = settlement("04 08:00")
    one.hear([bill])
    spoke = {verdict.unit for verdict in verdicts}
    verdicts.clear()
    one.hear([reversal("04 09:00", bill)])
    assert {v.unit for v in verdicts if not v.leads} <= spoke


def test_what_is_old_is_forgotten_and_what_is_near_is_kept(redis) -> None:
    redis.flushall()
    one = judge(Memory(redis), lambda verdicts: None)
    one.hear([settlement(f"{day} 08:00", event_id=day, device="1") for day in ("01-02", "03-04")])
    cursor = one.memory.forget()
    while cursor:
        cursor = one.memory.forget(cursor)
    assert redis.zcard("{fw}:f:till:A/1") == 1
    assert redis.zcard("{fw}:f:person:P") == 2


def test_a_restarted_redis_is_noticed_and_nothing_read_before_is_relied_on(redis) -> None:
    memory = Memory(redis)
    memory.remember([swipe("04 08:00")])
    memory._server, memory._known_server = "", "another"
    with pytest.raises(ServerChanged):
        memory.remember([swipe("04 09:00")])
    assert memory.remember([swipe("04 09:00")]).ticket


def test_a_late_record_of_a_person_judges_what_another_worker_heard(redis) -> None:
    redis.flushall()
    table = {}
    mine, other = (judge(Memory(redis), partial(keep, table, {})) for _ in range(2))
    story = [settlement("04 08:00"), settlement("04 08:01", device="9")]
    record = person("P", at("03 00:00") - timedelta(days=1), household="7")
    hear(mine, story)
    hear(other, [record])
    assert said(table) == quiet_pass([record, *story])


class Peers(Mirror):
    """Names the other pharmacies of the institution's group as of the bill."""

    def judge(self, unit):
        for bill in unit.own(Settlement):
            peers = unit.members(OrgRecord, "pharmacy/1/330101", bill.happened_at)
            yield Finding(
                level=Level.BLUE,
                subject=Subject("org", unit.key),
                zh=" ".join(record.org for record in peers),
                en="",
                shows=[bill],
                figures=(),
            )


def test_peers_are_those_of_one_type_level_and_district_at_the_time_of_the_bill(redis) -> None:
    redis.flushall()
    alike = {"kind": "pharmacy", "level": "1", "area": "330101"}
    known = [
        *(org(name, **alike) for name in "ABC"),
        org("D", **alike | {"area": "330102"}),
        org("C", at("03 00:00"), **alike | {"level": "2"}),  # no longer
        org("E", at("05 00:00"), **alike),  # not yet
    ]
    peers = Peers(id="peers", of=BILLS, reads=frozenset({Settlement}), cell=Day())
    for memory in (Dicts(), Memory(redis)):
        verdicts = []
        one = Judge(memory=memory, detectors=[peers], publish=verdicts.extend, on_crash=rising)
        for record in known:
            one.learn([record])
        one.hear([settlement("04 08:00")])
        assert [lead.summary_zh for verdict in verdicts for lead in verdict.leads] == ["A B"]
