"""The rows by which decisions are found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.database import MaybeId
from interlock.db.queries import load_queries
from interlock.money import Money
from interlock.search.entry import NewSearchable


class FoundDecision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that was found.

    Attributes:
        id: Its id.
        case_id: The case that it belongs to, if any.
        workflow: Whose decision point.
        point: The decision point.
        key: The caller's idempotency key, or the step of the case.
        route: automatic, review or reject.
        component: Whose output it is.
        contract: Which version of the contract its input passed.
        confidence: How sure the component was.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        review: The review that it went to.
        decided_at: When, UTC.
    """

    id: UUID
    case_id: UUID | None
    workflow: str
    point: str
    key: str
    route: str
    component: str
    contract: str | None
    confidence: float | None
    exposure_minor: int | None
    currency: str | None
    review: UUID | None
    decided_at: datetime

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class PointOfTenant(msgspec.Struct, frozen=True):
    """A decision point that has decisions."""

    workflow: str
    point: str


class ToIndex(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, and by what it is found so far.

    Attributes:
        id: Its id.
        input: Its input, canonical JSON.
        output: Its output.
        s1: A term, and so on to ``s8``.
    """

    id: UUID
    input: bytes
    output: bytes | None
    s1: bytes | None
    s2: bytes | None
    s3: bytes | None
    s4: bytes | None
    s5: bytes | None
    s6: bytes | None
    s7: bytes | None
    s8: bytes | None


_SQL = load_queries(__file__)
ADD_SEARCHABLE = _SQL.bulk("add_searchable", NewSearchable, distinct=("id",))
SET_SEARCHABLE = _SQL.bulk("set_searchable", NewSearchable, distinct=("id",))
BY_ORDER_OF_INDEXES = _SQL.rows("by_order_of_indexes", str)
BY_INDEX_ALONE = _SQL.rows("by_index_alone", str)
KEYS_IN_USE = _SQL.rows("keys_in_use", int)
IDS_OF_TERMS = _SQL.rows("ids_of_terms", UUID)
IDS_OF_SPANS = _SQL.rows("ids_of_spans", MaybeId)
IDS_OF_CALLER = _SQL.rows("ids_of_caller", UUID)
IDS_OF_COMPONENT = _SQL.rows("ids_of_component", UUID)
IDS_OF_CONTRACT = _SQL.rows("ids_of_contract", UUID)
IDS_OF_EXPOSURES = _SQL.rows("ids_of_exposures", MaybeId)
IDS_OF_REVIEWED = _SQL.rows("ids_of_reviewed", UUID)
IDS_OF_REJECTED = _SQL.rows("ids_of_rejected", UUID)
IDS_OF_PERSON = _SQL.rows("ids_of_person", UUID)
IDS_OF_CASES = _SQL.rows("ids_of_cases", UUID)
IDS_OF_POINTS = _SQL.rows("ids_of_points", UUID)
POINTS_OF_TENANT = _SQL.rows("points_of_tenant", PointOfTenant)
FOUND_DECISIONS = _SQL.rows("found_decisions", FoundDecision)
DECISIONS_TO_INDEX = _SQL.rows("decisions_to_index", ToIndex)
