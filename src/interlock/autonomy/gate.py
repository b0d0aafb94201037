"""The gate of what is certified: read in the very commit of what goes by itself, so that nothing passes a withdrawal.

The commit that begins an action because of such a decision reads it, too: no certificate is pinned. It stands behind
the gate of the stops, whose lock every automatic decision and every dispatch holds: whoever withdraws a certificate
waits, after the commit, for those that hold it and may not have seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from interlock.actions.stale import STALE, StillGranted
from interlock.autonomy.granted import Granted, read_granted, why_held
from interlock.autonomy.standing import why_expired
from interlock.autonomy.store import AUTONOMY_NOW, FIND_CERTIFICATES, LETS_GO, CountsNow, autonomy_id
from interlock.autonomy.watch import opened
from interlock.db.batch import Ask, Batch
from interlock.db.work import Condition, Refusal, Unit

UNCERTIFIED = "uncertified"
"""The code of the refusal."""


class StillCertified(Condition, frozen=True):
    """What counted at a point when the answer was weighed counts at this very commit.

    Attributes:
        point: Its ``autonomy_id``.
        turn: What counted; 0: nothing did, so that this never holds.
    """

    point: UUID
    turn: int


class AutonomyGate:
    """Reads what counts at the points of a batch: one statement for each tenant, however many decisions."""

    def foresee(self, batch: Batch) -> list[Ask]:
        """What counts is read for all units."""
        points = _points(batch)
        return [Ask(AUTONOMY_NOW, points)] if points else []

    async def admit(self, batch: Batch) -> None:
        """Refuse the units whose certificate counts no more, and say why."""
        points = _points(batch)
        if not points:
            return
        counts = {
            tenant: {row.id: row for row in rows} for tenant, rows in (await batch.ask(AUTONOMY_NOW, points)).items()
        }
        for tenant, pairs in batch.conditions(StillCertified).items():
            for unit, condition in pairs:
                why = _why_not(condition, counts[tenant].get(condition.point))
                if why:
                    batch.refuse(unit, Refusal(UNCERTIFIED, why))
        await _admit_actions(batch, counts)

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""


_Counts = Mapping[UUID, Mapping[UUID, CountsNow]]


def _points(batch: Batch) -> dict[UUID, dict[str, list[UUID]]]:
    points: dict[UUID, set[UUID]] = {}
    for tenant, decisions in batch.conditions(StillCertified).items():
        points.setdefault(tenant, set()).update(condition.point for _, condition in decisions)
    for tenant, actions in batch.conditions(StillGranted).items():
        points.setdefault(tenant, set()).update(_point_of(tenant, condition) for _, condition in actions)
    return {tenant: {"ids": sorted(ids)} for tenant, ids in points.items()}


def _point_of(tenant: UUID, condition: StillGranted) -> UUID:
    return autonomy_id(tenant, condition.workflow, condition.point)


async def _admit_actions(batch: Batch, counts: _Counts) -> None:
    """Refuse the actions whose decision would not go by itself now: their cases decide anew."""
    wanted: list[tuple[Unit, StillGranted, Granted, CountsNow | None]] = []
    others: dict[UUID, set[UUID]] = {}
    for tenant, pairs in batch.conditions(StillGranted).items():
        for unit, condition in pairs:
            row, granted = counts[tenant].get(_point_of(tenant, condition)), read_granted(condition.granted)
            wanted.append((unit, condition, granted, row))
            if row and row.certificate and row.certificate != granted.certificate:
                others.setdefault(tenant, set()).add(row.certificate)
    read = {tenant: {"ids": sorted(ids)} for tenant, ids in others.items()}
    found = await batch.ask(FIND_CERTIFICATES, read) if read else {}
    stored = {one.id: one for rows in found.values() for one in rows}
    for unit, condition, granted, row in wanted:
        why = _why_nothing(row)
        if why is None and row is not None and row.certificate is not None:
            own = row.certificate == granted.certificate
            other = (
                None if own else opened(stored.get(row.certificate), unit.tenant, condition.workflow, condition.point)
            )
            why = why_held(granted, row.certificate, row.threshold, other)
        if why:
            batch.refuse(unit, Refusal(STALE, f"its decision went by itself; {why}"))


def _why_nothing(row: CountsNow | None) -> str | None:
    if row is None or row.certificate is None:
        return "nothing is certified at this point"
    if row.state not in LETS_GO:
        return f"its certificate was {row.state} meanwhile: {row.why}"
    if not row.is_valid:
        return f"its certificate counts no more: {why_expired(row.valid_until)}" if row.valid_until else "it has no end"
    return None


def _why_not(condition: StillCertified, row: CountsNow | None) -> str | None:
    if row is None or not condition.turn:
        return "nothing is certified at this point"
    if why := _why_nothing(row):
        return why
    if row.turn != condition.turn:
        return f"what is certified changed meanwhile: {row.why}"
    return None
