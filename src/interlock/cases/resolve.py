"""Resolving exceptions: try again, say what became of an action in doubt, or abandon the case."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from interlock.actions.action import ActionState
from interlock.actions.store import CLEAR_ATTEMPTS, ClearedAttempts
from interlock.cases.store import (
    ACTIONS_IN_EXCEPTION,
    DECIDE_ACTIONS,
    FIND_CASE,
    FINISH_CASES,
    REOPEN_ACTIONS,
    REOPEN_STEPS,
    RETRY_CASES,
    CaseState,
    DecidedAction,
    FinishedCase,
    ReopenedSteps,
    RetriedCase,
)
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.guards.gate import GivesBack, release, settle
from interlock.ledger.ledger import first_entry
from interlock.oversight.exception import ExceptionState
from interlock.oversight.store import (
    END_EXCEPTIONS,
    FIND_EXCEPTION,
    WITHDRAW_REVIEWS,
    EndedException,
    WithdrawnReviews,
)


class Way(StrEnum):
    """How an exception is resolved.

    ``retry``: what failed is tried again. ``took_effect`` and ``no_effect``: a person's word on an action in doubt,
    after looking into the other side's own book. ``abandon``: the case is cancelled.
    """

    RETRY = "retry"
    TOOK_EFFECT = "took_effect"
    NO_EFFECT = "no_effect"
    ABANDON = "abandon"


async def resolve_exception(
    database: Database, writer: Writer, tenant: UUID, exception_id: UUID, way: Way, *, who: str, why: str
) -> UUID:
    """Resolve an exception; its case goes on where it stopped, or is cancelled. The case's id.

    Raises:
        NotFound: this tenant has none of that id.
        Refused: no reason, or a way that does not fit what happened.
        StateConflict: it was resolved before.
    """
    if not why.strip():
        raise Refused("a reason is needed", where="/why", todo="say why, for whoever reads the ledger")
    async with database.tenant(tenant) as connection:
        found = await FIND_EXCEPTION.one(connection, {"id": exception_id})
        if found is None or found.case_id is None:
            raise NotFound(f"there is no exception {exception_id}", todo="`interlock exceptions` lists the open ones")
        case_id = found.case_id
        case = await FIND_CASE.one(connection, {"id": case_id})
        doubtful = await ACTIONS_IN_EXCEPTION.all(connection, {"case_id": case_id})
    if case is None:
        raise NotFound(f"there is no case {case_id}")
    if found.state is not ExceptionState.OPEN:
        raise StateConflict(f"the exception {exception_id} is {found.state} by {found.resolved_by} already")
    run = case.run
    if bool(doubtful) != (way in (Way.TOOK_EFFECT, Way.NO_EFFECT)):
        raise Refused(
            f"{way} does not fit: {'an action is in doubt' if doubtful else 'no action is in doubt'}",
            where="/way",
            todo="say took_effect or no_effect, after looking into the other side's book"
            if doubtful
            else "say retry or abandon",
        )

    def build(stamp: Stamp) -> Sequence[Write]:
        state = ExceptionState.ABANDONED if way is Way.ABANDON else ExceptionState.RESOLVED
        ended = EndedException(
            id=exception_id, state=state, resolved_at=stamp.now, resolved_by=who, resolution=f"{way}: {why}"
        )
        entry = first_entry(
            stamp, tenant, "exception.resolved", subject=exception_id, case_id=case_id, way=way, who=who, why=why
        )
        return [Write(END_EXCEPTIONS, ended), entry, *_next(stamp, case_id, run, way, doubtful, why)]

    conditions = [HoldsCase(case_id, None, (CaseState.EXCEPTION,)), IsInState("exception", exception_id, ("open",))]
    if way is Way.NO_EFFECT:
        conditions += [GivesBack(action) for action in doubtful]  # type: ignore[list-item]
    refusal = await writer.write(Unit(tenant, build, tuple(conditions), wakes=("cases", "reviews")))
    if refusal:
        raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
    return case_id


def _next(stamp: Stamp, case_id: UUID, run: int, way: Way, doubtful: Sequence[UUID], why: str) -> list[Write]:
    if way is Way.ABANDON:
        row = FinishedCase(
            case_id=case_id,
            state=CaseState.CANCELLED,
            conclusion=None,
            waiting_for=f"abandoned: {why}"[:500],
            at=stamp.now,
            exposure_minor=None,
            currency=None,
        )
        return [Write(FINISH_CASES, row), Write(WITHDRAW_REVIEWS, WithdrawnReviews(case_id))]
    again = Write(RETRY_CASES, RetriedCase(case_id=case_id, at=stamp.now))
    if way is Way.RETRY:
        reopened = Write(REOPEN_STEPS, ReopenedSteps(case_id=case_id, run=run, at=stamp.now))
        return [reopened, Write(REOPEN_ACTIONS, RetriedCase(case_id=case_id, at=stamp.now)), again]
    state = ActionState.DONE if way is Way.TOOK_EFFECT else ActionState.FAILED
    writes = [
        Write(DECIDE_ACTIONS, DecidedAction(id=action, state=state, error=f"decided by a person: {why}", at=stamp.now))
        for action in doubtful
    ]
    ends = [settle(action) if way is Way.TOOK_EFFECT else release(action) for action in doubtful]
    cleared = [Write(CLEAR_ATTEMPTS, ClearedAttempts(action_id=action, at=stamp.now)) for action in doubtful]
    return [*writes, *ends, *(cleared if way is Way.NO_EFFECT else []), again]
