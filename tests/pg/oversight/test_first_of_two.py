"""What two people say of one review, and what one person says of many: nothing of it can be gone around."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.oversight.approvals import reviews
from tests.pg.stage import Stage

from interlock.cases.bulk import decide_many
from interlock.cases.verdicts import decide_review, shown_now
from interlock.errors import LimitReached, StateConflict
from interlock.oversight.effect import take_effect
from interlock.oversight.handing import say
from interlock.oversight.quality.store import ANSWERS_SINCE
from interlock.oversight.queue import Answer, find_review
from interlock.oversight.resolving import Terms, resolve, undo, verdicts_for
from interlock.oversight.review import Resolution, Review

Admin = psycopg.Connection[tuple[Any, ...]]
YES = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
NO = Answer(resolution=Resolution.REJECT, reason_code="fraud")
LONG = timedelta(minutes=10)


async def test_one_person_changes_no_amount_and_has_one_day_under_all_their_names(on: Stage) -> None:
    node, (small, *lots) = on.node, await reviews(on, "250.00", "600.00", "600.00", "600.00")
    # the exposure is told by the workflow's code, so that nothing says what a changed output puts at stake
    change = Answer(resolution=Resolution.CHANGE, reason_code="more", output={"approved": True, "reason": "other"})
    first = await decide_review(node.desk, node.registry, acts(node.tenant, "rosa"), small.id, change)
    assert (first.resolution, first.needed, first.decided_by) == (None, 2, ("rosa",))

    await decide_many(node.desk, node.registry, acts(node.tenant, "rosa"), {lots[0].id: None}, YES)
    for name, one in zip(("cli:rosa", "Rosa"), lots[1:], strict=True):
        with pytest.raises(LimitReached, match=r"600.00 EUR was decided in bulk today"):
            await decide_many(node.desk, node.registry, acts(node.tenant, name), {one.id: None}, YES)


async def decide(on: Stage, name: str, review: Review, answer: Answer = YES, hold: timedelta = timedelta(0)) -> Review:
    """Give a verdict on what is shown now."""
    node, by = on.node, acts(on.node.tenant, name)
    now = await find_review(node.database, node.tenant, review.id)
    seen = await shown_now(node.desk, node.registry, by, now)
    if not hold:
        return await decide_review(node.desk, node.registry, by, review.id, answer, shown=seen.stated)
    terms = Terms(check=lambda _c, _o: (), hold=hold, shown=seen.stated)
    return await resolve(node.desk, by, review.id, answer, terms)


def changes(admin: Admin, review: Review) -> list[str | None]:
    """What changed, by each entry of the undoing of a verdict."""
    told = admin.execute(
        "select convert_from(body, 'UTF8')::json ->> 'changed' from ledger_entry "
        "where subject = %s and kind = 'review.undone' order by id",
        (review.id,),
    )
    return [changed for (changed,) in told.fetchall()]


async def test_a_verdict_that_waits_counts_only_for_what_was_shown_with_it(on: Stage, admin: Admin) -> None:
    node, (big, small) = on.node, await reviews(on, "5000.00", "250.00")
    eve = acts(node.tenant, "eve")
    await decide(on, "rosa", big)
    await say(node.desk, eve, big.id, text="the customer called: it is a fraud")
    second = await decide(on, "sam", big)
    assert (second.resolution, second.decided_by) == (None, ("sam",))  # rosa's was of something else
    done = await decide(on, "rosa", big)
    assert (done.resolution, done.resolved_by) == (Resolution.APPROVE, "sam and rosa")
    assert changes(admin, big) == ['["notes"]']

    async def effect() -> Review:
        admin.execute(
            "update review set effective_at = clock_timestamp() - interval '1 second' where id = %s", (small.id,)
        )
        await take_effect(node.database, node.writer, node.tenant, small.id)
        return await find_review(node.database, node.tenant, small.id)

    await decide(on, "rosa", small, hold=LONG)
    await say(node.desk, eve, small.id, text="stop")
    back = await effect()
    assert (back.resolution, back.held_verdict, back.claimed_by, back.decided_by) == (None, None, "rosa", ())
    admin.execute(
        "insert into person (id, tenant, name, display, roles, created_at, disabled_at) "
        "values (gen_random_uuid(), %s, 'rosa', 'Rosa', '{}', now(), now())",
        (node.tenant,),
    )
    await decide(on, "rosa", small, hold=LONG)
    admin.execute("update review_verdict set kind = 'person' where review = %s", (small.id,))
    assert (await effect()).resolution is None
    assert changes(admin, small) == ['["notes"]', '["account"]']
    await undo_nothing(on, small)


async def undo_nothing(on: Stage, review: Review) -> None:
    with pytest.raises(StateConflict, match="nothing is held"):
        await undo(on.node.desk, acts(on.node.tenant, "rosa"), review.id)


async def test_the_first_of_two_takes_it_back_until_the_second_and_tells_nothing_by_figures(on: Stage) -> None:
    node, (review,) = on.node, await reviews(on, "5000.00")
    rosa = acts(node.tenant, "rosa")
    await decide(on, "rosa", review, NO, LONG)
    since = {"since": node.database.clock.now() - timedelta(days=1), "who": None, "most": 9}
    async with node.database.tenant(node.tenant) as connection:
        assert await ANSWERS_SINCE.all(connection, since) == []  # it would tell the second what the first said
    back = await undo(node.desk, rosa, review.id)
    assert (back.decided_by, await verdicts_for(node.desk, rosa, review.id)) == ((), ())
    await decide(on, "rosa", review)
    await decide(on, "sam", review, hold=LONG)
    with pytest.raises(StateConflict, match="is sam's"):
        await undo(node.desk, rosa, review.id)
