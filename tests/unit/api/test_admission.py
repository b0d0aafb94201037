"""Admission: what is accepted keeps its latency, and what is slow for other reasons is not turned away for it."""

from __future__ import annotations

import heapq
import random
from contextlib import ExitStack
from statistics import quantiles

import pytest

from interlock.api.admission import FIRST, LEAST, MOST, MOST_ASIDE, TARGET_S, Admission, Ticket


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


def test_what_is_slow_for_another_reason_is_not_turned_away() -> None:
    server = Server(3000, slow_s=0.3)
    server.offer(80, 60)
    assert server.refused == 0


def test_many_that_are_slow_for_another_reason_are_turned_away_for_a_moment_only() -> None:
    server = Server(3000, slow_s=0.3)
    server.offer(600, 20)
    turned_away = server.refused
    server.offer(600, 20)
    assert server.refused - turned_away < 600 * 20 * 0.05
    assert server.admission.target_s > 0.3


class Committing(Server):
    """A server whose answers wait for the next commit, of as many as there are; a commit takes a while.

    Args:
        per_s: What it can compute.
        commit_s: How long a commit takes.
    """

    def __init__(self, per_s: float, commit_s: float) -> None:
        super().__init__(per_s)
        self.commit_s = commit_s
        self.stalls_at = -1.0

    def offer(self, rate: float, seconds: float, *, seed: int = 1) -> None:
        """As of any server."""
        dice = random.Random(seed)
        ends, due, commit_ends = self.now + seconds, self.now, self.now
        computing: list[tuple[float, float, Ticket]] = []
        committing: list[tuple[float, Ticket]] = []
        while due < ends:
            due += dice.expovariate(rate)
            while commit_ends <= due:
                for entered, ticket in committing:
                    self._answer(commit_ends, entered, ticket)
                committing = []
                while computing and computing[0][0] <= commit_ends:
                    committing.append(heapq.heappop(computing)[1:])
                stalls = commit_ends <= self.stalls_at < commit_ends + self.commit_s
                commit_ends += self.commit_s * dice.uniform(0.6, 1.4) + (0.5 if stalls else 0.0)
            self.now = max(self.now, due)
            ticket = self.admission.enter()
            if ticket is None:
                self.refused += 1
                continue
            self._free_at = max(self._free_at, self.now) + self._service_s
            heapq.heappush(computing, (self._free_at, self.now, ticket))
        for entered, ticket in [*committing, *(one[1:] for one in computing)]:
            self._answer(max(commit_ends, self.now), entered, ticket)


@pytest.mark.parametrize("commit_s", [0.005, 0.025, 0.045])
def test_where_each_waits_for_a_commit_refusals_do_not_cost_what_the_server_can_do(commit_s: float) -> None:
    server = Committing(3000, commit_s)
    server.offer(9000, 8)
    server.took.clear()
    server.offer(9000, 10)
    assert len(server.took) / 10 > 3000 * 0.75
    assert quantiles(server.took, n=100)[98] < max(TARGET_S, 2.8 * commit_s) * 1.5


def test_the_stall_of_a_disk_costs_no_more_than_itself() -> None:
    server = Committing(3000, 0.01)
    server.stalls_at = 6.0
    server.offer(9000, 8)
    server.took.clear()
    server.offer(9000, 10)
    assert len(server.took) / 10 > 3000 * 0.9
    assert quantiles(server.took, n=100)[98] < TARGET_S * 2


def test_a_limit_that_nobody_runs_into_is_not_moved() -> None:
    server = Server(3000, slow_s=0.2)
    server.offer(300, 20)
    assert (server.admission.limit, server.refused) == (FIRST, 0)


def test_the_limit_stays_within_its_ends() -> None:
    admission = Admission(clock=lambda: 0.0)
    assert admission.limit == FIRST
    entered = [admission.enter() for _ in range(FIRST + 5)]
    assert entered.count(None) == 5
    assert LEAST < FIRST < MOST


def test_who_waits_for_somebody_outside_takes_no_place_and_says_nothing_about_our_load() -> None:
    now = 0.0
    admission = Admission(clock=lambda: now)
    for _ in range(100):
        ticket = admission.enter()
        assert ticket is not None
        with ticket.aside():
            assert (admission.under_way, admission.aside) == (0, 1)
            now += 5
        assert (admission.under_way, admission.aside) == (1, 0)
        ticket.leave()
    assert admission.limit == FIRST
    assert admission.target_s == TARGET_S
    with ExitStack() as waiting:
        for _ in range(MOST_ASIDE):
            ticket = admission.enter()
            assert ticket is not None
            waiting.enter_context(ticket.aside())
        assert admission.enter() is None
