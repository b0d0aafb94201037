"""Reading ``value.control``: which share of the cases people decide, when. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from interlock.autonomy.control.terms import SETTLES, ControlStep, ControlTerms
from interlock.cases.forms import DURATION, SHARE
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.decisions.point import DecisionPoint
from interlock.errors import Refused

CONTROL_KEYS = ("share", "since", "until", "steps", "settles")
STEP_SHARE_KEYS = ("share", "since")
_UNREAD = datetime(1, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=366)


def _day(place: Place) -> datetime:
    text = place.text()
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no day", todo="write it as in 2026-03-01; it begins at 00:00 UTC") from cause


DAY = Form("day", _day, _UNREAD)


def _step(section: Section) -> ControlStep:
    share = section.need("share", SHARE, "state which share of the cases people decide, as in share: 0.05")
    return ControlStep(section.need("since", DAY, "state from which day on, as in since: 2026-03-01"), share)


_STEP = Form[ControlStep]("step", lambda at: _step(Section(at, STEP_SHARE_KEYS)), ControlStep(_UNREAD, Fraction(1)))


def read_control(place: Place) -> ControlTerms | None:
    """Read a share, or the steps of a roll-out; what cannot be kept to is refused."""
    section = Section(place, CONTROL_KEYS)
    stepped = section.at("steps")
    if stepped is not None and (section.at("share") or section.at("since")):
        place.refuse("states both a share and steps", "control", "write share and since inside of steps")
        return None
    steps = section.may("steps", list_of(_STEP), ()) if stepped is not None else (_step(section),)
    end, settles = section.at("until"), section.may("settles", DURATION, SETTLES)
    until = end.take(DAY) if end is not None else None
    days = [step.since for step in steps]
    if not steps:
        place.refuse("has no step", "control", "state a share and since when")
    elif any(after <= before for before, after in itertools.pairwise(days)):
        place.refuse("has steps that do not follow one another", "control", "state each since after the one before")
    elif until is not None and until <= days[-1]:
        place.refuse("ends before its last step begins", "control", "state until after the last since, or leave it out")
    if settles > _LONGEST:
        place.refuse("settles later than in a year", "control", "state at most 366d")
    return ControlTerms(steps=steps, until=until, settles=settles) if steps else None


def check_control(section: Section, control: ControlTerms | None, points: Mapping[str, DecisionPoint]) -> None:
    """Refuse a control group where a decision of its cases could not go to a person."""
    # a point of which it was not understood who answers has a refusal of its own
    read = {name: point for name, point in points.items() if point.steps}
    alone = sorted(name for name, point in read.items() if not point.ends_in_person)
    place = section.at("value")
    if control is not None and alone and place is not None:
        what = f"control: people take every decision of the control group, and {alone[0]} ends in no person"
        place.refuse(what, "control", "put person at its end, or leave the control group out")


CONTROL = Form[ControlTerms | None]("control", read_control, None)
