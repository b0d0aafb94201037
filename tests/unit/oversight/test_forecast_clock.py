"""A forecast goes by the clock: who goes home at five is not there at five, also for who asks at five to five."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interlock.oversight.capacity.course import Flow, follow
from interlock.oversight.capacity.history import HourTally, PersonHour
from interlock.oversight.capacity.outlook import QueueStanding, look_ahead
from interlock.oversight.capacity.told import QueueTold

NOW = datetime(2026, 3, 4, 16, 55, tzinfo=UTC)
WORK = range(9, 17)


def test_at_five_to_five_it_is_known_that_people_go_home_at_five() -> None:
    hours = [NOW.replace(minute=0) - timedelta(hours=hour) for hour in range(24 * 14, 0, -1)]
    tallies = [
        HourTally(
            queue="q", workflow="", point="", hour=hour, arrived=20 if hour.hour >= WORK.start else 0,
            resolved=38 * here, timed=38 * here, worked_ms=38 * 190_000 * here, worked_ms2=38 * 190_000**2 * here,
        )
        for hour in hours
        for here in (int(hour.hour in WORK),)
    ]  # fmt: skip
    people = [
        PersonHour(queue="q", person=who, hour=hour, resolved=19, slots=6)
        for hour in hours
        for who in ("ana", "ben")
        if hour.hour in WORK
    ]
    standing = QueueStanding(queue="q", waiting=30, oldest_at=hours[-1], overdue=0, people=2, measured_at=NOW)
    found = look_ahead(QueueTold(name="q", capacity=500, due=timedelta(hours=4)), standing, tallies, people, NOW)
    assert found.course is not None
    assert found.course.moments[6].middle == pytest.approx(46.8, abs=1)  # 30 and 20 an hour, less five minutes of two
    assert found.course.breach is not None
    assert found.course.breach <= 1 / 6  # what comes then waits until nine


def test_a_step_that_the_end_of_an_hour_divides_has_its_part_of_both() -> None:
    flow = Flow(
        backlog=10, arrivals=[0], people=[6, 0], service=1.0, due=100, variability=1, capacity=99, begun=55 / 60
    )
    course = follow(flow)
    assert course.moments[1].middle == pytest.approx(9.5)  # six people, five minutes
    assert course.moments[6].middle == pytest.approx(9.5)
