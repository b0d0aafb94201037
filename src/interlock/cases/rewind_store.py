"""The rows of going back: what a rewound run keeps, and what is undone of the steps that it drops."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.cases.journal import Place
from interlock.db.queries import load_queries


class CopiedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that the next run begins with, as the run before it recorded it."""

    case_id: UUID
    run: int
    scope: str
    ordinal: int


class RewoundCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that begins its next run with a part of its journal."""

    case_id: UUID
    at: datetime


class ReturnedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An outside event whose taking was dropped: it may be taken again."""

    id: UUID


class SupersededDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of a case that was stale and that no other has taken the place of yet.

    Attributes:
        id: Its id.
        point: Its decision point.
        key: The step that asked for it: ``case/run/place``; the caller's, for the one with which a case began.
        begun: Whether its case began with it.
    """

    id: UUID
    point: str
    key: str
    begun: bool

    @property
    def place(self) -> str:
        """The place of the step that asked for it."""
        return str(Place("", 0)) if self.begun else self.key.split("/", 2)[-1]


_SQL = load_queries(__file__)
COPY_STEPS = _SQL.bulk("copy_steps", CopiedStep, distinct=("case_id", "run", "scope", "ordinal"))
REWIND_CASES = _SQL.bulk("rewind_cases", RewoundCase, distinct=("case_id",))
RETURN_EVENTS = _SQL.bulk("return_events", ReturnedEvent, distinct=("id",))
SUPERSEDED_DECISIONS = _SQL.rows("superseded_decisions", SupersededDecision)
