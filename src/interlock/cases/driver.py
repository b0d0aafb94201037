"""Runs a workflow's coroutine: hands its requests to the steps, replays what is recorded, stops when all must wait.

The coroutine is driven by hand. Between two awaits its code runs without an event loop, and whatever it awaits must be
a request of its case; anything else is refused, since it could not be replayed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from interlock.cases.cut import said_by
from interlock.cases.guard import inside_workflow
from interlock.cases.journal import MOST_STEPS, Place, Recorded, StepKind, StepState, args_hash, is_at_or_after
from interlock.cases.requests import ContinueAs, Gather, Request, StepRequest
from interlock.errors import StepLimitReached, WorkflowMisuse

_NO_LOOP = ("no running event loop", "no current event loop")


class WorkflowDiverged(BaseException):
    """The code asks for another step than the one recorded, or not for all that are. Not an ``Exception``, so that
    workflow code that catches everything does not catch this; the case becomes an exception.
    """  # noqa: D205 - one thought


class WorkflowQuit(Exception):
    """Workflow code raised what would end a task or the process, such as ``SystemExit``: it ends this run alone."""


class ParkedCase(BaseException):
    """Thrown into a workflow that must wait, to end its coroutine. Nothing that it still asks for is carried out."""


@dataclass(frozen=True, slots=True)
class Value:
    """A step's result."""

    value: Any


@dataclass(frozen=True, slots=True)
class Thrown:
    """An error for the workflow to handle: a step's, or that of a branch's own code."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Park:
    """The step is not finished.

    Attributes:
        at: When to go on; None: when somebody wakes the case.
        why: What is waited for, in words.
        held_by: The stop that holds it, if one does: the case is woken when it ends.
    """

    at: datetime | None
    why: str
    held_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Continued:
    """The run ended with ``continue_as``."""

    value: Mapping[str, Any]


Outcome = Value | Thrown | Park
Ended = Value | Park | Continued


class Steps(Protocol):
    """What carries requests out; the one for cases is ``interlock.cases.steps``."""

    async def carry_out(self, request: StepRequest[Any], place: Place, recorded: Recorded | None, /) -> Outcome:
        """Carry out a step that is new, or that is recorded and pending."""
        ...

    def result_of(self, request: StepRequest[Any], recorded: Recorded, /) -> Value | Thrown:
        """The result of a step that has ended."""
        ...

    async def settle_up(self) -> None:
        """Put on record every step that has ended, before branches begin that rest on it side by side."""
        ...


class Driver:
    """Drives one run of one case.

    Args:
        workflow: The workflow's name, for messages.
        steps: What carries requests out.
        journal: What is recorded of this run.
    """

    def __init__(self, workflow: str, steps: Steps, journal: list[Recorded]) -> None:
        self._workflow = workflow
        self._steps = steps
        self._journal = {recorded.place: recorded for recorded in journal}
        self._ahead = dict(self._journal)
        self._asked: list[Place] = []
        self._count = 0
        self._failed: list[tuple[Place, Exception]] = []

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Ended:
        """Run the coroutine until it returns or all of it waits.

        Raises:
            WorkflowDiverged: the code asks for another step than the one recorded, or not for all that are.
            WorkflowMisuse: the code awaits what is not the case's.
            Exception: whatever the workflow raises.
        """
        ended = await self._drive(coroutine, "")
        error = ended.error if isinstance(ended, Thrown) else None
        if self._ahead:
            first = self._ahead[min(self._ahead)]
            how = f", and raises {said_by(error)}" if error else ""
            raise WorkflowDiverged(
                f"step {first.place} of {self._workflow}: the code does not ask for the recorded {first.kind} "
                f"{first.name!r} any more{how}"
            ) from error
        if isinstance(ended, Thrown):
            raise ended.error
        return ended

    def place_of(self, error: BaseException) -> Place | None:
        """The step whose failure an error of this run is, or was raised from; None: it is no step's.

        INVARIANT: a failure after which the workflow went on to another step is never where the case stopped: to try
        it again would be to do again, in the first way, what has been done in another.
        """
        seen: list[BaseException] = []
        link: BaseException | None = error
        while link is not None and link not in seen:
            place = next((place for place, failure in self._failed if failure is link), None)
            if place:
                return None if self._went_on_from(place) else place
            seen.append(link)
            link = link.__cause__
        return None

    def _went_on_from(self, place: Place) -> bool:
        return any(asked != place and is_at_or_after(place, asked) for asked in self._asked)

    async def _drive(self, coroutine: Coroutine[Any, Any, Any], scope: str) -> Ended | Thrown:
        """Run one branch. What its own code raises is ``Thrown``; what the steps raise ends the whole run."""
        ordinal = 0
        outcome: Outcome = Value(None)
        try:
            while True:
                try:
                    request = self._advance(coroutine, outcome)
                except StopIteration as stop:
                    return Value(stop.value)
                except WorkflowMisuse:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever workflow code raises is for the workflow around it
                    return Thrown(error)
                self._count_step()
                place = Place(scope, ordinal)
                match request:
                    case ContinueAs(value):
                        if scope:
                            raise WorkflowMisuse("continue_as inside a gather", todo="call it outside of its branches")
                        return Continued(value)
                    case Gather(branches):
                        outcome = await self._gather(branches, place)
                        ordinal += 1
                    case StepRequest():
                        old_case = request.kind is StepKind.PATCHED and self._began_without(request, place)
                        outcome = Value(value=False) if old_case else await self._step(request, place)
                        self._note(outcome, place)
                        ordinal += 0 if old_case else 1
                    case _:
                        raise WorkflowMisuse(
                            f"the workflow awaits {type(request).__name__}", todo="await the case's own"
                        )
                if isinstance(outcome, Park):
                    return outcome
        finally:
            _end(coroutine)

    def _advance(self, coroutine: Coroutine[Any, Any, Any], outcome: Outcome) -> Request[Any]:
        """Run workflow code up to its next await."""
        try:
            with inside_workflow(self._workflow):
                if isinstance(outcome, Thrown):
                    return coroutine.throw(outcome.error)
                return coroutine.send(outcome.value if isinstance(outcome, Value) else None)
        except RuntimeError as cause:
            if str(cause) not in _NO_LOOP:
                raise
            raise WorkflowMisuse(
                f"the workflow {self._workflow} asked for an event loop, as tasks, threads and asyncio.sleep do",
                todo="use case.gather, case.wait or case.step instead",
            ) from cause
        except Exception:
            raise
        except BaseException as cause:
            raise WorkflowQuit(f"the workflow raised {said_by(cause)}") from cause

    def _count_step(self) -> None:
        self._count += 1
        if self._count > MOST_STEPS:
            raise StepLimitReached(
                f"{self._workflow} took more than {MOST_STEPS} steps in one run",
                todo="let it end with case.continue_as from time to time",
            )

    def _note(self, outcome: Outcome, place: Place) -> None:
        if isinstance(outcome, Thrown):
            self._failed.append((place, outcome.error))

    async def _step(self, request: StepRequest[Any], place: Place) -> Outcome:
        recorded = self._journal.get(place)
        if recorded and self._is_another(request, place):
            raise WorkflowDiverged(
                f"step {place} of {self._workflow}: the code asks for {request.kind} {request.name!r}, with other "
                f"arguments or in another order than recorded ({recorded.kind} {recorded.name!r})"
            )
        self._ahead.pop(place, None)
        self._asked.append(place)
        if recorded and recorded.state is not StepState.PENDING:
            return self._steps.result_of(request, recorded)
        later = self._recorded_after(place)
        if later:
            known = "has not ended" if recorded else "is not recorded"
            raise WorkflowDiverged(
                f"step {place} of {self._workflow}: the code asks for {request.kind} {request.name!r}, which {known}, "
                f"though {later.kind} {later.name!r} after it is recorded (step {later.place})"
            )
        return await self._steps.carry_out(request, place, recorded)

    def _recorded_after(self, place: Place) -> Recorded | None:
        """What is recorded of what comes after a place. INVARIANT: nothing is carried out where there is such a step:
        another way led to it.
        """  # noqa: D205 - one thought
        first = min((ahead for ahead in self._ahead if is_at_or_after(place, ahead)), default=None)
        return self._ahead[first] if first else None

    def _began_without(self, request: StepRequest[Any], place: Place) -> bool:
        """Whether a change came into the code after a case had gone by its place: by a step, or into branches."""
        if place in self._journal:
            return self._is_another(request, place)
        return self._recorded_after(place) is not None

    def _is_another(self, request: StepRequest[Any], place: Place) -> bool:
        recorded = self._journal.get(place)
        if recorded is None:
            return False
        mine = args_hash(request.kind, request.name, request.arguments)
        return (recorded.kind, recorded.name, recorded.args_hash) != (request.kind, request.name, mine)

    async def _gather(self, branches: tuple[Coroutine[Any, Any, Any], ...], place: Place) -> Outcome:
        """Run branches side by side; it waits when one of them waits and none can go on."""
        try:
            await self._steps.settle_up()
        except BaseException:
            for branch in branches:
                _end(branch)
            raise
        tasks = [
            asyncio.create_task(self._drive(branch, place.branch(index)), name=f"branch {place.branch(index)}")
            for index, branch in enumerate(branches)
        ]
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        # INVARIANT: a lost case, a lost database, a divergence is no branch's error: no workflow code can catch it.
        for error in [error for task in tasks if (error := task.exception())]:
            raise error
        results = [task.result() for task in tasks]
        parked = [result for result in results if isinstance(result, Park)]
        if parked:
            times = [park.at for park in parked if park.at]
            why = "; ".join(dict.fromkeys(park.why for park in parked))
            held_by = next((park.held_by for park in parked if park.held_by), None)
            return Park(min(times, default=None), why, held_by)
        thrown = next((result for result in results if isinstance(result, Thrown)), None)
        return thrown or Value([result.value for result in results if isinstance(result, Value)])


def _end(coroutine: Coroutine[Any, Any, Any]) -> None:
    """End a coroutine that will not be resumed; what it asks for while ending is not carried out."""
    try:
        with inside_workflow("(ending)"):
            try:
                coroutine.throw(ParkedCase())
            finally:
                coroutine.close()
    except BaseException:  # noqa: BLE001, S110 - it ended so, or its own clean-up failed: the case's state is decided
        pass  # or it had ended, or it awaited again while ending


def decode(data: bytes | None) -> Any:
    """A step's result, read."""
    return msgspec.json.decode(data) if data is not None else None
