"""Asking a point's components in their declared order, until one is sure enough or a person is next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

from interlock.components.component import OUTSIDE, Answer, Component, ComponentRef, Kind, OutsideComponent, Question
from interlock.components.finding import Finding, Severity
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Became, ComponentAsked, Reason
from interlock.decisions.library import Library
from interlock.decisions.pace import pace_of
from interlock.decisions.point import ComponentChoice, DecisionPoint, ExposureSource, choose, needed_confidence
from interlock.decisions.route import exposure_value
from interlock.errors import ComponentFailed, ComponentLate, InterlockError, ScopeStopped
from interlock.guards.stop_watch import StopWatch
from interlock.money import Money

_ASKED_A_PERSON = ComponentAsked(component="person", digest="", propensity="1", became=Became.ASKED)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that satisfies its contract.

    Attributes:
        component: Who gave it.
        digest: SHA-256 of all that made it.
        propensity: With which probability it was to be this component.
        answer: The answer.
        exposure: The money at stake.
        needed: How sure it had to be; None: a person, whatever the confidence.
        findings: What the checks found.
        sure: Whether it is sure enough.
    """

    component: ComponentRef
    digest: bytes
    propensity: Fraction
    answer: Answer
    exposure: Money | None
    needed: float | None
    findings: tuple[Finding, ...]
    sure: bool


@dataclass(slots=True)
class Asking:
    """The course of one asking.

    Attributes:
        now: The time of the decision.
        attempts: Every component asked, in order.
        shortfall: Why none was sure enough.
        best: The sure answer, or the surest of the others.
        person: Whether a person stands at the end.
        cost: What the answers cost together, in USD.
        stopped: Who stopped a component that was asked or next, if somebody did.
    """

    now: datetime
    attempts: list[ComponentAsked] = field(default_factory=list[ComponentAsked])
    shortfall: list[Reason] = field(default_factory=list[Reason])
    best: Proposal | None = None
    person: bool = False
    cost: Decimal = Decimal(0)
    stopped: ScopeStopped | None = None


async def ask_components(asked: Asked, *, now: datetime, watch: StopWatch, given: Answered | None = None) -> Asking:
    """Ask the point's components in order; the next one when one fails, is late or is unsure.

    One that is stopped ends it, since a person decides then: the next in order is for failures, and must not become the
    way around a stop.

    Args:
        asked: What is to be decided; its input is checked.
        now: The time of the decision.
        watch: Knows what is stopped, and cuts the asking of a component off as soon as somebody stops it.
        given: What one of the components has answered already, as part of a batch.
    """
    asking = Asking(now=now)
    point, loop = asked.point, asyncio.get_running_loop()
    give_up = loop.time() + point.budget.time.total_seconds()
    if asked.until is not None:
        give_up = min(give_up, asked.until)
    key = asked.choice_key
    for choice in _steps(asked, asking):
        reference, propensity = choose(choice, key)
        if reference.kind is Kind.PERSON:
            asking.person = True
            asking.attempts.append(_ASKED_A_PERSON)
            break
        if asking.cost > point.budget.cost:
            _skip(asking, reference, f"the answers before cost {asking.cost} USD of {point.budget.cost}")
            continue
        started = time.perf_counter()
        component: Component | None = None
        try:
            component = asked.library.component(reference)
            if given is not None and given.component is component:
                answer = given.taken()
            else:
                answer = await _within(asked, component, Question(input=asked.value, now=now), give_up, watch)
            asking.cost += answer.cost
            proposal = _weigh(point, asked.library, component, propensity, answer, asked.value, asked.exposure, now)
        except ScopeStopped as cause:
            _note(asking, reference, component, propensity, Became.STOPPED, started, why=cause.what)
            asking.stopped = cause
            break
        except InterlockError as cause:
            became = Became.LATE if isinstance(cause, ComponentLate) else Became.FAILED
            _note(asking, reference, component, propensity, became, started, why=cause.what)
            asking.shortfall.append(Reason(code=f"component_{became}", what=f"{reference} {became}: {cause.what}"))
            continue
        became = Became.ANSWERED if proposal.sure else Became.UNSURE
        _note(asking, reference, component, propensity, became, started, proposal=proposal)
        if proposal.sure:
            asking.best = proposal
            break
        asking.shortfall.append(_unsure(proposal))
        if asking.best is None or proposal.answer.confidence > asking.best.answer.confidence:
            asking.best = proposal
    asking.person = asking.person or point.ends_in_person
    return asking


@dataclass(frozen=True, slots=True)
class Answered:
    """What a component answered beforehand, or why it did not.

    Attributes:
        component: Which component.
        answer: Its answer, or what it raised.
    """

    component: Component
    answer: Answer | InterlockError

    def taken(self) -> Answer:
        """The answer.

        Raises:
            InterlockError: the component failed.
        """
        if isinstance(self.answer, InterlockError):
            raise self.answer
        return self.answer


async def _within(asked: Asked, component: Component, question: Question, give_up: float, watch: StopWatch) -> Answer:
    """The component's answer, within what is left of the budget and as long as nobody stops it."""
    limit: asyncio.Timeout | None = None
    left_s = give_up - asyncio.get_running_loop().time()
    if left_s <= 0:
        raise ComponentLate("the time was used up before it was asked")
    try:
        if component.ref.kind in OUTSIDE:
            outside = cast("OutsideComponent", component)
            async with watch.cutting(asked.tenant, asked.scopes(component.ref)), asyncio.timeout_at(give_up) as limit:
                return await outside.ask(question, until=give_up)
        pace = pace_of(component)
        # Quicker than a change of threads; a stop counts in the commit, and before it where one is known of.
        if component.ref.kind is Kind.RULES or (pace.is_quick and not watch.knows_any):
            return pace.answer(component, question, left_s)
        async with watch.cutting(asked.tenant, asked.scopes(component.ref)), asyncio.timeout_at(give_up) as limit:
            return await asyncio.to_thread(pace.answer, component, question, left_s)
    except InterlockError:
        raise
    except Exception as cause:
        if limit is not None and limit.expired():
            raise ComponentLate(f"no answer within {left_s * 1000:.0f} ms") from None
        # INVARIANT: whatever a component raises, the declared fallback answers.
        raise ComponentFailed(f"it raised {type(cause).__name__}: {cause}") from cause


def _weigh(
    point: DecisionPoint,
    library: Library,
    component: Component,
    propensity: Fraction,
    answer: Answer,
    value: Mapping[str, Any],
    exposure: Money | None,
    now: datetime,
) -> Proposal:
    """Hold an answer against its contract, the checks and the confidence that is needed."""
    if not 0 <= answer.confidence <= 1:  # NaN is not either
        raise ComponentFailed(f"its confidence is {answer.confidence}, not a number from 0 to 1")
    violations = library.violations(point.output, answer.output)
    if violations:
        raise ComponentFailed(f"its output breaks {point.output}: {'; '.join(map(str, violations[:5]))}")
    at_stake = exposure if exposure is not None else _exposure(point.exposure, value, answer.output)
    needed = needed_confidence(point, at_stake)
    findings: tuple[Finding, ...] = ()
    if point.checks:
        findings = tuple(finding for name in point.checks for finding in _run_check(library, name, value, answer, now))
    sure = needed is not None and answer.confidence >= needed
    return Proposal(component.ref, component.digest, propensity, answer, at_stake, needed, findings, sure)


def _exposure(source: ExposureSource | None, value: Mapping[str, Any], output: dict[str, Any]) -> Money | None:
    if source is None:
        return None
    amount = exposure_value(source.path, output if source.root == "output" else dict(value))
    return Money(amount, source.currency) if amount is not None else None


def _run_check(
    library: Library, name: str, value: Mapping[str, Any], answer: Answer, now: datetime
) -> tuple[Finding, ...]:
    """A check's findings. A check that fails is a finding itself: a person looks, nothing is skipped."""
    try:
        return tuple(library.check(name)(value, answer, now))
    except Exception as cause:  # noqa: BLE001 - whatever a check of a pack raises, the decision goes to a person
        what = f"the check {name} failed: {type(cause).__name__}: {cause}"
        return (Finding(code="check_failed", what=what, severity=Severity.REVIEW),)


def _unsure(proposal: Proposal) -> Reason:
    at_stake = str(proposal.exposure) if proposal.exposure is not None else "an unknown amount"
    who, confidence = proposal.component, proposal.answer.confidence
    if proposal.needed is None:
        what = f"{at_stake} is at stake, which the bands leave to a person, however sure {who} is ({confidence:.3f})"
        return Reason(code="above_bands", what=what)
    what = f"{who} is {confidence:.3f} sure; with {at_stake} at stake {proposal.needed:g} is needed"
    return Reason(code="unsure", what=what)


def _steps(asked: Asked, asking: Asking) -> Sequence[ComponentChoice]:
    """Who may be asked. INVARIANT: no component is asked on less than it needs: without a feature a person decides."""
    steps = asked.point.steps
    if asked.features is None or not asked.features.shortfall:
        return steps
    asking.shortfall.extend(asked.features.shortfall)
    return [step for step in steps if step.is_person]


def _skip(asking: Asking, reference: ComponentRef, why: str) -> None:
    asking.attempts.append(
        ComponentAsked(component=str(reference), digest="", propensity="1", became=Became.SKIPPED, why=why)
    )
    asking.shortfall.append(Reason(code="over_budget", what=f"{reference} was not asked: {why}"))


def _note(
    asking: Asking,
    reference: ComponentRef,
    component: Component | None,
    propensity: Fraction,
    became: Became,
    started: float,
    *,
    why: str = "",
    proposal: Proposal | None = None,
) -> None:
    asking.attempts.append(
        ComponentAsked(
            component=str(component.ref if component else reference),
            digest=component.digest.hex() if component else "",
            propensity=str(propensity),
            became=became,
            why=why,
            confidence=proposal.answer.confidence if proposal else None,
            needed=proposal.needed if proposal else None,
            took_us=round((time.perf_counter() - started) * 1e6),
        )
    )
