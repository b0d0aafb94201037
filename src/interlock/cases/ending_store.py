"""The rows of ending cases without success: cancelling, taking back, correcting, answering, migrating."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.actions.action import ActionState
from interlock.cases.store import CaseState
from interlock.db.queries import load_queries

CORRECTED = "the input was corrected"
"""What the error of an action begins with that an earlier input asked for, and that had no effect."""


class CancelledCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that shall end: since when, by whose word, and why."""

    case_id: UUID
    at: datetime
    who: str
    why: str
    body: bytes


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a case shall end, as its worker reads it.

    Attributes:
        signals: How often the case was woken.
        cancel_at: Since when it shall end.
        cancel_by: By whose word.
        cancel_why: Why.
    """

    signals: int
    cancel_at: datetime | None
    cancel_by: str | None
    cancel_why: str | None


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """An action that is being taken back, or has been; ``error`` says by whom, where a person did it by hand."""

    id: UUID
    state: ActionState
    error: str | None = None


class ReopenedUndo(msgspec.Struct, frozen=True, kw_only=True):
    """An undo that is tried again; ``body`` is what its entry says."""

    id: UUID
    at: datetime
    body: bytes


class CorrectedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that begins anew with a corrected input."""

    case_id: UUID


class AnsweredStep(msgspec.Struct, frozen=True, kw_only=True):
    """A failed step whose result is a person's answer."""

    case_id: UUID
    run: int
    scope: str
    ordinal: int
    result: bytes
    ref: UUID | None
    at: datetime


class MovableCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that may be moved to other code: fields as in ``CaseRow``."""

    id: UUID
    tenant: UUID
    workflow: str
    version: str
    code: UUID
    key: str
    input: bytes
    run: int
    state: CaseState
    fence: int
    created_at: datetime
    caller: str
    cancelled: bool


class MigratedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case and the code that it finishes on from now on."""

    case_id: UUID
    version: str
    code: UUID
    at: datetime


_SQL = load_queries(__file__)
CANCEL_CASES = _SQL.bulk("cancel_cases", CancelledCase, distinct=("case_id",))
ABANDON_EXCEPTIONS = _SQL.bulk("abandon_exceptions", CancelledCase, distinct=("case_id",))
DISCARD_QUARANTINES = _SQL.bulk("discard_quarantines", CancelledCase, distinct=("case_id",))
FIND_CANCELLATION = _SQL.rows("find_cancellation", Cancellation)
CHANGE_ORIGINALS = _SQL.bulk("change_originals", Original, distinct=("id",))
REOPEN_UNDOS = _SQL.bulk("reopen_undos", ReopenedUndo, distinct=("id",))
MARK_CORRECTED = _SQL.bulk("mark_corrected", CorrectedCase, distinct=("case_id",))
ANSWER_STEPS = _SQL.bulk("answer_steps", AnsweredStep, distinct=("case_id", "run", "scope", "ordinal"))
MOVABLE_CASES = _SQL.rows("movable_cases", MovableCase)
MIGRATE_CASES = _SQL.bulk("migrate_cases", MigratedCase, distinct=("case_id",))
CODE_IS_CARRIED = _SQL.rows("code_is_carried", bool)
