"""The gate of what is certified: read in the very commit of what goes by itself, so that nothing passes a withdrawal.

It stands behind the gate of the stops, whose lock every automatic decision holds: whoever withdraws a certificate
waits, after the commit, for those that hold it and may not have seen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from interlock.autonomy.standing import why_expired
from interlock.autonomy.store import AUTONOMY_NOW, LETS_GO, CountsNow
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
        wanted = batch.conditions(StillCertified)
        return [Ask(AUTONOMY_NOW, _points(wanted))] if wanted else []

    async def admit(self, batch: Batch) -> None:
        """Refuse the units whose certificate counts no more, and say why."""
        wanted = batch.conditions(StillCertified)
        if not wanted:
            return
        for tenant, rows in (await batch.ask(AUTONOMY_NOW, _points(wanted))).items():
            counts = {row.id: row for row in rows}
            for unit, condition in wanted[tenant]:
                why = _why_not(condition, counts.get(condition.point))
                if why:
                    batch.refuse(unit, Refusal(UNCERTIFIED, why))

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""


_Wanted = Mapping[UUID, Sequence[tuple[Unit, StillCertified]]]


def _points(wanted: _Wanted) -> dict[UUID, dict[str, list[UUID]]]:
    return {tenant: {"ids": sorted({condition.point for _, condition in pairs})} for tenant, pairs in wanted.items()}


def _why_not(condition: StillCertified, row: CountsNow | None) -> str | None:
    if row is None or not condition.turn:
        return "nothing is certified at this point"
    if row.state not in LETS_GO:
        return f"its certificate was {row.state} meanwhile: {row.why}"
    if not row.is_valid:
        return f"its certificate counts no more: {why_expired(row.valid_until)}" if row.valid_until else "it has no end"
    if row.turn != condition.turn:
        return f"what is certified changed meanwhile: {row.why}"
    return None
