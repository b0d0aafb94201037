"""The rows of cases, journal, quarantine and workers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.actions.action import ActionState
from interlock.cases.journal import Recorded, StepKind, StepState
from interlock.db.gates import StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.errors import Violation
from interlock.money import Money


class CaseState(StrEnum):
    """Where a case is.

    quarantined -> ready <-> running -> waiting -> ready
                             running -> done | exception;  exception -> ready | cancelled
    done -> ready, when it is recalled: then it runs no more code, and ends as cancelled
    """

    QUARANTINED = "quarantined"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    EXCEPTION = "exception"
    DONE = "done"
    CANCELLED = "cancelled"


class CaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """One case, as it is stored.

    Attributes:
        id: Its id; also that of the ledger entry that received it.
        workflow: Which workflow.
        version: The workflow's version, as its author wrote it.
        code: The content hash of the code that it finishes on.
        key: The idempotency key under which it was submitted.
        input: The input as it came, or as it was mended.
        run: Which run: ``case.continue_as`` begins the next.
        state: See ``CaseState``.
        conclusion: What the workflow returned, for a case that is done.
        waiting_for: What it waits for, in words.
        wake_at: When a worker shall take it; None: when somebody wakes it.
        worker: Who runs it now.
        fence: Grows with each claim.
        exposure_minor: The money in it, in minor units, once a decision knows it.
        currency: Of the exposure.
        created_at: When it was received.
        changed_at: When its state last changed.
        caller: Who submitted it; limits per caller count by this name.
        cancel_at: Since when it shall end; what it did is taken back first.
        cancel_by: By whose word.
        cancel_why: Why.
    """

    id: UUID
    workflow: str
    version: str
    code: UUID
    key: str
    input: bytes
    run: int
    state: CaseState
    conclusion: str | None
    waiting_for: str | None
    wake_at: datetime | None
    worker: int | None
    fence: int
    exposure_minor: int | None
    currency: str | None
    created_at: datetime
    changed_at: datetime
    caller: str = ""
    cancel_at: datetime | None = None
    cancel_by: str | None = None
    cancel_why: str | None = None

    @property
    def exposure(self) -> Money | None:
        """The money in it."""
        return Money.of_columns(self.exposure_minor, self.currency)


class ClaimedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that a worker has just claimed: fields as in ``CaseRow``, its tenant, and the signals counted so far."""

    id: UUID
    tenant: UUID
    workflow: str
    version: str
    code: UUID
    key: str
    input: bytes
    run: int
    signals: int
    fence: int
    exposure_minor: int | None
    currency: str | None
    created_at: datetime
    caller: str = ""
    cancel_at: datetime | None = None
    cancel_by: str | None = None
    cancel_why: str | None = None
    rewinds: int = 0

    @property
    def exposure(self) -> Money | None:
        """The money in it."""
        return Money.of_columns(self.exposure_minor, self.currency)


class CaseCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many cases are where, and the money in them.

    Attributes:
        workflow: Of which workflow.
        state: In which state.
        conclusion: With which conclusion.
        currency: In which currency; None: no decision knew an amount.
        cases: How many.
        exposure_minor: The money in them, in minor units.
    """

    workflow: str
    state: CaseState
    conclusion: str | None
    currency: str | None
    cases: int
    exposure_minor: int


class NewCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case on its way in."""

    id: UUID
    tenant: UUID
    workflow: str
    version: str
    code: UUID
    key: str
    input: bytes
    state: CaseState
    created_at: datetime
    caller: str = ""
    exposure_minor: int | None = None
    currency: str | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Data that broke their contract, as they are stored: whole.

    Attributes:
        id: Its id.
        case_id: The case that waits for them to be mended.
        workflow: Of the case.
        point: The decision point; empty for the case's own input.
        contract: Which contract.
        data: As they came.
        violations: Every ``Violation``, as JSON.
        state: ``held``, ``released`` or ``discarded``.
        created_at: Since when.
        resolved_at: Until when.
        resolved_by: Who mended or discarded them.
        key: Under which a question without a case came.
        exposure: What its caller said is at stake, as ``12.30 MYR``.
        caller: Who asked it.
        decision_id: The decision that its mended data led to.
        why: Why they were discarded.
    """

    id: UUID
    case_id: UUID | None
    workflow: str
    point: str
    contract: str
    data: bytes
    violations: bytes
    state: str
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    key: str | None = None
    exposure: str | None = None
    caller: str | None = None
    decision_id: UUID | None = None
    why: str | None = None

    @property
    def broken(self) -> list[Violation]:
        """The violations, read."""
        return msgspec.json.decode(self.violations, type=list[Violation])


class NewQuarantine(msgspec.Struct, frozen=True, kw_only=True):
    """Data on their way into quarantine."""

    id: UUID
    tenant: UUID
    case_id: UUID | None
    workflow: str
    point: str
    contract: str
    data: bytes
    violations: bytes
    created_at: datetime
    key: str | None = None
    exposure: str | None = None
    caller: str | None = None
    rules: tuple[str, ...] = ()


class EndedQuarantine(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a quarantine."""

    id: UUID
    state: str
    resolved_at: datetime
    resolved_by: str
    decision_id: UUID | None = None
    why: str | None = None


class ReleasedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that goes on with mended input."""

    case_id: UUID
    input: bytes
    at: datetime


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A step on its way into the journal: fields as in ``Recorded``."""

    case_id: UUID
    tenant: UUID
    run: int
    scope: str
    ordinal: int
    kind: StepKind
    name: str
    args_hash: UUID
    state: StepState
    ref: UUID | None
    result: bytes | None
    due: datetime | None
    fence: int
    at: datetime


class ParkedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that waits."""

    case_id: UUID
    signals: int
    wake_at: datetime | None
    waiting_for: str
    at: datetime
    exposure_minor: int | None
    currency: str | None
    held_by: UUID | None = None


class FinishedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is done, cancelled, or stopped by an exception."""

    case_id: UUID
    state: CaseState
    conclusion: str | None
    waiting_for: str | None
    at: datetime
    exposure_minor: int | None
    currency: str | None


class NextRun(msgspec.Struct, frozen=True, kw_only=True):
    """A case that begins its next run."""

    case_id: UUID
    input: bytes
    at: datetime


class RetriedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that goes on after an exception."""

    case_id: UUID
    at: datetime


class ReopenedSteps(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is tried again, with the place of the failed step that is; None: none is.

    ``body`` is what the entry of each action says that is reopened with it.
    """

    case_id: UUID
    run: int
    at: datetime
    body: bytes
    scope: str | None = None
    ordinal: int | None = None


class DecidedAction(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on an action in doubt."""

    id: UUID
    state: ActionState
    error: str
    at: datetime


class OpenAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action that has not ended, or that waits for a person's word.

    Attributes:
        id: Its id.
        name: Its name in the workflow's file.
        state: Where it is.
        doubtful: Whether a request of it may have had an effect, or may yet have one.
    """

    id: UUID
    name: str
    state: ActionState
    doubtful: bool


class MaybeCase(msgspec.Struct, frozen=True):
    """The case that a unit of work belongs to, if any."""

    case_id: UUID | None


class TakenOver(msgspec.Struct, frozen=True):
    """A worker that is dead, or that seems to be.

    Attributes:
        worker: Its number.
        cases: How many cases it gave back.
        suspects: 1 for a worker whose lock was seen to be free for the first time; look again soon.
    """

    worker: int
    cases: int
    suspects: int


class Stranded(msgspec.Struct, frozen=True, kw_only=True):
    """Due cases whose code no living worker carries.

    Attributes:
        tenant: Whose.
        workflow: Of which workflow.
        version: The version they began on.
        code: Its content hash.
        cases: How many.
    """

    tenant: UUID
    workflow: str
    version: str
    code: UUID
    cases: int


_SQL = load_queries(__file__)
ADD_CASES = _SQL.bulk("add_cases", NewCase, distinct=("id",))
ADD_QUARANTINES = _SQL.bulk("add_quarantines", NewQuarantine, distinct=("id",))
END_QUARANTINES = _SQL.bulk("end_quarantines", EndedQuarantine, distinct=("id",))
RELEASE_CASES = _SQL.bulk("release_cases", ReleasedCase, distinct=("case_id",))
FIND_QUARANTINE = _SQL.rows("find_quarantine", Quarantined)
QUARANTINES_OF_CASE = _SQL.rows("quarantines_of_case", Quarantined)
LIST_QUARANTINED = _SQL.rows("list_quarantined", Quarantined)
FIND_CASE = _SQL.rows("find_case", CaseRow)
LIST_CASES = _SQL.rows("list_cases", CaseRow)
COUNT_CASES = _SQL.rows("count_cases", CaseCount)
JOURNAL_OF_CASE = _SQL.rows("journal_of_case", Recorded)
RECORD_STEPS = _SQL.bulk("record_steps", StepRow, distinct=("case_id", "run", "scope", "ordinal"))
PARK_CASES = _SQL.bulk("park_cases", ParkedCase, distinct=("case_id",))
WAKE_FREED_CASES = _SQL.rows("wake_freed_cases", int)
FINISH_CASES = _SQL.bulk("finish_cases", FinishedCase, distinct=("case_id",))
BEGIN_NEXT_RUNS = _SQL.bulk("begin_next_runs", NextRun, distinct=("case_id",))
RETRY_CASES = _SQL.bulk("retry_cases", RetriedCase, distinct=("case_id",))
REOPEN_STEPS = _SQL.bulk("reopen_steps", ReopenedSteps, distinct=("case_id",))
REOPEN_ACTIONS = _SQL.bulk("reopen_actions", ReopenedSteps, distinct=("case_id",))
DECIDE_ACTIONS = _SQL.bulk("decide_actions", DecidedAction, distinct=("id",))
OPEN_ACTIONS = _SQL.rows("open_actions", OpenAction)
CASE_OF_UNIT = _SQL.rows("case_of_unit", MaybeCase)
CLAIM_CASES = _SQL.rows("claim_cases", ClaimedCase)
TAKE_OVER_CASES = _SQL.rows("take_over_cases", TakenOver)
STRANDED_CASES = _SQL.rows("stranded_cases", Stranded)
BEGIN_WORKER = _SQL.rows("begin_worker", int)
HOLD_WORKER_LOCK = _SQL.rows("hold_worker_lock", str)
RENEW_LEASE = _SQL.rows("renew_lease", int)
END_LEASE = _SQL.command("end_lease")
LOCK_QUARANTINES = _SQL.rows("lock_quarantines", StateRow)
quarantine_gate = StateGate("quarantine", LOCK_QUARANTINES)
