"""Reading one entry under ``actions`` in a workflow's file. Pure."""

from __future__ import annotations

from itertools import pairwise

from interlock.actions.terms import ATTEMPTS, DEADLINE, TIMEOUT, ActionTerms
from interlock.cases.forms import COUNT, DOMAIN, DURATION, MONEY, NAME, RATE, TEXT
from interlock.cases.sections import Form, Place, Section
from interlock.guards.limits import Limits
from interlock.plain_yaml import Mapping

ACTION_KEYS = ("connector", "domain", "limits", "timeout", "attempts", "deadline", "undo")
LIMIT_KEYS = ("each", "per_case", "per_day", "rate")
UNDO_KEYS = ("none",)

MOST_ATTEMPTS = 100
"""More attempts than this are a loop, not patience."""

_NO_LIMITS = Limits()


def read_action(name: str, place: Place, time_zone: str) -> ActionTerms:
    """Read one action's terms.

    Args:
        name: Its name in the file.
        place: Where it stands.
        time_zone: Where calendar limits begin and end their day; empty if the file names none.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, ACTION_KEYS)
    limits = Form("limits", lambda at: _limits(at, time_zone), _NO_LIMITS)
    undo, no_undo = section.may("undo", Form("undo", _undo, ("", "")), ("", ""))
    terms = ActionTerms(
        name=name,
        connector=section.need("connector", NAME, "name a connector of the settings"),
        domain=section.need("domain", DOMAIN, "say what it does, as in payments.reimburse"),
        limits=section.need("limits", limits, "limit it, as in {each: 5000 MYR, per_day: 50000 MYR, rate: 20/s}"),
        timeout=section.may("timeout", DURATION, TIMEOUT),
        attempts=section.may("attempts", COUNT, ATTEMPTS),
        deadline=section.may("deadline", DURATION, DEADLINE),
        undo=undo,
        no_undo=no_undo,
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


def _has_no_undo(place: Place) -> bool:
    return isinstance(place.node, Mapping) and place.node.get("undo") is None


def _undo(place: Place) -> tuple[str, str]:
    if not isinstance(place.node, Mapping):
        return place.take(NAME), ""
    return "", Section(place, UNDO_KEYS).need("none", TEXT, "write why it cannot be taken back")


def _limits(place: Place, time_zone: str) -> Limits:
    section = Section(place, LIMIT_KEYS)
    limits = Limits(
        each=section.may("each", MONEY, None),
        per_case=section.may("per_case", MONEY, None),
        per_day=section.may("per_day", MONEY, None),
        rate=section.may("rate", RATE, None),
        time_zone=time_zone or "UTC",
    )
    if not any(section.at(key) for key in LIMIT_KEYS):
        place.refuse("nothing is limited", "no-limit", "set at least one of each, per_case, per_day, rate")
    if limits.per_day and not time_zone:
        todo = "name the zone at the top of the file, as in time_zone: Asia/Kuala_Lumpur"
        place.refuse("per_day needs a time zone, for when a day begins", "time-zone", todo)
    _check_amounts(place, limits)
    return limits


def _check_amounts(place: Place, limits: Limits) -> None:
    for name, amount in limits.amounts.items():
        if amount.currency != limits.currency:
            what = f"{name} is in {amount.currency}, another limit in {limits.currency}"
            place.refuse(what, "limit-currency", "state all limits of an action in one currency")
            return
    for (narrow, less), (wide, more) in pairwise(limits.amounts.items()):
        if less > more:
            what = f"{narrow} ({less}) is above {wide} ({more}), so it never takes effect"
            place.refuse(what, "limit-order", f"lower {narrow} or raise {wide}")
