"""Asking the components of a recorded decision again, in the order in which they were asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, cast
from uuid import UUID

from msgspec import structs

from interlock.components.component import OUTSIDE, Answer, Component, ComponentRef, Kind, OutsideComponent
from interlock.components.onnx import Onnx
from interlock.components.taken import Taken, take_answer, words_of
from interlock.components.tolerance import tolerance_of
from interlock.db.text import storable
from interlock.decisions.ask import (
    Asking,
    Proposal,
    over_budget,
    question_for,
    steps_of,
    take_failure,
    take_proposal,
    take_skip,
    weigh,
)
from interlock.decisions.asked import Asked
from interlock.decisions.budget import Deadlines
from interlock.decisions.checked import LONGEST_WHY
from interlock.decisions.decision import Became, ComponentAsked, Reason
from interlock.decisions.point import ComponentChoice, choose
from interlock.errors import ComponentFailed, ComponentLate, InterlockError, ScopeStopped
from interlock.privacy.veil import Veil
from interlock.replay.compare import answer_apart
from interlock.replay.record import Record, names
from interlock.replay.restore import ARCHIVE, Restored
from interlock.replay.result import Status

_FOREVER = 1e12
"""Seconds: what is asked again has no budget of time; what ran out of it then is on record."""
_MODEL_S = 120.0
"""How long a language model may take that is asked again."""
_CHECK_LATE = "check_late"

Opened = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Opens the personal values of a recorded answer."""


@dataclass(slots=True)
class Tried:
    """One component that was asked then, asked again.

    Attributes:
        reference: Who, by the name in the workflow's file.
        recorded: What became of it then.
        status: EQUAL where it ran; else RECORDED or NOT_RUN.
        what: Why, or with what.
        proposal: What it answers now.
        failure: Why it gives no answer now.
        apart: How its answer differs from the recorded one, within the tolerance; empty if it does not.
    """

    reference: ComponentRef
    recorded: ComponentAsked
    status: Status = Status.EQUAL
    what: str = ""
    proposal: Proposal | None = None
    failure: str | None = None
    apart: str = ""


class AskingAgain:
    """One decision's asking.

    Args:
        asked: What was asked, with clear values and its features.
        record: What became of it.
        restored: With what.
        ask_models: Whether language models are asked again; else their recorded answers are used.
        opened: Opens the personal values of a recorded answer.

    Attributes:
        asking: The course, as ``make_draft`` takes it.
        tried: Who was asked.
        late_checks: Whether findings are those of the record, since a check had no time left then.
        blocked: What all that follows rests on and is not there; empty if nothing is missing.
    """

    def __init__(self, asked: Asked, record: Record, restored: Restored, *, ask_models: bool, opened: Opened) -> None:
        self._asked, self._record, self._restored = asked, record, restored
        self._ask_models = ask_models
        self._opened = opened
        self._due = unlimited()
        self.asking = Asking(now=record.now)
        self.tried: list[Tried] = []
        self.blocked = ""
        self.late_checks = any(one.code == _CHECK_LATE for one in record.findings)

    async def ask(self) -> None:
        """Ask each that was asked then. INVARIANT: nobody is asked who was not asked then."""
        asking, attempts = self.asking, self._record.attempts
        for place, choice in enumerate(steps_of(self._asked, asking)):
            reference, propensity = choose(choice, self._asked.choice_key)
            if place >= len(attempts):
                break
            tried = Tried(reference, attempts[place])
            self.tried.append(tried)
            if not names(str(reference), attempts[place].component):
                tried.status = Status.DIFFERENT
                tried.what = f"{attempts[place].component} was asked, and by its key and file it is {reference}"
            if reference.kind is Kind.PERSON:
                tried.status, tried.what = Status.RECORDED, "a person decides"
                asking.person = True
                break
            if await self._one(place, tried, choice, propensity):
                break
        asking.person = asking.person or self._asked.point.ends_in_person

    def conceal(self, veil: Veil) -> None:
        """Put tokens in the place of personal values that failures repeat, as they stand on record."""
        for tried in self.tried:
            if tried.failure is not None:
                tried.failure = veil.mask_text(tried.failure)

    async def _one(self, place: int, tried: Tried, choice: ComponentChoice, propensity: Fraction) -> bool:
        asking, recorded = self.asking, tried.recorded
        asking.cost += recorded.cost
        asking.attempts.append(recorded)
        if recorded.became in (Became.SKIPPED, Became.LATE, Became.STOPPED) or (
            recorded.became is Became.FAILED and not recorded.digest
        ):
            tried.status, tried.what = Status.RECORDED, f"{recorded.became} then: {recorded.why}"
            return self._as_recorded(tried)
        component = self._component(tried)
        if component is None:
            return await self._take_recorded(place, tried, choice, propensity)
        try:
            answer = await answer_now(self._asked, component, self.asking.now)
            proposal = self._weighed(place, tried, choice, propensity, component, answer)
        except InterlockError as cause:
            tried.failure = storable(str(cause.what))[:LONGEST_WHY]
            became = Became.LATE if isinstance(cause, ComponentLate) else Became.FAILED
            take_failure(asking, tried.reference, became, tried.failure)
            return False
        return self._take(tried, proposal)

    def _take(self, tried: Tried, proposal: Proposal) -> bool:
        # what was asked before it costs as much as it did then: only who costs can have cost too much
        dear = over_budget(self._asked, self.asking.cost) if tried.recorded.cost else ""
        tried.proposal = replace(proposal, sure=False) if dear else proposal
        return take_proposal(self.asking, tried.reference, tried.proposal, dear)

    def _component(self, tried: Tried) -> Component | None:
        """The component of then; None where it is not run, with the reason."""
        recorded = tried.recorded
        if tried.reference.kind is Kind.LLM and not self._ask_models:
            tried.status, tried.what = (
                Status.RECORDED,
                "a language model is not asked again; its recorded answer is used",
            )
            return None
        tried.what = self._other_contract()
        if tried.what:
            tried.status, self.blocked = Status.NOT_RUN, tried.what
            return None
        try:
            component = self._asked.library.component(tried.reference)
        except InterlockError as cause:
            tried.status, tried.what = Status.NOT_RUN, f"{recorded.component} is missing: {self._why(tried, cause)}"
            return None
        tried.what = self._other(component, recorded.digest)
        if tried.what and self._restored.exact and not self._only_code(component):
            tried.status = Status.NOT_RUN
            return None
        return component

    def _other_contract(self) -> str:
        """Why no answer can be held against the contract of then; empty if it can."""
        then, wanted = self._record.decision.output_contract, self._asked.point.output
        lacking = [what for path, what in self._restored.lacking.items() if "/contracts/" in path]
        try:
            now = self._asked.library.contract_name(wanted)
        except InterlockError as cause:
            return "; ".join([f"{then} is missing: {cause.what}", *lacking])
        whole = self._restored.ran == ARCHIVE and not lacking  # then the record is at fault, and its stage says so
        if now == then or whole or not self._restored.exact:
            return ""
        return "; ".join([f"{then} is missing: here it would be {now}", *lacking])

    def _why(self, tried: Tried, cause: InterlockError) -> str:
        mark = f"/components/{tried.reference.name}@{tried.reference.version}"
        lacking = [what for path, what in self._restored.lacking.items() if mark in f"/{path}"]
        return "; ".join([*lacking, cause.what])

    def _only_code(self, component: Component) -> bool:
        """Whether it differs in nothing but in the code that is installed: of a model's folder all files are there."""
        inside = self._restored.ran == ARCHIVE and not self._restored.lacking
        return inside and isinstance(component, Onnx) and bool(self._restored.other_code)

    def _other(self, component: Component, digest: str) -> str:
        now = component.digest.hex()
        if now == digest:
            return ""
        if self._only_code(component):
            return f"{component.ref} ran with the code that is installed, which is not that of then"
        return f"{component.ref} is not the version of then (SHA-256 {digest[:12]}, here {now[:12]})"

    def _weighed(
        self,
        place: int,
        tried: Tried,
        choice: ComponentChoice,
        propensity: Fraction,
        component: Component,
        answer: Answer,
    ) -> Proposal:
        """The answer, weighed; where it is within the tolerance, the recorded one in its place.

        So what follows is judged by what it was judged by then, and one stage's tolerance is not another's difference.
        """
        taken = answer if isinstance(answer, Taken) else take_answer(answer, component.ref)
        recorded, record, tolerance = tried.recorded, self._record, tolerance_of(component)
        if tolerance and recorded.confidence is not None and self._asked.veil is None:
            output = record.decision.output if place == record.best else None
            tried.apart = answer_apart(taken, output, recorded.confidence, tolerance) or ""
            if tried.apart:
                taken = structs.replace(taken, confidence=recorded.confidence)
                if output is not None:
                    taken = structs.replace(
                        taken, output=record.decision.answer or {}, output_json=output
                    )  # fmt: skip
        return self._with_findings(
            place, weigh(self._asked, component, choice, propensity, taken, self._due, record.now)
        )

    def _with_findings(self, place: int, proposal: Proposal) -> Proposal:
        return (
            replace(proposal, findings=self._record.findings)
            if self.late_checks and place == self._record.best
            else proposal
        )

    async def _take_recorded(self, place: int, tried: Tried, choice: ComponentChoice, propensity: Fraction) -> bool:
        """Go on with the recorded answer of a component that is not asked."""
        recorded, record = tried.recorded, self._record
        if recorded.became is Became.FAILED or place != record.best or record.decision.answer is None:
            return self._as_recorded(tried)
        answer = Answer(
            output=await self._opened(record.decision.answer),
            confidence=recorded.confidence or 0.0,
            evidence=record.evidence.evidence,
            fired=record.evidence.fired,
            cost=recorded.cost,
            usage=recorded.usage,
        )
        silent = _Silent(tried.reference, bytes.fromhex(recorded.digest))
        try:
            taken = take_answer(answer, tried.reference)
            proposal = weigh(self._asked, silent, choice, propensity, taken, self._due, record.now)
        except InterlockError as cause:
            tried.failure = f"its recorded answer cannot be weighed: {cause.what}"
            self.blocked = self.blocked or tried.failure
            take_failure(self.asking, tried.reference, Became.FAILED, cause.what)
            return False
        return self._take(tried, self._with_findings(place, proposal))

    def _as_recorded(self, tried: Tried) -> bool:
        """Go on as the record says, without an answer; whether that ends the asking."""
        recorded, asking = tried.recorded, self.asking
        match recorded.became:
            case Became.SKIPPED:
                take_skip(asking, tried.reference, recorded.why)
            case Became.STOPPED:
                asking.stopped = ScopeStopped(recorded.why, stop=UUID(int=0))
                return True
            case Became.LATE | Became.FAILED:
                take_failure(asking, tried.reference, recorded.became, recorded.why)
            case _:
                asking.shortfall.append(self._unsure(tried))
        return False

    def _unsure(self, tried: Tried) -> Reason:
        """Why an answer that is not on record did not suffice, in the record's own words where it has them."""
        mark = f"{tried.recorded.component} is "
        known = next((one for one in self._record.reasons if mark in one.what), None)
        what = f"{tried.recorded.component} was {tried.recorded.confidence or 0:.3f} sure; its answer is not on record"
        return known or Reason(code="unsure", what=what)


def unlimited() -> Deadlines:
    """Deadlines that are never over."""
    now = time.monotonic()
    return Deadlines(now, now + _FOREVER, now + _FOREVER, now + _FOREVER, now + _FOREVER, float("inf"))


async def answer_now(asked: Asked, component: Component, now: datetime) -> Answer:
    """What a component answers when it is asked again, outside of any budget.

    Args:
        asked: What is asked, with clear values.
        component: Who is asked.
        now: The time that it is told.

    Raises:
        InterlockError: it gives no answer.
    """
    question = question_for(asked, component, now)
    try:
        if component.ref.kind in OUTSIDE:
            until = asyncio.get_running_loop().time() + _MODEL_S
            return await cast("OutsideComponent", component).ask(question, until=until)
        return component.answer(question)
    except InterlockError:
        raise
    except Exception as cause:
        raise ComponentFailed(f"it raised {words_of(cause)}") from cause


@dataclass(frozen=True, slots=True)
class _Silent:
    """Stands for a component whose recorded answer is used."""

    ref: ComponentRef
    digest: bytes

    def answer(self, question: object) -> Answer:
        """Never asked."""
        del question
        raise ComponentFailed(f"{self.ref} is not asked again")
