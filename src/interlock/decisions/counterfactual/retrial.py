"""A recorded decision judged again, as it is on record or with changes. Pure.

The path is that of ``decide``: the answer, what is at stake, how sure it must be, conditions, findings, policy, route.
No model is asked: its answer is the recorded one. A table that answered is run again where the input changes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import msgspec

from interlock.autonomy.segment import segment_of
from interlock.autonomy.standing import CERTIFICATE_GONE
from interlock.components.component import Answer, ComponentRef, Kind, Question
from interlock.components.finding import Finding
from interlock.components.taken import take_answer
from interlock.contracts import check
from interlock.decisions.ask import Proposal
from interlock.decisions.condition import Facts
from interlock.decisions.counterfactual.change import Change, Part, at_path, with_value
from interlock.decisions.counterfactual.kept import Kept, KeptLibrary, KeptTable, is_version_of
from interlock.decisions.decision import Became, ComponentAsked, Decision, Route
from interlock.decisions.features.read import recorded_features, recorded_input
from interlock.decisions.point import ComponentChoice, DecisionPoint, needed_confidence
from interlock.decisions.policy import rule
from interlock.decisions.route import STOPPED, choose_route, judge
from interlock.decisions.shapes import shape_of
from interlock.errors import InterlockError
from interlock.money import Money


class Unknowable(Exception):
    """What would have come of a change cannot be said; ``what`` says why."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Facing:
    """What a decision is judged on.

    Attributes:
        value: The input with its features.
        output: The answer; None: there is none.
        confidence: How sure it is.
        exposure: The money at stake.
        findings: What the checks found.
        stopped: Who stopped it; empty: nobody.
        rows: The rows that answered.
    """

    value: dict[str, Any]
    output: dict[str, Any] | None
    confidence: float
    exposure: Money | None
    findings: tuple[Finding, ...]
    stopped: str
    rows: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of it.

    Attributes:
        route: The route.
        output: The answer; None: there is none.
        rows: The rows that answered, as ``table row 3``; empty where no table did.
    """

    route: Route
    output: dict[str, Any] | None
    rows: tuple[str, ...] = ()

    def differs(self, other: Outcome) -> bool:
        """Whether another route is taken, or another row answers otherwise."""
        return self.route is not other.route or (self.rows != other.rows and self.output != other.output)


class Retrial:
    """Judges one recorded decision again.

    Args:
        decision: The decision.
        point: Its point's terms.
        kept: What judged it.
    """

    def __init__(self, decision: Decision, point: DecisionPoint, kept: Kept) -> None:
        self.decision, self.point, self.kept = decision, point, kept
        self.library = KeptLibrary(kept)
        self._now = decision.asked_at or decision.decided_at
        no_part = (Became.ASKED, Became.COMPARED)
        self.asked = [one for one in decision.asked if one.became not in no_part]
        self.table = self._answering()
        self.features = frozenset(recorded_features(decision))
        self.facing = Facing(
            value=recorded_input(decision),
            output=decision.answer,
            confidence=decision.confidence or 0.0,
            exposure=decision.exposure,
            findings=tuple(msgspec.json.decode(decision.findings, type=list[Finding])),
            stopped=next((reason.what for reason in decision.why if reason.code in (STOPPED, CERTIFICATE_GONE)), ""),
        )
        self.sourced = self._is_sourced()
        self._step = self._find_step()
        self._dear = any(reason.code == "over_budget" for reason in decision.why)

    def outcome(self, changes: Iterable[Change] = ()) -> Outcome:
        """What comes of the decision with some changes.

        Raises:
            Unknowable: that cannot be said, or such an input would not be let in.
        """
        changed = tuple(changes)
        self._check_changes(changed)
        facing = functools.reduce(self._changed, changed, self.facing)
        if any(one.part is Part.INPUT for one in changed):
            self._check_contract(self.decision.input_contract, self._own(facing.value))
        if self.table is not None:
            facing = self._answered_again(self.table, facing)
        elif facing.output is not None and any(one.part is Part.OUTPUT for one in changed):
            self._check_contract(self.decision.output_contract, facing.output)
        if self.sourced:
            facing = replace(facing, exposure=self._sourced_exposure(facing))
        return self._routed(facing)

    def _check_changes(self, changes: tuple[Change, ...]) -> None:
        parts = {one.part for one in changes}
        if self.by_rules and parts & {Part.OUTPUT, Part.CONFIDENCE}:
            raise Unknowable("a table's answer changes only with its input")
        if self.table is None and Part.INPUT in parts:
            raise Unknowable("what another input would have been answered with is not known without asking")
        if self.facing.output is None and parts & {Part.OUTPUT, Part.CONFIDENCE}:
            raise Unknowable("there is no answer that could have been otherwise")

    def _changed(self, facing: Facing, change: Change) -> Facing:
        try:
            match change.part:
                case Part.CONFIDENCE:
                    return replace(facing, confidence=float(change.instead))
                case Part.EXPOSURE:
                    return replace(facing, exposure=Money.parse(change.instead))
                case Part.INPUT:
                    return replace(facing, value=with_value(facing.value, change.path, change.instead))
                case Part.OUTPUT:
                    return replace(facing, output=with_value(facing.output or {}, change.path, change.instead))
                case Part.FINDING:
                    left = tuple(one for one in facing.findings if one.code != change.name)
                    return replace(facing, findings=left)
                case Part.STOP:
                    return replace(facing, stopped="")
        except KeyError as cause:
            raise Unknowable(f"there is no {change.name} to change") from cause
        except InterlockError as cause:
            raise Unknowable(cause.what) from cause

    def _own(self, value: dict[str, Any]) -> dict[str, Any]:
        return {name: one for name, one in value.items() if name not in self.features}

    def _check_contract(self, name: str | None, value: dict[str, Any]) -> None:
        """Refuse what the change would break; what is on record already (a token for a personal value) is let be."""
        contract = self.kept.contracts.get(name or "")
        if contract is None:
            return
        recorded = self._own(self.facing.value) if name == self.decision.input_contract else self.facing.output
        broken = set(check(contract, value)) - set(check(contract, recorded))
        if broken:
            raise Unknowable(f"it would break {name}: {min(map(str, broken))}")

    def _answered_again(self, table: KeptTable, facing: Facing) -> Facing:
        try:
            answer = table.rules.answer(Question(input=facing.value, now=self._now))
        except (InterlockError, UnicodeEncodeError):
            return replace(facing, output=None, rows=())
        contract = self.kept.contracts.get(self.decision.output_contract or "")
        if contract is not None and check(contract, answer.output):
            return replace(facing, output=None, rows=())
        rows = tuple(f"{fired.table} row {fired.row}" for fired in answer.fired)
        return replace(facing, output=answer.output, confidence=answer.confidence, rows=rows)

    def _sourced_exposure(self, facing: Facing) -> Money | None:
        source = self.point.exposure
        root = facing.value if source is not None and source.root == "input" else facing.output
        amount = at_path(root, source.path) if source is not None else None
        try:
            return Money(amount, source.currency) if source is not None and isinstance(amount, str) else None
        except InterlockError as cause:
            raise Unknowable(cause.what) from cause

    def _routed(self, facing: Facing) -> Outcome:
        point, person = self.point, self.point.ends_in_person
        if facing.output is None:
            routed = choose_route(
                answered=False, sure=False, verdicts=(), shortfall=(), person=person, stopped=facing.stopped
            )
            return Outcome(route=routed.route, output=None)
        facts = Facts(
            input=facing.value,
            output=facing.output,
            confidence=facing.confidence,
            exposure=facing.exposure,
            findings=tuple(one.code for one in facing.findings),
            shape=functools.partial(shape_of, self.library, point),
        )
        needed = self._needed(facing)
        sure = needed is not None and facing.confidence >= needed and not self._dear
        verdicts = judge(review=point.review, reject=point.reject, facts=facts, findings=facing.findings)
        if point.policy is not None:
            best = self._proposal(facing, needed, sure=sure)
            verdicts += rule(self.library, point.policy, facing.value, best, self._now).verdicts
        routed = choose_route(
            answered=True, sure=sure, verdicts=verdicts, shortfall=(), person=person, stopped=facing.stopped
        )
        return Outcome(route=routed.route, output=facing.output, rows=facing.rows)

    def _proposal(self, facing: Facing, needed: float | None, *, sure: bool) -> Proposal:
        reference = ComponentRef.parse(self.decision.component)
        given = Answer(output=facing.output or {}, confidence=facing.confidence)
        return Proposal(
            component=reference,
            digest=self.decision.component_digest or b"",
            propensity=Fraction(1),
            answer=take_answer(given, reference),
            exposure=facing.exposure,
            needed=needed,
            findings=facing.findings,
            sure=sure,
        )

    def _answering(self) -> KeptTable | None:
        """The table whose answer this is, or that failed; only where nobody else was asked before or after it."""
        if len(self.asked) != 1 or self.asked[0].became not in (Became.ANSWERED, Became.UNSURE, Became.FAILED):
            return None
        return self.kept.tables.get(self.asked[0].component)

    def _is_sourced(self) -> bool:
        """Whether what was at stake stands where the file says, so that nobody passed another amount."""
        source, exposure = self.point.exposure, self.facing.exposure
        if source is None:
            return False
        root = self.facing.value if source.root == "input" else self.facing.output
        amount = at_path(root, source.path)
        if not isinstance(amount, str):
            return exposure is None
        try:
            return Money(amount, source.currency) == exposure
        except InterlockError:
            return False

    def _find_step(self) -> ComponentChoice | None:
        if self.decision.output is None:
            return None if not self.asked else _step_of(self.point, self.asked[0])
        asked = next((one for one in self.asked if one.component == self.decision.component), None)
        return _step_of(self.point, asked) if asked is not None else None

    @property
    def by_rules(self) -> bool:
        """Whether the answer is a table's, which may be kept or not."""
        return self.table is not None or self.decision.component.startswith(f"{Kind.RULES}:")

    @property
    def needed(self) -> float | None:
        """How sure the answer had to be by the kept terms."""
        return self._needed(self.facing)

    def _needed(self, facing: Facing) -> float | None:
        """How sure an answer has to be.

        Raises:
            Unknowable: it is certified, and another amount or segment might need another confidence.
        """
        terms = self.point.autonomy
        if terms is None:
            return needed_confidence(self.point, facing.exposure, self._step)
        segment, known = (segment_of(terms.segment, one.value, one.output or {}) for one in (facing, self.facing))
        if facing.exposure != self.decision.exposure or segment != known:
            raise Unknowable("what is certified of another amount or segment is not at hand")
        return self.decision.confidence_needed

    @property
    def step(self) -> ComponentChoice | None:
        """The step of the point whose answer it is; None: a fallback's, or nobody's."""
        return self._step


def _step_of(point: DecisionPoint, asked: ComponentAsked) -> ComponentChoice | None:
    exact = ComponentRef.parse(asked.component)
    for step in point.steps:
        for share in step.shares:
            meant = share.component
            if (meant.kind, meant.name) == (exact.kind, exact.name) and is_version_of(exact, meant):
                return step
    return None
