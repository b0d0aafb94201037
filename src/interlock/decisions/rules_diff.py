"""What another version of some rules would have decided: both run over recorded decisions, and what differs. Pure.

Both versions see what the recorded decision saw: its input with its features, its time and, as a policy, the answer
that it judged. The route that would follow is worked out from the point's file as it is now, with the findings that are
on record. Memory does not grow with the number of decisions.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from interlock.components.component import Answer, Kind, Question
from interlock.components.finding import Finding
from interlock.components.rules import Rules
from interlock.decisions.condition import Facts
from interlock.decisions.condition_program import ShapeOf, unknown_shape
from interlock.decisions.decision import Route, Verdict
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint, needed_confidence
from interlock.decisions.policy import CONFIDENCE, EXPOSURE, ROUTES, written_confidence
from interlock.decisions.policy import ROUTE as POLICY_ROUTE
from interlock.decisions.route import choose_route, exposure_value, judge
from interlock.decisions.shapes import shape_of
from interlock.errors import InterlockError, MoneyInvalid
from interlock.money import Money, exponent

ROUTE = "(route)"
"""The name under which a change of the route is counted, beside the output's fields."""
FAILS = "(fails)"
"""What stands for the value of every field where a version gives no answer."""
MOST_EXAMPLES = 5
_MOST_KINDS = 200
_OTHERS = "(others)"
_LONGEST_VALUE = 80


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of a recorded decision."""

    id: UUID
    input: bytes
    output: bytes | None
    component: str
    component_digest: bytes | None
    confidence: float | None
    attempts: bytes
    findings: bytes
    evidence: bytes
    exposure_minor: int | None
    currency: str | None
    route: Route
    decided_at: datetime


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one version says of one decision.

    Attributes:
        output: Its output; None if it gives none.
        fails: Why it gives none.
        route: The route that would follow.
        rows: The rows that fired, as ``table row 3``.
        exposure: The money at stake by it.
    """

    output: dict[str, Any] | None
    fails: str
    route: Route
    rows: tuple[str, ...]
    exposure: Money | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that would change.

    Attributes:
        decision: Its id.
        exposure: The money that was at stake.
        old: What the old version says.
        new: What the new version says.
    """

    decision: UUID
    exposure: Money | None
    old: Outcome
    new: Outcome


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many decisions change in one way, and the money in them.

    Attributes:
        field: The output's field, or ``(route)``.
        before: Its value by the old version.
        after: Its value by the new version.
        decisions: How many.
        money: The exact sum of what is at stake in them, by currency, as ``12.30 MYR``.
    """

    field: str
    before: str
    after: str
    decisions: int
    money: tuple[str, ...]


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What would change.

    Attributes:
        compared: How many recorded decisions both versions ran over.
        changed: How many would change, in their output or their route.
        money: The exact sum of what is at stake in these, by currency.
        money_compared: The same of all that were compared.
        without_amount: How many of the changed ones have no known amount.
        unlike_record: Of the decisions that the old version took itself, how many it decides otherwise now; they were
            taken on something that the record does not hold, such as another declaration.
        tallies: By field and values, the most money and the most decisions first.
        examples: Some that change, the newest first.
    """

    compared: int
    changed: int
    money: tuple[str, ...]
    money_compared: tuple[str, ...]
    without_amount: int
    unlike_record: int
    tallies: tuple[Tally, ...]
    examples: tuple[Difference, ...]


@dataclass(slots=True)
class _Sum:
    """Decisions, and exact money by currency in minor units."""

    decisions: int = 0
    minor: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, exposure: Money | None) -> None:
        self.decisions += 1
        if exposure is not None:
            self.minor[exposure.currency] = self.minor.get(exposure.currency, 0) + exposure.minor

    @property
    def money(self) -> tuple[str, ...]:
        """The sums, exact, as text: they may be larger than any single amount may."""
        return tuple(_in_words(self.minor[currency], currency) for currency in sorted(self.minor))


class Comparison:
    """Runs two versions over recorded decisions of one point, one by one.

    Args:
        point: The decision point, as its file declares it now.
        old: One version.
        new: The other.
        library: Where the point's contracts are; without it nothing is known of what two fields are.
    """

    def __init__(self, point: DecisionPoint, old: Rules, new: Rules, library: Library | None = None) -> None:
        self._point, self._old, self._new = point, old, new
        self._shape: ShapeOf = functools.partial(shape_of, library, point) if library else unknown_shape
        policy = point.policy
        self._is_policy = policy is not None and policy.kind is Kind.RULES and policy.name == new.ref.name
        # in the attempts, which are canonical JSON of ours, a component stands as "rules:NAME@VERSION"
        self._marks = {f'"{Kind.RULES}:{name}@'.encode() for name in (old.ref.name, new.ref.name)}
        self._all, self._changed = _Sum(), _Sum()
        self._unlike, self._without_amount = 0, 0
        self._kinds: dict[tuple[str, str, str], _Sum] = {}
        self._examples: list[Difference] = []

    def add(self, recorded: Recorded) -> None:
        """Run both versions over a decision; one in which no such rules were asked is passed over."""
        if not self._concerns(recorded):
            return
        question = self._question(recorded)
        exposure = Money.of_columns(recorded.exposure_minor, recorded.currency)
        old, new = (self._outcome(rules, question, recorded, exposure) for rules in (self._old, self._new))
        self._all.add(exposure)
        if recorded.component_digest == self._old.digest and recorded.output is not None:
            self._unlike += old.output != msgspec.json.decode(recorded.output)
        changes = dict(_changes(old, new))
        if not changes:
            return
        self._changed.add(exposure)
        self._without_amount += exposure is None
        for name, (before, after) in changes.items():
            kind = (name, before, after)
            if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
                kind = (name, _OTHERS, _OTHERS)
            self._kinds.setdefault(kind, _Sum()).add(exposure)
        if len(self._examples) < MOST_EXAMPLES:
            self._examples.append(Difference(decision=recorded.id, exposure=exposure, old=old, new=new))

    def result(self) -> Diff:
        """What would change, so far."""
        tallies = [
            Tally(field=name, before=before, after=after, decisions=one.decisions, money=one.money)
            for (name, before, after), one in self._kinds.items()
        ]
        weight = {kind: (max(one.minor.values(), default=0), one.decisions) for kind, one in self._kinds.items()}
        tallies.sort(key=lambda one: weight[one.field, one.before, one.after], reverse=True)
        return Diff(
            compared=self._all.decisions,
            changed=self._changed.decisions,
            money=self._changed.money,
            money_compared=self._all.money,
            without_amount=self._without_amount,
            unlike_record=self._unlike,
            tallies=tuple(tallies),
            examples=tuple(self._examples),
        )

    def _concerns(self, recorded: Recorded) -> bool:
        if self._is_policy:
            return recorded.output is not None and recorded.component != Kind.PERSON
        return any(mark in recorded.attempts for mark in self._marks)

    def _question(self, recorded: Recorded) -> Question:
        value: dict[str, Any] = msgspec.json.decode(recorded.input)
        evidence: dict[str, Any] = msgspec.json.decode(recorded.evidence)
        features: Mapping[str, Mapping[str, Any]] = evidence.get("features") or {}
        value |= {name: one["value"] for name, one in features.items() if one.get("value") is not None}
        if self._is_policy and recorded.output is not None:
            value |= msgspec.json.decode(recorded.output)
            value[CONFIDENCE] = written_confidence(recorded.confidence or 0.0)
            exposure = Money.of_columns(recorded.exposure_minor, recorded.currency)
            value |= {EXPOSURE: str(exposure.amount)} if exposure is not None else {}
        return Question(input=value, now=recorded.decided_at)

    def _outcome(self, rules: Rules, question: Question, recorded: Recorded, exposure: Money | None) -> Outcome:
        try:
            answer = rules.answer(question)
            at_stake = self._exposure(answer, exposure)
        except (InterlockError, UnicodeEncodeError) as cause:
            said = cause.what if isinstance(cause, InterlockError) else "its input holds what is no text"
            route = Route.REVIEW if self._point.ends_in_person else Route.REJECT
            return Outcome(output=None, fails=said, route=route, rows=(), exposure=exposure)
        rows = tuple(f"{fired.table} row {fired.row}" for fired in answer.fired)
        route = self._route(answer, question, recorded, at_stake)
        return Outcome(output=answer.output, fails="", route=route, rows=rows, exposure=at_stake)

    def _exposure(self, answer: Answer, exposure: Money | None) -> Money | None:
        source = self._point.exposure
        if self._is_policy or source is None or source.root != "output":
            return exposure
        amount = exposure_value(source.path, answer.output)
        if amount is None:
            raise MoneyInvalid("its output says no amount where the point looks for what is at stake")
        return Money(amount, source.currency)

    def _route(self, answer: Answer, question: Question, recorded: Recorded, exposure: Money | None) -> Route:
        """The route by the point's file. Of a policy, both versions judge the recorded answer.

        The recorded route is no floor of theirs: what the policy of then demanded stands in it.
        """
        point = self._point
        output, confidence = answer.output, answer.confidence
        demanded: tuple[Verdict, ...] = ()
        if self._is_policy:
            demanded = _demanded(str(output.get(POLICY_ROUTE)))
            output = msgspec.json.decode(recorded.output or b"{}")
            confidence = recorded.confidence or 0.0
        findings = tuple(msgspec.json.decode(recorded.findings, type=list[Finding]))
        needed = needed_confidence(point, exposure)
        facts = Facts(
            input=question.input,
            output=output,
            confidence=confidence,
            exposure=exposure,
            findings=tuple(one.code for one in findings),
            shape=self._shape,
        )
        verdicts = judge(review=point.review, reject=point.reject, facts=facts, findings=findings)
        return choose_route(
            answered=True,
            sure=needed is not None and confidence >= needed,
            verdicts=(*verdicts, *demanded),
            shortfall=(),
            person=point.ends_in_person,
            stopped="",
        ).route


def _demanded(said: str) -> tuple[Verdict, ...]:
    """What a policy demands that says this route; one that says none there is demands a person."""
    if said == Route.AUTOMATIC:
        return ()
    return (Verdict(route=Route(said) if said in ROUTES else Route.REVIEW, by="rules:policy", what=said),)


def _changes(old: Outcome, new: Outcome) -> Iterable[tuple[str, tuple[str, str]]]:
    """The fields that differ, each with both values as short text; the route among them."""
    names: set[str] = {*(old.output or {}), *(new.output or {})}
    for name in sorted(names):
        before, after = _said(old, name), _said(new, name)
        if before != after:
            yield name, (before[:_LONGEST_VALUE], after[:_LONGEST_VALUE])
    if old.route is not new.route:
        yield ROUTE, (str(old.route), str(new.route))


def _said(outcome: Outcome, name: str) -> str:
    if outcome.output is None:
        return FAILS
    if name not in outcome.output:
        return "(none)"
    value = outcome.output[name]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _in_words(minor: int, currency: str) -> str:
    """An exact sum, however large."""
    return f"{Decimal(minor).scaleb(-exponent(currency)):f} {currency}"
