"""How often each message that a broker delivers again was tried to no end, on record before it is tried.

A broker counts deliveries, and those are no failures: what waits for a stop's end is handed back whenever its process
ends, and what was decided comes again when its acknowledgement was lost. So the count is ours: one more before each
attempt, taken back if the attempt only waits, gone once something became of the message. What is left over is what
failed, and what killed its consumer.
"""

from __future__ import annotations

import logging
from uuid import UUID

import msgspec
import psycopg

from interlock.db.database import Database
from interlock.db.gates import short_digest
from interlock.errors import DatabaseUnavailable
from interlock.streams.delivery import Delivery
from interlock.streams.store import COUNT_TRIALS, END_TRIAL, FORGET_TRIALS, NOTE_TRIAL, NewTrial

log = logging.getLogger("interlock.streams")


class Course(msgspec.Struct, eq=False):
    """One delivery on its way to its end.

    Attributes:
        delivery: The message.
        failed: How often it was tried to no end, at earlier deliveries too.
        last: Why it failed the last time, if that was in this process.
        recalled: Whether ``failed`` holds what is on record.
    """

    delivery: Delivery
    failed: int = 0
    last: Exception | None = None
    recalled: bool = False

    @property
    def again(self) -> bool:
        """Whether it was delivered before."""
        return self.delivery.number > 1


class Trials:
    """What is on record of the messages of one stream.

    Args:
        database: Where.
        tenant: Whose.
        stream: The stream's name in the settings.
    """

    def __init__(self, database: Database, tenant: UUID, stream: str) -> None:
        self._database = database
        self._tenant = tenant
        self._stream = stream

    async def recall(self, course: Course) -> None:
        """Read how often a message was tried to no end.

        Raises:
            DatabaseUnavailable: nothing was read.
        """
        async with self._database.tenant(self._tenant) as connection:
            named = {"stream": self._stream, "message": _digest(course.delivery)}
            course.failed = await COUNT_TRIALS.one(connection, named) or 0
        course.recalled = True

    async def note(self, delivery: Delivery, tried: int) -> None:
        """Write down how often it was tried; 0: forget it.

        Raises:
            DatabaseUnavailable: nothing was written.
        """
        row = NewTrial(tenant=self._tenant, stream=self._stream, message=_digest(delivery), tried=tried)
        async with self._database.tenant(self._tenant) as connection:
            if tried:
                await NOTE_TRIAL.run(connection, [row])
            else:
                await END_TRIAL.run(connection, {"stream": row.stream, "message": row.message})

    async def correct(self, delivery: Delivery, tried: int) -> None:
        """The same, where what became of the message counts more than that it is written down."""
        try:
            await self.note(delivery, tried)
        except (DatabaseUnavailable, psycopg.Error) as cause:
            log.debug("stream %s: how often %s was tried is not on record: %s", self._stream, delivery.identity, cause)


async def forget_trials(database: Database, tenant: UUID) -> None:
    """Forget messages that nobody has delivered again for thirty days."""
    async with database.tenant(tenant) as connection:
        await FORGET_TRIALS.run(connection)


def _digest(delivery: Delivery) -> UUID:
    """Which message it is. Of its body, too: some brokers know it by a name that a sender gave, and may give twice."""
    return short_digest(delivery.identity.encode("utf-8", "surrogatepass"), delivery.body)
