"""From when on decisions count for a new certificate: what was found worse than promised is not outvoted. Pure.

A certificate is taken back because its decisions are not like those that it was derived from, or because somebody knows
that they will not be. Then one window that holds decisions of before and of after is not of one piece, and no test on
it says anything of what comes. What comes after a moment that was fixed by what came before it is fresh: the test on
that alone holds as it does at first.
"""

from __future__ import annotations

from datetime import datetime

from interlock.autonomy.certificate import Begins
from interlock.autonomy.issuing.issue import MONITOR
from interlock.autonomy.issuing.store import Stands
from interlock.autonomy.store import AutonomyState
from interlock.autonomy.terms import AutonomyTerms
from interlock.errors import Refused
from interlock.guards.stops import check_why

_TAKEN_BACK = (AutonomyState.NARROWED, AutonomyState.WITHDRAWN)


def begins_after(stands: Stands | None, terms: AutonomyTerms, now: datetime) -> Begins | None:
    """From when on decisions count after what became of the last certificate; None: all of the window do.

    INVARIANT: what was narrowed or withdrawn, by whomever, is certified anew by decisions alone that came after that,
    also at each renewal until they fill the window; so is one that was over when its monitor crossed.

    Args:
        stands: What counts, or counted last; None: nothing ever did.
        terms: What the point states.
        now: The time.

    Raises:
        StateConflict: the last certificate is of a newer form.
    """
    held = stands.read if stands is not None else None
    if stands is None or held is None:
        return None
    begins = held.begins
    if stands.state in _TAKEN_BACK:
        begins = Begins(at=stands.changed_at, why=stands.why, who=stands.who)
    elif stands.crossed_at is not None:
        why = "its monitor found more lost than it promised, when it was over"
        begins = Begins(at=stands.crossed_at, why=why, who=MONITOR)
    return begins if begins is not None and begins.at > now - terms.window else None


def begins_as_stated(terms: AutonomyTerms, at: datetime, now: datetime, *, who: str, why: str) -> Begins:
    """From when on decisions count because somebody says so, who answers for it: it stands in the certificate.

    Raises:
        Refused: there is no reason, or it is not within the window.
    """
    check_why(why)
    if not now - terms.window <= at < now:
        earliest = f"{now - terms.window:%Y-%m-%d %H:%M} UTC"
        raise Refused(
            f"{at:%Y-%m-%d %H:%M} is not within the window", where="since", todo=f"state a time from {earliest} on"
        )
    return Begins(at=at, why=why, who=who, stated=True)


def begins_said(begins: Begins) -> str:
    """From when on decisions count, in a sentence."""
    since = f"Only decisions since {begins.at:%Y-%m-%d %H:%M} UTC count"
    if begins.stated:
        return f"{since}, as {begins.who} states: {begins.why}."
    return f"{since}: then the last certificate was taken back by {begins.who} ({begins.why})."
