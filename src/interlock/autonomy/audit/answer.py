"""What a person's answer to a drawn decision says of it: an outcome, in the commit in which the answer takes effect.

The review itself changes nothing of the decision: what has been done is taken back by a person, at its case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.audit.store import ANSWER_DRAWS, AUDITED_BY, AnsweredDraw, Audited
from interlock.autonomy.outcome import AUDIT, verdict_says
from interlock.autonomy.outcomes.line import OutcomeLine
from interlock.autonomy.outcomes.plan import Became, Plan, Points
from interlock.autonomy.outcomes.record import CHANNEL, plan_outcomes
from interlock.autonomy.truth import says_no
from interlock.contracts import Field
from interlock.db.database import Database
from interlock.db.work import Stamp, Write
from interlock.ledger.ledger import further_entry
from interlock.oversight.review import Resolution, Review
from interlock.oversight.sequel import NO_SEQUEL, Saying, Sequel
from interlock.oversight.store import ResolvedReview

log = logging.getLogger("interlock.autonomy")
_DONE = (Became.RECORDED, Became.CORRECTED, Became.KNOWN)


@dataclass(frozen=True, slots=True)
class AuditAnswers:
    """Follows the resolution of a review of the audit sample; called where any review is resolved.

    Attributes:
        database: Where the drawn decisions are.
        points: What files say of points, as contracts count for a tenant.
    """

    database: Database
    points: Callable[[UUID], Points]

    async def __call__(self, tenant: UUID, review: Review, saying: Saying) -> Sequel:
        """What follows: that the draw is answered, and the outcome."""
        if review.case_id is not None or review.decision_id is not None:
            return NO_SEQUEL  # those have a decision that waits for them; none of the sample has
        async with self.database.tenant(tenant) as connection:
            audited = await AUDITED_BY.one(connection, {"review": review.id})
        if audited is None:
            return NO_SEQUEL
        point = self.points(tenant)(audited.workflow, audited.point)
        right = answers_alike(audited, saying, point.fields, point.output.record if point.output else None)
        proposed = proposal_right(audited, saying, point.fields, point.output.record if point.output else None)
        planned = await self._planned(tenant, review, audited, saying, proposed)

        def writes(stamp: Stamp, resolved: ResolvedReview) -> Sequence[Write]:
            answered = AnsweredDraw(
                decision=audited.decision, answered_by=resolved.resolved_by, answered_at=stamp.now, was_right=right
            )
            told = further_entry(
                stamp, tenant, "audit.answered", subject=audited.decision, review=review.id, right=right,
                propensity=audited.propensity, who=resolved.resolved_by,
            )  # fmt: skip
            return [Write(ANSWER_DRAWS, answered), told, *planned.writes(stamp, first=False)]

        return Sequel(writes, planned.conditions(), wakes=() if planned.is_empty else (CHANNEL,))

    async def _planned(
        self,
        tenant: UUID,
        review: Review,
        audited: Audited,
        saying: Saying,
        right: bool,  # noqa: FBT001 - what is said
    ) -> Plan:
        """The outcome: with what is right, where that is plain; else whether the proposal was right alone."""
        points = self.points(tenant)
        line = OutcomeLine(source=AUDIT, decision=audited.decision, right=right, key=str(review.id))
        if saying.output is not None:
            told = msgspec.structs.replace(line, truth=msgspec.json.decode(saying.output))
            planned = await plan_outcomes(self.database, tenant, [told], points, who=saying.who)
            if planned.results[0].became in _DONE:
                return planned
        planned = await plan_outcomes(self.database, tenant, [line], points, who=saying.who)
        if planned.results[0].became not in _DONE:
            what = planned.results[0].refused
            log.error("the answer to the drawn decision %s is no outcome: %s", audited.decision, what)
        return planned


def answers_alike(audited: Audited, saying: Saying, fields: Sequence[str], record: Field | None) -> bool:
    """Whether a person, who did not know the decision, answers as it did.

    Of one that went through: the same on the compared fields; a no only if it said no itself. Of one that was refused:
    a no, however it is said.

    Args:
        audited: The decision.
        saying: What the person says.
        fields: Which fields are compared; empty: all.
        record: The record of the output.
    """
    answer: Any = msgspec.json.decode(saying.output) if saying.output is not None else None
    if audited.route == "reject":
        return saying.resolution is Resolution.REJECT or says_no(answer, fields, record)
    return proposal_right(audited, saying, fields, record)


def proposal_right(audited: Audited, saying: Saying, fields: Sequence[str], record: Field | None) -> bool:
    """Whether what the component proposed was right by a person's answer, whatever became of it: its outcome.

    Args:
        audited: The decision.
        saying: What the person says.
        fields: Which fields are compared; empty: all.
        record: The record of the output.
    """
    answer: Any = msgspec.json.decode(saying.output) if saying.output is not None else None
    proposal: Any = msgspec.json.decode(audited.output) if audited.output is not None else {}
    return verdict_says(saying.resolution, proposal, answer, fields, record)
