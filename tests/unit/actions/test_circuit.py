"""The circuit breaker's rules, without a database."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from interlock.actions.circuit import (
    CEILING,
    RECOVERED,
    ROOM,
    Circuit,
    CircuitRules,
    CircuitState,
    admit,
    closed,
    failed,
    opened_by_hand,
    succeeded,
    why_not,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RULES = CircuitRules(failures=5, pause=timedelta(seconds=1), longest=timedelta(seconds=60))
TIMEOUT = timedelta(seconds=10)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fail(circuit: Circuit, when: datetime, *, times: int = 1, sent: datetime | None = None) -> Circuit:
    for _ in range(times):
        circuit = failed(circuit, when, sent_at=sent or when, what="in doubt 503", rules=RULES, jitter=0.5)
    return circuit


def opened() -> Circuit:
    return fail(closed("payments", NOW), NOW, times=5)


def probing() -> Circuit:
    """A second after it opened: the probe is under way."""
    circuit, until = admit(opened(), at(1), TIMEOUT, 0.5)
    assert until is None
    return circuit


def recovering() -> Circuit:
    return succeeded(probing(), at(1.1), sent_at=at(1))


def test_failures_in_a_row_open_it_and_a_success_between_them_counts_anew() -> None:
    circuit = fail(closed("payments", NOW), NOW, times=4)
    assert circuit.state is CircuitState.CLOSED
    assert not circuit.is_well
    assert admit(circuit, NOW, TIMEOUT, 0.5) == (circuit, None)
    circuit = succeeded(circuit, NOW, sent_at=NOW)
    assert circuit.is_well
    assert fail(circuit, NOW, times=4).state is CircuitState.CLOSED
    circuit = fail(circuit, NOW, times=5)
    assert (circuit.state, circuit.openings, circuit.retry_at) == (CircuitState.OPEN, 1, at(1))
    assert "5 failures in a row, the last: in doubt 503" in why_not(circuit)


def test_while_it_is_open_nothing_goes_and_each_is_told_another_time() -> None:
    circuit, times = opened(), list[datetime]()
    for _ in range(200):
        circuit, until = admit(circuit, at(0.5), TIMEOUT, 0.0)
        assert until is not None
        times.append(until)
    assert times[0] == at(1)  # the probe
    assert len({*times}) == 200
    for second in range(7):
        in_second = [one for one in times if at(1 + second) <= one < at(2 + second)]
        assert len(in_second) == 2**second
    assert times[-1] < at(9)


def test_one_probe_goes_and_the_others_wait_for_its_answer() -> None:
    circuit = probing()
    assert circuit.state is CircuitState.RECOVERING
    for seconds, pause in ((1.0, 1.5), (1.9, 1.5), (5.0, 6.0)):
        same, until = admit(circuit, at(seconds), TIMEOUT, 0.5)
        assert same == circuit
        assert until == at(seconds + pause)
    again, until = admit(circuit, at(1) + TIMEOUT + ROOM, TIMEOUT, 0.5)
    assert until is None, "a probe that is never heard of is followed by another"
    assert again.retry_at == at(1) + 2 * (TIMEOUT + ROOM)


def test_the_probe_s_answer_counts_though_its_time_was_taken_before_the_lock() -> None:
    circuit, until = admit(opened(), at(1.5), TIMEOUT, 0.5, sent_at=at(1.2))
    assert until is None
    assert succeeded(circuit, at(1.6), sent_at=at(1.2)).retry_at is None
    assert fail(circuit, at(1.6), sent=at(1.2)).state is CircuitState.OPEN


def test_an_answer_to_what_was_sent_before_the_probe_proves_nothing() -> None:
    circuit = probing()
    assert succeeded(circuit, at(1.2), sent_at=at(-3)) == circuit
    assert fail(circuit, at(1.2), sent=at(-3)) == circuit
    assert fail(opened(), at(0.5), times=9) == opened(), "what was under way when it opened ends late"


@pytest.mark.parametrize("openings", [1, 2, 3, 10, 1000])
def test_a_failed_probe_opens_it_for_twice_as_long(openings: int) -> None:
    circuit = opened()
    when = NOW
    for _ in range(openings - 1):
        when = circuit.retry_at or when
        circuit, _ = admit(circuit, when, TIMEOUT, 0.5)
        circuit = fail(circuit, when)
        assert circuit.state is CircuitState.OPEN
    assert circuit.retry_at == when + min(timedelta(seconds=2 ** min(openings - 1, 20)), RULES.longest)
    assert circuit.promised == 0


def test_the_pace_doubles_each_second_until_it_closes() -> None:
    """Whatever comes, and however often: after k seconds 2^k went, and what a quarter of a second adds."""
    circuit, chance, seconds, went = recovering(), random.Random(1), 1.1, list[float]()
    while circuit.state is CircuitState.RECOVERING and seconds < 20:
        circuit, until = admit(circuit, at(seconds), TIMEOUT, chance.random())
        if until is None:
            went.append(seconds - 1.1)
        else:
            assert until > at(seconds)
        seconds += 0.002
    assert circuit.is_well
    assert circuit.openings == 0
    assert len(went) == CEILING
    assert went[-1] == pytest.approx(9, abs=0.3)
    for second in range(1, 9):
        assert 2**second - 1 <= sum(one < second for one in went) <= 2 ** (second + 0.25)


def test_who_comes_when_told_is_let_through() -> None:
    """Two hundred cases that wait: nearly all go at the time that they were given, and none much later."""
    circuit, waiting = opened(), list[datetime]()
    chance = random.Random(2)
    for _ in range(200):
        circuit, until = admit(circuit, at(0.2), TIMEOUT, chance.random())
        waiting.append(until or NOW)
    turned, went = 0, list[datetime]()
    while waiting:
        waiting.sort()
        when = waiting.pop(0)
        circuit, until = admit(circuit, when, TIMEOUT, chance.random())
        if until:
            turned += 1
            waiting.append(until)
        else:
            went.append(when)
            circuit = succeeded(circuit, when + timedelta(milliseconds=20), sent_at=when)
    assert len(went) == 200
    assert turned <= 20
    assert went[-1] < at(10)


def test_a_pause_of_everybody_is_no_reason_to_storm() -> None:
    """Nobody comes for five seconds, then all at once: the pace goes on from where it was."""
    circuit, went = recovering(), 0
    for _ in range(100):
        circuit, until = admit(circuit, at(6), TIMEOUT, 0.5)
        went += until is None
    assert went == 1


def test_where_little_comes_time_closes_it() -> None:
    circuit = recovering()
    for seconds in (5, 15, 25):
        circuit, until = admit(circuit, at(seconds), TIMEOUT, 0.5)
        assert until is None
        assert circuit.state is CircuitState.RECOVERING
    circuit, until = admit(circuit, at(1.1) + RECOVERED, TIMEOUT, 0.5)
    assert until is None
    assert circuit.is_well


def test_failures_while_recovering_slow_it_down_and_in_a_row_open_it_again() -> None:
    circuit = recovering()
    for n in range(21):
        circuit, until = admit(circuit, at(2.2 + n), TIMEOUT, 0.5)
        assert until is None
    assert circuit.admitted == 22
    slower = fail(circuit, at(23))
    assert (slower.state, slower.admitted, slower.failures) == (CircuitState.RECOVERING, 16, 1)
    assert succeeded(slower, at(23), sent_at=at(22)).failures == 0
    again = fail(circuit, at(23), times=5)
    assert (again.state, again.openings) == (CircuitState.OPEN, 2)
    assert fail(probing(), at(2)).state is CircuitState.OPEN, "of the probe one failure is enough"


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_a_system_that_fails_now_and_then_is_taken_for_recovered(share: float) -> None:
    circuit, chance, seconds = recovering(), random.Random(5), 1.1
    while circuit.state is CircuitState.RECOVERING:
        circuit, until = admit(circuit, at(seconds), TIMEOUT, 0.5)
        if until is None and circuit.state is CircuitState.RECOVERING:
            fails = chance.random() < share
            circuit = fail(circuit, at(seconds)) if fails else succeeded(circuit, at(seconds), sent_at=at(seconds))
        seconds += 0.005
    assert circuit.state is CircuitState.CLOSED
    assert seconds <= 1.2 + RECOVERED.total_seconds()


def test_by_hand_it_stays_open_whatever_happens() -> None:
    circuit = opened_by_hand(closed("payments", NOW), NOW, who="rosa", why="their maintenance")
    assert circuit.by_hand
    for when in (NOW, at(3600)):
        same, until = admit(circuit, when, TIMEOUT, 0.5)
        assert same == circuit
        assert until == when + timedelta(seconds=10)
    assert succeeded(circuit, at(9), sent_at=at(8)) == circuit
    assert fail(circuit, at(9)) == circuit
    assert why_not(circuit) == "the circuit of payments was opened by rosa: their maintenance"
