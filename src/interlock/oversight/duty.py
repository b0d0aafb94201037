"""The duty of looking after oversight: count hours, answer queues that are too full, draw and compare second looks.

Every process does it every few seconds; of those that do it at the same moment, one does. Nobody has to be awake.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from interlock.db.database import Database
from interlock.db.keep_doing import keep_doing
from interlock.db.writer import Writer
from interlock.oversight.capacity.count import count_oversight
from interlock.oversight.capacity.read import read_capacity
from interlock.oversight.capacity.respond import respond
from interlock.oversight.capacity.store import COUNTED_TENANTS, Counted
from interlock.oversight.capacity.told import QueueTold
from interlock.oversight.quality.compare import compare_second_looks, draw_second_looks, reveal_known

EVERY_S = 10.0
_PART = 20
"""It takes no more than one part in so many of the time."""
log = logging.getLogger("interlock.oversight")


async def look_after(database: Database, writer: Writer, told: Mapping[str, QueueTold]) -> bool:
    """Do it once; False: another process is doing it.

    Args:
        database: Where it is.
        writer: For what is put on record.
        told: What workflows' files say of queues.
    """
    now = database.clock.now()
    if not await count_oversight(database, now):
        return False
    async with database.installation() as connection:
        counted = await COUNTED_TENANTS.all(connection)
    for one in counted:
        try:
            await _of_tenant(database, writer, told, one, now)
        except Exception:  # whatever is wrong with one tenant's rows, the others' are looked after
            log.exception("queues of the tenant %s could not be looked after", one.tenant)
    return True


async def _of_tenant(
    database: Database, writer: Writer, told: Mapping[str, QueueTold], one: Counted, now: datetime
) -> None:
    queues = await read_capacity(database, one.tenant, told, now)
    await respond(writer, one.tenant, queues, now)
    await reveal_known(database, writer, one.tenant)
    await compare_second_looks(database, writer, one.tenant)
    await draw_second_looks(database, writer, one.tenant, told, now)


async def keep_looking_after(database: Database, writer: Writer, told: Mapping[str, QueueTold]) -> None:
    """Do it while the process runs."""
    await keep_doing("queues' upkeep and second looks", lambda: look_after(database, writer, told), EVERY_S, part=_PART)
