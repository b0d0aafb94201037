"""Where a review stands for whoever looks at it: theirs to decide, somebody else's, parked, decided. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from interlock.authority.actor import known_as
from interlock.oversight.review import Review, ReviewState


class Place(StrEnum):
    """Where it stands; the first that is true counts, from the top."""

    DONE = "done"
    """Resolved, or nobody needs it any more."""
    HELD = "held"
    """A verdict is given and can still be undone by whoever gave it."""
    ASKED = "asked"
    """Somebody was asked back."""
    FORBIDDEN = "forbidden"
    """The policies do not let them decide it."""
    TAKEN = "taken"
    """Somebody else works on it."""
    MINE = "mine"
    """They work on it."""
    LAPSED = "lapsed"
    """They worked on it, and their lease ran out."""
    FREE = "free"
    """Nobody works on it."""


CAN_DECIDE = frozenset({Place.MINE, Place.FREE, Place.LAPSED})
"""Where the form can be sent; the first to begin has it."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands, and what that means in words.

    Attributes:
        place: Where.
        says: In a sentence; empty: nothing needs saying.
        seats: How many people must still agree, the next one included.
        settles: Whether it is to be settled, since two disagree.
        second: Whether they are the second of two.
    """

    place: Place
    says: str
    seats: int
    settles: bool
    second: bool

    @property
    def can_decide(self) -> bool:
        """Whether the form is theirs to send."""
        return self.place in CAN_DECIDE


def seen_by(review: Review, who: str, *, may: bool, why_not: str, now: datetime) -> Seen:
    """Where a review stands for somebody.

    Args:
        review: The review.
        who: Who looks at it.
        may: Whether the policies let them decide it.
        why_not: Why they do not.
        now: The database's time.
    """
    place, says = _place(review, who, may=may, why_not=why_not, now=now)
    given = len(review.decided_by)
    return Seen(
        place=place,
        says=says,
        seats=1 if review.disagreed else max(1, review.needed - given),
        settles=review.disagreed,
        second=review.needed > 1 and given == 1 and not review.disagreed,
    )


def _place(review: Review, who: str, *, may: bool, why_not: str, now: datetime) -> tuple[Place, str]:
    mine = review.claimed_by is not None and known_as(review.claimed_by) == known_as(who)
    if review.state is ReviewState.WITHDRAWN:
        found = Place.DONE, "Nobody needs the answer any more: its case ended or was corrected."
    elif review.state is ReviewState.RESOLVED:
        found = Place.DONE, f"{review.resolved_by} decided: {review.resolution} ({review.reason_code})."
    elif review.held_verdict is not None:
        says = "You have decided it, and can undo that until it takes effect."
        found = Place.HELD, says if mine else f"{review.claimed_by} has decided it; it takes effect in a moment."
    elif review.asked_to is not None:
        found = Place.ASKED, f"{review.asked_by} asked {review.asked_to}, and it waits for the answer."
    elif not may:
        found = Place.FORBIDDEN, why_not
    else:
        found = _claim(review, mine=mine, live=review.claimed_until is not None and review.claimed_until > now)
    return found


def _claim(review: Review, *, mine: bool, live: bool) -> tuple[Place, str]:
    if review.claimed_by is None:
        return Place.FREE, ""
    if live:
        return (Place.MINE, "") if mine else (Place.TAKEN, f"{review.claimed_by} works on it.")
    if mine:
        return Place.LAPSED, "Your lease ran out: it waits for everybody again. You can take it anew."
    return Place.FREE, f"{review.claimed_by} had it; their lease ran out."
