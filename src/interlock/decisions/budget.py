"""What one decision may use up: time, split over its stages with deadlines passed down, and money. Pure.

A decision has four stages in turn: retrieval (its features), inference (its components), rules (checks, conditions and
the components that are rules) and commit. Each may use its own part and what the ones before it left over, and never
what the ones after it need: so rules and commit have their time however long a model thinks.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from interlock.durations import format_duration
from interlock.errors import Refused

STAGES = ("retrieval", "inference", "rules", "commit")
SHARES = (2, 6, 1, 1)
"""In which proportion the stages that the file does not name share what the others leave of ``time``."""
_NONE = timedelta(0)


class Deadlines(NamedTuple):
    """When each stage of one decision must be over, as moments of the event loop's clock.

    INVARIANT: ``retrieval <= inference <= rules <= end``, whatever was declared and however little time is left.

    Attributes:
        begun: When the decision began.
        retrieval: When its features must be there.
        inference: When its components must have answered.
        rules: When its route must be known, so that the commit has its time.
        end: When the answer is due.
        inference_s: The most that inference may take from its own beginning, if the file says it; else no bound.
    """

    begun: float
    retrieval: float
    inference: float
    rules: float
    end: float
    inference_s: float

    def inference_from(self, now: float) -> float:
        """When the components must have answered, if they are asked from now on."""
        return min(self.inference, now + self.inference_s)


class Parts(NamedTuple):
    """The parts of a budget of time in seconds; a bound is infinite where the file states no part of that stage."""

    time: float
    retrieval: float
    inference: float
    rules: float
    commit: float
    retrieval_bound: float
    inference_bound: float

    def deadlines(self, begun: float, until: float | None = None) -> Deadlines:
        """The deadlines of a decision.

        Args:
            begun: When it began, on the event loop's clock.
            until: When its caller stops waiting; if that comes first every part shrinks in proportion.
        """
        end = begun + self.time
        if until is None or until >= end:
            rules = end - self.commit
            inference = rules - self.rules
            retrieval = min(inference - self.inference, begun + self.retrieval_bound)
            return Deadlines(begun, max(retrieval, begun), inference, rules, end, self.inference_bound)
        end = max(until, begun)
        scale = (end - begun) / self.time
        rules = max(end - self.commit * scale, begun)
        inference = max(rules - self.rules * scale, begun)
        retrieval = max(min(inference - self.inference * scale, begun + self.retrieval_bound * scale), begun)
        # a shortened budget shortens what is bound by the file, too; infinity times zero is no number
        bound = self.inference_bound * scale if scale else 0.0
        return Deadlines(begun, retrieval, inference, rules, end, bound)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What one decision may use up before a person takes over.

    Attributes:
        time: From the question to the answer.
        retrieval: The part for its features; None: a share of what the stated parts leave.
        inference: The part for its components.
        rules: The part for rules, checks and conditions.
        commit: The part for the commit.
        cost: In USD beside compute (tokens, calls), exact below the cent; 0 lets only components answer that cost none.
            An answer that turns out to have cost more takes no route by itself, and what it cost is recorded.
        cost_per_day: The same over all decisions of the point within a calendar day; None: no bound.
        time_zone: Where that day begins and ends.
        parts: The same in seconds, computed once, since every decision needs them; not to be given.
    """

    time: timedelta = timedelta(seconds=1)
    retrieval: timedelta | None = None
    inference: timedelta | None = None
    rules: timedelta | None = None
    commit: timedelta | None = None
    cost: Decimal = Decimal(0)
    cost_per_day: Decimal | None = None
    time_zone: str = "UTC"
    parts: Parts = Parts(1.0, 0.2, 0.6, 0.1, 0.1, float("inf"), float("inf"))

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "parts", split(self))


def split(budget: Budget) -> Parts:
    """Split the time over the stages.

    Raises:
        Refused: the stated parts do not fit into the time, or leave nothing to a stage that is not stated.
    """
    stated = (budget.retrieval, budget.inference, budget.rules, budget.commit)
    taken = sum((part for part in stated if part is not None), _NONE)
    left = budget.time - taken
    open_shares = sum(share for part, share in zip(stated, SHARES, strict=True) if part is None)
    if left < _NONE:
        raise Refused(
            f"its parts take {format_duration(taken)}, and it has {format_duration(budget.time)}",
            todo="shorten a part, or raise time",
        )
    if not left and open_shares:
        missing = ", ".join(name for name, part in zip(STAGES, stated, strict=True) if part is None)
        raise Refused(
            f"its parts take all of {format_duration(budget.time)}, which leaves nothing to {missing}",
            todo="shorten a part, or raise time",
        )
    retrieval, inference, rules, commit = (
        part.total_seconds() if part is not None else left.total_seconds() * share / open_shares
        for part, share in zip(stated, SHARES, strict=True)
    )
    return Parts(
        budget.time.total_seconds(),
        retrieval,
        inference,
        rules,
        commit,
        float("inf") if budget.retrieval is None else retrieval,
        float("inf") if budget.inference is None else inference,
    )
