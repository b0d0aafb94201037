"""Running one claimed case on its workflow's code: to its end, to a pause, or to a person."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from interlock.actions.outcome import Holder
from interlock.cases.anew import DecisionStale, decide_anew
from interlock.cases.cancel import LONGEST_WHY, cancel_writes
from interlock.cases.case import Case
from interlock.cases.cut import is_being_cut, said_by
from interlock.cases.driver import Continued, Driver, Ended, Park, Value, WorkflowDiverged, decode
from interlock.cases.ending import Ending
from interlock.cases.ending_entry import OnFailure
from interlock.cases.ending_store import FIND_CANCELLATION
from interlock.cases.held import CaseStuck, FirstWrites, Held, Tools
from interlock.cases.journal import Place, encode
from interlock.cases.registry import Registered
from interlock.cases.steps import CaseSteps
from interlock.cases.store import (
    BEGIN_NEXT_RUNS,
    FINISH_CASES,
    JOURNAL_OF_CASE,
    PARK_CASES,
    CaseState,
    ClaimedCase,
    FinishedCase,
    NextRun,
    ParkedCase,
)
from interlock.cases.stuck import exception_of
from interlock.db.text import storable
from interlock.db.work import Condition, Stamp, Write
from interlock.errors import (
    CancelWanted,
    CaseFailed,
    DatabaseUnavailable,
    DecisionRejected,
    Fenced,
    InterlockError,
    RecordRefused,
    WorkFailed,
    WorkflowMisuse,
)
from interlock.ledger.ledger import first_entry, further_entry, hash_of
from interlock.oversight.store import ADD_EXCEPTIONS

log = logging.getLogger("interlock.worker")

_RETRY_S = 0.5
_OURS = WorkflowMisuse | WorkFailed | RecordRefused
"""Errors for which no case is undone: they are in how the code is written, or in what is on record."""


class CaseRun:
    """Runs one case that a worker has claimed.

    Args:
        tools: What steps need.
        registered: The workflow that carries the case.
        number: The worker's.
        parked: Told when the case is to go on, once it waits; None: when somebody wakes it.
    """

    def __init__(
        self, tools: Tools, registered: Registered, number: int, parked: Callable[[datetime | None], None]
    ) -> None:
        self._tools = tools
        self._registered = registered
        self._number = number
        self._parked = parked

    async def hold(self, case: ClaimedCase) -> None:
        """Run a case until it ends, waits, or belongs to somebody else; through lost databases."""
        # never claimed before: nothing can be recorded but the decision that it began with
        fresh = case.fence == 1 and not self._registered.workflow.follows
        cancelled = False
        while True:
            try:
                case, cancelled = await self._as_cancelled(case) if cancelled else case, False
                held = Held(
                    case=case,
                    declaration=self._registered.declaration,
                    library=self._registered.library,
                    holder=Holder(case.tenant, self._number, case.fence),
                )
                await (self._close(held) if case.cancel_at else self._run(held, fresh=fresh))
            except CancelWanted:
                cancelled = True
            except (Fenced, asyncio.CancelledError):
                return
            except (DatabaseUnavailable, psycopg.OperationalError):
                await asyncio.sleep(_RETRY_S)
            except Exception:
                log.exception("case %s could not be recorded; running it again", case.id)
                await asyncio.sleep(_RETRY_S)
            else:
                return
            fresh = False

    async def _run(self, held: Held, *, fresh: bool) -> None:
        case = held.case
        journal = [] if fresh else await self._journal(case)
        face = Case(
            case_id=case.id,
            key=case.key,
            value=decode(case.input),
            workflow=case.workflow,
            created_at=case.created_at,
            exposure=case.exposure,
        )
        driver = Driver(case.workflow, CaseSteps(held, self._tools), journal)
        try:
            try:
                ended: Ended = await driver.run(self._registered.workflow.start(face))
            except DecisionRejected:
                ended = Value("rejected")
            await self._end(held, ended)
        except (Fenced, CancelWanted, DatabaseUnavailable, psycopg.OperationalError, GeneratorExit, KeyboardInterrupt):
            raise
        except DecisionStale as cause:
            stuck = await decide_anew(held, self._tools, cause.stale)
            if stuck:
                await self._stick(held, stuck.kind, stuck.what, stuck=stuck)
        except WorkflowDiverged as cause:
            await self._stick(held, "workflow-diverged", str(cause))
        except CaseStuck as cause:
            await self._stick(held, cause.kind, cause.what, stuck=cause)
        except BaseException as cause:  # whatever code raises, the case, its state and this worker go on
            if is_being_cut(cause):
                raise
            await self._failed(held, cause, driver.place_of(cause))

    async def _failed(self, held: Held, cause: BaseException, place: Place | None) -> None:
        """An error that the workflow did not handle: as its file says, what the case did is taken back, or a person is
        asked. An error in how the code is written, or in what is on record, is always for a person.
        """  # noqa: D205 - one thought
        ours = isinstance(cause, InterlockError)
        kind, what = (cause.code, str(cause.what)) if ours else ("workflow-error", said_by(cause))
        if isinstance(cause, CaseFailed):
            await self._undo(held, what)
        elif held.declaration.on_failure is OnFailure.UNDO and not isinstance(cause, _OURS):
            log.warning("case %s has failed: %s: %s", held.case.id, kind, storable(what), exc_info=cause)
            await self._undo(held, f"{kind}: {what}")
        else:
            await self._stick(held, kind, what, trace=_trace(cause), place=place)

    async def _undo(self, held: Held, why: str) -> None:
        """Begin the end of a case that failed by its own word."""
        case, who = held.case, f"workflow:{held.case.workflow}"
        why = storable(why).strip()[:LONGEST_WHY] or "it did not say why"
        await self._write(held, lambda stamp: cancel_writes(stamp, case.tenant, case.id, who=who, why=why))
        raise CancelWanted(why, where=str(case.id))

    async def _close(self, held: Held) -> None:
        """Take a case that is to be cancelled as far towards its end as it goes now."""
        try:
            park = await Ending(held, self._tools).go_on()
        except CaseStuck as cause:
            await self._stick(held, cause.kind, cause.what, stuck=cause)
        except RecordRefused as cause:
            await self._stick(held, cause.code, cause.what)
        else:
            if park:
                await self._park(held, park)

    async def _as_cancelled(self, case: ClaimedCase) -> ClaimedCase:
        """A case that is held here, with what was said while it ran."""
        async with self._tools.database.tenant(case.tenant) as connection:
            found = await FIND_CANCELLATION.one(connection, {"id": case.id})
        return msgspec.structs.replace(case, **msgspec.structs.asdict(found)) if found else case

    async def _end(self, held: Held, ended: Ended) -> None:
        match ended:
            case Park():
                await self._park(held, ended)
            case Continued(value):
                await self._continue(held, encode(value))
            case Value(value):
                await self._finish(held, str(value) if value is not None else "done")

    async def _journal(self, case: ClaimedCase) -> list[Any]:
        async with self._tools.database.tenant(case.tenant) as connection:
            return await JOURNAL_OF_CASE.all(connection, {"case_id": case.id, "run": case.run})

    # -------------------------------------------------------------------- ending

    async def _write(
        self, held: Held, build: FirstWrites, *, conditions: tuple[Condition, ...] = (), wakes: tuple[str, ...] = ()
    ) -> None:
        refusal, _ = await held.holder.carried.write(
            self._tools.writer, held.case.tenant, build, (held.condition, *conditions), wakes=wakes
        )
        if refusal:
            held.raise_refused(refusal)

    async def _park(self, held: Held, park: Park) -> None:
        at, why = park.at, storable(park.why)[:500]

        def build(stamp: Stamp) -> Sequence[Write]:
            row = ParkedCase(
                case_id=held.case.id,
                signals=held.case.signals,
                wake_at=at,
                waiting_for=why,
                held_by=park.held_by,
                at=stamp.now,
                **_money(held),
            )
            return [Write(PARK_CASES, row), self._entry(stamp, held, "case.waiting", why=why, wake_at=at)]

        await self._write(held, build)
        self._parked(at)

    async def _finish(self, held: Held, conclusion: str) -> None:
        conclusion = storable(conclusion)[:200]

        def build(stamp: Stamp) -> Sequence[Write]:
            row = FinishedCase(
                case_id=held.case.id,
                state=CaseState.DONE,
                conclusion=conclusion,
                waiting_for=None,
                at=stamp.now,
                **_money(held),
            )
            return [Write(FINISH_CASES, row), self._entry(stamp, held, "case.done", conclusion=conclusion)]

        await self._write(held, build, wakes=("done",))

    async def _continue(self, held: Held, value: bytes) -> None:
        def build(stamp: Stamp) -> Sequence[Write]:
            return [
                Write(BEGIN_NEXT_RUNS, NextRun(case_id=held.case.id, input=value, at=stamp.now)),
                self._entry(stamp, held, "case.continued", run=held.case.run + 1, input_hash=hash_of(value)),
            ]

        await self._write(held, build, wakes=("cases",))

    async def _stick(
        self,
        held: Held,
        kind: str,
        what: str,
        *,
        trace: str = "",
        place: Place | None = None,
        stuck: CaseStuck | None = None,
    ) -> None:
        """Make the case an exception that somebody owns, with its state, in one commit."""
        case = held.case
        what, place = storable(what), stuck.place if stuck else place

        def build(stamp: Stamp) -> Sequence[Write]:
            row = exception_of(held, self._tools, stamp, kind, what, trace=trace, place=place, stuck=stuck)
            finished = FinishedCase(
                case_id=case.id,
                state=CaseState.EXCEPTION,
                conclusion=None,
                waiting_for=f"{kind}: {what}"[:500],
                at=stamp.now,
                **_money(held),
            )
            first = list(stuck.writes(stamp)) if stuck and stuck.writes else []
            entry = further_entry if first else first_entry
            opened = entry(
                stamp, case.tenant, "exception.opened", subject=row.id, case_id=case.id, exception_kind=kind,
                priority=row.priority, owner=row.owner, action=row.action, what_hash=hash_of(row.what),
                detail_hash=hash_of(row.detail),
            )  # fmt: skip
            return [*first, Write(ADD_EXCEPTIONS, row), Write(FINISH_CASES, finished), opened]

        asked = bool(stuck and stuck.asks)  # nothing is wrong then: the workflow's own code wants a person
        log.log(logging.INFO if asked else logging.WARNING, "case %s is an exception: %s: %s", case.id, kind, what)
        try:
            await self._write(held, build, conditions=stuck.conditions if stuck else (), wakes=("reviews",))
        except WorkFailed as cause:
            if stuck is None and not held.holder.carried:
                raise
            held.holder.carried.drop()
            # What came with it cannot be recorded; without it the case has an owner, and its action stays as it was.
            told = f"{what} (its records were refused: {cause.what})"
            await self._stick(held, kind, told, trace=trace, place=place)

    def _entry(self, stamp: Stamp, held: Held, kind: str, **facts: Any) -> Write:
        case = held.case
        return first_entry(stamp, case.tenant, kind, subject=case.id, case_id=case.id, fence=case.fence, **facts)


def _money(held: Held) -> dict[str, Any]:
    exposure = held.exposure
    return {
        "exposure_minor": exposure.minor if exposure else None,
        "currency": exposure.currency if exposure else None,
    }


def _trace(cause: BaseException) -> str:
    return "".join(traceback.format_exception(cause))
