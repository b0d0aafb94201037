"""The route of a decision: automatic, a person, or no. Pure, and total: every combination has a route."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from interlock.components.finding import Finding, Severity
from interlock.decisions.condition import Condition, Facts
from interlock.decisions.decision import Reason, Route, Verdict
from interlock.errors import InterlockError


class Routed(msgspec.Struct, frozen=True):
    """A route, and every reason for it.

    Attributes:
        route: The route.
        reasons: Why; never empty.
    """

    route: Route
    reasons: tuple[Reason, ...]


STOPPED = "stopped"
_SURE = "sure_enough"
_HOLDS = "every condition for going by itself holds"
_BY_ITSELF = Routed(Route.AUTOMATIC, (Reason(code=_SURE, what=_HOLDS),))


def judge(
    *, review: Sequence[Condition], reject: Sequence[Condition], facts: Facts, findings: Iterable[Finding]
) -> tuple[Verdict, ...]:
    """What the conditions of the workflow's file and the findings of the checks demand.

    INVARIANT: a condition that cannot be evaluated demands a review; it is never skipped.
    """
    verdicts: list[Verdict] = []
    for route, conditions in ((Route.REJECT, reject), (Route.REVIEW, review)):
        for condition in conditions:
            try:
                if condition.holds(facts):
                    verdicts.append(Verdict(route=route, by=condition.text, what=f"{condition.text} holds"))
            except InterlockError as cause:
                what = f"{condition.text} cannot be evaluated: {cause.what}"
                verdicts.append(Verdict(route=Route.REVIEW, by=condition.text, what=what))
    demands = {Severity.REVIEW: Route.REVIEW, Severity.REJECT: Route.REJECT}
    verdicts.extend(
        Verdict(route=demands[finding.severity], by=finding.code, what=finding.what)
        for finding in findings
        if finding.severity in demands
    )
    return tuple(verdicts)


def choose_route(
    *,
    answered: bool,
    sure: bool,
    verdicts: Sequence[Verdict],
    shortfall: Sequence[Reason],
    person: bool,
    stopped: str,
    code: str = STOPPED,
    certified: str = "",
) -> Routed:
    """The route.

    INVARIANT: more verdicts, less confidence or a stop never turn a review or a rejection into an automatic one.

    Args:
        answered: Whether a component gave a usable output.
        sure: Whether that output is sure enough for what is at stake.
        verdicts: What conditions and findings demand.
        shortfall: Why no component was sure enough, if none was.
        person: Whether the point declares a person at its end.
        stopped: Who stopped the point and why, or why what would have gone by itself does not; empty if neither.
        code: What of that it is, for counting.
        certified: What its certificate says of the answer; empty: none is asked for.
    """
    demanded = [Reason(code=_code_of(verdict), what=verdict.what) for verdict in verdicts]
    rejected = any(verdict.route is Route.REJECT for verdict in verdicts)
    if answered and sure and rejected and not stopped:
        return Routed(Route.REJECT, tuple(demanded))
    if answered and sure and not verdicts and not stopped:
        return (
            Routed(Route.AUTOMATIC, (Reason(code=_SURE, what=f"{_HOLDS}: {certified}"),)) if certified else _BY_ITSELF
        )
    reasons = [*shortfall, *demanded]
    if stopped:
        reasons.insert(0, Reason(code=code, what=stopped))
    if person:
        return Routed(Route.REVIEW, tuple(reasons) or (Reason(code="no_answer", what="no component answered"),))
    reasons.append(Reason(code="nobody_left", what="the point declares no person who could decide"))
    return Routed(Route.REJECT, tuple(reasons))


def _code_of(verdict: Verdict) -> str:
    if verdict.by.startswith("rules:"):
        return "rule"
    return "condition" if verdict.what.startswith(verdict.by) else "finding"


def exposure_value(path: Sequence[str], root: Any) -> str | None:
    """The amount at a path, as it stands there; None if there is none."""
    value = root
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]  # pyright: ignore[reportUnknownVariableType] - JSON that a contract has checked
    return value if isinstance(value, str) else None
