"""Asking a candidate what was asked then: with the inputs, features, contracts and the time of then.

What a component version answered then is taken from the record: only who was not asked then is asked now.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any
from uuid import UUID

from interlock.autonomy.standing import CERTIFICATE_GONE
from interlock.components.component import OUTSIDE, Answer, Component, ComponentRef, Kind
from interlock.db.text import storable
from interlock.decisions.ask import (
    Asking,
    over_budget,
    steps_of,
    take_failure,
    take_proposal,
    take_skip,
    weigh,
)
from interlock.decisions.asked import Asked
from interlock.decisions.checked import LONGEST_WHY
from interlock.decisions.decision import Became, ComponentAsked
from interlock.decisions.draft import Draft
from interlock.decisions.drafting import make_draft
from interlock.decisions.point import ComponentChoice, choose
from interlock.errors import ArchiveMissing, ComponentLate, InterlockError, ScopeStopped
from interlock.replay.asking import answer_now, unlimited
from interlock.replay.record import Record

_NOT_ASKED = "a language model is not asked again"


class Trying:
    """One decision's asking of a candidate.

    Args:
        asked: What is asked, with the candidate's point and library, clear values and the features of then.
        record: What became of it then.
        output: The recorded answer with clear values.
        as_certified_then: Whether what was certified then counts for the candidate.
        ask_models: Whether language models are asked.
    """

    def __init__(
        self,
        asked: Asked,
        record: Record,
        output: Mapping[str, Any] | None,
        *,
        as_certified_then: bool = True,
        ask_models: bool = False,
    ) -> None:
        self._asked, self._record, self._output = asked, record, output
        self._as_certified_then = as_certified_then
        self._ask_models = ask_models
        self._due = unlimited()
        self._asking = Asking(now=record.now)

    async def ask(self) -> Draft:
        """What the candidate would have decided.

        Raises:
            InterlockError: it cannot be known: what it needs is not here.
        """
        asking, asked = self._asking, self._asked
        if asked.point.policy is not None:
            asked.library.component(asked.point.policy)
        for choice in steps_of(asked, asking):
            reference, propensity = choose(choice, asked.choice_key)
            if reference.kind is Kind.PERSON:
                asking.person = True
                break
            if await self._one(choice, reference, propensity):
                break
        asking.person = asking.person or asked.point.ends_in_person
        draft = make_draft(asked, self._record.decision.input, asking, time.perf_counter())
        held = self._record.held_off
        # what stopped it then stops the candidate, too, and the control group is for people; a certificate that went
        # then is of no account for another one
        gone = held is not None and held.code == CERTIFICATE_GONE and not self._as_certified_then
        if held is None or asking.stopped is not None or gone:
            return draft
        return draft.held_off(held.what, held.code)

    async def _one(self, choice: ComponentChoice, reference: ComponentRef, propensity: Fraction) -> bool:
        asking, asked = self._asking, self._asked
        component = asked.library.component(reference)
        then, place = self._then(component)
        if then is not None:
            asking.cost += then.cost
            if then.became not in (Became.ANSWERED, Became.UNSURE):
                return self._as_then(reference, then)
        try:
            answer = await self._answer(component, then, place)
            asking.cost += answer.cost if then is None else 0
            proposal = weigh(asked, component, choice, propensity, answer, self._due, asking.now)
        except ArchiveMissing:
            raise
        except InterlockError as cause:
            became = Became.LATE if isinstance(cause, ComponentLate) else Became.FAILED
            take_failure(asking, reference, became, storable(str(cause.what))[:LONGEST_WHY])
            return False
        dear = over_budget(asked, asking.cost) if asking.cost else ""
        return take_proposal(asking, reference, replace(proposal, sure=False) if dear else proposal, dear)

    def _then(self, component: Component) -> tuple[ComponentAsked | None, int | None]:
        """What this very version said then."""
        digest = component.digest.hex()
        for place, one in enumerate(self._record.attempts):
            if one.digest == digest:
                return one, place
        return None, None

    def _as_then(self, reference: ComponentRef, then: ComponentAsked) -> bool:
        match then.became:
            case Became.STOPPED:
                self._asking.stopped = ScopeStopped(then.why, stop=UUID(int=0))
                return True
            case Became.SKIPPED:
                take_skip(self._asking, reference, then.why)
            case _:
                take_failure(self._asking, reference, then.became, then.why)
        return False

    async def _answer(self, component: Component, then: ComponentAsked | None, place: int | None) -> Answer:
        """Its recorded answer, or what it answers now.

        Raises:
            ArchiveMissing: it is a language model that is not to be asked.
            InterlockError: it gives no answer.
        """
        record = self._record
        if then is not None and place == record.best and self._output is not None:
            return Answer(
                output=dict(self._output),
                confidence=then.confidence or 0.0,
                evidence=record.evidence.evidence,
                fired=record.evidence.fired,
                cost=then.cost,
                usage=then.usage,
            )
        if component.ref.kind in OUTSIDE and not self._ask_models:
            raise ArchiveMissing(f"{component.ref}: {_NOT_ASKED}", todo="--ask-models")
        return await answer_now(self._asked, component, self._asking.now)
