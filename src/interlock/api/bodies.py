"""What callers send. Unknown fields are refused; amounts of money are strings such as "12.30 MYR"."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from interlock.cases.store import CaseState
from interlock.cases.ways import Way
from interlock.oversight.review import Resolution

Key = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Why = Annotated[str, Meta(min_length=1, max_length=4000)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Utc = Annotated[datetime, Meta(tz=True)]


class NewCaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """A case to be taken in.

    Attributes:
        workflow: The workflow that it goes through.
        input: Its input; checked against the workflow's contract, and kept in quarantine if it breaks it.
        key: The idempotency key: the same key and input give the same case. It may come as Idempotency-Key instead.
    """

    workflow: Name
    input: Any
    key: Key | None = None


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a batch.

    Attributes:
        key: The idempotency key.
        input: The case's input.
    """

    key: Key
    input: Any


class DecideBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be decided in line.

    Attributes:
        point: The decision point, as ``workflow.point``.
        input: What to decide on; checked against the point's contract.
        key: The idempotency key: the same key and input give the same decision. It may come as Idempotency-Key instead.
        exposure: The money at stake, as "12.30 MYR", if the point's file does not say where it stands.
        within: How long the caller waits, as 150ms; it shortens the point's own budget, and what would answer later is
            cut off and its fallback answers. Where the commit is not done by then, the answer is 503 ``late``; the same
            key, asked again, gives the decision.
    """

    point: Name
    input: dict[str, Any]
    key: Key | None = None
    exposure: Annotated[str, Meta(max_length=60)] | None = None
    within: Annotated[str, Meta(max_length=20)] | None = None


class DecisionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How a decision is read.

    Attributes:
        wait: For how long to wait, as 30s, if a person has yet to decide; 30 s at most.
        purpose: For what its personal data are to be shown, as their contract names it; the key needs the scope
            personal, and the reading is on the ledger. Without it they stand as "(personal)".
    """

    wait: Annotated[str, Meta(max_length=20)] | None = None
    purpose: Annotated[str, Meta(min_length=1, max_length=63)] | None = None


class ResolveReviewBody(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on a review; who says it is the key's own name.

    Attributes:
        resolution: approve: the proposal holds; change: ``output`` holds; reject: no.
        reason_code: Why, for counting: a slug of small letters, digits, `_`, `.` and `-`.
        output: The whole output that holds instead; for ``change`` only.
        note: Why, in words.
        shown: What was shown of the review, as reading it says: if anything that counts changed since, the verdict is
            refused as changed-since-shown.
    """

    resolution: Resolution
    reason_code: Annotated[str, Meta(min_length=1, max_length=100)]
    output: dict[str, Any] | None = None
    note: Annotated[str, Meta(max_length=4000)] = ""
    shown: Annotated[str, Meta(min_length=64, max_length=1000)] | None = None


class ResolveExceptionBody(msgspec.Struct, frozen=True, kw_only=True):
    """How an exception is resolved.

    Attributes:
        way: retry; correct (another input); answer (the result of the step that failed); took_effect, no_effect (an
            action in doubt, after looking into the other side's book); by_hand (taken back outside); or abandon.
        why: For whoever reads the ledger.
        value: The corrected input, or the answer; for these ways only.
    """

    way: Way
    why: Why
    value: Any = None


class CancelBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why a case is cancelled.

    Attributes:
        why: For whoever reads the ledger.
    """

    why: Why


class StopBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be stopped.

    Attributes:
        scope: everything, workflow:NAME, point:WORKFLOW.POINT, component:REF, connector:NAME, action:WORKFLOW.NAME,
            domain:NAME or agent:NAME; with a key that may operate also installation and tenant:NAME.
        why: For whoever reads the ledger.
        until: When it ends by itself, with a time zone; without it, somebody resumes.
        installation: Whether it is stopped in every tenant; for a key that may operate.
    """

    scope: Name
    why: Why
    until: Utc | None = None
    installation: bool = False


class ResumeBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stop is lifted.

    Attributes:
        why: For whoever reads the ledger.
    """

    why: Why


class ResumeScopeBody(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on.

    Attributes:
        scope: What was stopped; every stop in force that names just this is lifted.
        why: For whoever reads the ledger.
        installation: Whether the stops of every tenant are meant; for a key that may operate.
    """

    scope: Name
    why: Why
    installation: bool = False


class NewTermBody(msgspec.Struct, frozen=True, kw_only=True):
    """What stops by itself unless it is authorized in time.

    Attributes:
        scope: As for a stop.
        every: How long one authorization lasts, as 24h.
        why: For whoever reads the ledger.
    """

    scope: Name
    every: Name
    why: Why


class AuthorizeBody(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization.

    Attributes:
        scope: Which has a term.
        why: For whoever reads the ledger.
        span: For how long, as 8h; by default, and at most, a whole term.
    """

    scope: Name
    why: Why
    span: Name | None = None


class EndTermBody(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a term.

    Attributes:
        scope: Which has one.
        why: For whoever reads the ledger.
    """

    scope: Name
    why: Why


class ReleaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """Mended input for a case that waits in quarantine.

    Attributes:
        input: The whole input.
    """

    input: Any


class CasesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases, the newest first.

    Attributes:
        workflow: Only of this workflow.
        state: Only in this state.
        before: Only those that came before this case: the ``next`` of a page holds it.
        limit: How many at most.
    """

    workflow: Name | None = None
    state: CaseState | None = None
    before: UUID | None = None
    limit: Limit = 50


class SummaryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted.

    Attributes:
        workflow: Only of this workflow.
    """

    workflow: Name | None = None


class BatchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Where a batch goes.

    Attributes:
        workflow: The workflow of every line.
    """

    workflow: Name


class ReviewsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which reviews, the most expected loss first.

    Attributes:
        queue: Only of this queue.
        limit: How many at most.
        skip: How many to pass over.
    """

    queue: Name | None = None
    limit: Limit = 50
    skip: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a list.

    Attributes:
        limit: How many at most.
    """

    limit: Limit = 50
