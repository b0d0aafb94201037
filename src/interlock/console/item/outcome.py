"""What each choice does: which answer holds, what is at stake, which action may follow, and when it goes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from interlock.actions.terms import ActionTerms
from interlock.cases.declaration import Declaration
from interlock.console.item.evidence import shown_value
from interlock.console.item.form import label_of
from interlock.console.render import lasting
from interlock.decisions.condition import Condition, Facts
from interlock.decisions.point import DecisionPoint
from interlock.errors import ComponentFailed
from interlock.guards.scope import EVERYTHING, holds
from interlock.money import Money
from interlock.oversight.review import Resolution

_TITLES = {Resolution.APPROVE: "Approve", Resolution.CHANGE: "Change", Resolution.REJECT: "Reject"}
_NONE = "Nothing is at stake, as far as is known"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One choice.

    Attributes:
        resolution: Which.
        title: Its name.
        what: What becomes of the case, in a sentence.
        amount: What is then at stake; None: nothing, or it is not known.
        then: What happens next, a sentence each.
        reasons: The codes that may be given.
        refused: Why it cannot be chosen; empty: it can.
        effect: What follows of it, beside its name; empty: that is not declared.
        unpaid: What stands for an amount where there is none.
    """

    resolution: Resolution
    title: str
    what: str
    amount: Money | None
    then: tuple[str, ...]
    reasons: tuple[str, ...]
    refused: str = ""
    effect: str = ""
    unpaid: str = "no amount"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What of a review decides what a choice does.

    Attributes:
        choices: What becomes of the case, by choice, as the question says.
        has_proposal: Whether there is anything to approve.
        exposure: The money at stake.
        point: The decision point.
        hold: How long a decision can be undone.
        seats_left: How many people must still agree, this one included.
        reasons: The codes that may be given, by choice.
        stops: The scopes that are stopped now.
        proposal: What is proposed; None: nothing is.
        input: What it was decided on.
        bears: By which other scopes than its own a stop holds what rests on the decision: its point, its component, who
            handed it in.
    """

    choices: Mapping[str, str]
    has_proposal: bool
    exposure: Money | None
    point: str
    hold: timedelta
    seats_left: int
    reasons: Mapping[str, Sequence[str]]
    stops: Sequence[str] = ()
    bears: Sequence[str] = ()
    proposal: Mapping[str, Any] | None = None
    input: Mapping[str, Any] = MappingProxyType({})


def choices_of(standing: Standing, declaration: Declaration | None) -> tuple[Choice, ...]:
    """The choices, in the order of their keys."""
    return tuple(_choice(one, standing, declaration) for one in Resolution if one.value in standing.choices)


def _choice(resolution: Resolution, standing: Standing, declaration: Declaration | None) -> Choice:
    refused = ""
    if resolution is Resolution.APPROVE and not standing.has_proposal:
        refused = "There is no proposal to approve: give an output, or reject."
    no = resolution is Resolution.REJECT
    what = standing.choices[resolution.value]
    known = None if declaration is None else effects(declaration, standing, standing.proposal)
    nothing = no or (known is not None and not any(known.values()) and resolution is Resolution.APPROVE)
    return Choice(
        resolution=resolution,
        title=_TITLES[resolution],
        what=what[:1].upper() + what[1:] + ("" if what.endswith(".") else "."),
        amount=None if nothing else standing.exposure,
        then=(*_second(standing), *_held(standing), *(() if no else _then(resolution, standing, declaration, known))),
        reasons=tuple(standing.reasons.get(resolution.value, ())),
        refused=refused,
        effect=_effect(standing, known) if resolution is Resolution.APPROVE and not refused else "",
        unpaid="nothing is paid" if no else "nothing follows" if nothing else "no amount",
    )


def words_of(output: Mapping[str, Any], most: int = 80) -> str:
    """An output in one line, as pages name its fields."""
    return ", ".join(f"{label_of(name)}: {shown_value(value, most)}" for name, value in output.items())


def effects(declaration: Declaration, standing: Standing, output: Mapping[str, Any] | None) -> dict[str, bool] | None:
    """Which actions follow an output and which do not, as the workflow's file declares; None: that cannot be said."""
    point = declaration.decisions.get(standing.point)
    if point is None or not point.follows or output is None:
        return None
    facts = Facts(
        input=dict(standing.input), output=dict(output), confidence=1.0, exposure=standing.exposure, findings=()
    )
    try:
        return {action: when.holds(facts) for action, when in point.follows}
    except ComponentFailed:  # a field is missing: then nothing is promised
        return None


def together(point: DecisionPoint | None, lot: Sequence[tuple[Mapping[str, Any] | None, Money | None]]) -> str:
    """What follows of approving many: how many lead to which action, and how much, as far as the file declares it.

    Args:
        point: Their decision point.
        lot: The proposal of each, and what is at stake in it.
    """
    if point is None or not point.follows:
        return "What follows is not declared: the workflow may then act on each."
    told: list[str] = []
    for action, when in point.follows:
        found = [amount for output, amount in lot if output is not None and _holds(when, output, amount) is not False]
        total = sum_of(found)
        told.append(f"{action} follows of {len(found)} of {len(lot)}{f': {total}' if total and found else ''}.")
    return " ".join(told)


def sum_of(amounts: Sequence[Money | None]) -> str:
    """Amounts together; empty where one is unknown or they are of many currencies."""
    known = [one for one in amounts if one is not None]
    if len(known) < len(amounts) or len({one.currency for one in known}) != 1:
        return ""
    return f"{sum(one.amount for one in known):,} {known[0].currency}"


def _holds(when: Condition, output: Mapping[str, Any], exposure: Money | None) -> bool | None:
    try:
        return when.holds(Facts(input={}, output=dict(output), confidence=1.0, exposure=exposure, findings=()))
    except ComponentFailed:
        return None


def _effect(standing: Standing, known: Mapping[str, bool] | None) -> str:
    says = f" (the proposal says: {words_of(standing.proposal)})" if standing.proposal else ""
    if known is None:
        return says
    done = [name for name, follows in known.items() if follows]
    if not done:
        return f": no {' and no '.join(known)}{says}"
    amount = f" {standing.exposure.amount:,} {standing.exposure.currency}" if standing.exposure else ""
    return f": {' and '.join(done)}{amount} follows{says}"


def _then(
    resolution: Resolution, standing: Standing, declaration: Declaration | None, known: Mapping[str, bool] | None
) -> tuple[str, ...]:
    """What follows, as declared of the proposal; of a change, on what that depends."""
    point = declaration.decisions.get(standing.point) if declaration else None
    if declaration is None or point is None or not point.follows:
        return _actions(standing, declaration)
    if resolution is Resolution.CHANGE:
        return tuple(f"{name} follows if, as you change it, {when.text}." for name, when in point.follows)
    if known is None:
        return _actions(standing, declaration)
    terms = {name: declaration.actions[name] for name in known}
    return tuple(
        _action(terms[name], standing, declaration.workflow, "Then the workflow is to") if follows
        else f"By the workflow's file {name} does not follow of this."
        for name, follows in known.items()
    )  # fmt: skip


def _second(standing: Standing) -> tuple[str, ...]:
    if standing.seats_left > 1:
        return ("A second person must say the same, without seeing what you said, before anything happens.",)
    return ()


def _held(standing: Standing) -> tuple[str, ...]:
    if standing.hold <= timedelta(0):
        return ("It counts at once and cannot be undone.",)
    return (f"It is held for {lasting(standing.hold)}: you can undo it until then, and nothing goes out.",)


def _actions(standing: Standing, declaration: Declaration | None) -> tuple[str, ...]:
    if declaration is None:
        return ("Which action follows is not known here: this process does not carry the workflow.",)
    point = declaration.decisions.get(standing.point)
    if point is not None and point.then is not None:
        terms = declaration.actions.get(point.then.action)
        return (_action(terms, standing, declaration.workflow, "Then"),) if terms else ()
    elsewhere = {name: one.name for one in declaration.decisions.values() for name, _ in one.follows}
    if elsewhere and point is not None:
        return tuple(f"{name} follows what is decided at {at}, not this." for name, at in elsewhere.items())
    resting = [one for one in declaration.actions.values() if one.rests_on == standing.point]
    undoing = {one.undo for one in declaration.actions.values()}
    free = [one for one in declaration.actions.values() if not one.rests_on and one.name not in undoing]
    return tuple(_action(one, standing, declaration.workflow, "The workflow may then") for one in (resting or free))


def _action(terms: ActionTerms, standing: Standing, workflow: str, begins: str) -> str:
    exposure = standing.exposure
    amount = f" {exposure.amount:,} {exposure.currency}" if exposure is not None else ""
    back = f"it can be taken back by {terms.undo}" if terms.undo else f"it is not taken back: {terms.no_undo}"
    back = back if terms.undo or terms.no_undo else "nothing takes it back"
    each = terms.limits.each
    over = exposure is not None and each is not None and each.currency == exposure.currency and exposure > each
    limit = f", above its limit of {each.amount:,} {each.currency}: it will be refused" if over and each else ""
    told = f"{begins} {terms.name}{amount} through {terms.connector} ({terms.domain}){limit}; {back}."
    own = (f"workflow:{workflow}", f"action:{workflow}.{terms.name}", f"connector:{terms.connector}")
    scopes = (EVERYTHING, *own, f"domain:{terms.domain}", *standing.bears)
    held = next((stop for stop in standing.stops if holds(stop, scopes)), None)
    return f"{told} It is stopped now ({held}): it does not go out before somebody lifts the stop." if held else told
