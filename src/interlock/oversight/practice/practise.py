"""Practising: an item is begun, answered once, and told at once; enough of them qualify.

What is answered is one commit with its entry and, if it was enough, with the qualification and its entry. Nothing else
is written: no review, no verdict, no tally.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from interlock.authority.actor import Actor, known_as
from interlock.db.gates import TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import NotFound, StateConflict
from interlock.ledger.ledger import first_entry, further_entry
from interlock.oversight.desk import Desk
from interlock.oversight.practice.store import (
    ADD_ATTEMPTS,
    ADD_QUALIFICATIONS,
    ANSWER_ATTEMPTS,
    FIND_ATTEMPT,
    NEXT_MATERIAL,
    OPEN_ATTEMPT,
    PRACTISED,
    TRUTH_OF,
    AnsweredAttempt,
    Attempt,
    NewAttempt,
    NewQualification,
    Truth,
)
from interlock.oversight.practice.terms import PracticeTerms, is_enough
from interlock.oversight.quality.compare import is_same
from interlock.oversight.review import Resolution


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody answers in practice.

    Attributes:
        resolution: approve, change or reject.
        reason_code: Why.
        output: Of a change, the output as JSON, with personal data hidden as they were shown.
    """

    resolution: Resolution
    reason_code: str
    output: bytes | None


async def begin(desk: Desk, by: Actor, workflow: str, point: str) -> Attempt | None:
    """The item that somebody practises on next at a point: the one that they began, or another by lot.

    What was begun is answered before there is another, so that nobody picks the easy ones.

    Returns:
        None: nothing is known at that point that they did not decide, declare or seed themselves.
    """
    person = known_as(by.name)
    asked = {"person": person, "workflow": workflow, "point": point}
    async with desk.database.tenant(by.tenant) as connection:
        known = await OPEN_ATTEMPT.one(connection, asked)
        found = None if known else await NEXT_MATERIAL.one(connection, asked)
        if known is not None or found is None:
            return known
        clock = desk.database.clock
        row = NewAttempt(
            id=clock.new_id(), tenant=by.tenant, person=person, review=found.id, workflow=found.workflow,
            point=found.point, counts=found.counts, begun_at=clock.now(),
        )  # fmt: skip
        await ADD_ATTEMPTS.run(connection, [row])
        return await OPEN_ATTEMPT.one(connection, asked)


async def find_attempt(desk: Desk, by: Actor, attempt_id: UUID) -> tuple[Attempt, Truth]:
    """An attempt of one's own, with what is right. INVARIANT: nobody is told that before they answered.

    Raises:
        NotFound: they have none of that id.
    """
    async with desk.database.tenant(by.tenant) as connection:
        found = await FIND_ATTEMPT.one(connection, {"id": attempt_id})
        truth = await TRUTH_OF.one(connection, {"review": found.review}) if found else None
    if found is None or truth is None or found.person != known_as(by.name):
        raise NotFound(f"you practise on no item {attempt_id}", todo="begin at /console/practice")
    return found, truth


async def answer(
    desk: Desk, by: Actor, attempt_id: UUID, given: Given, right: bytes | None, terms: PracticeTerms | None
) -> tuple[bool, bool]:
    """Answer an item, once.

    Args:
        desk: What to work with.
        by: Who answers.
        attempt_id: Which of theirs.
        given: What they say.
        right: Of a change, the right output as it would have been shown.
        terms: What the point asks for; None: nothing, and it is for practice alone.

    Returns:
        Whether it was right, and whether it qualified them.

    Raises:
        NotFound: they have none of that id.
        StateConflict: it is answered already.
    """
    attempt, truth = await find_attempt(desk, by, attempt_id)
    if attempt.answered_at is not None:
        raise StateConflict(f"the item {attempt_id} is answered already", todo="go on with the next")
    is_right = is_same(truth.resolution, right, given.resolution, given.output)
    earned = terms if attempt.counts and terms and await _is_enough(desk, by, attempt, is_right, terms) else None

    def build(stamp: Stamp) -> Sequence[Write]:
        row = AnsweredAttempt(
            id=attempt.id, answered_at=stamp.now, resolution=given.resolution, output=given.output,
            reason_code=given.reason_code, was_right=is_right,
        )  # fmt: skip
        told = first_entry(
            stamp, by.tenant, "oversight.practised", subject=attempt.review, who=attempt.person, attempt=attempt.id,
            right=is_right, counts=attempt.counts,
        )  # fmt: skip
        return [Write(ANSWER_ATTEMPTS, row), told, *(_earned(stamp, by.tenant, attempt, earned) if earned else ())]

    key = TakesKey(key_digest(by.tenant, "practised", str(attempt.id)), payload=UUID(int=0))
    if await desk.writer.write(Unit(by.tenant, build, (key,))):
        raise StateConflict(f"the item {attempt_id} is answered already", todo="go on with the next")
    return is_right, earned is not None


async def _is_enough(desk: Desk, by: Actor, attempt: Attempt, is_right: bool, terms: PracticeTerms) -> bool:  # noqa: FBT001 - an answer beside the others
    """Whether this answer and those before it qualify, of the time for which a qualification lasts."""
    asked = {
        "person": attempt.person, "workflow": attempt.workflow, "point": attempt.point,
        "since": desk.database.clock.now() - terms.lasts,
    }  # fmt: skip
    async with desk.database.tenant(by.tenant) as connection:
        before = await PRACTISED.all(connection, asked)
    return is_enough([is_right, *(one.was_right for one in before)], terms)


def _earned(stamp: Stamp, tenant: UUID, attempt: Attempt, terms: PracticeTerms) -> tuple[Write, Write]:
    row = NewQualification(
        id=stamp.new_id(), tenant=tenant, person=attempt.person, workflow=attempt.workflow, point=attempt.point,
        given_at=stamp.now, until=stamp.now + terms.lasts, given_by=None,
        why=f"{terms.right} or more right of the last {terms.of}",
    )  # fmt: skip
    told = further_entry(
        stamp, tenant, "oversight.qualified", subject=row.id, who=None, person=row.person, workflow=row.workflow,
        point=row.point, until=row.until, why=row.why,
    )  # fmt: skip
    return Write(ADD_QUALIFICATIONS, row), told
