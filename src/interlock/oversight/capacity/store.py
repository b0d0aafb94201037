"""The rows of capacity: tallies by the hour, how queues stand, and the answer to a full one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.oversight.capacity.history import HourTally, PersonHour
from interlock.oversight.capacity.outlook import QueueStanding
from interlock.oversight.capacity.response import Response, ResponseState


class TenantHour(HourTally, frozen=True, kw_only=True):
    """A tally, and whose it is."""

    tenant: UUID


class TenantPersonHour(PersonHour, frozen=True, kw_only=True):
    """What one person answered in one hour, and of which tenant."""

    tenant: UUID


class TenantStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue of a tenant stands now: fields as in ``QueueStanding``."""

    tenant: UUID
    queue: str
    waiting: int
    oldest_at: datetime | None
    overdue: int
    people: int


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How far the hours of a tenant are counted, and up to when second looks are drawn."""

    tenant: UUID
    counted_to: datetime
    drawn_to: datetime


class CountedTo(msgspec.Struct, frozen=True, kw_only=True):
    """How far the hours of a tenant are counted."""

    tenant: UUID
    counted_to: datetime


class StoredResponse(Response, frozen=True, kw_only=True):
    """The answer to a full queue: fields as in ``Response``."""

    id: UUID
    queue: str


class NewResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Its next turn."""

    id: UUID
    tenant: UUID
    queue: str
    turn: int
    state: ResponseState
    by_hand: bool
    why: str
    who: str
    changed_at: datetime


_SQL = load_queries(__file__)
TRY_TO_COUNT = _SQL.rows("try_to_count", bool)
COUNTED_TENANTS = _SQL.rows("counted_tenants", Counted)
COUNTS_SINCE = _SQL.rows("counts_since", TenantHour)
PEOPLE_SINCE = _SQL.rows("people_since", TenantPersonHour)
STANDING_NOW = _SQL.rows("standing_now", TenantStanding)
FORGET_HOURS = _SQL.command("forget_hours")
FORGET_PERSON_HOURS = _SQL.command("forget_person_hours")
ADD_HOURS = _SQL.bulk("add_hours", TenantHour, distinct=("tenant", "queue", "workflow", "point", "hour"))
ADD_PERSON_HOURS = _SQL.bulk("add_person_hours", TenantPersonHour, distinct=("tenant", "queue", "person", "hour"))
EMPTY_QUEUES = _SQL.command("empty_queues")
PUT_STANDING = _SQL.bulk("put_standing", TenantStanding, distinct=("tenant", "queue"))
PUT_COUNTED = _SQL.bulk("put_counted", CountedTo, distinct=("tenant",))
HOURS_OF_QUEUES = _SQL.rows("hours_of_queues", HourTally)
PERSON_HOURS_OF_QUEUES = _SQL.rows("person_hours_of_queues", PersonHour)
STANDING_OF_QUEUES = _SQL.rows("standing_of_queues", QueueStanding)
RESPONSES = _SQL.rows("responses", StoredResponse)
SATURATED_QUEUES = _SQL.rows("saturated_queues", str)
TURN_RESPONSES = _SQL.bulk("turn_responses", NewResponse, distinct=("id",))
