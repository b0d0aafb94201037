"""Values, changes and outcomes in words, for people who know the system and for those who do not. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import msgspec

from interlock.cases.explanation.public import Fields, may_tell
from interlock.decisions.counterfactual.change import Change, Part
from interlock.decisions.counterfactual.search import Counterfactual
from interlock.decisions.decision import Route
from interlock.money import Money
from interlock.privacy.token import HIDDEN, TOKEN

LONGEST_VALUE = 200
Labels = Mapping[tuple[Part, str], str]
"""What fields are called for people, by part and name."""
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+\Z")
ROUTES: Mapping[Route, str] = {
    Route.AUTOMATIC: "it would have gone by itself",
    Route.REVIEW: "a person would have been asked",
    Route.REJECT: "it would have been refused",
}


def shown(value: Any) -> str:
    """A JSON value in a line; personal values that stand there as tokens are named as such."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = TOKEN.sub(HIDDEN, text)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"


def hidden(text: str) -> str:
    """A text in which each token of a personal value is named as such."""
    return TOKEN.sub(HIDDEN, text)


def human(name: str) -> str:
    """A field's name as people write: ``days_since_purchase`` is ``days since purchase``."""
    return name.replace("_", " ").replace(".", ", ").replace("-", " ").strip()


def counterfactual_line(found: Counterfactual, output: Mapping[str, Any] | None, route: Route) -> str:
    """One change, or several together, and what they would have led to, for whoever knows the system.

    Args:
        found: What was found.
        output: The recorded answer.
        route: The recorded route.
    """
    conditions = " and ".join(_condition(change) for change in found.changes)
    assumed = f" (as long as {' and '.join(found.assumes)})" if found.assumes else ""
    return f"{conditions[0].upper()}{conditions[1:]}, {_outcome(found, output, route)}{assumed}."


def _condition(change: Change) -> str:
    bound = f"; the bound is {change.bound}" if change.bound and change.bound != str(change.instead) else ""
    match change.part:
        case Part.CONFIDENCE:
            return f"with a confidence of {change.instead} instead of {change.was}{bound and f' ({bound[2:]})'}"
        case Part.EXPOSURE:
            told = f"with {change.instead} at stake instead of {change.was or 'an unknown amount'}"
            return f"{told}{_aside(_by_how_much(change), bound)}"
        case Part.INPUT | Part.OUTPUT:
            was = shown(change.was) if change.was is not None else "none"
            told = f"with {change.part}.{change.name} {shown(change.instead)} instead of {was}"
            return f"{told}{_aside(_by_how_much(change), bound)}"
        case Part.FINDING:
            return f"without the finding {change.name}"
        case Part.STOP:
            return "without the stop"


def _aside(difference: str, bound: str) -> str:
    inner = f"{difference}{bound}".removeprefix("; ")
    return f" ({inner})" if inner else ""


def _by_how_much(change: Change) -> str:
    """``30.01 less``: exact; empty where it is no matter of more or less."""
    was, instead = _number(change.was), _number(change.instead)
    if was is None or instead is None:
        return ""
    difference = instead - was
    unit = f" {Money.parse(change.instead).currency}" if change.part is Part.EXPOSURE else ""
    return f"{abs(difference):f}{unit} {'more' if difference > 0 else 'less'}"


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = value.partition(" ")[0] if isinstance(value, str) else repr(value)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _outcome(found: Counterfactual, output: Mapping[str, Any] | None, route: Route) -> str:
    changed = changed_fields(found.output, output)
    answer = f"the answer would have been {changed}" if changed else ""
    rows = f" by {', '.join(found.rows)}" if changed and found.rows else ""
    if found.route is route:
        return f"{answer}{rows}"
    told = ROUTES[found.route]
    return f"{told}, and {answer}{rows}" if answer else told


def changed_fields(new: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> str:
    """The fields of an answer that differ from another one, with their values; ``none`` for no answer at all."""
    if new is None:
        return "none" if old is not None else ""
    return ", ".join(f"{name} {shown(value)}" for name, value in new.items() if old is None or old.get(name) != value)


def plain_line(
    found: Counterfactual, labels: Labels, fields: Fields, output: Mapping[str, Any] | None, route: Route
) -> str:
    """The same for the person concerned: no bound of a model, no name of a component, no internal code.

    Args:
        found: What was found.
        labels: What fields are called, by part and name.
        fields: What contracts say of fields; of a hypothetical answer only what they let be told is.
        output: The recorded answer.
        route: The recorded route.
    """
    conditions = " and if ".join(_plain_condition(change, labels) for change in found.changes)
    changed = ", ".join(
        f"“{labels.get((Part.OUTPUT, name)) or human(name)}” {plain_value(value)}"
        for name, value in (found.output or {}).items()
        if (output or {}).get(name) != value
        if may_tell(value, fields.get((Part.OUTPUT, name)))
    )
    if found.route is route and not changed:
        return f"If {conditions}, the system's answer would have been another one."
    if found.route is route:
        return f"If {conditions}, the system's answer would have been another one: {changed}."
    told = _PLAIN_ROUTES[found.route]
    told = f"{told}, and {changed}" if changed else told
    return f"If {conditions}, {told}."


_PLAIN_ROUTES: Mapping[Route, str] = {
    Route.AUTOMATIC: "it would have been decided automatically, without a person",
    Route.REVIEW: "a person would have looked at it",
    Route.REJECT: "it would have been refused",
}


def _plain_condition(change: Change, labels: Labels) -> str:
    label = labels.get((change.part, change.name)) or human(change.name)
    match change.part:
        case Part.CONFIDENCE:
            surer = (_number(change.instead) or 0) > (_number(change.was) or 0)
            return f"the system had been {'more' if surer else 'less'} certain of its reading"
        case Part.EXPOSURE:
            was = f" instead of {change.was}" if change.was else ""
            return f"the amount had been {change.instead}{was}"
        case Part.INPUT | Part.OUTPUT:
            was = f" instead of {plain_value(change.was)}" if change.was is not None else ""
            return f"“{label}” had been {plain_value(change.instead)}{was}"
        case Part.FINDING:
            return f"the check “{human(change.name)}” had not noted anything"
        case Part.STOP:
            return "automatic decisions had not been paused at that time"


def plain_value(value: Any) -> str:
    """A value for people: yes and no, codes such as ``too_late`` as words, and other texts as they are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "not given"
    if isinstance(value, list):
        return shown(", ".join(map(plain_value, cast("list[Any]", value)))) or "none"
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value)
        return shown("; ".join(f"{human(name)} {plain_value(one)}" for name, one in inner.items())) or "none"
    return human(value) if isinstance(value, str) and _CODE.match(value) else shown(value)
