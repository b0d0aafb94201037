"""The actions' rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState
from interlock.db.gates import StateGate, StateRow
from interlock.db.queries import load_queries


class NewAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action on its way in, ready or with its first attempt under way: fields as in ``Action``."""

    id: UUID
    tenant: UUID
    case_id: UUID
    decision_id: UUID | None
    workflow: str
    name: str
    connector: str
    domain: str
    key: str
    payload: bytes
    exposure_minor: int | None
    currency: str | None
    fence: int
    valid_until: datetime | None
    deadline: datetime
    created_at: datetime
    undo_of: UUID | None = None
    caller: str = ""
    point: str | None = None
    component: str | None = None
    decided_at: datetime | None = None
    facts: bytes | None = None
    granted: bytes | None = None
    state: ActionState = ActionState.READY
    attempt: int = 0
    sent_at: datetime | None = None
    send_deadline: datetime | None = None
    sender_ends_at: datetime | None = None


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """An action that is about to be sent."""

    id: UUID
    fence: int
    attempt: int
    sent_at: datetime
    send_deadline: datetime
    sender_ends_at: datetime | None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an attempt: the action's next state.

    Attributes:
        sender_ends_at: When no sender of it can send any more, if that is known better than before.
        voided: Whether the key of all earlier requests was made void, so that the next one has a key of its own.
    """

    id: UUID
    state: ActionState
    fence: int
    not_before: datetime | None = None
    response: bytes | None = None
    error: str | None = None
    ended_at: datetime | None = None
    sender_ends_at: datetime | None = None
    voided: bool = False


class NewAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that begins."""

    action_id: UUID
    tenant: UUID
    number: int
    worker: int
    sent_at: datetime


class EndedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that has ended."""

    action_id: UUID
    number: int
    ended_at: datetime
    outcome: str
    detail: str | None


class ClearedAttempts(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts whose answers were lost, of an action that surely had no effect."""

    action_id: UUID
    at: datetime


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is read.

    Attributes:
        number: From 1.
        worker: Who sent it.
        sent_at: When its dispatch was committed.
        ended_at: When its end was recorded; None if its worker died before.
        outcome: done, transient, permanent, in_doubt, found, absent, pending.
        detail: What is known beyond that.
    """

    number: int
    worker: int
    sent_at: datetime
    ended_at: datetime | None
    outcome: str | None
    detail: str | None


_SQL = load_queries(__file__)
FIND_ACTION = _SQL.rows("find_action", Action)
ACTIONS_OF_CASE = _SQL.rows("actions_of_case", Action)
ATTEMPTS_OF_ACTION = _SQL.rows("attempts_of_action", Attempt)
ADD_ACTIONS = _SQL.bulk("add_actions", NewAction, distinct=("id",))
DISPATCH_ACTIONS = _SQL.bulk("dispatch_actions", Dispatched, distinct=("id",))
END_ACTIONS = _SQL.bulk("end_actions", Ended, distinct=("id",))
ADD_ATTEMPTS = _SQL.bulk("add_attempts", NewAttempt, distinct=("action_id", "number"))
COUNT_DOUBTFUL = _SQL.rows("count_doubtful", int)
CLEAR_ATTEMPTS = _SQL.bulk("clear_attempts", ClearedAttempts, distinct=("action_id",))
END_ATTEMPTS = _SQL.bulk("end_attempts", EndedAttempt, distinct=("action_id", "number"))
action_gate = StateGate("action", _SQL.rows("lock_actions", StateRow))
