"""Asking people about what was drawn: a review of the input alone, blind to what was answered.

It holds nothing of the proposal, of its component, its confidence or its evidence, which names what was read and how
surely, and not the decision's id: there is nothing on its page, in the API, in an export or on the live stream that
could be followed. While the queue has no room, what was drawn waits; drawn it stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.autonomy.audit.points import AuditedPoint
from interlock.autonomy.audit.store import ASK_DRAWS, TO_BE_ASKED, Asked, ToBeAsked
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry, hash_of
from interlock.money import Money
from interlock.oversight.capacity.respond import held_queues
from interlock.oversight.quality.room import room_left
from interlock.oversight.review import Question, line_of, urgency_of
from interlock.oversight.store import ADD_REVIEWS, COUNT_WAITING, NewReview

MOST_ASKED = 200
WHY = "you say what is right: nothing is proposed"
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")


async def ask(database: Database, writer: Writer, tenant: UUID, point: AuditedPoint, now: datetime) -> int:
    """Ask about what was drawn, as many as there is room for; how many.

    What is not asked until its outcome is due is not asked any more: it is missing, and counts as that.

    Args:
        database: Where it is.
        writer: For the commits.
        tenant: Whose.
        point: Of which point.
        now: The time.
    """
    wanted = {"workflow": point.workflow, "point": point.name, "since": first_id(now - point.terms.outcome.after)}
    async with database.tenant(tenant) as connection:
        drawn = await TO_BE_ASKED.all(connection, {**wanted, "most": MOST_ASKED})
        if not drawn:
            return 0
        waiting = await COUNT_WAITING.one(connection, {"queue": point.queue}) or 0
    if point.queue in await held_queues(database, tenant):
        return 0
    asked = 0
    for one in drawn[: room_left(point.capacity, waiting)]:
        # the key: however many processes ask, and wherever one dies, there is one review of a drawn decision
        once = TakesKey(key_digest(tenant, "audit-asked", str(one.decision)), payload=UUID(int=0))
        unit = Unit(tenant, lambda stamp, one=one: _opened(stamp, tenant, point, one), (once,), wakes=("reviews",))
        asked += await writer.write(unit) is None
    return asked


def question_of(point: AuditedPoint, data: bytes) -> Question:
    """What a person sees of a drawn decision: its input, in which its features stand, too."""
    return Question(
        why=(WHY,),
        input=msgspec.json.decode(data),
        proposal=None,
        proposed_by="",
        confidence=None,
        confidence_needed=None,
        evidence={},
        findings=(),
        output_contract=point.output,
        choices={
            "change": f"your output is what is right, checked against {point.output}",
            "reject": "no: the answer should have been no",
        },
    )


def _opened(stamp: Stamp, tenant: UUID, point: AuditedPoint, one: ToBeAsked) -> Sequence[Write]:
    review, exposure = stamp.new_id(), Money.of_columns(one.exposure_minor, one.currency)
    question = _canonical.encode(question_of(point, one.input))
    row = NewReview(
        id=review, tenant=tenant, case_id=None, decision_id=None, workflow=point.workflow, point=point.name,
        queue=point.queue, question=question, proposal=None, exposure_minor=one.exposure_minor, currency=one.currency,
        urgency=urgency_of(exposure, None), due_at=stamp.now + point.due, created_at=stamp.now, why=line_of(WHY),
        team=point.team,
    )  # fmt: skip
    told = first_entry(
        stamp, tenant, "review.opened", subject=review, decision=None, queue=point.queue,
        question_hash=hash_of(question), due_at=row.due_at,
    )  # fmt: skip
    return [Write(ADD_REVIEWS, row), Write(ASK_DRAWS, Asked(decision=one.decision, review=review)), told]
