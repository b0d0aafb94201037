"""The rows of the list of work."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.oversight.ranking import WorkClass


class FoundWork(msgspec.Struct, frozen=True, kw_only=True):
    """An item as far as its place in the order rests on it: fields as in ``WorkClass`` and ``Shown``.

    ``aged``: it is here for its age. ``total``: how many there are, where that was counted.
    """

    aged: bool
    exceptional: bool
    id: UUID
    workflow: str
    point: str
    currency: str
    priority: int
    urgency: int
    due_at: datetime | None
    total: int

    @property
    def of(self) -> WorkClass:
        """Its class."""
        return WorkClass(self.exceptional, self.workflow, self.point, self.currency, self.priority)


class AheadWork(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first of the order; ``at`` is its class's number in the question."""

    at: int
    id: UUID
    urgency: int
    due_at: datetime | None


class CountedWork(msgspec.Struct, frozen=True, kw_only=True):
    """How many of one workflow and point wait."""

    exceptional: bool
    workflow: str
    point: str
    number: int


class WorkRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of an item: fields as in ``WorkItem``."""

    exceptional: bool
    id: UUID
    case_id: UUID | None
    decision_id: UUID | None
    workflow: str
    point: str
    queue: str
    team: str | None
    why: str
    codes: tuple[str, ...]
    exposure_minor: int | None
    currency: str | None
    confidence: float | None
    urgency: int
    priority: int
    due_at: datetime | None
    created_at: datetime
    stands: str
    claimed_by: str | None
    claimed_until: datetime | None
    assigned_to: str | None
    snoozed_until: datetime | None
    asked_to: str | None
    needed: int
    given: int
    given_by_me: bool
    key: str | None
    question: bytes | None


class DwellRow(msgspec.Struct, frozen=True, kw_only=True):
    """How many minutes one resolution took."""

    exceptional: bool
    workflow: str
    point: str
    minutes: float


class ViewRow(msgspec.Struct, frozen=True, kw_only=True):
    """A saved view: fields as in ``SavedView``."""

    id: UUID
    name: str
    owner: str | None
    query: str
    created_by: str
    created_at: datetime


_SQL = load_queries(__file__)
WORK_KINDS = _SQL.rows("work_kinds", WorkClass)
WORK_KINDS_OF_QUEUE = _SQL.rows("work_kinds_of_queue", WorkClass)
WORK_COUNTS = _SQL.rows("work_counts", CountedWork)
PLAN_AS_ASKED = _SQL.rows("plan_as_asked", str)
WORK_RANKED = _SQL.rows("work_ranked", FoundWork)
WORK_WORDED = _SQL.rows("work_worded", UUID)
WORK_AT_STAKE = _SQL.rows("work_at_stake", UUID)
WORK_TOTAL = _SQL.rows("work_total", int)
WORK_AHEAD = _SQL.rows("work_ahead", AheadWork)
WORK_OLDEST = _SQL.rows("work_oldest", FoundWork)
WORK_ITEMS = _SQL.rows("work_items", WorkRow)
WORK_DWELLS = _SQL.rows("work_dwells", DwellRow)
PEOPLE_AT_WORK = _SQL.rows("people_at_work", int)
SAVED_VIEWS = _SQL.rows("saved_views", ViewRow)
SAVE_VIEW = _SQL.command("save_view")
FORGET_VIEW = _SQL.command("forget_view")
