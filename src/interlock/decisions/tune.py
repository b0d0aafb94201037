"""Tuning a cascade on recorded evaluations: from which confidence on each step should answer. Pure.

For every example it is recorded how sure each component was, whether it was right, and what it cost. A cascade asks in
order until one is sure enough; what none is sure of goes to a person, who costs something and is taken to be right.
Over a grid of thresholds (the observed confidences, thinned out evenly) the cheapest cascade is taken whose decisions
by itself are wrong in at most a given share. The counts of every combination come from cumulative sums over the grid,
so that each example is looked at once (as in Crow, "Summed-area tables for texture mapping", 1984).

Money is counted in whole billionths of a US dollar; nothing is rounded on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.errors import Refused
from interlock.oversight.binomial import Interval, at_most, interval

MOST_STEPS = 6
MOST_DENOMINATOR = 10**6
_CELLS = 200_000
_MOST_CANDIDATES = 200
NEVER = float("inf")
"""A threshold that nothing reaches: the step is never asked to answer."""

Counts = NDArray[np.int64]


class Evaluations(NamedTuple):
    """What was recorded, by example and component, ``[examples, components]``, in the order of the cascade.

    Attributes:
        confidence: From 0 to 1.
        correct: Whether its answer was right.
        cost: Billionths of a US dollar.
    """

    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]
    cost: Counts

    @property
    def examples(self) -> int:
        """How many examples."""
        return len(self.confidence)

    @property
    def components(self) -> int:
        """How many components."""
        return self.confidence.shape[1]

    def every_other(self, first: int) -> Evaluations:
        """Every second example, from the first (0) or the second (1) on."""
        return Evaluations(self.confidence[first::2], self.correct[first::2], self.cost[first::2])


class StepShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a cascade does.

    Attributes:
        sure_from: From which confidence on it answers; infinite: never.
        asked: How many examples it is asked.
        answered: How many of them it decides.
        wrong: How many of these wrongly.
        cost: What asking it costs, in billionths of a US dollar.
    """

    sure_from: float
    asked: int
    answered: int
    wrong: int
    cost: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a cascade does with all examples.

    Attributes:
        steps: Its steps, in order.
        examples: How many there are.
        person: How many go to a person.
        person_cost: What these cost, in billionths of a US dollar.
    """

    steps: tuple[StepShare, ...]
    examples: int
    person: int
    person_cost: int

    @property
    def answered(self) -> int:
        """How many are decided without a person."""
        return self.examples - self.person

    @property
    def wrong(self) -> int:
        """How many of these wrongly."""
        return sum(step.wrong for step in self.steps)

    @property
    def cost(self) -> int:
        """What everything costs, people too, in billionths of a US dollar."""
        return sum(step.cost for step in self.steps) + self.person_cost

    @property
    def error(self) -> Interval:
        """The share of what is decided without a person that is wrong, with its 95 % interval."""
        return interval(self.wrong, self.answered)


def outcome_of(found: Evaluations, thresholds: Sequence[float], person: int) -> Outcome:
    """What a cascade with these thresholds does.

    Args:
        found: The evaluations.
        thresholds: From which confidence on each component answers.
        person: What a person costs, in billionths of a US dollar.
    """
    left = np.ones(found.examples, dtype=np.bool_)
    steps: list[StepShare] = []
    for place, threshold in enumerate(thresholds):
        if threshold == NEVER:  # a step that may never answer is not asked either
            steps.append(StepShare(sure_from=threshold, asked=0, answered=0, wrong=0, cost=0))
            continue
        answers = left & (found.confidence[:, place] >= threshold)
        steps.append(
            StepShare(
                sure_from=threshold,
                asked=int(left.sum()),
                answered=int(answers.sum()),
                wrong=int((answers & ~found.correct[:, place]).sum()),
                cost=int(found.cost[left, place].sum()),
            )
        )
        left &= ~answers
    people = int(left.sum())
    return Outcome(steps=tuple(steps), examples=found.examples, person=people, person_cost=people * person)


def tune(found: Evaluations, *, error: Fraction, person: int, surely: bool = False) -> Outcome:
    """The cheapest cascade that is wrong in at most a share of what it decides without a person.

    Args:
        found: The evaluations.
        error: The share, from 0 to 1.
        person: What a person costs, in billionths of a US dollar.
        surely: Whether the upper end of the 95 % interval must be within the share, not the observed share alone.

    Raises:
        Refused: there are no examples, more than six components, more money than can be counted, or a share of
                more than six decimals.
    """
    _check(found, error, person)
    grid = _Grid(found)
    cost, wrong, answered = grid.cost(person).ravel(), grid.wrong().ravel(), grid.answered().ravel()
    fits = wrong * error.denominator <= answered * error.numerator
    cells = np.flatnonzero(fits)
    for cell in cells[np.lexsort((wrong[cells], cost[cells]))]:
        if not surely or at_most(int(wrong[cell]), int(answered[cell]), error):
            return outcome_of(found, grid.thresholds(int(cell)), person)
    raise AssertionError("to ask nobody but people is never wrong")


def _check(found: Evaluations, error: Fraction, person: int) -> None:
    if not found.examples or not found.components:
        raise Refused("there is nothing to tune on", todo="record evaluations, one example a line")
    if error.denominator > MOST_DENOMINATOR:
        raise Refused(f"{float(error)} is too fine a share", todo="write at most six decimals")
    if found.components > MOST_STEPS:
        raise Refused(f"{found.components} components are too many", todo=f"tune at most {MOST_STEPS} at once")
    whole = sum(int(found.cost[:, place].max()) for place in range(found.components)) + person
    if whole * found.examples >= 2**62:
        raise Refused("the costs add up to more than can be counted", todo="write costs in USD, as in 0.0012")


class _Grid:
    """Every combination of thresholds: a cell an example by component, and sums over what lies below or above."""

    def __init__(self, found: Evaluations) -> None:
        self._found = found
        most = min(max(int(_CELLS ** (1 / found.components)) - 1, 2), _MOST_CANDIDATES)
        self._candidates = [_candidates(found.confidence[:, place], most) for place in range(found.components)]
        # an example passes the threshold at an index if its bin lies above; the last index is passed by none
        self._bins = [
            np.searchsorted(candidates, found.confidence[:, place], side="right")
            for place, candidates in enumerate(self._candidates)
        ]

    def thresholds(self, cell: int) -> list[float]:
        """The thresholds of a cell."""
        found: list[float] = []
        for candidates in reversed(self._candidates):  # the last component's index changes fastest
            cell, place = divmod(cell, len(candidates) + 1)
            found.append(float(candidates[place]) if place < len(candidates) else NEVER)
        return found[::-1]

    def answered(self) -> Counts:
        """How many examples a component decides."""
        ones = np.ones(self._found.examples, dtype=np.int64)
        return self._found.examples - _below(self._counted(ones, self._found.components))

    def wrong(self) -> Counts:
        """How many of them wrongly."""
        total = np.zeros([len(candidates) + 1 for candidates in self._candidates], dtype=np.int64)
        for place in range(self._found.components):
            counted = self._counted((~self._found.correct[:, place]).astype(np.int64), place + 1)
            above = counted.sum(axis=-1, keepdims=True) - np.cumsum(counted, axis=-1)
            total += self._spread(_below(above, axes=place))
        return total

    def cost(self, person: int) -> Counts:
        """What everything costs; a step whose threshold nothing passes is not asked."""
        ones = np.ones(self._found.examples, dtype=np.int64)
        total = _below(self._counted(ones, self._found.components)) * person
        for place in range(self._found.components):
            asked = self._spread(_below(self._counted(self._found.cost[:, place], place)))
            never = [slice(None)] * total.ndim
            never[place] = slice(-1, None)
            paid = np.broadcast_to(asked, total.shape).copy()
            paid[tuple(never)] = 0
            total += paid
        return total

    def _counted(self, amounts: Counts, axes: int) -> Counts:
        """Amounts added up by the bins of the first components."""
        if not axes:
            return np.array(amounts.sum(), dtype=np.int64)
        counted = np.zeros([len(candidates) + 1 for candidates in self._candidates[:axes]], dtype=np.int64)
        np.add.at(counted, tuple(self._bins[:axes]), amounts)
        return counted

    def _spread(self, counted: Counts) -> Counts:
        """The same for every threshold of the components that follow."""
        return counted.reshape(counted.shape + (1,) * (len(self._candidates) - counted.ndim))


def _below(counted: Counts, axes: int | None = None) -> Counts:
    """What lies below the threshold of each of the first components: they were asked, and were not sure enough."""
    for axis in range(counted.ndim if axes is None else axes):
        counted = np.cumsum(counted, axis=axis)
    return counted


def _candidates(confidence: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Thresholds to try: the confidences that occur, thinned out evenly by rank, the least and greatest among them."""
    known = np.unique(confidence)
    if len(known) <= most:
        return known
    return known[np.unique(np.linspace(0, len(known) - 1, most).round().astype(np.int64))]
