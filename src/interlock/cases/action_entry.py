"""Reading one entry under ``actions`` in a workflow's file. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from interlock.actions.terms import ATTEMPTS, DEADLINE, TIMEOUT, ActionTerms
from interlock.cases.failure_entry import ERRORS, NO_ERRORS, RETRY
from interlock.cases.forms import COUNT, DOMAIN, DURATION, NAME, OVER_LIMIT, TEXT
from interlock.cases.limits_entry import read_limits
from interlock.cases.sections import Form, Place, Section
from interlock.guards.limits import CaseBudget, Limits, OverLimit
from interlock.plain_yaml import Mapping
from interlock.spelling import meant

ACTION_KEYS = (
    "connector", "domain", "limits", "over_limit", "timeout", "attempts", "retry", "errors", "deadline", "undo",
    "rests_on", "purpose",
)  # fmt: skip
UNDO_KEYS = ("none",)

MOST_ATTEMPTS = 100
"""More attempts than this are a loop, not patience."""

_NO_LIMITS = Limits()


def read_action(name: str, place: Place, time_zone: str, budget: CaseBudget) -> ActionTerms:
    """Read one action's terms.

    Args:
        name: Its name in the file.
        place: Where it stands.
        time_zone: Where calendar limits begin and end their day; empty if the file names none.
        budget: What one case may use up.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, ACTION_KEYS)
    limits = Form("limits", lambda at: read_limits(at, time_zone, budget), _NO_LIMITS)
    undo, no_undo = section.may("undo", Form("undo", _undo, ("", "")), ("", ""))
    terms = ActionTerms(
        name=name,
        connector=section.need("connector", NAME, "name a connector of the settings"),
        domain=section.need("domain", DOMAIN, "say what it does, as in payments.reimburse"),
        limits=section.need("limits", limits, "limit it, as in {each: 5000 MYR, per_day: 50000 MYR, rate: 20/s}"),
        over_limit=section.may("over_limit", OVER_LIMIT, OverLimit.FAIL),
        budget=budget,
        timeout=section.may("timeout", DURATION, TIMEOUT),
        attempts=section.may("attempts", COUNT, ATTEMPTS),
        retry=section.may("retry", RETRY, None),
        errors=section.may("errors", ERRORS, NO_ERRORS),
        deadline=section.may("deadline", DURATION, DEADLINE),
        undo=undo,
        no_undo=no_undo,
        rests_on=section.may("rests_on", NAME, ""),
        purpose=section.may("purpose", NAME, ""),
    )
    if terms.attempts > MOST_ATTEMPTS:
        what = f"{terms.attempts} attempts are more than {MOST_ATTEMPTS}"
        place.refuse(what, "attempts", "lower attempts; the deadline bounds the time")
    if terms.timeout > terms.deadline:
        place.refuse("one attempt may take longer than the deadline", "timeout", "lower timeout or raise deadline")
    return terms


def check_undo(places: dict[str, Place], actions: dict[str, ActionTerms]) -> None:
    """Check that each action says how it is taken back, unless it is itself the undoing of another.

    Args:
        places: Where each action stands, by name.
        actions: What was read there.
    """
    undoing = {terms.undo for terms in actions.values() if terms.undo}
    for name, terms in actions.items():
        place = places[name]
        if terms.undo == name:
            place.refuse("undo: undoes itself", "undo", "name another action, or write {none: REASON}")
        elif terms.undo and terms.undo not in actions:
            others = ", ".join(sorted(actions.keys() - {name})) or "none yet"
            todo = f"declare it, name one of the others ({others}), or write {{none: REASON}}"
            place.refuse(f"undo: there is no action {terms.undo!r} in this file", "undo", todo)
        elif not terms.undo and not terms.no_undo and name not in undoing and _has_no_undo(place):
            todo = "name the action that takes this one back, or say why there is none: undo: {none: REASON}"
            place.refuse('"undo" is missing', "missing-key", todo)


def check_rests_on(places: dict[str, Place], actions: dict[str, ActionTerms], points: Iterable[str]) -> None:
    """Check that each decision on which an action must rest is declared in the same file.

    Args:
        places: Where each action stands, by name.
        actions: What was read there.
        points: The names of the decision points.
    """
    known = frozenset(points)
    for name, terms in actions.items():
        if terms.rests_on and terms.rests_on not in known:
            places[name].refuse(
                f"rests_on: there is no decision {terms.rests_on!r} in this file",
                "rests-on",
                meant(terms.rests_on, known),
            )


def _has_no_undo(place: Place) -> bool:
    return isinstance(place.node, Mapping) and place.node.get("undo") is None


def _undo(place: Place) -> tuple[str, str]:
    if not isinstance(place.node, Mapping):
        return place.take(NAME), ""
    return "", Section(place, UNDO_KEYS).need("none", TEXT, "write why it cannot be taken back")
