"""Admission: what is accepted keeps its latency, and what is slow for other reasons is not turned away for it."""

from __future__ import annotations

import heapq
import random
from statistics import quantiles

from interlock.api.admission import FIRST, LEAST, MOST, TARGET_S, Admission, Ticket


class Server:
    """A server of so many decisions a second, each at once behind all that are under way; time is simulated.

    Args:
        per_s: What it can do.
        slow_s: What each takes beside, such as a slow disk.
    """

    def __init__(self, per_s: float, slow_s: float = 0.0) -> None:
        self.now = 0.0
        self.admission = Admission(clock=lambda: self.now)
        self._service_s = 1 / per_s
        self._slow_s = slow_s
        self._free_at = 0.0
        self.took: list[float] = []
        self.refused = 0

    def offer(self, rate: float, seconds: float, *, seed: int = 1) -> None:
        """Callers that come at random, whether or not those before them were answered."""
        dice = random.Random(seed)
        ends = self.now + seconds
        under_way: list[tuple[float, float, Ticket]] = []
        due = self.now
        while due < ends:
            due += dice.expovariate(rate)
            while under_way and under_way[0][0] <= due:
                self._answer(*heapq.heappop(under_way))
            self.now = max(self.now, due)
            ticket = self.admission.enter()
            if ticket is None:
                self.refused += 1
                continue
            self._free_at = max(self._free_at, self.now) + self._service_s
            heapq.heappush(under_way, (self._free_at + self._slow_s, self.now, ticket))
        while under_way:
            self._answer(*heapq.heappop(under_way))

    def _answer(self, at: float, entered: float, ticket: Ticket) -> None:
        self.now = max(self.now, at)
        self.took.append(self.now - entered)
        ticket.leave()


def test_below_its_capacity_nobody_is_turned_away() -> None:
    server = Server(3000)
    server.offer(2000, 10)
    assert server.refused == 0
    assert max(server.took) < TARGET_S


def test_at_three_times_its_capacity_what_is_accepted_keeps_its_latency_and_none_is_wasted() -> None:
    server = Server(3000)
    server.offer(9000, 5)
    server.took.clear()
    server.offer(9000, 10)
    assert quantiles(server.took, n=100)[98] < TARGET_S * 1.5
    assert len(server.took) / 10 > 3000 * 0.95


def test_when_the_load_is_gone_there_is_room_again() -> None:
    server = Server(3000)
    server.offer(9000, 5)
    refused = server.refused
    server.now += 1
    server.offer(2500, 5)
    assert server.refused - refused < 50


def test_what_is_slow_for_another_reason_is_not_turned_away_for_ever() -> None:
    server = Server(3000, slow_s=0.3)
    server.offer(80, 60)
    turned_away = server.refused
    server.offer(80, 30)
    assert server.refused == turned_away
    assert server.admission.target_s > 0.3


def test_the_limit_stays_within_its_ends() -> None:
    admission = Admission(clock=lambda: 0.0)
    assert admission.limit == FIRST
    entered = [admission.enter() for _ in range(FIRST + 5)]
    assert entered.count(None) == 5
    assert LEAST < FIRST < MOST


def test_who_waits_for_somebody_outside_says_nothing_about_our_load() -> None:
    now = 0.0
    admission = Admission(clock=lambda: now)
    for _ in range(100):
        ticket = admission.enter()
        assert ticket is not None
        ticket.step_aside()
        assert admission.under_way == 0
        now += 5
        ticket.leave()
        assert admission.under_way == 0
    assert admission.limit == FIRST
    assert admission.target_s == TARGET_S
