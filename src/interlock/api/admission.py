"""Admission: at overload the API refuses early instead of growing slow, so that what is accepted keeps its latency.

The limit on decisions under way is found, not set: while answers come within the target it grows, and once they do not
it shrinks (additive increase, multiplicative decrease, as in Chiu and Jain, "Analysis of the increase and decrease
algorithms for congestion avoidance", 1989). By Little's law it settles where the limit is the throughput times the
target.

By the same law fewer at once are quicker only where as many are answered a second with fewer. So each shrinking is a
trial: where the answers come no sooner with fewer under way, as in the stall of a disk, or where each waits for a
commit however few there are, refusals heal nothing; then the limit is given back and the target gives way, to return
once nothing is late. And a limit that nobody runs into is not moved.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

TARGET_S = 0.05
"""How long a decision that computes its answer may take, from its acceptance, before fewer are accepted."""
LEAST, FIRST, MOST = 32, 128, 1024
MOST_ASIDE = 1024
"""So many may wait for somebody outside."""
WINDOW_S = 0.1
"""How often the limit moves."""
GROWS_BY = 8
SHRINKS_TO = 0.8
TRIED_FOR, HELPS = 3, 0.9
"""For how many windows fewer are tried, the first of which still has answers from before; and to which part of what it
was the mean time must have come down, half of the way that it could."""
LOOSENS_TO, TIGHTENS_TO, LONGEST_S = 1.3, 0.98, 2.0
"""Where refusals heal nothing, the target gives way to this many times the mean, and up to what; and comes back from
window to window."""
LATE_SHARE = 0.1
"""So many of a window's answers may come after the target."""
RETRY_AFTER_S = 1


class Admission:
    """Counts the decisions under way and says whether there is room for another.

    A decision that waits for somebody outside, such as a language model, takes no place meanwhile: that is slow by
    nature, and the providers have limits of their own. Only so many wait there at once.

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
        self._took_s = 0.0
        self._trial: _Trial | None = None
        self._was_full = False
        self.limit = FIRST
        self.under_way = 0
        self.aside = 0
        self.refused = 0

    def has_room(self) -> bool:
        """Whether there is a place for a decision; a no is counted."""
        now = self._clock()
        if now >= self._window_ends:
            self._adapt(now)
        if self.under_way < self.limit and self.aside < MOST_ASIDE:
            return True
        self._was_full = True
        self.refused += 1
        return False

    def enter(self) -> Ticket | None:
        """A place for a decision; None: there is no room."""
        if not self.has_room():
            return None
        self.under_way += 1
        return Ticket(self, self._clock())

    def note(self, entered: float) -> None:
        """A decision that was accepted at this time has its answer."""
        took = self._clock() - entered
        self._answered += 1
        self._took_s += took
        self._late += took > self.target_s

    def ended(self, _work: object) -> None:
        """What went on without its caller is done: that says nothing about how long answers take."""
        self.under_way -= 1

    def step_aside(self) -> float:
        """One of those under way waits for somebody outside now; when that began."""
        self.under_way -= 1
        self.aside += 1
        return self._clock()

    def come_back(self, began: float) -> float:
        """It goes on here, also where there is no room; for how many seconds it was away."""
        self.under_way += 1
        self.aside -= 1
        return self._clock() - began

    def _adapt(self, now: float) -> None:
        if self._trial:
            self._judge(self._trial)
        elif self._late <= self._answered * LATE_SHARE:
            self.target_s = max(self._target_s, self.target_s * TIGHTENS_TO)
            if self._was_full and self._answered:
                self.limit = min(MOST, self.limit + GROWS_BY)
        elif self._was_full and self.limit > LEAST:
            self._trial = _Trial(limit=self.limit, mean_s=self._took_s / self._answered)
            self.limit = max(LEAST, int(self.limit * SHRINKS_TO))
        elif self._was_full:
            self._loosen(self._took_s / self._answered)
        self._window_ends = now + WINDOW_S
        self._answered = self._late = 0
        self._took_s = 0.0
        self._was_full = False

    def _judge(self, trial: _Trial) -> None:
        trial.windows += 1
        if trial.windows > 1:
            trial.answered += self._answered
            trial.took_s += self._took_s
        if trial.windows < TRIED_FOR:
            return
        self._trial = None
        mean_s = trial.took_s / trial.answered if trial.answered else trial.mean_s
        if mean_s > trial.mean_s * HELPS:
            self.limit = trial.limit
            self._loosen(mean_s)

    def _loosen(self, mean_s: float) -> None:
        self.target_s = min(LONGEST_S, max(self.target_s, mean_s) * LOOSENS_TO)


@dataclass(slots=True)
class _Trial:
    """Fewer under way, to see whether the answers come sooner.

    Attributes:
        limit: The limit before.
        mean_s: How long an answer took then.
        windows: How many have gone by.
        answered: Answers in these, after the first.
        took_s: Seconds that these took together.
    """

    limit: int
    mean_s: float
    windows: int = 0
    answered: int = 0
    took_s: float = 0.0


class Ticket:
    """A decision's place among those under way.

    Args:
        admission: Where it has it.
        entered: Since when.
    """

    __slots__ = ("_admission", "_away_s", "_entered")

    def __init__(self, admission: Admission, entered: float) -> None:
        self._admission = admission
        self._entered = entered
        self._away_s = 0.0

    @contextmanager
    def aside(self) -> Generator[None]:
        """Give the place up while this is open: it waits for somebody outside, which says nothing about our load."""
        began = self._admission.step_aside()
        try:
            yield
        finally:
            self._away_s += self._admission.come_back(began)

    def stay_for(self, work: asyncio.Future[Any]) -> None:
        """Its caller has been answered and its work goes on: the place stays taken until that is done."""
        self._admission.under_way += 1
        work.add_done_callback(self._admission.ended)

    def leave(self) -> None:
        """The decision has its answer, or has failed."""
        self._admission.under_way -= 1
        self._admission.note(self._entered + self._away_s)
