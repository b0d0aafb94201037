"""Verdicts on a real database: held, taken back, given by two; and what everybody else sees of them meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.oversight.approvals import reviews
from tests.pg.stage import Stage

from interlock.cases.bulk import decide_many
from interlock.cases.explain import as_text, explain
from interlock.cases.store import CaseState
from interlock.cases.verdicts import decide_review, shown_now
from interlock.errors import Forbidden, LimitReached, Refused, ShownChanged, StateConflict
from interlock.oversight.claims import claim
from interlock.oversight.effect import settle_due, take_effect
from interlock.oversight.handing import ask_back, reply, say
from interlock.oversight.queue import Answer, find_review
from interlock.oversight.resolving import Terms, resolve, undo, verdicts_for
from interlock.oversight.review import Resolution, Review, ReviewState

Admin = psycopg.Connection[tuple[Any, ...]]
YES = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed", note="the first one says yes")
NO = Answer(resolution=Resolution.REJECT, reason_code="fraud", note="the second one says no")
LONG = timedelta(minutes=10)


async def give(on: Stage, review: Review, answer: Answer, name: str, hold: timedelta = timedelta(0)) -> Review:
    return await resolve(
        on.node.desk, acts(on.node.tenant, name), review.id, answer, Terms(check=lambda _c, _o: (), hold=hold)
    )


async def state(on: Stage, review: Review) -> Review:
    return await find_review(on.node.database, on.node.tenant, review.id)


def end_hold(admin: Admin, review: Review) -> None:
    """Let the hold of a review end now."""
    admin.execute(
        "update review set effective_at = clock_timestamp() - interval '1 second' where id = %s", (review.id,)
    )


def entries(admin: Admin, review: Review) -> list[str]:
    told = admin.execute("select kind from ledger_entry where subject = %s order by id", (review.id,)).fetchall()
    return [kind for (kind,) in told]


async def test_a_held_verdict_decides_nothing_until_its_hold_ends(on: Stage, admin: Admin) -> None:
    (review,) = await reviews(on, "250.00")
    held = await give(on, review, YES, "rosa", LONG)
    assert (held.state, held.resolution, held.claimed_by) == (ReviewState.CLAIMED, None, "rosa")
    for attempt in (
        give(on, review, NO, "sam"),
        give(on, review, NO, "rosa"),
        claim(on.node.desk, acts(on.node.tenant), review.id),
    ):
        with pytest.raises(StateConflict, match="rosa has decided"):
            await attempt
    assert not await take_effect(on.node.database, on.node.writer, on.node.tenant, review.id)
    with pytest.raises(StateConflict, match="is rosa's"):
        await undo(on.node.desk, acts(on.node.tenant, "sam"), review.id)

    back = await undo(on.node.desk, acts(on.node.tenant, "rosa"), review.id)
    assert (back.state, back.claimed_by, back.held_verdict, back.decided_by) == (ReviewState.CLAIMED, "rosa", None, ())
    await give(on, review, NO, "rosa", LONG)
    end_hold(admin, review)
    with pytest.raises(StateConflict, match="it has gone out"):
        await undo(on.node.desk, acts(on.node.tenant, "rosa"), review.id)
    assert review.case_id
    case = await on.until(review.case_id)  # its own process looks after the end of the hold
    assert case.conclusion == "rejected"
    done = await state(on, review)
    assert (done.resolution, done.resolved_by, done.decided_by) == (Resolution.REJECT, "rosa", ("rosa",))
    with pytest.raises(StateConflict, match="it has gone out at"):
        await undo(on.node.desk, acts(on.node.tenant, "rosa"), review.id)
    assert entries(admin, review) == ["review.opened", "review.held", "review.undone", "review.held", "review.resolved"]


async def test_of_undo_and_effect_exactly_one_comes_to_pass(on: Stage, admin: Admin, database_url: str) -> None:
    """Both at the end of the hold, many times; and an undo that is slow to commit."""
    many = await reviews(on, *["250.00"] * 12)
    by = acts(on.node.tenant, "rosa")

    async def race(review: Review) -> bool:
        await give(on, review, YES, "rosa", timedelta(milliseconds=120))
        await asyncio.sleep(0.11)

        async def effect() -> bool:
            return any(
                [await take_effect(on.node.database, on.node.writer, on.node.tenant, review.id) for _ in range(4)]
            )

        undone, _ = await asyncio.gather(undo(on.node.desk, by, review.id), effect(), return_exceptions=True)
        return not isinstance(undone, BaseException)

    undone = [await race(review) for review in many]
    for review, was_undone in zip(many, undone, strict=True):
        if not was_undone:
            await on.until(review.case_id or review.id)
        now = await state(on, review)
        assert (now.resolution is None) == was_undone
        assert entries(admin, review).count("review.resolved") == (not was_undone)
        assert entries(admin, review).count("review.undone") == was_undone

    (slow,) = await reviews(on, "251.00")
    await give(on, slow, YES, "rosa", timedelta(milliseconds=200))
    with psycopg.connect(database_url) as undoing:  # it holds the lock of the row past the end of the hold
        undoing.execute(
            "update interlock.review set held_verdict = null, effective_at = null where id = %s", (slow.id,)
        )
        await asyncio.sleep(0.4)
        effect = asyncio.create_task(take_effect(on.node.database, on.node.writer, on.node.tenant, slow.id))
        await asyncio.sleep(0.3)
        assert not effect.done()
        undoing.commit()
    assert await effect is False
    assert (await state(on, slow)).resolution is None


async def test_two_people_decide_above_the_amount_and_the_second_is_blind(on: Stage, admin: Admin) -> None:
    small, agreed, differ = await reviews(on, "999.99", "1000.00", "5000.00")
    assert [one.needed for one in (small, agreed, differ)] == [1, 2, 2]
    node, tenant = on.node, on.node.tenant

    first = await give(on, agreed, YES, "rosa", LONG)
    assert (first.state, first.resolution, first.decided_by) == (ReviewState.OPEN, None, ("rosa",))
    with pytest.raises(Forbidden, match="nobody-gives-two-verdicts"):
        await give(on, agreed, YES, "cli:Rosa")
    with pytest.raises(Forbidden, match="nobody-gives-two-verdicts"):
        await claim(node.desk, acts(tenant, "rosa"), agreed.id)
    assert await verdicts_for(node.desk, acts(tenant, "sam"), agreed.id) == ()
    assert [one.who for one in await verdicts_for(node.desk, acts(tenant, "rosa"), agreed.id)] == ["rosa"]
    assert agreed.case_id
    told = admin.execute(
        "select string_agg(convert_from(body, 'UTF8'), '') from ledger_entry where subject = %s", (agreed.id,)
    ).fetchone()
    shown = f"{told} {as_text(explain(await on.record(agreed.case_id)))} {await state(on, agreed)}"
    assert not [word for word in ("as_proposed", "the first one", '"resolution":"approve"', "by rosa") if word in shown]

    done = await give(on, agreed, YES, "sam")
    assert (done.resolution, done.resolved_by, done.decided_by) == (Resolution.APPROVE, "rosa and sam", ("rosa", "sam"))
    assert (await on.until(agreed.case_id)).conclusion == "approved"

    both = await asyncio.gather(give(on, differ, YES, "rosa"), give(on, differ, YES, "eve"), return_exceptions=True)
    assert sorted(isinstance(one, StateConflict) for one in both) == [
        False,
        True,
    ]  # one is first, the other looks again
    (first_name,) = (await state(on, differ)).decided_by
    await give(on, differ, NO, "sam")
    disagreed = await state(on, differ)
    assert disagreed.disagreed
    assert (disagreed.state, disagreed.resolution) == (ReviewState.OPEN, None)
    for name in (first_name, "sam"):
        with pytest.raises(Forbidden, match="nobody-gives-two-verdicts"):
            await give(on, differ, NO, name)
    lead = acts(tenant, "lena")
    assert [one.resolution for one in await verdicts_for(node.desk, lead, differ.id)] == ["approve", "reject"]
    other = Answer(
        resolution=Resolution.CHANGE,
        reason_code="own",
        output={"approved": True, "reason": "within_policy", "amount": "9.00"},
    )
    alone = await give(on, differ, other, "lea")  # one lead alone decides nothing that neither of them said
    assert (alone.resolution, alone.disagreed, len(alone.decided_by)) == (None, True, 3)
    settled = await give(on, differ, NO, "lena")
    assert (settled.resolution, settled.resolved_by) == (Resolution.REJECT, "lena")
    kinds = entries(admin, differ)
    assert kinds == ["review.opened", "review.verdict", *["review.disagreed"] * 2, "review.resolved"]


async def test_a_change_above_the_amount_needs_two(on: Stage, tmp_path: Path) -> None:
    (review,) = await reviews(on, "250.00")
    terms = Terms(check=lambda _c, _o: (), people_for=lambda output: 2 if output["amount"] == "5000.00" else 1)
    change = Answer(resolution=Resolution.CHANGE, reason_code="more", output={"approved": True, "amount": "5000.00"})
    first = await resolve(on.node.desk, acts(on.node.tenant, "rosa"), review.id, change, terms)
    assert (first.resolution, first.needed, first.decided_by) == (None, 2, ("rosa",))


async def test_a_verdict_counts_for_what_was_shown(on: Stage) -> None:
    (review,) = await reviews(on, "250.00")
    node, by = on.node, acts(on.node.tenant, "rosa")
    seen = await shown_now(node.desk, node.registry, by, review)
    assert seen == await shown_now(node.desk, node.registry, by, review)
    other = acts(on.node.tenant, "sam")
    await say(node.desk, other, review.id, text="she called again")
    with pytest.raises(ShownChanged, match="is not as it was shown: notes"):
        await decide_review(node.desk, node.registry, by, review.id, YES, shown=seen.stated)
    with pytest.raises(ShownChanged):
        await decide_review(node.desk, node.registry, by, review.id, YES, shown="0" * 64)
    again = await shown_now(node.desk, node.registry, by, await state(on, review))
    done = await decide_review(node.desk, node.registry, by, review.id, YES, shown=again.digest)
    assert done.resolution is Resolution.APPROVE


async def test_alike_ones_are_decided_together_within_a_day(on: Stage, admin: Admin) -> None:
    many = await reviews(on, "150.00", "200.00", "250.00", "300.00", "1500.00")
    node, by = on.node, acts(on.node.tenant, "rosa")

    async def act(*chosen: Review, answer: Answer = YES) -> Any:
        return await decide_many(node.desk, node.registry, by, {one.id: None for one in chosen}, answer)

    with pytest.raises(Refused, match="4 are more than 3"):
        await act(*many[:4])
    with pytest.raises(Refused, match="two people must decide"):
        await act(many[0], many[4])
    with pytest.raises(Refused, match=r"750.00 EUR is at stake, more than 600"):
        await act(*many[1:4])
    with pytest.raises(Refused, match="a change is of one"):
        await act(many[0], answer=Answer(resolution=Resolution.CHANGE, reason_code="x", output={}))
    await claim(node.desk, acts(on.node.tenant, "sam"), many[1].id)
    done = await act(many[0], many[1], many[2])
    assert [one.refused is None for one in done.decided] == [True, False, True]
    assert (str(done.at_stake), str(done.left)) == ("600.00 EUR", "100.00 EUR")
    with pytest.raises(LimitReached, match="EUR was decided in bulk today"):
        await act(many[3])
    told = admin.execute(
        "select count(*) from ledger_entry where kind = 'review.resolved' "
        "and convert_from(body, 'UTF8')::json ->> 'bulk' = %s",
        (str(done.id),),
    ).fetchone()
    assert told == (2,)


async def test_two_lots_at_once_take_their_share_of_the_day_one_after_the_other(on: Stage) -> None:
    many = await reviews(on, "350.00", "360.00")
    node, by = on.node, acts(on.node.tenant, "rosa")
    acts_ = [decide_many(node.desk, node.registry, by, {one.id: None}, YES) for one in many]
    done = await asyncio.gather(*acts_, return_exceptions=True)
    assert sum(isinstance(one, BaseException) for one in done) == 1


async def test_nobody_decides_what_they_handed_in(on: Stage) -> None:
    (review,) = await reviews(on, "250.00")
    admin_id: UUID | None = review.case_id
    async with on.node.database.tenant(on.node.tenant) as connection:
        await connection.execute("update cases set caller = 'Rosa' where id = %s", (admin_id,))
    with pytest.raises(Forbidden, match="nobody-decides-what-they-handed-in"):
        await give(on, review, YES, "rosa")
    asked = await ask_back(
        on.node.desk, acts(on.node.tenant, "sam"), review.id, to="submitter", question="which invoice?"
    )
    assert (asked.asked_to, asked.asked_by) == ("Rosa", "sam")
    with pytest.raises(StateConflict, match="is asked already"):
        await ask_back(on.node.desk, acts(on.node.tenant, "sam"), review.id, to="submitter", question="and?")
    with pytest.raises(Forbidden):
        await reply(on.node.desk, acts(on.node.tenant, "eve", roles=("submit",)), review.id, text="I know")
    await give(on, review, YES, "sam", LONG)
    back = await undo(on.node.desk, acts(on.node.tenant, "sam"), review.id)
    assert (back.asked_to, back.asked_by, back.claimed_by) == ("Rosa", "sam", "sam")  # who was asked may still answer
    answered = await reply(on.node.desk, acts(on.node.tenant, "rosa", roles=("submit",)), review.id, text="number 12")
    assert answered.asked_to is None


async def test_everything_that_waited_is_settled_by_any_process_but_what_cannot_be(on: Stage, admin: Admin) -> None:
    broken, review, other = await reviews(on, "240.00", "250.00", "260.00")
    admin.execute(
        "create function cannot() returns trigger language plpgsql as"
        " $$ begin raise exception 'it cannot' using errcode = '23514'; end $$;"
        " create trigger cannot before update on review for each row"
        " when (new.exposure_minor = 24000 and new.state = 'resolved') execute function cannot()"
    )
    for one in (broken, review, other):  # the broken one is due first
        await give(on, one, YES, "rosa", LONG)
        end_hold(admin, one)
    await settle_due(on.node.database, on.node.writer)
    for one in (review, other):
        assert (await on.until(one.case_id or one.id)).state is CaseState.DONE
