"""What the pages of exceptions read beside the exceptions themselves."""

from __future__ import annotations

from uuid import UUID

import msgspec

from interlock.db.queries import load_queries


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """How many exceptions of one cause were opened within one step of time.

    Attributes:
        fingerprint: The cause.
        place: Which step, from 0.
        arrived: How many.
    """

    fingerprint: UUID
    place: int
    arrived: int


_SQL = load_queries(__file__)
ARRIVALS = _SQL.rows("arrivals", Arrived)
