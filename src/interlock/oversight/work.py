"""Work: reviews and exceptions as one list of what needs a person's decision. Types. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.money import Money
from interlock.oversight.index import Press


class WorkKind(StrEnum):
    """What waits."""

    REVIEW = "review"
    EXCEPTION = "exception"


class WorkState(StrEnum):
    """Where an item stands, as far as who may take it is concerned. The first that is true counts, from the top."""

    SETTLE = "settle"
    """Two people disagree: a lead decides."""
    HELD = "held"
    """A verdict is given and can be taken back still."""
    ASKED_BACK = "asked_back"
    """Somebody was asked, and it waits for their answer."""
    SNOOZED = "snoozed"
    CLAIMED = "claimed"
    """Somebody works on it."""
    AWAITS_SECOND = "awaits_second"
    """One of two people has decided."""
    ASSIGNED = "assigned"
    FREE = "free"


PARKED = frozenset({WorkState.HELD, WorkState.ASKED_BACK, WorkState.SNOOZED})
"""Nothing is to be done on these now; a list holds them only if it asks for them."""


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs a person's decision.

    Attributes:
        kind: What it is.
        id: The review's or the exception's.
        case_id: The case that waits for it, if one does.
        decision_id: The decision that it is about, if there is one.
        workflow: Of the case.
        point: The decision point; of an exception, what kind of fact it is.
        queue: Where it waits; empty for an exception.
        team: Whose it is; of an exception without a team, its owner. None: whoever works in its queue.
        why: Why it came here, in a line.
        codes: What the checks found.
        exposure: The money at stake; None: unknown.
        confidence: How sure the proposal was; None: there is none, or its component says none.
        chance: The probability that the proposal is wrong, as the order takes it: 1 where a rule or a finding sent a
            sure answer here, and for an exception.
        loss: The expected loss, in the exposure's currency.
        press: Why it stands where it stands.
        reserved: Whether it stands there because it is old.
        priority: Of an exception; 0 is the highest, and stands first of all.
        due_at: When it should be resolved.
        created_at: Since when it waits.
        state: Whether it can be taken.
        claimed_by: Who works on it, or did until ``claimed_until``.
        claimed_until: How long their claim holds.
        assigned_to: Who is to do it.
        snoozed_until: Until when it is out of the way.
        asked_to: Who was asked back.
        needed: How many people must decide alike.
        given: How many have decided.
        given_by_me: Whether whoever lists it has decided on it already, so that they may not again.
        key: Of the case, by whoever handed it in; None: there is no case.
        question: What a review asks, as JSON; None of an exception, and of a question that is too long for a list.
    """

    kind: WorkKind
    id: UUID
    case_id: UUID | None
    decision_id: UUID | None
    workflow: str
    point: str
    queue: str
    team: str | None
    why: str
    codes: tuple[str, ...]
    exposure: Money | None
    confidence: float | None
    chance: float
    loss: Money | None
    press: Press
    reserved: bool
    priority: int
    due_at: datetime | None
    created_at: datetime
    state: WorkState
    claimed_by: str | None
    claimed_until: datetime | None
    assigned_to: str | None
    snoozed_until: datetime | None
    asked_to: str | None
    needed: int
    given: int
    given_by_me: bool
    key: str | None = None
    question: bytes | None = None

    @property
    def title(self) -> str:
        """What it is, in two words: ``receipts.approve`` or ``receipts: action-in-doubt``."""
        return f"{self.workflow}{'.' if self.kind is WorkKind.REVIEW else ': '}{self.point}"

    @property
    def needs_two(self) -> bool:
        """Whether two people must decide alike."""
        return self.needed > 1

    def age(self, now: datetime) -> timedelta:
        """How long it has waited."""
        return max(now - self.created_at, timedelta(0))


class WorkFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which work is meant; what is None or False asks nothing. All that is asked must hold.

    Attributes:
        mine: Assigned to whoever asks, or claimed by them.
        my_team: Of a team of whoever asks, or in a queue that is named as one.
        kind: Reviews, or exceptions.
        workflow: Of the case.
        point: The decision point, or the kind of exception.
        queue: Where it waits.
        team: Whose it is.
        state: Where it stands; None: whatever is not parked.
        parked: Whether what is parked belongs to it too.
        assigned_to: Who is to do it.
        claimed_by: Who works on it.
        text: What stands in the reason, in small or capital letters.
        code: What the checks found; of an exception, its kind.
        exposure_from: The least money at stake; other currencies by the reference rates.
        exposure_to: The most.
        confidence_from: The least confidence.
        confidence_to: The most.
        due_within: Due within this time from now, or overdue.
        older_than: Waiting for at least this time.
        second: One of two has decided on it.
    """

    mine: bool = False
    my_team: bool = False
    kind: WorkKind | None = None
    workflow: str | None = None
    point: str | None = None
    queue: str | None = None
    team: str | None = None
    state: WorkState | None = None
    parked: bool = False
    assigned_to: str | None = None
    claimed_by: str | None = None
    text: str | None = None
    code: str | None = None
    exposure_from: Money | None = None
    exposure_to: Money | None = None
    confidence_from: float | None = None
    confidence_to: float | None = None
    due_within: timedelta | None = None
    older_than: timedelta | None = None
    second: bool = False


class Bounded(msgspec.Struct, frozen=True):
    """A count that is exact up to a bound.

    Attributes:
        number: How many, at most the bound.
        more: Whether there are more than that.
    """

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


class WorkPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list of work.

    Attributes:
        items: In order.
        total: How many the filter finds.
        after: What to ask for the next page with; None: this was the last.
        horizon: The minutes of slack at which an item presses 1/e of what an overdue one does.
        base: The currency in which the order compares.
    """

    items: tuple[WorkItem, ...]
    total: Bounded
    after: str | None
    horizon: float
    base: str
