"""What holds of every forecast: more people never lengthen a wait, more arrivals never shorten one.

The formulas are held against a simulation of single pieces of work, event by event.
"""

from __future__ import annotations

import heapq
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from interlock.oversight.capacity.course import Flow, follow
from interlock.oversight.capacity.response import Response, ResponseState, next_turn
from interlock.oversight.capacity.told import QueueTold
from interlock.oversight.capacity.waiting import least_people, waits_at_all, waits_beyond

ARRIVALS = st.floats(0, 400)
SERVICE = st.floats(0.005, 1)
DUE = st.floats(0.01, 48)
VARIABILITY = st.floats(0.5, 20)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def flow(backlog: int, arrivals: float, people: float, service: float, due: float, variability: float) -> Flow:
    return Flow(
        backlog=backlog, arrivals=[arrivals] * 24, people=[people] * 24, service=service, due=due,
        variability=variability, capacity=500,
    )  # fmt: skip


def later(one: float | None, other: float | None) -> bool:
    """Whether the one is not before the other; None is never."""
    return one is None or (other is not None and one >= other - 1e-9)


@given(st.integers(1, 60), ARRIVALS, SERVICE, DUE, VARIABILITY, st.floats(0, 50))
def test_the_part_that_waits_too_long_falls_with_people_and_grows_with_arrivals(
    people: int, arrivals: float, service: float, due: float, variability: float, more: float
) -> None:
    now = waits_beyond(people, arrivals, service, due, variability)
    assert 0 <= now <= 1
    assert waits_beyond(people + 1, arrivals, service, due, variability) <= now + 1e-12
    assert waits_beyond(people, arrivals + more, service, due, variability) >= now - 1e-12


@given(ARRIVALS, SERVICE, DUE, VARIABILITY, st.floats(0, 50))
def test_the_fewest_people_hold_the_promise_and_one_fewer_does_not(
    arrivals: float, service: float, due: float, variability: float, more: float
) -> None:
    needed = least_people(arrivals, service, due, variability)
    assert needed is not None
    if needed:
        assert waits_beyond(needed, arrivals, service, due, variability) <= 0.05
        assert needed == 1 or waits_beyond(needed - 1, arrivals, service, due, variability) > 0.05
    assert (least_people(arrivals + more, service, due, variability) or 0) >= needed


@settings(max_examples=25)
@given(st.integers(0, 2000), ARRIVALS, st.floats(0, 60), SERVICE, DUE, VARIABILITY, st.floats(0, 50), st.floats(0, 20))
def test_a_backlog_ends_sooner_with_more_people_and_later_with_more_arrivals(
    backlog: int,
    arrivals: float,
    people: float,
    service: float,
    due: float,
    variability: float,
    more: float,
    hands: float,
) -> None:
    base = flow(backlog, arrivals, people, service, due, variability)
    now = follow(base)
    helped = follow(structs.replace(base, people=[people + hands] * 24))
    pressed = follow(structs.replace(base, arrivals=[arrivals + more] * 24))
    for better, worse in ((helped, now), (now, pressed)):
        assert later(worse.wait, better.wait)
        assert later(worse.clear, better.clear)
        assert later(better.breach, worse.breach)
        assert later(better.breach_earliest, worse.breach_earliest)
        assert later(better.full, worse.full)
        for one, other in zip(better.moments, worse.moments, strict=True):
            assert one.middle <= other.middle + 1e-6
            assert one.high <= other.high + 1e-6
    assert later(now.breach, now.breach_earliest)
    assert later(now.breach_latest, now.breach)
    assert all(0 <= one.low <= one.middle <= one.high for one in now.moments)


def simulate(seed: int, people: int, arrivals: float, service: float, pieces: int) -> list[float]:
    """How long each piece waits, in hours: one after the other, each to whoever is free first."""
    chance = random.Random(seed)
    free = [0.0] * people
    heapq.heapify(free)
    clock, waited = 0.0, list[float]()
    for _ in range(pieces):
        clock += chance.expovariate(arrivals)
        begin = max(clock, heapq.heappop(free))
        waited.append(begin - clock)
        heapq.heappush(free, begin + chance.expovariate(1 / service))
    return waited[pieces // 10 :]


@pytest.mark.parametrize(("people", "load", "due"), [(1, 0.7, 0.3), (4, 0.85, 0.2), (12, 0.8, 0.05)])
def test_the_formula_agrees_with_a_simulation(people: int, load: float, due: float) -> None:
    service = 0.1
    arrivals = load * people / service
    waited = simulate(11, people, arrivals, service, 60_000)
    late = sum(one > due for one in waited) / len(waited)
    at_all = sum(one > 0 for one in waited) / len(waited)
    assert waits_beyond(people, arrivals, service, due) == pytest.approx(late, abs=0.02)
    assert waits_at_all(people, arrivals * service) == pytest.approx(at_all, abs=0.03)


def test_the_fluid_agrees_with_a_simulation_of_an_overload() -> None:
    """Five people, work for seven: how many wait after six hours, and that the band holds nine of ten."""
    people, service, arrivals, hours = 5, 0.1, 70.0, 6.0
    course = follow(flow(0, arrivals, float(people), service, 4.0, 1.0))
    told = course.moments[36]
    assert told.at == pytest.approx(hours)
    inside, ends = 0, list[int]()
    for seed in range(60):
        chance = random.Random(seed)
        free, clock, waiting = [0.0] * people, 0.0, 0
        while (clock := clock + chance.expovariate(arrivals)) < hours:
            begin = max(clock, heapq.heappop(free))
            waiting += begin > hours
            heapq.heappush(free, begin + chance.expovariate(1 / service))
        ends.append(waiting)
        inside += told.low <= waiting <= told.high
    assert sum(ends) / len(ends) == pytest.approx(told.middle, rel=0.1)
    assert 48 <= inside <= 60


@given(st.lists(st.tuples(st.integers(0, 700), st.one_of(st.none(), st.integers(0, 300))), min_size=5, max_size=40))
def test_the_answer_to_a_full_queue_does_not_flap(looks: list[tuple[int, int | None]]) -> None:
    """Whatever is seen every ten seconds: a turn lasts, and one ends only well below where it began."""
    told = QueueTold(name="work", capacity=500, due=timedelta(hours=1), before=timedelta(minutes=30))
    last: Response | None = None
    for number, (waiting, minutes) in enumerate(looks):
        now = NOW + timedelta(seconds=10 * number)
        breach = timedelta(minutes=minutes) if minutes is not None else None
        turned = next_turn(told, waiting, breach, last, now)
        if turned is None:
            continue
        if turned.state is ResponseState.RELIEVED:
            assert last is not None
            assert last.state is ResponseState.SATURATED
            assert now - last.changed_at >= timedelta(minutes=5)
            assert waiting <= 450
            assert breach is None or breach > timedelta(hours=1)
        else:
            assert waiting >= 500 or (breach is not None and breach <= timedelta(minutes=30))
        turn = last.turn + 1 if last else 1
        last = Response(turn=turn, state=turned.state, by_hand=False, why=turned.why, who="us", changed_at=now)


def test_what_a_person_declared_only_a_person_ends() -> None:
    told = QueueTold(name="work", capacity=500, due=timedelta(hours=1))
    held = Response(turn=1, state=ResponseState.SATURATED, by_hand=True, why="ill", who="lea", changed_at=NOW)
    assert next_turn(told, 0, None, held, NOW + timedelta(days=3)) is None
    ended = structs.replace(held, state=ResponseState.RELIEVED)
    assert next_turn(told, 600, None, ended, NOW + timedelta(minutes=1)) is None
    assert next_turn(told, 600, None, ended, NOW + timedelta(minutes=6)) is not None
