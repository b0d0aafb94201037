"""Ids: UUIDv7 that never go back, whatever the machine's clock and its corrections do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.clock import Clock, first_id, id_time

_START = 1_790_000_000_000_000_000
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.integers(0, 10_000_000_000)),  # ns
        st.tuples(st.just("wall"), st.integers(-(10**13), 10**13)),  # ns
        st.tuples(st.just("database"), st.integers(-240, 240)),  # s
    ),
    max_size=30,
)


@given(_STEPS)
def test_ids_sort_in_the_order_in_which_they_were_taken(steps: list[tuple[str, int]]) -> None:
    now, wall = _START, _START

    def ticks(*_clock: int) -> int:
        return now

    ids: list[UUID] = []
    with (
        patch.object(time, "time_ns", lambda: wall),
        patch.object(time, "clock_gettime_ns", ticks),
        patch.object(time, "monotonic_ns", ticks),
    ):
        clock = Clock()
        for what, amount in steps:
            if what == "time":
                now, wall = now + amount, wall + amount
            elif what == "wall":
                wall += amount
            else:
                clock.correct(datetime.fromtimestamp(now / 1e9, UTC) + timedelta(seconds=amount))
            ids.extend(clock.new_id() for _ in range(3))
    assert ids == sorted(set(ids))
    assert {(id_.version, id_.variant) for id_ in ids} <= {(7, "specified in RFC 4122")}


@given(st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds it
def test_the_first_id_of_a_moment_bounds_its_ids(moment: datetime) -> None:
    with patch.object(time, "time_ns", lambda: int(moment.timestamp() * 1e9)):
        taken = Clock().new_id()
    assert first_id(moment) <= taken < first_id(moment + timedelta(milliseconds=2))
    assert abs(id_time(taken) - moment) <= timedelta(milliseconds=1)
