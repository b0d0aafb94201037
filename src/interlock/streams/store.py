"""How each process of a stream stands: written by itself once a second, read by whoever asks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import load_queries

SILENT_S = 10.0
"""A process that was not heard of for so long is taken for dead or cut off."""


class StreamState(StrEnum):
    """How a process of a stream is doing."""

    RUNNING = "running"
    WAITING = "waiting"
    UNREACHABLE = "unreachable"
    ENDED = "ended"


class NewStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one process stands, on its way in; the fields are those of ``StreamStanding``."""

    tenant: UUID
    stream: str
    process: UUID
    target: str
    broker: str
    state: StreamState
    why: str
    concurrency: int
    under_way: int
    waiting: int
    decided: int
    submitted: int
    quarantined: int
    again: int
    per_second: float
    pending: int | None
    unacknowledged: int | None


class StreamStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one process of a stream stands.

    Attributes:
        stream: The stream's name in the settings.
        process: One run of one process.
        target: What each message becomes: ``workflow.point`` or ``workflow:NAME``.
        broker: The kind of broker.
        state: running; waiting: all that is under way waits, so nothing is fetched; unreachable: the broker; ended.
        why: What it waits for, or what is wrong with the broker.
        concurrency: How many messages may be under way at once.
        under_way: How many are.
        waiting: How many of these wait in line.
        decided: Messages that became decisions since it began.
        submitted: Messages that became cases.
        quarantined: Messages that went to quarantine.
        again: Deliveries that failed and were tried again.
        per_second: Messages that it was done with, a second, lately.
        pending: Messages that the broker has not delivered to anybody yet; None: it does not say.
        unacknowledged: Messages that it has delivered and that nobody has acknowledged.
        began_at: When it began.
        seen_at: When it was last heard of.
        age: How many seconds ago that was.
    """

    stream: str
    process: UUID
    target: str
    broker: str
    state: StreamState
    why: str
    concurrency: int
    under_way: int
    waiting: int
    decided: int
    submitted: int
    quarantined: int
    again: int
    per_second: float
    pending: int | None
    unacknowledged: int | None
    began_at: datetime
    seen_at: datetime
    age: float

    @property
    def silent(self) -> bool:
        """Whether it was not heard of although it has not ended."""
        return self.state is not StreamState.ENDED and self.age > SILENT_S


class NewTrial(msgspec.Struct, frozen=True, kw_only=True):
    """How often a message was tried, on its way in.

    Attributes:
        tenant: Whose.
        stream: The stream's name in the settings.
        message: The digest of which message it is.
        tried: How often; at least once.
    """

    tenant: UUID
    stream: str
    message: UUID
    tried: int


_SQL = load_queries(__file__)
NOTE_STANDING = _SQL.bulk("note_standing", NewStanding, distinct=("tenant", "stream", "process"))
FORGET_STANDINGS = _SQL.command("forget_standings")
LIST_STANDINGS = _SQL.rows("list_standings", StreamStanding)
NOTE_TRIAL = _SQL.bulk("note_trial", NewTrial, distinct=("tenant", "stream", "message"))
COUNT_TRIALS = _SQL.rows("count_trials", int)
END_TRIAL = _SQL.command("end_trial")
FORGET_TRIALS = _SQL.command("forget_trials")


async def note_standing(database: Database, standing: NewStanding) -> None:
    """Write down how a process stands.

    Raises:
        DatabaseUnavailable: nothing was written.
    """
    async with database.tenant(standing.tenant) as connection:
        await NOTE_STANDING.run(connection, [standing])


async def forget_standings(database: Database, tenant: UUID) -> None:
    """Forget processes that were not heard of for an hour."""
    async with database.tenant(tenant) as connection:
        await FORGET_STANDINGS.run(connection)


async def list_standings(database: Database, tenant: UUID) -> list[StreamStanding]:
    """How every process of every stream of a tenant stands, by stream."""
    async with database.tenant(tenant) as connection:
        return await LIST_STANDINGS.all(connection)
