"""Reading what a workflow's file says of practice. Pure."""

from __future__ import annotations

from datetime import timedelta

from interlock.cases.forms import COUNT, DURATION
from interlock.cases.sections import Form, Place, Section
from interlock.oversight.practice.terms import PracticeTerms

PRACTICE_KEYS = ("right", "of", "lasts")
LASTS = timedelta(days=90)
MOST = 200
"""So many items at most are asked for: nobody gathers more lessons than that."""


def read_practice(place: Place) -> PracticeTerms | None:
    """Read what somebody must have practised: ``{right: 9, of: 10, lasts: 90d}``.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, PRACTICE_KEYS)
    right = section.need("right", COUNT, "say how many answers must be right, as in right: 9")
    of = section.need("of", COUNT, "say of how many, as in of: 10")
    if right > of or of > MOST:
        place.refuse(
            f"{right} right of {of} cannot be asked for", "practice", f"write at most as many as of, {MOST} at most"
        )
        return None
    return PracticeTerms(right=right, of=of, lasts=section.may("lasts", DURATION, LASTS))


PRACTICE = Form[PracticeTerms | None]("practice", read_practice, None)
