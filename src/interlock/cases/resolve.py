"""Resolving exceptions: try again, say what became of an action in doubt, or abandon the case."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from interlock.actions.action import ActionState
from interlock.actions.store import CLEAR_ATTEMPTS, ClearedAttempts
from interlock.cases.store import (
    DECIDE_ACTIONS,
    FIND_CASE,
    FINISH_CASES,
    OPEN_ACTIONS,
    REOPEN_ACTIONS,
    REOPEN_STEPS,
    RETRY_CASES,
    CaseState,
    DecidedAction,
    FinishedCase,
    OpenAction,
    ReopenedSteps,
    RetriedCase,
)
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.work import Condition, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.guards.gate import GivesBack, release, settle
from interlock.ledger.ledger import first_entry, further_entry
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
    after looking into the other side's own book. ``abandon``: the case is cancelled, and what it never sent
    never will be; refused while a request of it may have had an effect, or may yet.
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
        Refused: no reason, or a way that does not fit what happened; abandoning while an action is unsettled.
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
        unended = await OPEN_ACTIONS.all(connection, {"case_id": case_id})
    if case is None:
        raise NotFound(f"there is no case {case_id}")
    if found.state is not ExceptionState.OPEN:
        raise StateConflict(f"the exception {exception_id} is {found.state} by {found.resolved_by} already")
    run = case.run
    doubtful = [action.id for action in unended if action.state is ActionState.EXCEPTION]
    _check_way(way, unended)
    given_up = [action for action in unended if way is Way.ABANDON and not action.doubtful]

    def build(stamp: Stamp) -> Sequence[Write]:
        state = ExceptionState.ABANDONED if way is Way.ABANDON else ExceptionState.RESOLVED
        ended = EndedException(
            id=exception_id, state=state, resolved_at=stamp.now, resolved_by=who, resolution=f"{way}: {why}"
        )
        entry = first_entry(
            stamp, tenant, "exception.resolved", subject=exception_id, case_id=case_id, way=way, who=who, why=why
        )
        failed = [write for action in given_up for write in _give_up(stamp, tenant, case_id, action, why)]
        return [Write(END_EXCEPTIONS, ended), entry, *failed, *_next(stamp, case_id, run, way, doubtful, why)]

    conditions: list[Condition] = [
        HoldsCase(case_id, None, (CaseState.EXCEPTION,)),
        IsInState("exception", exception_id, ("open",)),
        *(IsInState("action", action.id, (action.state,)) for action in given_up),
        *(GivesBack(action.id) for action in given_up),
    ]
    if way is Way.NO_EFFECT:
        conditions += [GivesBack(action) for action in doubtful]
    refusal = await writer.write(Unit(tenant, build, tuple(conditions), wakes=("cases", "reviews")))
    if refusal:
        raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
    return case_id


def _check_way(way: Way, unended: Sequence[OpenAction]) -> None:
    """Refuse a way that does not fit what is known of the case's actions.

    INVARIANT: a case is never cancelled while a request of it may have had an effect, or may yet: nobody would learn
    what became of the money.
    """
    asks = any(action.state is ActionState.EXCEPTION for action in unended)
    if asks != (way in (Way.TOOK_EFFECT, Way.NO_EFFECT)):
        raise Refused(
            f"{way} does not fit: {'an action is in doubt' if asks else 'no action is in doubt'}",
            where="/way",
            todo="say took_effect or no_effect, after looking into the other side's book"
            if asks
            else "say retry or abandon",
        )
    unsettled = [action for action in unended if action.doubtful]
    if way is Way.ABANDON and unsettled:
        which = ", ".join(f"{action.name} ({action.id}) is {action.state}" for action in unsettled)
        raise Refused(
            f"the case cannot be abandoned yet, for a request may have taken effect: {which}",
            where="/way",
            todo="say retry, so that it is settled; if it cannot be, a person is asked whether it took effect",
        )


def _give_up(stamp: Stamp, tenant: UUID, case_id: UUID, action: OpenAction, why: str) -> list[Write]:
    """End an action that surely had no effect, with its case."""
    error = f"the case was abandoned: {why}"[:2000]
    return [
        Write(DECIDE_ACTIONS, DecidedAction(id=action.id, state=ActionState.FAILED, error=error, at=stamp.now)),
        release(action.id),
        further_entry(stamp, tenant, "action.failed", subject=action.id, case_id=case_id, error=error),
    ]


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
