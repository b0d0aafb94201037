"""What was shown, and what was read, compared under the locks of the commit: two people at once on a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.oversight.approvals import reviews
from tests.pg.stage import Stage, declared, stage

from interlock.authority.actor import ActorKind
from interlock.cases.bulk import decide_many
from interlock.cases.case import Case
from interlock.cases.verdicts import decide_review, hold_for, shown_now
from interlock.db.work import Condition
from interlock.errors import Refused, ShownChanged, StateConflict
from interlock.money import Money
from interlock.oversight.claims import claim
from interlock.oversight.handing import snooze
from interlock.oversight.queue import Answer, find_review
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution, Review
from interlock.oversight.shown import Shown
from interlock.oversight.shown_gate import AskedEvidence, StillShows, ask_of
from interlock.oversight.store import EVIDENCE_OF, Evidence

YES = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")


def other_person(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Somebody else's connection, in a transaction."""
    return psycopg.connect(url, options="-c search_path=interlock")


def leave_note(theirs: psycopg.Connection[tuple[object, ...]], on: Stage, review: UUID) -> None:
    """What ``say`` writes, under the lock that it takes."""
    theirs.execute("select from review where id = %s for no key update", (review,))
    theirs.execute(
        "insert into task_note (id, tenant, task, kind, who, text, at) "
        "values (gen_random_uuid(), %s, %s, 'said', 'sam', 'she called again', clock_timestamp())",
        (on.node.tenant, review),
    )


async def test_what_changes_after_the_look_and_before_the_commit_is_seen(on: Stage, database_url: str) -> None:
    noted, handed, decided = await reviews(on, "250.00", "251.00", "252.00")
    node, rosa = on.node, acts(on.node.tenant)
    seen = await shown_now(node.desk, node.registry, rosa, noted)
    with other_person(database_url) as theirs:
        leave_note(theirs, on, noted.id)
        verdict = asyncio.create_task(decide_review(node.desk, node.registry, rosa, noted.id, YES, shown=seen.stated))
        await asyncio.sleep(0.3)
        assert not verdict.done()  # it has compared what was shown, and waits for the lock
        theirs.commit()
        with pytest.raises(ShownChanged, match="is not as it was shown: notes"):
            await verdict
    assert (await find_review(node.database, node.tenant, noted.id)).resolution is None

    with other_person(database_url) as theirs:
        theirs.execute("update review set assigned_to = 'sam', team = 'north' where id = %s", (handed.id,))
        later = node.database.clock.now() + timedelta(hours=1)
        put_off = asyncio.create_task(snooze(node.desk, rosa, handed.id, until=later))
        await asyncio.sleep(0.3)
        assert not put_off.done()
        theirs.commit()
        with pytest.raises(StateConflict, match="was changed meanwhile"):
            await put_off
    now = await find_review(node.database, node.tenant, handed.id)
    assert (now.assigned_to, now.team, now.snoozed_until) == ("sam", "north", None)

    with other_person(database_url) as theirs:  # what changes nothing of what was shown is looked at again, and goes
        seen = await shown_now(node.desk, node.registry, rosa, decided)
        theirs.execute("update review set team = 'north' where id = %s", (decided.id,))
        verdict = asyncio.create_task(decide_review(node.desk, node.registry, rosa, decided.id, YES, shown=seen.stated))
        await asyncio.sleep(0.3)
        theirs.commit()
        assert (await verdict).resolution is Resolution.APPROVE


async def test_what_comes_into_force_before_the_commit_is_seen(on: Stage) -> None:
    (review,) = await reviews(on, "250.00")
    node, rosa, looks = on.node, acts(on.node.tenant), list[str]()

    async def shown(asked: Review) -> tuple[Shown, Condition]:
        looks.append("look")
        evidence = AskedEvidence(id=asked.id, who="rosa", case_id=asked.case_id)
        async with node.database.tenant(node.tenant) as connection:
            found = await EVIDENCE_OF.one(connection, ask_of([evidence]))
        assert isinstance(found, Evidence)
        still = StillShows(evidence, found, {"policies": f"at look {len(looks)}"}, lambda: {"policies": "at look 2"})
        return Shown("a" * 64, {}), still

    done = await resolve(
        node.desk, rosa, review.id, YES, Terms(check=lambda _c, _o: (), shown="a" * 64, now_shown=shown)
    )
    assert (done.resolution, len(looks)) == (Resolution.APPROVE, 2)


async def asks(case: Case) -> str:
    if case.input["amount"] == "1.00":
        return str((await case.decide("approve", case.input)).output)
    said = await case.review(
        "sure", case.input, why="to be sure", proposal={"yes": True}, exposure=Money("9.00", "EUR")
    )
    await case.review("alone", case.input, why="to be sure", proposal={"yes": True}, queue="elsewhere")
    return str(said.by)


async def test_a_question_of_workflow_code_is_held_and_seen_by_two_as_its_queue_declares(
    database_url: str, tmp_path: Path
) -> None:
    point = "    four_eyes: 5 EUR\n    queue: {hold: 90s}\n"
    async with stage(database_url, [declared(asks, tmp_path, point=point)]) as on:
        node, rosa, sam = on.node, acts(on.node.tenant), acts(on.node.tenant, "sam")
        await on.submit(key="q", amount="9.00")
        (review,) = await on.wait_for_reviews()
        assert review.needed == 2
        first = await decide_review(node.desk, node.registry, rosa, review.id, YES)
        assert (first.resolution, first.decided_by) == (None, ("rosa",))
        second = await decide_review(node.desk, node.registry, sam, review.id, YES)
        assert second.effective_at is not None
        assert second.effective_at - node.database.clock.now() > timedelta(seconds=60)
        assert hold_for(node.registry, msgspec.structs.replace(review, queue="elsewhere"), rosa) == timedelta(0)


async def test_no_person_decides_what_was_not_shown(on: Stage) -> None:
    (review,) = await reviews(on, "250.00")
    node = on.node
    person = acts(node.tenant, "ana", kind=ActorKind.PERSON, roles=("reviewer", "lead"))
    for shown in (None, ""):
        for attempt in (
            decide_review(node.desk, node.registry, person, review.id, YES, shown=shown),
            decide_many(node.desk, node.registry, person, {review.id: shown}, YES),
        ):
            with pytest.raises(Refused, match="not said what was shown"):
                await attempt
    with pytest.raises(Refused, match="not said what was shown"):
        await resolve(node.desk, person, review.id, YES, Terms(check=lambda _c, _o: ()))
    await claim(node.desk, person, review.id)
    seen = await shown_now(node.desk, node.registry, person, review)
    held = await decide_review(node.desk, node.registry, person, review.id, YES, shown=seen.stated)
    assert held.held_verdict is not None
