from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from interlock.clock import Clock, first_id, id_time
from interlock.errors import ClockSkewed


class Machine:
    """This machine's clocks, set by hand."""

    def __init__(self) -> None:
        self.ns = 1_700_000_000_000_000_000
        self.ticks = 5_000_000_000

    def time_ns(self) -> int:
        """What the wall clock says, which anybody can set."""
        return self.ns

    def ticks_ns(self, *_clock: int) -> int:
        """What the kernel's clock says, which nobody can set."""
        return self.ticks

    def pass_ns(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.ns += nanoseconds
        self.ticks += nanoseconds

    @property
    def moment(self) -> datetime:
        """The same as a time in UTC."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.ns // 1000)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    by_hand = Machine()
    monkeypatch.setattr(time, "time_ns", by_hand.time_ns)
    monkeypatch.setattr(time, "clock_gettime_ns", by_hand.ticks_ns)
    monkeypatch.setattr(time, "monotonic_ns", by_hand.ticks_ns)
    return by_hand


def test_time_is_the_databases(machine: Machine) -> None:
    clock = Clock()
    clock.correct(machine.moment + timedelta(seconds=7))
    assert clock.now() == machine.moment + timedelta(seconds=7)
    assert clock.now().tzinfo is UTC
    machine.pass_ns(1_000_000_000)
    assert clock.now() == machine.moment + timedelta(seconds=7)


@pytest.mark.parametrize("sign", [1, -1])
def test_five_minutes_are_the_most(machine: Machine, sign: int) -> None:
    clock = Clock()
    clock.correct(machine.moment + sign * timedelta(minutes=5))
    with pytest.raises(ClockSkewed, match="2023-11-14"):
        clock.correct(machine.moment + sign * timedelta(minutes=5, microseconds=1))


def test_a_time_without_a_zone_corrects_nothing(machine: Machine) -> None:
    with pytest.raises(TypeError):
        Clock().correct(machine.moment.replace(tzinfo=None))


@pytest.mark.parametrize("minutes", [-720, -4, 4, 720])
def test_a_wall_clock_that_jumps_moves_nothing(machine: Machine, minutes: int) -> None:
    clock = Clock()
    true = machine.moment + timedelta(seconds=7)
    clock.correct(true)
    machine.ns += minutes * 60_000_000_000
    assert clock.now() == true
    machine.pass_ns(1_000_000_000)
    clock.correct(true + timedelta(seconds=1))
    assert clock.now() == true + timedelta(seconds=1)
    assert id_time(clock.new_id()) == true + timedelta(seconds=1)


def test_time_never_goes_back(machine: Machine) -> None:
    clock = Clock()
    before = clock.now()
    machine.ns -= 60_000_000_000
    assert clock.now() == before
    clock.correct(machine.moment - timedelta(seconds=60))
    assert clock.now() == before


def test_ids_are_uuids_of_version_7(machine: Machine) -> None:
    identifier = Clock().new_id()
    assert identifier.version == 7
    assert identifier.variant == "specified in RFC 4122"
    assert id_time(identifier) == machine.moment


def test_ids_rise_while_time_stands_and_when_it_goes_back(machine: Machine) -> None:
    clock = Clock()
    ids = [clock.new_id() for _ in range(10_000)]
    machine.ns -= 60_000_000_000
    ids += [clock.new_id() for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 20_000
    # 20,000 ids at 4,096 to the millisecond run at most five milliseconds ahead.
    assert id_time(ids[-1]) - id_time(ids[0]) <= timedelta(milliseconds=5)


def test_ids_rise_with_the_microsecond(machine: Machine) -> None:
    clock = Clock()
    first = clock.new_id()
    machine.pass_ns(1_000)
    second = clock.new_id()
    assert (second.int >> 64) & 0xFFF > (first.int >> 64) & 0xFFF


def test_threads_get_ids_of_their_own() -> None:
    clock = Clock()
    ids: list[UUID] = []
    threads = [threading.Thread(target=lambda: ids.extend([clock.new_id() for _ in range(5_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({identifier.int >> 64 for identifier in ids}) == 20_000


def test_the_first_id_of_a_moment_bounds_its_ids() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for milliseconds in range(2_000):
        moment = start + timedelta(milliseconds=milliseconds)
        bound = first_id(moment)
        assert id_time(bound) == moment
        assert first_id(moment - timedelta(microseconds=1)) < bound
        assert first_id(moment + timedelta(microseconds=999)) == bound


def test_a_moment_without_a_zone_bounds_nothing() -> None:
    with pytest.raises(TypeError):
        first_id(datetime(2026, 3, 1))  # noqa: DTZ001 - the missing zone is what is tested
