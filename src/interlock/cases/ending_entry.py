"""Reading what a workflow's file says of failure: what becomes of the case, and who answers for which kind. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from interlock.cases.forms import CONTRACT, TEXT
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.errors import Refused

ROUTE_KEYS = ("kind", "owner", "answer")


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
    """Who answers for one kind of exception.

    Attributes:
        kind: The error's code, as in ``undo-failed``, or what the workflow's code asks for by ``case.ask``.
        owner: Who.
        answer: The contract of the answer with which the case goes on; None: no code asks for one.
    """

    kind: str
    owner: str
    answer: str | None = None


def read_on_failure(section: Section) -> OnFailure:
    """What becomes of a case that fails, from the top of the file."""
    return section.may("on_failure", Form("on-failure", _on_failure, OnFailure.ASK), OnFailure.ASK)


def read_recalled(section: Section) -> Recalled:
    """What becomes of what a recall took back, from the top of the file."""
    return section.may("recalled", Form("recalled", _recalled, Recalled.ANEW), Recalled.ANEW)


def read_routes(section: Section) -> tuple[ExceptionRoute, ...]:
    """Who answers for which kind of exception, from the top of the file; one owner a kind."""
    routes = section.may("exceptions", list_of(Form[ExceptionRoute | None]("route", _route, None)), ())
    found = tuple(route for route in routes if route)
    place = section.at("exceptions")
    twice = {route.kind for route in found if [other.kind for other in found].count(route.kind) > 1}
    if place is not None and twice:
        place.refuse(
            f"{', '.join(sorted(twice))} has more than one owner", "exceptions", "name one owner for each kind"
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
    return ExceptionRoute(
        kind=section.need("kind", TEXT, "name the kind, as in action-in-doubt; `interlock exceptions` shows them"),
        owner=section.need("owner", TEXT, "name who answers for it"),
        answer=section.may("answer", CONTRACT, "") or None,
    )
