"""The duty of the audit sample: draw from what went by itself, and ask people about what is drawn.

Every process does it every few seconds; wherever one dies, another goes on. Nobody has to be awake.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from interlock.autonomy.audit.asking import ask
from interlock.autonomy.audit.draw import draw
from interlock.autonomy.audit.points import AuditedPoint
from interlock.autonomy.store import AUTONOMY_EVERYWHERE
from interlock.db.database import Database
from interlock.db.keep_doing import keep_doing
from interlock.db.writer import Writer

EVERY_S = 10.0
_PART = 20
"""It takes no more than one part in so many of the time."""
log = logging.getLogger("interlock.autonomy")


async def sample(database: Database, writer: Writer, points: Sequence[AuditedPoint]) -> tuple[int, int]:
    """Do it once, wherever something was ever certified: without that nothing goes by itself at such a point.

    How many were drawn, and about how many somebody is asked now.

    Args:
        database: Where decisions are.
        writer: For what is put on record.
        points: Those that are sampled.
    """
    now = database.clock.now()
    async with database.installation() as connection:
        stands = await AUTONOMY_EVERYWHERE.all(connection)
    known = {(point.workflow, point.name): point for point in points}
    drawn = asked = 0
    for row in stands:
        point = known.get((row.workflow, row.point))
        if point is None:
            continue
        try:
            one, other = await sample_point(database, writer, row.tenant, point, now)
        except Exception:  # whatever is wrong with one point's rows, the others are sampled
            log.exception("%s.%s of the tenant %s could not be sampled", row.workflow, row.point, row.tenant)
        else:
            drawn, asked = drawn + one, asked + other
    return drawn, asked


async def sample_point(
    database: Database, writer: Writer, tenant: UUID, point: AuditedPoint, now: datetime
) -> tuple[int, int]:
    """Draw and ask at one point of a tenant; how many were drawn, and about how many somebody is asked now."""
    drawn = await draw(database, writer, tenant, point, now)
    return drawn, await ask(database, writer, tenant, point, now)


async def keep_sampling(database: Database, writer: Writer, points: Sequence[AuditedPoint]) -> None:
    """Do it while the process runs."""
    await keep_doing("draws of the audit sample", lambda: sample(database, writer, points), EVERY_S, part=_PART)
