"""The gate of what was shown: a verdict is written only while everything that was before the person still stands so.

The review's own row is compared by its version (see ``desk.conditions``). This gate compares what stands elsewhere,
under the locks of case and review: what came in for the case, how it stands, what others wrote, and what is in force in
this process. The writers of all that stands in the database take one of these two locks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.batch import Ask, Batch
from interlock.db.work import Condition, Refusal, Unit
from interlock.oversight.store import EVIDENCE_OF, Evidence


class AskedEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Of which review the evidence is asked, and for whom."""

    id: UUID
    who: str
    case_id: UUID | None


class StillShows(Condition, frozen=True, eq=False):
    """What was shown of a review still stands.

    Attributes:
        asked: Of which review, and to whom it was shown.
        evidence: What had come in when it was shown.
        in_force: What decided then what happens on each choice.
        now_in_force: What decides it now; it is asked at the commit.
    """

    asked: AskedEvidence
    evidence: Evidence
    in_force: Mapping[str, str]
    now_in_force: Callable[[], Mapping[str, str]]


class ShownGate:
    """Refuses a verdict on what has changed since it was shown."""

    def foresee(self, batch: Batch) -> list[Ask]:
        """The evidence is read by tenant, after the locks."""
        wanted = batch.conditions(StillShows)
        return [Ask(EVIDENCE_OF, _asked(wanted))] if wanted else []

    async def admit(self, batch: Batch) -> None:
        """Read what stands now, and compare."""
        wanted = batch.conditions(StillShows)
        if not wanted:
            return
        found = await batch.ask(EVIDENCE_OF, _asked(wanted))
        for tenant, pairs in wanted.items():
            now = {(one.id, one.who): one for one in found[tenant]}
            for unit, condition in pairs:
                stands = now.get((condition.asked.id, condition.asked.who)) == condition.evidence
                if not stands or condition.now_in_force() != condition.in_force:
                    what = f"review {condition.asked.id} is not as it was shown"
                    batch.refuse(unit, Refusal("version", what, holder=condition.asked.id))

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""


def ask_of(reviews: Sequence[AskedEvidence]) -> dict[str, Any]:
    """The parameters of ``EVIDENCE_OF``."""
    return {"asked": msgspec.json.encode(reviews).decode()}


def _asked(wanted: Mapping[UUID, Sequence[tuple[Unit, StillShows]]]) -> dict[UUID, dict[str, Any]]:
    return {tenant: ask_of([condition.asked for _, condition in pairs]) for tenant, pairs in wanted.items()}
