"""The rows of the control group: the key of a workflow, and how each case was drawn."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.gates import short_digest
from interlock.db.queries import load_queries

_DOMAIN = b"interlock.control.1"


class NewControlKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key that draws the cases of a workflow."""

    id: UUID
    tenant: UUID
    workflow: str
    key: bytes
    begun_at: datetime


class NewControlDraw(msgspec.Struct, frozen=True, kw_only=True):
    """How a case was drawn; of a question without a case, by its decision.

    Attributes:
        id: The case, or the decision.
        tenant: Whose.
        workflow: Of which workflow.
        is_control: Whether a person takes its decisions.
        share: The share that counted when it began, as a fraction.
        step: Since when that counted.
        drawn_at: When its first decision was taken.
    """

    id: UUID
    tenant: UUID
    workflow: str
    is_control: bool
    share: str
    step: datetime
    drawn_at: datetime


class FoundDraw(msgspec.Struct, frozen=True, kw_only=True):
    """How a case stands: drawn, or not, and whether anything of it is decided."""

    is_control: bool | None
    share: str | None
    step: datetime | None
    decided: bool


_SQL = load_queries(__file__)
FIND_CONTROL_KEY = _SQL.rows("find_control_key", bytes)
ADD_CONTROL_KEYS = _SQL.bulk("add_control_keys", NewControlKey, distinct=("id",))
ADD_CONTROL_DRAWS = _SQL.bulk("add_control_draws", NewControlDraw, distinct=("id",))
FIND_CONTROL_DRAW = _SQL.rows("find_control_draw", FoundDraw)


def control_id(tenant: UUID, workflow: str) -> UUID:
    """The id of a workflow's key."""
    return short_digest(_DOMAIN, tenant.bytes, workflow.encode())
