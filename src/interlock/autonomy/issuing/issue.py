"""Issuing a certificate, refusing one, narrowing and withdrawing: each is one commit, with its entry in the ledger.

INVARIANT: what counts at a point changes one turn at a time: whoever writes turn N takes its key, so of two that act on
the same turn one is refused, and nothing of theirs is written. INVARIANT: only a new certificate ever widens anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.autonomy.certificate import Certificate
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.store import (
    ADD_MONITORS,
    COUNT_TRIES,
    END_MONITORS,
    NOTE_TRIED,
    STANDS,
    EndedMonitor,
    NewMonitor,
    Stands,
    TriedAutonomy,
)
from interlock.autonomy.store import (
    ADD_CERTIFICATES,
    CHANNEL,
    LETS_GO,
    SET_AUTONOMY,
    AutonomyState,
    NewAutonomy,
    autonomy_id,
    certificate_row,
)
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, StateConflict
from interlock.guards.stops import check_why, wait_for_dispatches
from interlock.ledger.ledger import first_entry

if TYPE_CHECKING:  # who issues nothing pays for no mathematics
    from interlock.autonomy.issuing.derive import Derived

RENEWAL = "renewal"
"""Who issues what the duty renews."""
MONITOR = "monitor"
"""Who narrows when a monitor crosses."""
_AGAIN = "look at it again: somebody was faster"
_NOTHING = UUID(int=0)


async def stands_at(database: Database, tenant: UUID, workflow: str, point: str) -> Stands | None:
    """What counts at a point; None: nothing ever did, and nobody tried."""
    async with database.tenant(tenant) as connection:
        return await STANDS.one(connection, {"id": autonomy_id(tenant, workflow, point)})


async def tries_of(database: Database, place: Place, stands: Stands | None, data: str) -> int:
    """How often a certificate was derived under a point's terms since the last one was issued, by what is on record.

    Args:
        database: Where that is.
        place: The point.
        stands: What counts there.
        data: The digest of the data that it is derived from now: who has only looked at the same has not tried again.
    """
    asked = {
        "data": data, "terms": place.terms.digest.hex(),
        "subject": autonomy_id(place.tenant, place.workflow, place.point),
        "after": (stands.certificate if stands is not None else None) or _NOTHING,
    }  # fmt: skip
    async with database.tenant(place.tenant) as connection:
        return await COUNT_TRIES.one(connection, asked) or 0


async def stands_everywhere(database: Database, tenant: UUID) -> list[Stands]:
    """What counts at every point of a tenant that somebody tried to certify, by name."""
    async with database.tenant(tenant) as connection:
        return await STANDS.all(connection, {"id": None})


async def issue(
    writer: Writer, place: Place, derived: Derived, stands: Stands | None, *, verdict: Verdict | None = None
) -> UUID:
    """Put a certificate into force; its id. From the next decision on it counts in every process.

    Args:
        writer: For the commit.
        place: The point.
        derived: What follows from the evidence: a certificate.
        stands: What counted when it was derived.
        verdict: What the policies said; None: the duty renews it.

    Raises:
        StateConflict: what counts has changed meanwhile; nothing is issued.
    """
    certificate = derived.certificate
    if certificate is None:
        raise AssertionError("what is refused is not issued")
    made: list[UUID] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        made[:] = [stamp.entry]
        entry = first_entry(
            stamp, place.tenant, "certificate.issued", subject=stamp.entry, workflow=place.workflow, point=place.point,
            who=certificate.issued_by, digest=certificate.digest.hex(), threshold=certificate.threshold,
            cap=certificate.cap, currency=certificate.currency, budget=certificate.budget, goal=certificate.goal,
            risk=certificate.risk, data=certificate.data.digest, decisions=certificate.data.decisions,
            terms=certificate.terms_digest, valid_until=certificate.valid_until, replaces=certificate.replaces,
            turn=_next(stands), begins=certificate.begins, **verdict_facts(verdict),
        )  # fmt: skip
        row = NewAutonomy(
            id=autonomy_id(place.tenant, place.workflow, place.point),
            tenant=place.tenant,
            workflow=place.workflow,
            point=place.point,
            turn=_next(stands),
            state=AutonomyState.CERTIFIED,
            certificate=stamp.entry,
            threshold=certificate.threshold,
            valid_until=certificate.valid_until,
            why="certified",
            who=certificate.issued_by,
            changed_at=stamp.now,
            tried_at=stamp.now,
        )
        return [
            entry,
            Write(ADD_CERTIFICATES, certificate_row(stamp.entry, certificate)),
            Write(SET_AUTONOMY, row),
            Write(NOTE_TRIED, TriedAutonomy(id=row.id, tried_at=stamp.now, refused=None)),
            *_ended(stands, stamp.now, handed_on=goes_on(certificate, stands)),
            *_watched(certificate, stamp, place.tenant, stands),
        ]

    await _write(writer, place.tenant, place.workflow, place.point, stands, build)
    return made[0]


async def refuse(
    writer: Writer, place: Place, derived: Derived, stands: Stands | None, *, who: str, verdict: Verdict | None = None
) -> None:
    """Put on record that nothing can be certified, and why. What is in force stays in force until it ends.

    Raises:
        StateConflict: somebody was faster.
    """
    identity = autonomy_id(place.tenant, place.workflow, place.point)

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, place.tenant, "certificate.refused", subject=identity, workflow=place.workflow, point=place.point,
            who=who, why=derived.refused, needed=derived.needed, decisions=derived.data.decisions,
            outcomes=derived.data.outcomes, data=derived.data.digest, terms=place.terms.digest.hex(),
            begins=derived.begins, **verdict_facts(verdict),
        )  # fmt: skip
        tried = Write(NOTE_TRIED, TriedAutonomy(id=identity, tried_at=stamp.now, refused=derived.refused))
        if stands is not None:
            return [entry, tried]
        row = NewAutonomy(
            id=identity, tenant=place.tenant, workflow=place.workflow, point=place.point, turn=1,
            state=AutonomyState.REFUSED, certificate=None, threshold="0", valid_until=None, why=derived.refused,
            who=who, changed_at=stamp.now, tried_at=stamp.now,
        )  # fmt: skip
        return [entry, Write(SET_AUTONOMY, row), tried]

    if stands is None:
        await _write(writer, place.tenant, place.workflow, place.point, None, build)
        return
    key = f"{place.name}/{stands.turn}/{stands.tried_at}"
    once = TakesKey(key_digest(place.tenant, "autonomy-refused", key), payload=_NOTHING)
    if refusal := await writer.write(Unit(place.tenant, build, (once,))):
        raise StateConflict(refusal.what, todo=_AGAIN)


async def note_try(writer: Writer, place: Place, derived: Derived, *, who: str, verdict: Verdict | None = None) -> None:
    """Put on record that somebody looked what would come out, and what did: whoever looks until it suits is seen."""

    def build(stamp: Stamp) -> Sequence[Write]:
        certificate = derived.certificate
        entry = first_entry(
            stamp, place.tenant, "certificate.tried", subject=autonomy_id(place.tenant, place.workflow, place.point),
            workflow=place.workflow, point=place.point, who=who,
            threshold=certificate.threshold if certificate is not None else None, why=derived.refused,
            decisions=derived.data.decisions, outcomes=derived.data.outcomes, data=derived.data.digest,
            terms=place.terms.digest.hex(), begins=derived.begins, **verdict_facts(verdict),
        )  # fmt: skip
        return [entry]

    await writer.write(Unit(place.tenant, build, ()))


async def withdraw(
    database: Database, writer: Writer, tenant: UUID, stands: Stands | None, *, who: str, why: str,
    verdict: Verdict | None = None,
) -> int:  # fmt: skip
    """Withdraw what counts at a point: from this answer on a person decides everything there, on any worker.

    Args:
        database: To see who has not answered.
        writer: For the commit.
        tenant: Whose.
        stands: What counts.
        who: Who withdraws it.
        why: The reason.
        verdict: What the policies said.

    Returns:
        How many commits under way may not have seen it: see ``stop``.

    Raises:
        NotFound: nothing counts there.
        Refused: no reason.
        StateConflict: what counts has changed meanwhile.
    """
    check_why(why)
    if stands is None or stands.state not in LETS_GO:
        raise NotFound("no certificate is in force at this point", todo="`interlock autonomy show` shows which are")
    it = stands

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "certificate.withdrawn", subject=it.certificate or it.id, workflow=it.workflow,
            point=it.point, who=who, why=why, turn=_next(it), **verdict_facts(verdict),
        )  # fmt: skip
        return [entry, Write(SET_AUTONOMY, withdrawn(tenant, it, stamp.now, who=who, why=why)), *_ended(it, stamp.now)]

    await _write(writer, tenant, it.workflow, it.point, it, build)
    return await wait_for_dispatches(database, tenant)


def withdrawn(tenant: UUID, stands: Stands, now: datetime, *, who: str, why: str) -> NewAutonomy:
    """What counts after a withdrawal: nothing."""
    return _changed(tenant, stands, now, AutonomyState.WITHDRAWN, Fraction(0), None, who=who, why=why)


def halved(tenant: UUID, stands: Stands, now: datetime, *, who: str, why: str) -> NewAutonomy:
    """What counts with half the threshold."""
    half = Fraction(stands.threshold) / 2
    return _changed(tenant, stands, now, AutonomyState.NARROWED, half, stands.valid_until, who=who, why=why)


def takes_turn(tenant: UUID, workflow: str, point: str, stands: Stands | None) -> TakesKey:
    """That nobody else changes what counts at a point, from how it stands."""
    key = f"{workflow}.{point}/{_next(stands)}"
    return TakesKey(key_digest(tenant, "autonomy", key), payload=_NOTHING)


def _changed(
    tenant: UUID,
    stands: Stands,
    now: datetime,
    state: AutonomyState,
    threshold: Fraction,
    valid_until: datetime | None,
    *,
    who: str,
    why: str,
) -> NewAutonomy:
    return NewAutonomy(
        id=stands.id,
        tenant=tenant,
        workflow=stands.workflow,
        point=stands.point,
        turn=_next(stands),
        state=state,
        certificate=stands.certificate,
        threshold=str(threshold),
        valid_until=valid_until,
        why=why,
        who=who,
        changed_at=now,
        tried_at=stands.tried_at,
    )


def _next(stands: Stands | None) -> int:
    return stands.turn + 1 if stands else 1


def goes_on(certificate: Certificate, stands: Stands | None) -> bool:
    """Whether a certificate's monitor goes on for that of the one before.

    INVARIANT: with the same terms nothing but a crossing lets a monitor begin anew, since each beginning is one more
    chance of a false alarm, and forgets what was lost.
    """
    held = stands.read if stands is not None else None
    if stands is None or held is None or stands.crossed_at is not None:
        return False
    both = held.watching is not None and certificate.watching is not None
    return both and held.terms_digest == certificate.terms_digest


def _ended(stands: Stands | None, now: datetime, *, handed_on: bool = False) -> list[Write]:
    if stands is None or stands.certificate is None:
        return []
    return [Write(END_MONITORS, EndedMonitor(certificate=stands.certificate, ended_at=now, handed_on=handed_on))]


def _watched(certificate: Certificate, stamp: Stamp, tenant: UUID, stands: Stands | None) -> list[Write]:
    if certificate.watching is None:
        return []
    sizes = certificate.watching.sizes
    row = NewMonitor(
        certificate=stamp.entry,
        tenant=tenant,
        wealth=msgspec.json.encode({"logs": [0.0] * len(sizes), "sizes": sizes}),
        counted=0,
        lost_minor=0,
        evidence=1.0,
        counted_to=stamp.now,
        counted_id=first_id(stamp.now),
        looked_at=stamp.now,
        goes_on=stands.certificate if stands is not None and goes_on(certificate, stands) else None,
    )
    return [Write(ADD_MONITORS, row)]


async def _write(writer: Writer, tenant: UUID, workflow: str, point: str, stands: Stands | None, build: Any) -> None:
    conditions = (takes_turn(tenant, workflow, point, stands),)
    if await writer.write(Unit(tenant, build, conditions, wakes=(CHANNEL,))):
        raise StateConflict(f"what counts at {workflow}.{point} has changed meanwhile", todo=_AGAIN)
