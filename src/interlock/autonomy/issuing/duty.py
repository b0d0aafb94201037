"""The duty of keeping certificates true: count, narrow, say what is over, renew. One process at a time for a tenant.

Nobody has to be awake. INVARIANT: nothing here widens anything but by a new certificate, of a point whose owner had it
certified, declares that it is renewed, and whose certificate neither a person nor the monitor has taken back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Begins
from interlock.autonomy.issuing.begins import begins_after
from interlock.autonomy.issuing.corrected import hold_to_corrected
from interlock.autonomy.issuing.derive import Derived, derive
from interlock.autonomy.issuing.evidence import gather
from interlock.autonomy.issuing.issue import RENEWAL, issue, refuse, stands_at, stands_everywhere, tries_of
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.store import END_KEEPING, END_MONITORS, TRY_TO_KEEP, EndedMonitor, Stands
from interlock.autonomy.issuing.watching import watch_all
from interlock.autonomy.store import AUTONOMY_EVERYWHERE, LETS_GO, AutonomyState
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest
from interlock.db.keep_doing import keep_doing
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import InterlockError, StateConflict
from interlock.ledger.ledger import first_entry

EVERY_S = 1.0
_PART = 10
"""It takes no more than one part in so many of the time."""
Places = Callable[[UUID], Sequence[Place]]
"""The points of a tenant that declare their autonomy, as this process knows them."""
log = logging.getLogger("interlock.autonomy")


async def keep_once(database: Database, writer: Writer, places: Places) -> None:
    """Do it once, for every tenant; what another process is doing is left to it.

    Args:
        database: Where it is.
        writer: For the commits.
        places: The points that may be renewed.
    """
    async with database.installation() as connection:
        tenants = sorted({row.tenant for row in await AUTONOMY_EVERYWHERE.all(connection)})
    for tenant in tenants:
        try:
            await _of_tenant(database, writer, tenant, places)
        except Exception:  # whatever is wrong with one tenant's rows, the others' are kept
            log.exception("certificates of the tenant %s could not be looked after", tenant)


@asynccontextmanager
async def alone_at(database: Database, tenant: UUID, part: str) -> AsyncGenerator[bool]:
    """Be the only process that does a part of this for a tenant while this is open; False: another one does.

    No transaction is open meanwhile, however long it takes. Who loses the connection may find another at it: each
    change takes its turn in its own commit, so it is made once all the same.
    """
    asked = {"tenant": tenant, "part": part}
    async with database.installation() as connection:
        ours = await TRY_TO_KEEP.one(connection, asked) or False
        try:
            yield ours
        finally:
            if ours:
                await END_KEEPING.one(connection, asked)


async def _of_tenant(database: Database, writer: Writer, tenant: UUID, places: Places) -> None:
    """Count and end first: deriving may take long, and keeps no other process from narrowing meanwhile."""
    async with alone_at(database, tenant, "count") as ours:
        if not ours:
            return
        here = {(one.workflow, one.point): one for one in places(tenant)}
        now = database.clock.now()
        await watch_all(database, writer, tenant, now, {name: one.record for name, one in here.items()})
        stands = await stands_everywhere(database, tenant)
        for one in stands:
            await end_if_over(writer, tenant, one, now)
    async with alone_at(database, tenant, "derive") as ours:
        if ours:
            await _derive_again(database, writer, tenant, stands, here, now)


async def _derive_again(
    database: Database, writer: Writer, tenant: UUID, stands: Sequence[Stands],
    here: Mapping[tuple[str, str], Place], now: datetime,
) -> None:  # fmt: skip
    for one in stands:
        place = here.get((one.workflow, one.point))
        try:
            if await hold_to_corrected(database, writer, tenant, one, place, now):
                continue
            if place is not None and is_to_be_renewed(place, one, now):
                await renew(database, writer, place)
        except (StateConflict, msgspec.MsgspecError) as cause:  # as of a newer form: the other points' are looked at
            log.warning("the certificate of %s.%s could not be looked at: %s", one.workflow, one.point, cause)


async def end_if_over(writer: Writer, tenant: UUID, stands: Stands, now: datetime) -> bool:
    """Put on record that a certificate is over, once; it counts no more from that moment on, whoever says so."""
    over = stands.state in LETS_GO and not stands.counts(now) and stands.valid_until is not None
    if not over or stands.certificate is None or stands.ended_at is not None:
        return False
    certificate, until = stands.certificate, stands.valid_until

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "certificate.expired", subject=certificate, workflow=stands.workflow, point=stands.point,
            valid_until=until,
        )  # fmt: skip
        return [entry, Write(END_MONITORS, EndedMonitor(certificate=certificate, ended_at=until or stamp.now))]

    once = TakesKey(key_digest(tenant, "certificate-over", str(certificate)), payload=UUID(int=0))
    return await writer.write(Unit(tenant, build, (once,))) is None


def is_to_be_renewed(place: Place, stands: Stands, now: datetime) -> bool:
    """Whether a certificate is to be derived anew by itself.

    INVARIANT: only under the terms, and at the point, that somebody had certified: a file that says something else now,
    or still says what was before, lets nothing go until who may certifies it.
    """
    if place.terms.renew is None or stands.state is not AutonomyState.CERTIFIED:
        return False
    last = max(filter(None, (stands.tried_at, stands.changed_at)))
    if last + place.terms.renew > now:
        return False
    held = stands.read
    return held is not None and (held.terms_digest, held.point_digest) == (place.terms.digest.hex(), place.digest)


async def renew(database: Database, writer: Writer, place: Place) -> Derived | None:
    """Derive a certificate anew and issue it, or put on record why there is none; None: somebody was faster."""
    stands = await stands_at(database, place.tenant, place.workflow, place.point)
    now = database.clock.now()
    if stands is None or not is_to_be_renewed(place, stands, now):
        return None
    derived = await derive_now(database, place, stands, who=RENEWAL)
    try:
        if derived.certificate is not None:
            await issue(writer, place, derived, stands)
        else:
            log.warning("the certificate of %s could not be renewed: %s", place.name, derived.refused)
            await refuse(writer, place, derived, stands, who=RENEWAL)
    except StateConflict:
        return None
    return derived


async def derive_now(
    database: Database, place: Place, stands: Stands | None, *, who: str, at: datetime | None = None,
    begins: Begins | None = None,
) -> Derived:  # fmt: skip
    """What follows from the evidence.

    Args:
        database: Where it is.
        place: The point.
        stands: What counts there.
        who: Who asks.
        at: As of this moment: what fell due since then is left for the next. None: as of now.
        begins: From when on decisions count, as somebody states; None: as what became of the last certificate demands.
    """
    now = database.clock.now()
    at = at or now
    begins = begins or begins_after(stands, place.terms, at)
    evidence = await gather(database, place, at, since=begins.at if begins else None)
    tries = await tries_of(database, place, stands, evidence.data.digest)
    replaces = stands.certificate if stands is not None and stands.counts(now) else None
    return await asyncio.to_thread(derive, place, evidence, now, who=who, replaces=replaces, tries=tries, begins=begins)


async def keep_certificates(database: Database, writer: Writer, places: Places) -> None:
    """Do it while the process runs."""

    async def once() -> None:
        try:
            await keep_once(database, writer, places)
        except InterlockError as cause:
            log.warning("certificates could not be looked after: %s", cause)

    await keep_doing("certificates", once, EVERY_S, part=_PART)
