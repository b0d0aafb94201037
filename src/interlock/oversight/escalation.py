"""Escalation: tolerances of a workflow, and what happens by itself when one is left. Pure.

A rule fires once, when its measure comes to its bound, and then only after the measure has been back within it, or has
grown by the bound once more. What it grew while its own stop was in force counts for nothing: whoever resumes has seen
it, and is not stopped again at once.

    (nothing) -> fired -> watched -> fired ...    watched: its stop has ended, the measure is still out of bounds
                   |         |
                   +> cleared <+ -> fired ...       cleared: it was seen within bounds
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

import msgspec

from interlock.db.gates import short_digest
from interlock.durations import format_duration


class Measure(StrEnum):
    """What is measured of one workflow in one tenant; the statement ``measured`` is the other half of this.

    Ages are in whole seconds; ``overrides`` counts, of the last reviews with a proposal that were resolved, those in
    which a person changed or rejected it.
    """

    OPEN_EXCEPTIONS = "open exceptions"
    OLDEST_EXCEPTION = "oldest exception"
    OPEN_REVIEWS = "open reviews"
    OLDEST_REVIEW = "oldest review"
    FAILED_ACTIONS = "failed actions"
    ACTIONS_IN_DOUBT = "actions in doubt"
    OVERRIDES = "overrides"


AGES = (Measure.OLDEST_EXCEPTION, Measure.OLDEST_REVIEW)


class Response(StrEnum):
    """What happens by itself.

    ``notify``: an entry in the ledger and a warning in the log. ``pause``: the workflow stops, for a time. ``stop``: it
    stops until a person resumes it.
    """

    NOTIFY = "notify"
    PAUSE = "pause"
    STOP = "stop"


class EscalationRule(msgspec.Struct, frozen=True, kw_only=True):
    """One tolerance of a workflow.

    Attributes:
        workflow: Whose.
        when: The condition as the file states it: ``open exceptions >= 20``.
        measure: What is measured.
        bound: The least value at which it fires: a number, or seconds.
        window: Over how long ``failed actions`` are counted; None for the others.
        sample: Over how many reviews ``overrides`` are counted; None for the others.
        do: What happens then.
        pause: How long a pause lasts; None for the others.
    """

    workflow: str
    when: str
    measure: Measure
    bound: int
    window: timedelta | None = None
    sample: int | None = None
    do: Response
    pause: timedelta | None = None

    def id_in(self, tenant: UUID) -> UUID:
        """Which rule this is in a tenant: the same condition and response of the same workflow."""
        return short_digest(tenant.bytes, b"escalation", self.workflow.encode(), self.when.encode(), self.do.encode())

    @property
    def said(self) -> str:
        """The rule in words."""
        return f"{self.when}: {self.do}" + (f" for {format_duration(self.pause)}" if self.pause else "")

    def shown(self, value: int) -> str:
        """A value of its measure in words: "23", "49h 2m", "16 of 50"."""
        if self.measure in AGES:
            return shown_age(value)
        return f"{value} of {self.sample}" if self.sample else str(value)


def shown_age(seconds: int) -> str:
    """A length of time for people: "49h 2m", "12m 5s", "8s"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


class EscalationState(StrEnum):
    """See the diagram above."""

    FIRED = "fired"
    WATCHED = "watched"
    CLEARED = "cleared"


class Escalated(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rule stands.

    Attributes:
        turn: How often it changed its state; grows by one each time.
        state: Its state.
        value: What was measured when it came into that state.
        held: Whether the stop that it made is in force.
    """

    turn: int
    state: EscalationState
    value: int
    held: bool


def next_state(rule: EscalationRule, value: int | None, last: Escalated | None) -> EscalationState | None:
    """What a measurement makes of a rule.

    Args:
        rule: The rule.
        value: What was measured; None: too little is known to measure it, which is within bounds.
        last: Where it stands; None: it never fired.

    Returns:
        Its new state, or None if that does not change.
    """
    out = value is not None and value >= rule.bound
    if last is None or last.state is EscalationState.CLEARED:
        return EscalationState.FIRED if out else None
    if last.held:
        return None
    if value is None or not out:
        return EscalationState.CLEARED
    if last.state is EscalationState.FIRED and rule.do is not Response.NOTIFY:
        return EscalationState.WATCHED
    return EscalationState.FIRED if value >= last.value + rule.bound else None


FORMS: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.OPEN_EXCEPTIONS: "open exceptions >= 20",
        Measure.OLDEST_EXCEPTION: "oldest exception > 48h",
        Measure.OPEN_REVIEWS: "open reviews >= 200",
        Measure.OLDEST_REVIEW: "oldest review > 24h",
        Measure.FAILED_ACTIONS: "failed actions >= 10 in 15m",
        Measure.ACTIONS_IN_DOUBT: "actions in doubt >= 5",
        Measure.OVERRIDES: "overrides >= 30% of 50 reviews",
    }
)
"""How a condition on each measure is written."""
