"""Admission: at overload the API refuses early instead of growing slow, so that what is accepted keeps its latency.

The limit on decisions under way is found, not set: while answers come within the target it grows, and once they do not
it shrinks (additive increase, multiplicative decrease, as in Chiu and Jain, "Analysis of the increase and decrease
algorithms for congestion avoidance", 1989). By Little's law it settles where the limit is the throughput times the
target. A refusal costs a few microseconds: neither the key nor the body is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TARGET_S = 0.05
"""How long a decision that computes its answer may take, from its acceptance, before fewer are accepted."""
LEAST, FIRST, MOST = 32, 128, 1024
WINDOW_S = 0.1
"""How often the limit moves."""
GROWS_BY = 8
SHRINKS_TO = 0.9
LOOSENS_TO, TIGHTENS_TO, LONGEST_S = 1.25, 0.98, 2.0
"""How the target gives way, from window to window and up to what, when even a few at once come after it; and back,
once most come in half the time."""
LATE_SHARE = 0.1
"""So many of a window's answers may come after the target."""
RETRY_AFTER_S = 1


class Admission:
    """Counts the decisions under way and says whether there is room for another.

    Decisions that wait for somebody outside, such as a language model, are not counted here: they are slow by nature,
    and their providers have limits of their own.

    Args:
        target_s: How long an answer may take.
        clock: Seconds that never go back.
    """

    def __init__(self, target_s: float = TARGET_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._target_s = self.target_s = target_s
        self._clock = clock
        self._window_ends = clock() + WINDOW_S
        self._answered = 0
        self._late = 0
        self._early = 0
        self._was_full = False
        self.limit = FIRST
        self.under_way = 0
        self.refused = 0

    def enter(self) -> Ticket | None:
        """A place for a decision; None: there is no room."""
        now = self._clock()
        if now >= self._window_ends:
            self._adapt(now)
        if self.under_way >= self.limit:
            self._was_full = True
            self.refused += 1
            return None
        self.under_way += 1
        return Ticket(self, now)

    def note(self, entered: float) -> None:
        """A decision that was accepted at this time has its answer."""
        took = self._clock() - entered
        self._answered += 1
        self._late += took > self.target_s
        self._early += took < self.target_s / 2

    def _adapt(self, now: float) -> None:
        if self._late > self._answered * LATE_SHARE:
            if self.limit > LEAST:
                self.limit = max(LEAST, int(self.limit * SHRINKS_TO))
            else:  # fewer at once are no quicker: something else is slow, and refusals do not heal it
                self.target_s = min(LONGEST_S, self.target_s * LOOSENS_TO)
        else:
            if self._early * 2 > self._answered:
                self.target_s = max(self._target_s, self.target_s * TIGHTENS_TO)
            if self._was_full and self._answered:
                self.limit = min(MOST, self.limit + GROWS_BY)
        self._window_ends = now + WINDOW_S
        self._answered = self._late = self._early = 0
        self._was_full = False


class Ticket:
    """A decision's place among those under way.

    Args:
        admission: Where it has it.
        entered: Since when.
    """

    __slots__ = ("_admission", "_entered", "_is_aside")

    def __init__(self, admission: Admission, entered: float) -> None:
        self._admission = admission
        self._entered = entered
        self._is_aside = False

    def step_aside(self) -> None:
        """Give the place up: what comes now is waiting for somebody outside, and says nothing about our own load."""
        if not self._is_aside:
            self._is_aside = True
            self._admission.under_way -= 1

    def leave(self) -> None:
        """The decision has its answer, or has failed."""
        if not self._is_aside:
            self._admission.note(self._entered)
            self.step_aside()
