"""Reading ``then`` under a decision point: the action that follows a decision that was asked in line. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from interlock.cases.forms import CONDITION, NAME
from interlock.cases.sections import Form, Place, Section
from interlock.decisions.condition import Condition
from interlock.decisions.point import DecisionPoint, Then
from interlock.errors import Refused
from interlock.spelling import meant

KEYS = ("action", "with")
_REFERENCE = re.compile(r"(exposure|(input|output)(\.[A-Za-z_]\w{0,99}){1,8})\Z", re.ASCII)


def read_then(section: Section) -> Then | None:
    """What follows, if the section says so."""
    return section.may("then", Form[Then | None]("then", _then, None), None)


def read_follows(section: Section) -> tuple[tuple[str, Condition], ...]:
    """Of which answers which action follows, if the section says so."""
    return section.may("follows", Form[tuple[tuple[str, Condition], ...]]("follows", _follows, ()), ())


def _follows(place: Place) -> tuple[tuple[str, Condition], ...]:
    read = [(name, at.take(CONDITION)) for name, at in place.entries()]
    return tuple((name, condition) for name, condition in read if condition is not None)


def check_follows(places: Mapping[str, Place], points: Mapping[str, DecisionPoint], actions: Collection[str]) -> None:
    """See that each action that is said to follow a point is declared.

    Args:
        places: Where each point stands, by name.
        points: What was read there.
        actions: The names of the actions.
    """
    for name, point in points.items():
        for action, _ in point.follows:
            if action not in actions:
                places[name].refuse(f"follows: there is no action {action!r}", "follows", meant(action, actions))


def _then(place: Place) -> Then:
    section = Section(place, KEYS)
    action = section.need("action", NAME, "name an action of this file, as in pay")
    named = section.at("with")
    arguments = [(name, at.take(_REFERENCE_FORM)) for name, at in named.entries()] if named else []
    return Then(action=action, arguments=tuple(arguments))


def _reference(place: Place) -> str:
    text = place.text()
    if not _REFERENCE.match(text):
        raise Refused(
            f"{text[:60]!r} says nowhere to take a value from", todo="write input.FIELD, output.FIELD or exposure"
        )
    return text


_REFERENCE_FORM = Form("reference", _reference, "")


def check_then(point: DecisionPoint, actions: Collection[str]) -> None:
    """See that the action that follows a point is declared.

    Raises:
        Refused: it is not.
    """
    if point.then and point.then.action not in actions:
        known = ", ".join(sorted(actions)) or "none"
        raise Refused(f"then names the action {point.then.action!r}", todo=f"this file declares {known}")
