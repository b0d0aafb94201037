"""What became of carrying an action out, as values: it is finished, or it goes on later. Pure.

The dispatcher decides which; the rows that record an end are committed by the caller, together with the case's step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState, Move
from interlock.actions.connector import Request
from interlock.actions.store import CLEAR_ATTEMPTS, END_ACTIONS, END_ATTEMPTS, ClearedAttempts, Ended, EndedAttempt
from interlock.db.carried import Carried
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.text import storable
from interlock.db.work import Condition, Stamp, Write
from interlock.guards.gate import GivesBack, release, settle
from interlock.ledger.ledger import hash_of
from interlock.privacy.token import keys_in
from interlock.privacy.veil import without_strange_tokens


@dataclass(frozen=True, slots=True)
class Holder:
    """Who carries the action out: the worker that holds its case.

    Attributes:
        tenant: Whose case it is.
        worker: The worker's number.
        fence: The fence under which it claimed the case.
        carried: What is to be written with the case's next unit.
    """

    tenant: UUID
    worker: int
    fence: int
    carried: Carried = field(default_factory=Carried, compare=False)


@dataclass(frozen=True, slots=True)
class Later:
    """The action is not finished; the case waits.

    Attributes:
        at: When to go on; None: when a person has decided.
        why: What is waited for, in words.
        held_by: The stop that holds it, if one does: the case is woken when it ends.
    """

    at: datetime | None
    why: str
    held_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The action has ended; the writes that record it are still to be committed, with the case's step.

    Attributes:
        state: ``done``, ``failed`` or ``exception``.
        response: What the other side answered, for a done one.
        error: What went wrong, for the others.
        writes: Builds the rows that end action, attempt and reservation.
        conditions: What must hold in that commit.
        cleared: Whether it ends the doubt of every attempt: no request can take effect any more.
        recorded: Whether all of it, the case's step too, is on record already.
    """

    state: ActionState
    response: dict[str, Any]
    error: str
    conditions: tuple[Condition, ...]
    ended: Ended
    attempt: EndedAttempt | None
    cleared: bool = False
    recorded: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """What the entry of the end says: which attempt it was, and the hashes of what is stored of the answer.

        By hash: an error is often told in the other side's words, which may name a person.
        """
        return {
            "attempt": self.attempt.number if self.attempt else None,
            "error_hash": hash_of(self.ended.error),
            "response_hash": hash_of(self.ended.response),
        }

    def writes(self, stamp: Stamp) -> list[Write]:
        """The rows that end the action, its attempt and its reservations."""
        if self.recorded:
            return []
        ended = msgspec.structs.replace(self.ended, ended_at=self.ended.ended_at or stamp.now)
        rows = [Write(END_ACTIONS, ended)]
        if self.attempt:
            rows.append(Write(END_ATTEMPTS, msgspec.structs.replace(self.attempt, ended_at=stamp.now)))
        if self.cleared:
            rows.append(Write(CLEAR_ATTEMPTS, ClearedAttempts(action_id=self.ended.id, at=stamp.now)))
        if self.state is ActionState.DONE:
            rows.append(settle(self.ended.id))
        elif self.state is ActionState.FAILED:
            rows.append(release(self.ended.id))
        return rows


def request_of(action: Action) -> Request:
    """What the connector is asked."""
    return Request(
        operation=action.name,
        key=action.outside_key,
        payload=msgspec.json.decode(action.payload),
        deadline=action.send_deadline or action.deadline,
        decided_at=action.decided_at or action.created_at,
    )


def next_attempt(action: Action, attempts: int) -> str:
    """What is waited for between two attempts: which one, of how many, until when, and what the last one said.

    Args:
        action: Between two attempts.
        attempts: How many may be made.
    """
    which = f"attempt {action.attempt + 1} of {max(attempts, action.attempt + 1)} of {action.name}"
    return f"{which}, to begin by {action.deadline:%Y-%m-%d %H:%M:%S} UTC: {action.error or 'paused'}"


def ended_attempt(action: Action, now: datetime, outcome: str, what: str | None) -> EndedAttempt:
    """How the last attempt ended."""
    return EndedAttempt(
        action_id=action.id,
        number=action.attempt,
        ended_at=now,
        outcome=outcome,
        detail=storable(what)[:2000] if what else None,
    )


def finish(
    action: Action,
    holder: Holder,
    state: ActionState,
    *,
    response: dict[str, Any] | None = None,
    error: str = "",
    outcome: str = "",
) -> Finished:
    """End an action: the values from which the commit with the case's step is built."""
    error = storable(error)
    if response is not None:  # the other side gets no tokens: one that it answers and was not sent is somebody else's
        response = without_strange_tokens(response, keys_in(action.payload))
    conditions: list[Condition] = [
        HoldsCase(action.case_id, holder.fence),
        IsInState("action", action.id, (action.state,)),
    ]
    if state is ActionState.FAILED:
        conditions.append(GivesBack(action.id))
    return Finished(
        state=state,
        response=response or {},
        error=error,
        conditions=tuple(conditions),
        ended=Ended(
            id=action.id,
            state=state,
            fence=holder.fence,
            response=msgspec.json.encode(response) if response is not None else None,
            error=error[:2000] or None,
        ),
        attempt=ended_attempt(action, action.created_at, outcome, error or None)
        if outcome and action.attempt
        else None,
    )


def give_up(action: Action, holder: Holder, why: str, *, doubtful: bool) -> Finished:
    """End an action that may not be sent: without effect, or, when an earlier attempt is in doubt, with a person."""
    if doubtful:
        what = f"in doubt, and it may not be sent again: {why}"
        return finish(action, holder, ActionState.EXCEPTION, error=what)
    return finish(action, holder, ActionState.FAILED, error=why)


def no_attempt_left(action: Action, holder: Holder, move: Move, *, voided: bool) -> Finished | Later:
    """End the doubt without another sending: without effect once that is certain; if it never will be, a person.

    INVARIANT: what is certain is said of every attempt, and a void key is never used again: should a person have the
    action tried once more, it is in no doubt, and has a key that the other side takes.

    Args:
        action: In doubt, with its last attempt spent.
        holder: Who holds its case.
        move: What might be done, were there another attempt.
        voided: Whether its key was made void.
    """
    what = f"{action.attempt} attempts: {action.error or 'the answer was lost'}"
    if move.cleared:
        failed = finish(action, holder, ActionState.FAILED, error=f"given up after {what}")
        return replace(failed, cleared=True, ended=msgspec.structs.replace(failed.ended, voided=voided))
    if move.at:
        return Later(move.at, f"{action.name} is in doubt after {what}")
    return finish(action, holder, ActionState.EXCEPTION, error=f"in doubt after {what}", outcome="in_doubt")


def look_again(action: Action, holder: Holder, at: datetime, why: str) -> Finished | Later:
    """Look again then; past the action's deadline a person looks."""
    if at > action.deadline:
        return finish(action, holder, ActionState.EXCEPTION, error=f"{action.name} {why}", outcome="in_doubt")
    return Later(at, f"{action.name} {why}")


def as_it_ended(action: Action) -> Finished:
    """An action that had ended before: only the case's step is still to be recorded."""
    response: dict[str, Any] = msgspec.json.decode(action.response) if action.response else {}
    return Finished(
        state=action.state,
        response=response,
        error=action.error or "",
        conditions=(),
        ended=Ended(id=action.id, state=action.state, fence=action.fence, response=action.response, error=action.error),
        attempt=None,
    )
