"""Carries out what workflow code asks for. Each step is recorded in the commit that made its decision or action."""

from __future__ import annotations

import inspect
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.outcome import Later
from interlock.cases.action_step import ActionSteps
from interlock.cases.answered import (
    Answered,
    error_of,
    failure_of,
)
from interlock.cases.ask_step import asking
from interlock.cases.cut import is_being_cut, said_by
from interlock.cases.decision_step import DecisionSteps
from interlock.cases.driver import Outcome, Park, Thrown, Value, decode
from interlock.cases.event_step import await_event
from interlock.cases.facts import FactRead, as_fact, read_fact
from interlock.cases.flags.evaluate import FlagQuestion
from interlock.cases.flags.flag import FlagGiven, as_default
from interlock.cases.held import FirstWrites, Held, Tools
from interlock.cases.journal import Place, Recorded, StepKind, StepState, encode
from interlock.cases.recording import Recording
from interlock.cases.requests import (
    Act,
    Ask,
    AskFlag,
    AwaitEvent,
    Decide,
    First,
    ReadFact,
    Review,
    Said,
    Step,
    StepRequest,
    Wait,
)
from interlock.cases.store import CASE_OF_UNIT
from interlock.db.gates import TakesKey, key_digest
from interlock.db.text import storable
from interlock.errors import (
    StepFailed,
)


class CaseSteps(Recording):
    """Carries out the requests of one held case."""

    def __init__(self, held: Held, tools: Tools) -> None:
        super().__init__(held, tools)
        self._decisions = DecisionSteps(held, tools)
        self._actions = ActionSteps(held, tools)

    async def carry_out(  # noqa: C901, PLR0911 - one case for each kind of request
        self, request: StepRequest[Any], place: Place, recorded: Recorded | None
    ) -> Outcome:
        """Carry out a step that is new, or that is recorded and pending."""
        if not isinstance(request, Act):
            await self.settle_up()
        match request:
            case Decide():
                return await self._decisions.decide(request, place, recorded)
            case Act():
                return await self._actions.act(request, place, recorded)
            case ReadFact():
                return await self._fact(request, place)
            case AskFlag():
                return await self._flag(request, place)
            case AwaitEvent():
                row = partial(self.row, request, place)
                return await await_event(self.held, self.tools, request, place, recorded, row)
            case Ask():
                raise asking(self, request, place)
            case Review():
                return await self._decisions.review(request, place, recorded)
            case Wait():
                return await self._wait(request, place, recorded)
            case First():
                return await self._first(request, place)
            case Step():
                return await self._run(request, place)
            case _:
                return await self._plain(request, place)

    def result_of(  # noqa: PLR0911 - one case for each kind of request
        self, request: StepRequest[Any], recorded: Recorded
    ) -> Value | Thrown:
        """The result of a step that has ended."""
        value = decode(recorded.result)
        if recorded.state is StepState.FAILED:
            return Thrown(error_of(value))
        match request:
            case Decide() | Review():
                decided = msgspec.convert(value, Answered).decided()
                self.note_exposure(decided.exposure)
                return Value(decided)
            case Ask():
                return Value(msgspec.convert(value, Said))
            case ReadFact():
                read = msgspec.convert(value, FactRead)
                return Value(as_fact(request.name, request.parameters, read, str(recorded.place)))
            case AskFlag():
                return Value(as_default(request.type, msgspec.convert(value, FlagGiven).value))
            case _ if request.kind is StepKind.NOW:
                return Value(datetime.fromisoformat(value))
            case _ if isinstance(request, First) or request.kind is StepKind.ID:
                return Value(UUID(value))
            case _:
                return Value(value)

    async def _fact(self, request: ReadFact, place: Place) -> Outcome:
        read = await read_fact(self.held, self.tools, request.name, request.parameters)
        if isinstance(read, Later):
            return Park(read.at, read.why)
        await self.record(request, place, read)
        return Value(as_fact(request.name, request.parameters, read, str(place)))

    async def _flag(self, request: AskFlag, place: Place) -> Outcome:
        case = self.held.case
        told = {"tenant": str(case.tenant), "workflow": case.workflow, "caller": case.caller, "case": str(case.id)}
        question = FlagQuestion(
            name=request.name, type=request.type, default=request.default, key=case.key, told={**request.told, **told}
        )
        given = await self.tools.flags.evaluate(question)
        await self.record(request, place, given)
        return Value(as_default(request.type, decode(encode(given.value))))

    async def _wait(self, request: Wait, place: Place, recorded: Recorded | None) -> Outcome:
        now = self.tools.database.clock.now()
        if recorded and recorded.due and recorded.due <= now:
            await self.record(request, place, None)
            return Value(None)
        if recorded and recorded.due:
            return Park(recorded.due, request.name)
        due = request.until or now + (request.span or timedelta(0))
        await self.write(
            lambda stamp: [
                self.row(request, place, stamp, StepState.PENDING, due=due),
                self.entry(stamp, "step.pending", place, name=request.name, due=due),
            ]
        )
        return Park(due, request.name)

    async def _run(self, request: Step, place: Place) -> Outcome:
        try:
            result = request.run(*request.values)
            if inspect.isawaitable(result):
                result = await result
        except GeneratorExit:
            raise  # nobody waits for this step any more
        except BaseException as cause:  # whatever the function raises is the step's failure
            if is_being_cut(cause):
                raise
            error = StepFailed(storable(f"the step {request.name} failed: {said_by(cause)}"))
            error.__cause__ = cause
            await self.record(request, place, failure_of(error), state=StepState.FAILED)
            return Thrown(error)
        await self.record(request, place, result)
        return Value(decode(encode(result)))

    async def _first(self, request: First, place: Place) -> Outcome:
        """Take all keys in one commit; where one is held already, take the free ones and name the earliest holder."""
        case = self.held.case
        purpose = f"{request.name}:{case.workflow}"
        digests = [key_digest(case.tenant, purpose, key) for key in request.keys]

        def build(first: UUID) -> FirstWrites:
            return lambda stamp: [
                self.row(request, place, stamp, StepState.DONE, result=first),
                self.entry(stamp, "step.done", place, name=request.name, first=first),
            ]

        refusal = await self.write(build(case.id), *(TakesKey(digest, digest) for digest in digests))
        if refusal is None:
            return Value(case.id)
        units = [refusal.holder]
        for digest in digests:
            refusal = await self.write(
                lambda stamp: [self.entry(stamp, "key.taken", place, name=request.name)], TakesKey(digest, digest)
            )
            units.append(refusal.holder if refusal else None)
        first = await self._earliest([unit for unit in units if unit])
        await self.write(build(first))
        return Value(first)

    async def _earliest(self, units: Sequence[UUID]) -> UUID:
        """The oldest other case among those that these units of work belong to; this one when there is no other.

        INVARIANT: a case that lost one key is never first, not by the free keys that it took before its worker died.
        """
        async with self.tools.database.tenant(self.held.case.tenant) as connection:
            found = [await CASE_OF_UNIT.one(connection, {"id": unit}) for unit in units]
        mine = self.held.case.id
        cases = {holder.case_id for holder in found if holder and holder.case_id}
        return min(cases - {mine}, default=mine)

    async def _plain(self, request: StepRequest[Any], place: Place) -> Outcome:
        clock = self.tools.database.clock
        value: Any
        match request.kind:
            case StepKind.NOW:
                value = clock.now()
            case StepKind.RANDOM:
                value = random.random()  # noqa: S311 - no secret
            case StepKind.ID:
                value = clock.new_id()
            case _:
                value = True
        await self.record(request, place, value)
        return Value(value)
