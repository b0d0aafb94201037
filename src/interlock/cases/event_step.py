"""The step that waits for an outside event. Waiting holds no process: the case is woken by the commit of the event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from interlock.cases.answered import failure_of
from interlock.cases.driver import Outcome, Park, Thrown, Value, decode
from interlock.cases.events import NEXT_EVENT, TAKE_EVENTS, OutsideEvent, TakenEvent
from interlock.cases.held import FirstWrites, Held, Tools
from interlock.cases.journal import Place, Recorded, StepState
from interlock.cases.requests import AwaitEvent
from interlock.db.gates import IsInState
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.errors import EventLate, WorkflowMisuse
from interlock.ledger.ledger import first_entry

StepRowOf = Callable[..., Write]
"""Gives the step's row from the stamp, its state, and what is known of it."""


async def await_event(
    held: Held, tools: Tools, request: AwaitEvent, place: Place, recorded: Recorded | None, row: StepRowOf
) -> Outcome:
    """Take the oldest event of this name that is kept for the case, or wait for one.

    Whether an event came in time is decided by when it was received, not by when a worker looked.

    Raises:
        WorkflowMisuse: the workflow's file declares no such event.
        Fenced: the case belongs to another worker now.
    """
    if request.name not in held.declaration.events:
        known = ", ".join(sorted(held.declaration.events)) or "none"
        raise WorkflowMisuse(f"the workflow's file declares no event {request.name!r}", todo=f"it declares {known}")
    now = tools.database.clock.now()
    due = recorded.due if recorded else now + request.within if request.within is not None else None
    while event := await _next(held, tools, request, due):
        if await _take(held, tools, event, place, row):
            return Value(decode(event.payload))
    if due and due <= now:
        late = EventLate(f"the event {request.name} did not come until {due:%Y-%m-%d %H:%M:%S} UTC", where=str(place))
        await _write(held, tools, _step_writes(held, place, request.name, row, StepState.FAILED, failure_of(late)))
        return Thrown(late)
    if recorded is None:
        await _write(held, tools, _step_writes(held, place, request.name, row, StepState.PENDING, None, due))
    return Park(due, f"the event {request.name}")


async def _next(held: Held, tools: Tools, request: AwaitEvent, due: datetime | None) -> OutsideEvent | None:
    wanted = {"case_id": held.case.id, "name": request.name, "before": due}
    async with tools.database.tenant(held.case.tenant) as connection:
        return await NEXT_EVENT.one(connection, wanted)


async def _take(held: Held, tools: Tools, event: OutsideEvent, place: Place, row: StepRowOf) -> bool:
    """Take the event and record the step, in one commit; whether no other branch of the case was faster."""
    case = held.case

    def build(stamp: Stamp) -> Sequence[Write]:
        return [
            Write(TAKE_EVENTS, TakenEvent(id=event.id, at=stamp.now)),
            row(stamp, StepState.DONE, result=decode(event.payload), ref=event.id),
            first_entry(stamp, case.tenant, "event.taken", subject=event.id, case_id=case.id, step=str(place)),
        ]

    refusal = await _write(held, tools, build, IsInState("event", event.id, ("kept",)))
    return refusal is None


def _step_writes(
    held: Held,
    place: Place,
    name: str,
    row: StepRowOf,
    state: StepState,
    result: object,
    due: datetime | None = None,
) -> FirstWrites:
    case = held.case
    kind = f"step.{state}"
    return lambda stamp: [
        row(stamp, state, result=result, due=due),
        first_entry(stamp, case.tenant, kind, subject=case.id, case_id=case.id, step=str(place), name=name, due=due),
    ]


async def _write(held: Held, tools: Tools, build: FirstWrites, *conditions: Condition) -> Refusal | None:
    refusal, _ = await held.holder.carried.write(tools.writer, held.case.tenant, build, (held.condition, *conditions))
    if refusal and refusal.code != "state":
        held.raise_refused(refusal)
    return refusal
