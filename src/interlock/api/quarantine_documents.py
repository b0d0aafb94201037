"""What callers send to mend data in quarantine, and what they get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from interlock.api.bodies import Limit, Name, Utc, Why
from interlock.api.documents import Document
from interlock.cases.store import Quarantined
from interlock.errors import Violation


class QuarantineQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which data, the oldest first.

    Attributes:
        workflow: Only of this workflow.
        point: Only of this decision point of it.
        rule: Only data that break this rule.
        since: Only data that came since then.
        after: Only those that came after this one: the ``next`` of a page holds it.
        limit: How many at most.
    """

    workflow: Name | None = None
    point: Name | None = None
    rule: Name | None = None
    since: Utc | None = None
    after: UUID | None = None
    limit: Limit = 50


class DiscardBody(msgspec.Struct, frozen=True, kw_only=True):
    """Giving up on data: they stay, marked.

    Attributes:
        why: Why, for whoever reads the ledger.
    """

    why: Why


class RepairBody(msgspec.Struct, frozen=True, kw_only=True):
    """Mending many data of one cause alike.

    Attributes:
        patch: A JSON Patch (RFC 6902).
        workflow: Only of this workflow.
        point: Only of this decision point of it.
        rule: Only data that break this rule.
        since: Only data that came since then.
        carry_out: Whether what then keeps its contract is released; else nothing is changed.
        limit: How many are looked at, at most.
    """

    patch: Annotated[list[Any], Meta(min_length=1, max_length=100)]
    workflow: Name | None = None
    point: Name | None = None
    rule: Name | None = None
    since: Utc | None = None
    carry_out: bool = False
    limit: Limit = 50


class QuarantineDocument(Document, frozen=True, kw_only=True):
    """Data that broke their contract.

    Attributes:
        id: Their id.
        case: The case that waits for them to be mended; null: no case does.
        workflow: Of the case, or of the decision point.
        point: The decision point; empty for a case's own input.
        contract: Which contract.
        data: As they came; null if they are no JSON.
        text: As they came, if they are no JSON.
        violations: Every one.
        state: held, released or discarded.
        key: Under which they came, if no case waits.
        exposure: What their caller said is at stake.
        caller: Who sent them.
        created_at: Since when.
        resolved_at: Until when.
        resolved_by: Who mended or discarded them.
        decision: The decision that they led to, once mended.
        why: Why they were discarded.
    """

    id: UUID
    case: UUID | None
    workflow: str
    point: str
    contract: str
    data: Any
    text: str | None
    violations: tuple[Violation, ...]
    state: str
    key: str | None
    exposure: str | None
    caller: str | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    decision: UUID | None
    why: str | None


class QuarantinePage(Document, frozen=True, kw_only=True):
    """What is held in quarantine, the oldest first.

    Attributes:
        quarantine: It.
        next: Where the next ones are; null: there are none.
    """

    quarantine: tuple[QuarantineDocument, ...]
    next: str | None


class ReleasedDocument(Document, frozen=True, kw_only=True):
    """What became of mended data.

    Attributes:
        quarantine: Where they were.
        case: The case that goes on or began; null: there is none.
        decision: The decision that they led to; null: none.
        route: Its route.
        follow: Where to see what becomes of it.
    """

    quarantine: UUID
    case: UUID | None
    decision: UUID | None
    route: str | None
    follow: str


class ChangeDocument(Document, frozen=True, kw_only=True):
    """One place that mending changes.

    Attributes:
        where: A JSON Pointer.
        before: The value, cut; "nothing" where it is absent.
        after: The same afterwards.
    """

    where: str
    before: str
    after: str


class LookedDocument(Document, frozen=True, kw_only=True):
    """One of the data that a repair looked at.

    Attributes:
        id: The quarantine's id.
        changes: What mending changes.
        left: What they break afterwards.
        error: Why they could not be mended or released; empty if they could.
    """

    id: UUID
    changes: tuple[ChangeDocument, ...]
    left: tuple[Violation, ...]
    error: str


class RepairDocument(Document, frozen=True, kw_only=True):
    """What a repair did, or would do.

    Attributes:
        looked_at: How many data of the cause were looked at.
        fit: How many keep their contract once they are mended.
        released: How many were released.
        left: What the others break: how many, by rule.
        first: The first ones in full.
        failed: Those that could not be mended or released.
    """

    looked_at: int
    fit: int
    released: int
    left: dict[str, int]
    first: tuple[LookedDocument, ...]
    failed: tuple[LookedDocument, ...]


def quarantine_fields(found: Quarantined) -> dict[str, Any]:
    """What a stored row and its document have in common."""
    return {
        "id": found.id,
        "case": found.case_id,
        "workflow": found.workflow,
        "point": found.point,
        "contract": found.contract,
        "violations": tuple(found.broken),
        "state": found.state,
        "key": found.key,
        "exposure": found.exposure,
        "caller": found.caller,
        "created_at": found.created_at,
        "resolved_at": found.resolved_at,
        "resolved_by": found.resolved_by,
        "decision": found.decision_id,
        "why": found.why,
    }
