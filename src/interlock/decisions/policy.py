"""A decision table as a point's policy: it sees the input, the answer and what is at stake, and says the route. Pure.

INVARIANT: a policy only ever makes a route stricter; one that cannot be run demands a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

import msgspec

from interlock.components.component import ComponentRef, FiredRule, Question
from interlock.components.rules import Rules
from interlock.decisions.ask import Proposal
from interlock.decisions.decision import Route, Verdict
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import ComponentFailed, InterlockError, Refused

ROUTE = "route"
REASON = "reason"
CONFIDENCE = "confidence"
EXPOSURE = "exposure"
_NINE_DECIMALS = Decimal("0.000000001")
_LONGEST_PLAIN = len("0.123456789")
ROUTES = frozenset(str(route) for route in Route)


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy said, as it is recorded.

    Attributes:
        rules: The table, with its exact version.
        digest: SHA-256 of its file, in hex.
        route: The route that it demands.
        reason: The code that it gives for it.
        fired: The rows that fired.
        verdicts: What it demands; none for ``automatic``.
    """

    rules: str
    digest: str
    route: Route
    reason: str = ""
    fired: tuple[FiredRule, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def rule(library: Library, reference: ComponentRef, value: Mapping[str, Any], best: Proposal, now: datetime) -> Ruling:
    """Run the policy on an answer.

    Args:
        library: Where the table is.
        reference: Which table.
        value: The input.
        best: The answer, with its confidence and what is at stake.
        now: The time of the decision.
    """
    digest, name = "", str(reference)
    try:
        component = library.component(reference)
        digest, name = component.digest.hex(), str(component.ref)
        facts = {**value, **best.answer.output, CONFIDENCE: written_confidence(best.answer.confidence)}
        if best.exposure is not None:
            if best.exposure.amount < 0:  # it would stay below every bound of the table
                raise ComponentFailed(f"the exposure {best.exposure} is below zero")
            facts[EXPOSURE] = str(best.exposure.amount)
        answer = component.answer(Question(input=facts, now=now))
        said = str(answer.output.get(ROUTE))
        if said not in ROUTES:
            raise ComponentFailed(f"it says the route {said[:60]!r}, which there is not")
    except InterlockError as cause:
        verdict = Verdict(route=Route.REVIEW, by=name, what=f"{name} cannot be run: {cause.what}")
        return Ruling(rules=name, digest=digest, route=Route.REVIEW, reason="failed", verdicts=(verdict,))
    route, reason = Route(said), str(answer.output.get(REASON, ""))
    verdicts = (
        () if route is Route.AUTOMATIC else (Verdict(route=route, by=name, what=_told(name, reason, answer.fired)),)
    )
    return Ruling(rules=name, digest=digest, route=route, reason=reason, fired=answer.fired, verdicts=verdicts)


def written_confidence(confidence: float) -> str:
    """A confidence as a table reads it: plain digits, cut off after nine decimals.

    INVARIANT: it is never rounded up; a table must not see a component surer than it is.
    """
    text = repr(float(confidence))  # numpy's own floats write their type around it
    if len(text) <= _LONGEST_PLAIN and "e" not in text:
        return text
    return format(Decimal(text).quantize(_NINE_DECIMALS, ROUND_DOWN), "f")


def _told(name: str, reason: str, fired: Sequence[FiredRule]) -> str:
    rows = ", ".join(f"{one.table} row {one.row}{f' ({one.note})' if one.note else ''}" for one in fired)
    return f"{name} demands it{f': {reason}' if reason else ''}, by {rows}"


def check_policy(library: Library, point: DecisionPoint) -> None:
    """See that the table that a point names as its policy can be one.

    Raises:
        Refused: it cannot; says why.
        NotFound: there is none.
    """
    if point.policy is None:
        return
    rules = library.component(point.policy)
    if not isinstance(rules, Rules):
        raise Refused(f"{point.policy} is no decision table")
    output = _fields(library, point.output)
    # without a contract of its own, the input is what an earlier decision put out: its names are not known here
    given = _fields(library, point.input) if point.input else frozenset(rules.header.inputs)
    given |= {feature.field for feature in point.features}
    why = _unfit(rules, given | output, given & output if point.input else frozenset())
    if why:
        raise Refused(f"{point.policy} cannot be the policy of {point.name}: {why}")


def _fields(library: Library, reference: str) -> frozenset[str]:
    return frozenset(field.name for field in library.contract(reference).record.fields)


def _unfit(rules: Rules, known: frozenset[str], ambiguous: frozenset[str]) -> str:
    header = rules.header
    route = header.outputs.get(ROUTE)
    if route is None or not route.values or not set(route.values) <= ROUTES:
        return f"its output {ROUTE!r} must be a string with values among {', '.join(sorted(ROUTES))}"
    twice = sorted(header.inputs.keys() & ambiguous)
    if twice:
        return f"{twice[0]!r} stands in the point's input and in its output: rename one of them"
    lacking = sorted(
        name for name, one in header.inputs.items() if not one.days_since and name not in known | {CONFIDENCE, EXPOSURE}
    )
    return f"{lacking[0]!r} stands neither in the point's input nor in its output" if lacking else ""
