"""Asking a point's components in their declared order, until one is sure enough or a person is next."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from interlock.autonomy.standing import Held
from interlock.components.component import OUTSIDE, Answer, Component, ComponentRef, Kind, Question, Wanted
from interlock.components.finding import Finding
from interlock.components.plain import copied
from interlock.components.taken import FREE, Taken, take_answer
from interlock.contracts import check, json_schema
from interlock.db.text import storable
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.budget import Deadlines
from interlock.decisions.certified import (
    UNHEARD,
    held_to_certificate,
    left_to_person,
    money_at_stake,
    why_broken_off,
    why_unsure,
)
from interlock.decisions.checked import LONGEST_WHY, run_check
from interlock.decisions.costs import shown_usd
from interlock.decisions.data_terms import CODE as DATA_BROKEN
from interlock.decisions.decision import Became, ComponentAsked, Reason
from interlock.decisions.point import ComponentChoice, ExposureSource, Share, choose, needed_confidence
from interlock.decisions.purse import Purse, Reserved
from interlock.decisions.reach import Reach, Spent
from interlock.decisions.route import exposure_value
from interlock.errors import ComponentFailed, ComponentLate, ComponentTooDear, InterlockError, ScopeStopped
from interlock.guards.stop_watch import StopWatch
from interlock.money import Money
from interlock.privacy.unsaid import without_values
from interlock.privacy.vault import is_subject
from interlock.privacy.veil import value_at

_ASKED_A_PERSON = ComponentAsked(component="person", digest="", propensity="1", became=Became.ASKED)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that satisfies its contract.

    Attributes:
        component: Who gave it.
        digest: SHA-256 of all that made it.
        propensity: With which probability it was to be this component.
        answer: The answer, as it is recorded.
        exposure: The money at stake.
        needed: How sure it had to be; None: a person, whatever the confidence.
        findings: What the checks found.
        sure: Whether it is sure enough.
        held: What is certified of it; None: its point declares no autonomy.
        choice: The step whose answer it is.
        breaks_off: Why nothing is certified of who is asked after it, if it does not suffice; empty if something is.
    """

    component: ComponentRef
    digest: bytes
    propensity: Fraction
    answer: Taken
    exposure: Money | None
    needed: float | None
    findings: tuple[Finding, ...]
    sure: bool
    held: Held | None = None
    choice: ComponentChoice | None = None
    breaks_off: str = ""

    @property
    def certified(self) -> str:
        """By which certificate it may go by itself, with the numbers; empty: its point asks for none."""
        return self.held.what if self.held else ""


@dataclass(slots=True)
class Asking:
    """The course of one asking.

    Attributes:
        now: The time of the decision.
        attempts: Every component asked, in order.
        shortfall: Why none was sure enough.
        best: The sure answer, or the surest of the others.
        person: Whether a person stands at the end.
        cost: What was asked cost together, in USD; failures and what came too late, too.
        reserved: What of that is reserved in the books of the day, until the decision's commit settles it.
        stopped: Who stopped a component that was asked or next, if somebody did.
        held: Why nothing is to be decided now, not even by a person; empty if it may be.
        full: Why nobody outside was paid for an answer, since a person could not look at it now.
        recorded: Whether what it cost is on record, or may be: with its decision, or without one.
        broken_off: Why nothing is certified of who is asked from here on; empty if something is.
        heard: The answers, by their place among the attempts.
    """

    now: datetime
    attempts: list[ComponentAsked] = field(default_factory=list[ComponentAsked])
    shortfall: list[Reason] = field(default_factory=list[Reason])
    best: Proposal | None = None
    person: bool = False
    cost: Decimal = Decimal(0)
    reserved: list[Reserved] = field(default_factory=list[Reserved])
    stopped: ScopeStopped | None = None
    held: str = ""
    full: Deferred | None = None
    recorded: bool = False
    broken_off: str = ""
    heard: dict[int, Proposal] = field(default_factory=dict[int, "Proposal"])

    def noted(self) -> None:
        """What it cost is on record."""
        self.reserved.clear()
        self.recorded = True


async def ask_components(
    asked: Asked,
    *,
    now: datetime,
    watch: StopWatch,
    purse: Purse | None = None,
    deadlines: Deadlines | None = None,
    given: Answered | None = None,
    no_room: Callable[[], Awaitable[Deferred | None]] | None = None,
) -> Asking:
    """Ask the point's components in order; the next one when one fails, is late, is unsure or could cost too much.

    One that is stopped ends it, since a person decides then: the next in order is for failures, and must not become the
    way around a stop.

    Args:
        asked: What is to be decided; its input is checked.
        now: The time of the decision.
        watch: Knows what is stopped, and cuts the asking of a component off as soon as somebody stops it.
        purse: The books of the day; without it a point that has a bound for the day asks nobody who costs.
        deadlines: When its stages must be over; by default its budget begins now.
        given: What one of the components has answered already, as part of a batch.
        no_room: Says why no person could look at the answer of one that costs, which then is not asked: whoever asks
            again meanwhile, with the same key, must not pay each time for nothing.
    """
    asking = Asking(now=now)
    point = asked.point
    due = deadlines or point.budget.parts.deadlines(time.monotonic(), asked.until)
    reach = Reach(asked, watch, purse, asking.reserved)
    course = _Course(asked, asking, reach, due, due.inference_from(time.monotonic()), given)
    key = asked.choice_key
    for choice in steps_of(asked, asking):
        reference, propensity = choose(choice, key)
        if reference.kind is Kind.PERSON:
            asking.person = True
            asking.attempts.append(_ASKED_A_PERSON)
            break
        if asking.cost > point.budget.cost:
            _skip(asking, reference, f"the answers before cost {asking.cost} USD of {point.budget.cost}")
        elif no_room and reference.kind in OUTSIDE and (full := await no_room()):
            asking.full = full
            break
        elif await course.ask(choice, reference, propensity):
            break
    asking.person = asking.person or point.ends_in_person
    return asking


@dataclass(slots=True)
class _Course:
    """What every step of one asking needs.

    Attributes:
        asked: What is to be decided.
        asking: Where what happens is noted.
        reach: How components are reached.
        due: When the stages must be over.
        inference: When the components that are no rules must have answered.
        given: What one of them has answered already.
    """

    asked: Asked
    asking: Asking
    reach: Reach
    due: Deadlines
    inference: float
    given: Answered | None

    async def ask(self, choice: ComponentChoice, reference: ComponentRef, propensity: Fraction) -> bool:
        """Ask one component; whether that ends the asking."""
        asking, started, spent = self.asking, time.perf_counter(), Spent()
        component: Component | None = None
        try:
            component = self.asked.library.component(reference)
            if self.given is not None and self.given.component is component:
                started -= self.given.took_s
                answer = self.given.taken()
                spent.take(answer.cost, answer.usage)
            else:
                until = self.due.rules if reference.kind is Kind.RULES else self.inference
                question = question_for(self.asked, component, asking.now)
                answer = await self.reach.answer(component, question, until, spent, asking.cost)
            proposal = weigh(self.asked, component, choice, propensity, answer, self.due, asking.now)
        except ComponentTooDear as cause:
            _skip(asking, reference, cause.what)
            return False
        except ScopeStopped as cause:
            _note(asking, reference, component, propensity, Became.STOPPED, started, spent, why=cause.what)
            asking.stopped = cause
            return True
        except InterlockError as cause:
            became = Became.LATE if isinstance(cause, ComponentLate) else Became.FAILED
            what = storable(str(cause.what))[:LONGEST_WHY]
            _note(asking, reference, component, propensity, became, started, spent, why=what)
            take_failure(asking, reference, became, what)
            return False
        dear = over_budget(self.asked, asking.cost + spent.cost) if spent.cost is not FREE else ""
        if dear:
            proposal = replace(proposal, sure=False)
        proposal = in_turn(asking, proposal)
        became = Became.ANSWERED if proposal.sure else Became.UNSURE
        _note(asking, reference, component, propensity, became, started, spent, why=dear, proposal=proposal)
        asking.heard[len(asking.attempts) - 1] = proposal
        return take_proposal(asking, reference, proposal, dear)


def take_proposal(asking: Asking, reference: ComponentRef, proposal: Proposal, dear: str = "") -> bool:
    """Take an answer into the course of an asking; whether that ends it.

    Args:
        asking: The course.
        reference: Who was asked, by the name in the workflow's file.
        proposal: The answer; none that cost too much is sure.
        dear: How it cost more than it may; empty if it did not.
    """
    proposal = in_turn(asking, proposal)
    if proposal.sure:
        asking.best = proposal
        return True
    asking.broken_off = asking.broken_off or proposal.breaks_off
    too_dear = Reason(code="over_budget", what=f"the answer of {reference} takes no route by itself: {dear}")
    asking.shortfall.append(too_dear if dear else unsure(proposal))
    if asking.best is None or proposal.answer.confidence > asking.best.answer.confidence:
        asking.best = proposal
    return False


def in_turn(asking: Asking, proposal: Proposal) -> Proposal:
    """An answer in its turn. INVARIANT: none goes by itself where those before it said what no evidence has."""
    if not asking.broken_off or proposal.held is None or proposal.held.what == asking.broken_off:
        return proposal
    return replace(proposal, held=left_to_person(proposal.held, asking.broken_off), needed=None, sure=False)


def take_failure(asking: Asking, reference: ComponentRef, became: Became, what: str) -> None:
    """Take into the course of an asking that a component failed or was late."""
    asking.broken_off = asking.broken_off or f"{reference} {became} before: {UNHEARD}"
    asking.shortfall.append(Reason(code=f"component_{became}", what=f"{reference} {became}: {what}"))


def take_skip(asking: Asking, reference: ComponentRef, why: str) -> None:
    """Take into the course of an asking that a component could cost too much and was not asked."""
    asking.broken_off = asking.broken_off or f"{reference} was not asked before: {UNHEARD}"
    asking.shortfall.append(Reason(code="over_budget", what=f"{reference} was not asked: {why}"))


@dataclass(frozen=True, slots=True)
class Answered:
    """What a component answered beforehand, or why it did not.

    Attributes:
        component: Which component.
        answer: Its answer, or what it raised.
        took_s: This answer's part of the time that all of the batch took.
    """

    component: Component
    answer: Answer | InterlockError
    took_s: float = 0.0

    def taken(self) -> Answer:
        """The answer.

        Raises:
            InterlockError: the component failed.
        """
        if isinstance(self.answer, InterlockError):
            raise self.answer
        return self.answer


def question_for(asked: Asked, component: Component, now: datetime) -> Question:
    """What a component is asked; one outside is told the form of the answer, too."""
    if component.ref.kind not in OUTSIDE:
        return Question(input=asked.value, now=now)  # rules only read it; a model copies it for its code
    contract = asked.library.contract(asked.point.output)
    violations = functools.partial(asked.library.violations, asked.point.output)
    wanted = Wanted(contract=f"{contract.name}@{contract.version}", schema=json_schema(contract), violations=violations)
    return Question(input=copied(asked.value), now=now, wanted=wanted)


def weigh(
    asked: Asked,
    component: Component,
    choice: ComponentChoice,
    propensity: Fraction,
    answer: Answer,
    due: Deadlines,
    now: datetime,
) -> Proposal:
    """Take an answer, and hold it against its contract, the checks and the confidence that is needed.

    INVARIANT: what was held against its contract is what is decided, recorded and acted on: from here on nobody's code
    holds the answer or the input themselves.
    """
    point, library, value = asked.point, asked.library, asked.value
    taken = answer if isinstance(answer, Taken) else take_answer(answer, component.ref)
    contract = library.contract(point.output)
    if contract.personal is not None and not point.purpose:
        raise ComponentFailed(f"its output is personal by {point.output}, and the point states no purpose")
    violations = check(contract, taken.output)
    if violations:
        told = without_values(contract, violations[:5])
        raise ComponentFailed(f"its output breaks {point.output}: {'; '.join(map(str, told))}")
    if contract.personal is not None and not is_subject(value_at(taken.output, contract.personal.subject)):
        raise ComponentFailed(f"its output names no subject, whose data it is by {point.output}")
    at_stake = money_at_stake(point, asked.exposure, _exposure(point.exposure, value, taken.output))
    held = held_to_certificate(asked, component.ref, component.digest, taken, at_stake)
    needed = needed_confidence(point, at_stake, choice, certified=held.needed if held else None)
    findings: tuple[Finding, ...] = ()
    if point.checks:
        findings = tuple(
            finding for name in point.checks for finding in run_check(library, name, value, taken, due.rules, now)
        )
    sure = needed is not None and taken.confidence >= needed
    broken = why_broken_off(asked, component.ref, component.digest, held) if held else ""
    return Proposal(
        component.ref, component.digest, propensity, taken, at_stake, needed, findings, sure, held, choice, broken
    )


def over_budget(asked: Asked, cost: Decimal) -> str:
    """How far a decision's askings have cost more than they may; empty: they have not."""
    most = asked.point.budget.cost
    return f"{shown_usd(cost)} were spent of {shown_usd(most)}" if cost > most else ""


def _exposure(source: ExposureSource | None, value: Mapping[str, Any], output: dict[str, Any]) -> Money | None:
    if source is None:
        return None
    amount = exposure_value(source.path, output if source.root == "output" else dict(value))
    return Money(amount, source.currency) if amount is not None else None


def unsure(proposal: Proposal) -> Reason:
    """Why an answer does not suffice."""
    return why_unsure(
        proposal.component,
        proposal.answer.confidence,
        needed=proposal.needed,
        exposure=proposal.exposure,
        held=proposal.held,
    )


def steps_of(asked: Asked, asking: Asking) -> Sequence[ComponentChoice]:
    """Who may be asked. INVARIANT: no component is asked on less than it needs: without a feature a person decides."""
    steps = _fallback(asked, asking) if asked.broken_data else asked.point.steps
    if asked.features is None or not asked.features.shortfall:
        return steps
    asking.shortfall.extend(asked.features.shortfall)
    return [step for step in steps if step.is_person]


def _fallback(asked: Asked, asking: Asking) -> Sequence[ComponentChoice]:
    """Who may be asked while the data are not as promised: nobody, the declared component, and a person."""
    terms = asked.point.data
    asking.shortfall.append(Reason(code=DATA_BROKEN, what=f"the data are not as promised: {asked.broken_data}"))
    if terms.refuse:
        asking.held = f"the data of {asked.name} are not as promised: {asked.broken_data}"
        return ()
    declared = [ComponentChoice((Share(terms.component, Fraction(1)),))] if terms.component else []
    return [*declared, *(step for step in asked.point.steps if step.is_person)]


def _skip(asking: Asking, reference: ComponentRef, why: str) -> None:
    asking.attempts.append(
        ComponentAsked(component=str(reference), digest="", propensity="1", became=Became.SKIPPED, why=why)
    )
    take_skip(asking, reference, why)


def _note(
    asking: Asking,
    reference: ComponentRef,
    component: Component | None,
    propensity: Fraction,
    became: Became,
    started: float,
    spent: Spent,
    *,
    why: str = "",
    proposal: Proposal | None = None,
) -> None:
    asking.cost += spent.cost
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
            cpu_us=spent.cpu_us,
            cost=spent.cost,
            usage=spent.usage,
        )
    )
