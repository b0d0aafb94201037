"""What leads do for practice: declare what is practised on, and give or take the right to decide by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from interlock.authority.actor import Actor, known_as
from interlock.authority.judge import everything, verdict_facts
from interlock.db.gates import TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import Forbidden, NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry, further_entry, hash_of
from interlock.oversight.desk import Desk, require, said
from interlock.oversight.practice.qualified import Asked
from interlock.oversight.practice.store import (
    ADD_LESSONS,
    ADD_QUALIFICATIONS,
    ADMISSION,
    LESSONS,
    QUALIFIED_AT,
    TAKE_QUALIFICATIONS,
    WITHDRAW_LESSONS,
    Admission,
    NewLesson,
    NewQualification,
    TakenQualification,
    WithdrawnLesson,
)
from interlock.oversight.review import Review, ReviewState
from interlock.oversight.store import FIND_REVIEW

FEW = 4
"""Up to so many lessons at a point may all rest on one person's word."""
LONGEST_NAME = 100


async def declare_lesson(desk: Desk, by: Actor, review_id: UUID, explanation: str) -> None:
    """Declare a decided review as one to practise on.

    Feedback is a way to poison: a lesson says who may decide. So it is admitted only if somebody who leads declares it
    who did not decide it, nothing known speaks against it, and at most half of a point's lessons, from the fifth on,
    rest on one person's word.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they do not lead, or decided it themselves.
        Refused: something speaks against it, or nothing is said in explanation.
        StateConflict: it is not decided.
    """
    async with desk.database.tenant(by.tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": review_id})
        lessons = await LESSONS.all(connection)
        taught_by = known_as(review.resolved_by or "") if review else ""
        asked = {"review": review_id, "taught_by": taught_by}
        admission = await ADMISSION.one(connection, asked) if review else None
    if review is None or admission is None:
        raise NotFound(f"there is no review {review_id}", todo="`interlock reviews` lists those that wait")
    verdict = await require(desk, by, "queue.lead", review)
    why = said(explanation, "/explanation", needed="an explanation is needed: it is told to whoever answered")
    if any(one.id == review_id for one in lessons):
        raise StateConflict(f"review {review_id} is a lesson already", todo="withdraw it to explain it anew")
    _see_admitted(by, review, admission)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewLesson(
            id=review.id, tenant=by.tenant, workflow=review.workflow, point=review.point, taught_by=taught_by,
            explanation=why, declared_by=by.name, declared_at=stamp.now,
        )  # fmt: skip
        told = first_entry(
            stamp, by.tenant, "oversight.lesson_declared", subject=review.id, who=by.name, taught_by=taught_by,
            explanation_hash=hash_of(why.encode()), **verdict_facts(verdict),
        )  # fmt: skip
        return [Write(ADD_LESSONS, row), told]

    await desk.writer.write(Unit(by.tenant, build))


async def withdraw_lesson(desk: Desk, by: Actor, review_id: UUID) -> None:
    """Practise on a lesson no more; what was answered of it counts no more. Who qualified by it stays so until taken.

    Raises:
        NotFound: it is none.
        Forbidden: they do not lead.
    """
    verdict = desk.authority.require(by, "queue.lead", everything(by.tenant))
    async with desk.database.tenant(by.tenant) as connection:
        known = {one.id for one in await LESSONS.all(connection)}
    if review_id not in known:
        raise NotFound(f"review {review_id} is no lesson", todo="`interlock practice show` lists them")

    def build(stamp: Stamp) -> Sequence[Write]:
        row = WithdrawnLesson(id=review_id, withdrawn_by=by.name, withdrawn_at=stamp.now)
        told = first_entry(
            stamp, by.tenant, "oversight.lesson_withdrawn", subject=review_id, who=by.name, **verdict_facts(verdict)
        )
        return [Write(WITHDRAW_LESSONS, row), told]

    await desk.writer.write(Unit(by.tenant, build))


async def give(desk: Desk, by: Actor, person: str, workflow: str, asked: Asked, why: str) -> None:
    """Let somebody decide without practice for as long as practice would: who begins, and programs, which cannot.

    Args:
        desk: What to work with.
        by: Who leads.
        person: Whom.
        workflow: Of the points.
        asked: The points with what they ask for.
        why: Why, for whoever reads the ledger.

    Raises:
        Forbidden: they do not lead, or it is for themselves.
        Refused: nobody is named, nothing is asked for there, or nothing is said of why.
    """
    verdict = desk.authority.require(by, "queue.lead", everything(by.tenant))
    name = _other(by, person)
    if not asked:
        raise Refused("no practice is asked for there", where="/point", todo="its file would say practice under queue")
    because = said(why, "/why", needed="why somebody may decide without practice is said")

    def build(stamp: Stamp) -> Sequence[Write]:
        writes: list[Write] = []
        for point, terms in asked.items():
            row = NewQualification(
                id=stamp.new_id(), tenant=by.tenant, person=name, workflow=workflow, point=point, given_at=stamp.now,
                until=stamp.now + max(terms.lasts, timedelta(seconds=1)), given_by=by.name, why=because,
            )  # fmt: skip
            entry = first_entry if not writes else further_entry
            told = entry(
                stamp, by.tenant, "oversight.qualified", subject=row.id, who=by.name, person=name, workflow=workflow,
                point=point, until=row.until, why=because, **verdict_facts(verdict),
            )  # fmt: skip
            writes += [Write(ADD_QUALIFICATIONS, row), told]
        return writes

    await desk.writer.write(Unit(by.tenant, build))


async def take(desk: Desk, by: Actor, person: str, workflow: str, point: str, why: str) -> int:
    """Take the right to decide at a point from somebody, however they came by it; how many qualifications end.

    Raises:
        Forbidden: they do not lead.
        NotFound: nobody of that name is qualified there.
        Refused: nothing is said of why.
    """
    verdict = desk.authority.require(by, "queue.lead", everything(by.tenant))
    name, because = known_as(person), said(why, "/why", needed="why somebody may decide no more is said")
    now = desk.database.clock.now()
    async with desk.database.tenant(by.tenant) as connection:
        found = await QUALIFIED_AT.all(connection, {"workflow": workflow, "points": [point]})
    held = [one for one in found if one.person == name and one.taken_at is None and one.until > now]
    if not held:
        raise NotFound(
            f"{person} is not qualified at {workflow}.{point}", todo="`interlock practice show` lists who is"
        )

    def build(stamp: Stamp) -> Sequence[Write]:
        writes: list[Write] = []
        for one in held:
            entry = first_entry if not writes else further_entry
            told = entry(
                stamp, by.tenant, "oversight.qualification_taken", subject=one.id, who=by.name, person=name,
                workflow=workflow, point=point, why=because, **verdict_facts(verdict),
            )  # fmt: skip
            row = TakenQualification(id=one.id, taken_at=stamp.now, taken_by=by.name)
            writes += [Write(TAKE_QUALIFICATIONS, row), told]
        return writes

    keys = (TakesKey(key_digest(by.tenant, "qualification-taken", str(held[0].id)), payload=UUID(int=0)),)
    if await desk.writer.write(Unit(by.tenant, build, keys)):
        raise StateConflict(f"somebody else has just taken it from {person}")
    return len(held)


def _other(by: Actor, person: str) -> str:
    name = known_as(person)
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused("nobody is named", where="/person", todo=f"use at most {LONGEST_NAME} printable characters")
    if name == known_as(by.name):
        raise Forbidden("nobody gives themselves the right to decide", todo="practise, or ask another who leads")
    return name


def _see_admitted(by: Actor, review: Review, admission: Admission) -> None:
    """See that nothing known speaks against a lesson, and that no one person's word has too much weight."""
    if review.state is not ReviewState.RESOLVED or review.resolution is None:
        raise StateConflict(f"review {review.id} is not decided", todo="a lesson is what is known to be right")
    if known_as(by.name) in {known_as(one) for one in (review.resolved_by or "", *review.decided_by)}:
        raise Forbidden("nobody makes a lesson of what they decided", todo="ask another who leads")
    against = (
        (admission.seeded, "it is a known case: whoever practises meets it anyway"),
        (admission.differed, "a second person, blind to the first, said something else"),
        (admission.undone, "what came of it was taken back"),
    )
    for holds, what in against:
        if holds:
            raise Refused(f"review {review.id} is no lesson: {what}", todo="choose one that nothing speaks against")
    if admission.lessons >= FEW and 2 * (admission.of_one + 1) > admission.lessons + 1:
        what = f"{review.resolved_by} decided {admission.of_one} of the {admission.lessons} lessons here"
        raise Refused(f"{what}: one person's word would be more than half", todo="choose what others decided, too")
