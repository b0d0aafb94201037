"""Reading what a workflow's file says of failure: what becomes of the case, and who answers for which kind. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec

from interlock.cases.forms import CONTRACT, DURATION, TEXT
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.components.syntax import Parser
from interlock.components.tree import Name, walk
from interlock.decisions.condition import Condition, Facts, compile_condition
from interlock.errors import ComponentFailed, Refused
from interlock.money import Money

ROUTE_KEYS = ("kind", "when", "owner", "team", "due", "answer")
_MAY_ASK = frozenset({"input", "exposure"})
"""What a condition of a route may speak of: an exception has no answer that one could ask."""


class OnFailure(StrEnum):
    """What becomes of a case whose workflow raises an error that it does not handle.

    ``ask``: it is an exception, and a person says what is done. ``undo``: what it did is taken back in reverse order,
    then it is cancelled.
    """

    ASK = "ask"
    UNDO = "undo"


class Recalled(StrEnum):
    """What becomes of what a recall took back.

    ``anew``: it is decided anew, where the recall says so. ``leave``: whoever made it makes it anew, if at all.
    """

    ANEW = "anew"
    LEAVE = "leave"


class ExceptionRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for some exceptions.

    Attributes:
        kind: The error's code, as in ``undo-failed``, or what the workflow's code asks for by ``case.ask``; empty:
            every kind.
        owner: Who.
        answer: The contract of the answer with which the case goes on; None: no code asks for one.
        when: What must hold of the case's input and the money at stake; None: nothing.
        team: Whose they are; None: the owner's.
        due: Within which time they should be resolved; None: as long as is usual.
    """

    kind: str
    owner: str
    answer: str | None = None
    when: Condition | None = None
    team: str | None = None
    due: timedelta | None = None

    def fits(self, kind: str, value: bytes, exposure: Money | None) -> bool:
        """Whether an exception goes this way. What cannot be said (an amount that is unknown) counts as if it held."""
        if self.kind not in ("", kind):
            return False
        if self.when is None:
            return True
        try:
            read = msgspec.json.decode(value, type=dict[str, Any]) if value else {}
            return self.when.holds(Facts(input=read, output={}, confidence=0.0, exposure=exposure, findings=()))
        except (ComponentFailed, msgspec.DecodeError):
            return True


def read_on_failure(section: Section) -> OnFailure:
    """What becomes of a case that fails, from the top of the file."""
    return section.may("on_failure", Form("on-failure", _on_failure, OnFailure.ASK), OnFailure.ASK)


def read_recalled(section: Section) -> Recalled:
    """What becomes of what a recall took back, from the top of the file."""
    return section.may("recalled", Form("recalled", _recalled, Recalled.ANEW), Recalled.ANEW)


def read_routes(section: Section) -> tuple[ExceptionRoute, ...]:
    """Who answers for which exceptions, from the top of the file, in its order; the first that fits counts."""
    routes = section.may("exceptions", list_of(Form[ExceptionRoute | None]("route", _route, None)), ())
    found = tuple(route for route in routes if route)
    place = section.at("exceptions")
    if place is None:
        return found
    plain = [route.kind for route in found if route.when is None]
    twice = {kind or "every kind" for kind in plain if plain.count(kind) > 1}
    if twice:
        place.refuse(
            f"{', '.join(sorted(twice))} has more than one owner", "exceptions", "name one owner for each kind"
        )
    for at, route in enumerate(found):
        before = next((one for one in found[:at] if one.when is None and one.kind in ("", route.kind)), None)
        if before is not None and not twice:
            named = before.kind or "every kind"
            place.refuse(
                f"the route of {named} takes all that a later one of {route.kind or 'every kind'} asks for",
                "exceptions",
                "write those with a `when` first, and the one for every kind last",
            )
    return found


def _on_failure(place: Place) -> OnFailure:
    text = place.text()
    try:
        return OnFailure(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is nothing that can be done", todo="write ask or undo") from cause


def _recalled(place: Place) -> Recalled:
    text = place.text()
    try:
        return Recalled(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is nothing that follows a recall", todo="write anew or leave") from cause


def _route(place: Place) -> ExceptionRoute:
    section = Section(place, ROUTE_KEYS)
    when, answer = section.may("when", _WHEN, None), section.may("answer", CONTRACT, "") or None
    team = section.may("team", TEXT, "")
    kind = section.may("kind", TEXT, "")
    if not kind and section.at("when") is None:
        place.refuse(
            "the route says neither a kind nor a when",
            "kind",
            "name the kind, as in action-in-doubt; `interlock exceptions` shows them",
        )
    if answer and (not kind or when is not None):
        place.refuse("an answer belongs to a kind", "answer", "put it into a route with that kind and no `when`")
    return ExceptionRoute(
        kind=kind,
        owner=section.may("owner", TEXT, team) if team else section.need("owner", TEXT, "name who answers for it"),
        answer=answer,
        when=when,
        team=team or None,
        due=section.may("due", Form[timedelta | None]("duration", DURATION.read, None), None),
    )


def _when(place: Place) -> Condition:
    condition = compile_condition(place.text())
    named = {node.path[0] for node in walk(Parser(place.text(), money=True).expression()) if isinstance(node, Name)}
    if named - _MAY_ASK:
        raise Refused(
            f"an exception has no {', '.join(sorted(named - _MAY_ASK))}",
            todo="ask of exposure and of input, the input of its case",
        )
    return condition


_WHEN = Form[Condition | None]("condition", _when, None)
