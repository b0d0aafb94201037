"""The stored values of features: read as they were known at a moment, and appended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import encode_rows, load_queries
from interlock.decisions.features.feature import FeatureRef, is_entity

SEEN_AFTER = timedelta(milliseconds=250)
"""How long after its statement a value may be seen: longer than a commit takes, as in ``add_values``."""
_MOST_AT_ONCE = 10_000


class Wanted(msgspec.Struct, frozen=True):
    """One value that is to be read.

    Attributes:
        place: Its place in the answer.
        feature: The feature's name.
        version: Its version.
        entity: What it is about.
        as_of: At which moment.
    """

    place: int
    feature: str
    version: int
    entity: str
    as_of: datetime


class StoredValue(msgspec.Struct, frozen=True, kw_only=True):
    """One value, as it was known at a moment.

    Attributes:
        place: Its place among those that were asked for.
        value: Canonical JSON.
        event_at: Since when it holds, UTC.
        recorded_at: Since when it may be seen, UTC.
        source: Where it came from.
    """

    place: int
    value: bytes
    event_at: datetime
    recorded_at: datetime
    source: str


class NewValue(msgspec.Struct, frozen=True, kw_only=True):
    """One value on its way in; when it was recorded, the database says.

    Attributes:
        id: A UUIDv7.
        tenant: Whose it is.
        feature: The feature's name.
        version: Its version.
        entity: What it is about.
        value: Canonical JSON.
        event_at: Since when it holds, UTC.
        source: Where it comes from.
    """

    id: UUID
    tenant: UUID
    feature: str
    version: int
    entity: str
    value: bytes
    event_at: datetime
    source: str


_SQL = load_queries(__file__)
READ_VALUES = _SQL.rows("read_values", StoredValue)
ADD_VALUES = _SQL.bulk("add_values", NewValue, distinct=("tenant", "feature", "version", "entity", "event_at"))


async def values_as_of(
    database: Database, tenant: UUID, feature: FeatureRef, pairs: Sequence[tuple[str, datetime]]
) -> list[StoredValue | None]:
    """The values of many entities, each as it was known at a moment of its own: one query for 10,000 of them.

    INVARIANT: a value is seen only if it held and was on record at that moment. What came late is not seen before it
    came, so that a backtest never knows more than the decision knew.

    Args:
        database: Where they are stored.
        tenant: Whose.
        feature: Which feature.
        pairs: Entities with their moments, UTC.

    Returns:
        The values in the order of the pairs; None where there was none.
    """
    found: list[StoredValue | None] = []
    for start in range(0, len(pairs), _MOST_AT_ONCE):
        part = pairs[start : start + _MOST_AT_ONCE]
        wanted = [
            Wanted(place, feature.name, feature.version, entity, as_of)
            for place, (entity, as_of) in enumerate(part)
            if is_entity(entity)
        ]
        async with database.tenant(tenant) as connection:
            rows = await READ_VALUES.all(connection, {"wanted": encode_rows(wanted)})
        by_place = {row.place: row for row in rows}
        found += [by_place.get(place) for place in range(len(part))]
    return found
