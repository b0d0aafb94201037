"""What a workflow's file says, in words that its owner reads. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from interlock.actions.terms import ActionTerms
from interlock.autonomy.words import terms_lines
from interlock.cases.declaration import Declaration
from interlock.decisions.point import Band, ComponentChoice, DecisionPoint
from interlock.durations import format_duration
from interlock.guards.limits import Limits


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one point or action.

    Attributes:
        kind: decision or action.
        name: Its name.
        lines: What of it, and in words, in order.
    """

    kind: str
    name: str
    lines: tuple[tuple[str, str], ...]


def in_words(declaration: Declaration) -> tuple[Said, ...]:
    """The decisions and then the actions of a file, in its order."""
    points = (
        Said(kind="decision", name=name, lines=tuple(_point(point))) for name, point in declaration.decisions.items()
    )
    actions = (
        Said(kind="action", name=name, lines=tuple(_action(terms))) for name, terms in declaration.actions.items()
    )
    return (*points, *actions)


def _point(point: DecisionPoint) -> Iterator[tuple[str, str]]:
    yield "asks", ", then ".join(map(_step, point.steps))
    if point.no_person:
        yield "no person", point.no_person
    yield from _alone(point)
    if point.input:
        yield "input", point.input
    yield "answer", point.output
    for feature in point.features:
        yield "feature", str(feature.field)
    if point.exposure:
        yield "at stake", f"{point.exposure.root}.{'.'.join(point.exposure.path)} in {point.exposure.currency}"
    for condition in point.review:
        yield "a person decides if", condition.text
    for condition in point.reject:
        yield "no, if", condition.text
    if point.policy:
        yield "policy", str(point.policy)
    for check in point.checks:
        yield "check", check
    queue = point.queue
    yield "queue", f"{queue.name}: room for {queue.capacity:,}, due within {format_duration(queue.due)}"
    yield "holds for", format_duration(point.valid_for)
    if point.then:
        yield "then", f"the action {point.then.action}"


def _alone(point: DecisionPoint) -> Iterator[tuple[str, str]]:
    if point.autonomy is None:
        yield "answers alone", _sure(point)
        return
    yield from terms_lines(point.autonomy)
    if point.says_sure:
        yield "and only", _sure(point)


def _step(step: ComponentChoice) -> str:
    if len(step.shares) == 1:
        return str(step.shares[0].component)
    return " or ".join(f"{one.component} ({one.share} of the keys)" for one in step.shares)


def _sure(point: DecisionPoint) -> str:
    if not point.bands:
        return f"when sure to {point.sure_from:g}"
    told = [_band(band) for band in point.bands]
    return f"{'; '.join(told)}; from {point.bands[-1].below} on a person decides"


def _band(band: Band) -> str:
    return f"below {band.below} when sure to {band.confidence:g}"


def _action(terms: ActionTerms) -> Iterator[tuple[str, str]]:
    yield "does", f"{terms.domain}, through the connector {terms.connector}"
    yield "limits", "; ".join(_limits(terms.limits)) or "none"
    yield "over a limit", str(terms.over_limit)
    yield "attempts", f"{terms.attempts}, each within {format_duration(terms.timeout)}"
    yield "begins within", format_duration(terms.deadline)
    if terms.rests_on:
        yield "rests on", f"a decision at {terms.rests_on}"
    yield "taking back", f"by the action {terms.undo}" if terms.undo else terms.no_undo or "it takes another one back"


def _limits(limits: Limits) -> Iterator[str]:
    for name, text in (
        ("each", limits.each), ("a case", limits.per_case), ("a caller and day", limits.per_caller),
        ("an hour", limits.per_hour), ("a day", limits.per_day), ("a month", limits.per_month),
    ):  # fmt: skip
        if text is not None:
            yield f"{text.amount:,} {text.currency} {name}"
    for window in limits.windows:
        yield f"{window.most.amount:,} {window.most.currency} in {format_duration(window.span)}"
    if limits.rate:
        yield f"{limits.rate.count} per {format_duration(limits.rate.per)}"
