"""Reviews and exceptions are taken, kept, put off, handed on and asked about, each with its note and entry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.stage import Stage, declared, stage

from interlock.authority.actor import ActorKind
from interlock.cases.case import Case
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.errors import Forbidden, NotFound, Refused, StateConflict
from interlock.identity.people import make_person
from interlock.oversight.claims import claim, extend, release
from interlock.oversight.handing import ask_back, assign, escalate_to, notes_of, reply, say, snooze, wake
from interlock.oversight.store import LIST_EXCEPTIONS

Admin = psycopg.Connection[tuple[Any, ...]]


async def asks(case: Case) -> str:
    """Ask a person, or fail."""
    if case.input["amount"] == "13.00":
        raise ValueError("unlucky")
    await case.review("sure", {}, why="is it?", proposal={"yes": True})
    return "asked"


@pytest.fixture
async def on(database_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with stage(database_url, [declared(asks, tmp_path)]) as on:
        yield on


async def tasks(on: Stage) -> tuple[UUID, UUID]:
    """A review and an exception."""
    await on.submit(key="r")
    (review,) = await on.wait_for_reviews()
    await on.until(await on.submit(key="e", amount="13.00"), CaseState.EXCEPTION)
    async with on.node.database.tenant(on.node.tenant) as connection:
        (found,) = await LIST_EXCEPTIONS.all(connection, {"most": 10})
    return review.id, found.id


async def test_every_verb_on_a_review_and_on_an_exception(on: Stage, admin: Admin) -> None:  # noqa: PLR0915 - one story
    desk, tenant = on.node.desk, on.node.tenant
    ana, sam = acts(tenant, "ana"), acts(tenant, "sam")
    for name, roles, teams in (("rosa", ["reviewer"], ["west"]), ("lena", ["lead"], []), ("vic", ["viewer"], [])):
        await make_person(on.node.writer, tenant, name=name, roles=roles, teams=teams, who="the test")
    for task_id, kind in zip(await tasks(on), ("review", "exception"), strict=True):
        taken = await claim(desk, ana, task_id)
        with pytest.raises(StateConflict, match="claimed by ana"):
            await claim(desk, sam, task_id)
        longer = await extend(desk, ana, task_id, lease=timedelta(hours=2))
        assert longer.claimed_until > taken.claimed_until  # type: ignore[operator] - both are claimed
        with pytest.raises(Refused, match="no claim holds for"):
            await extend(desk, ana, task_id, lease=timedelta(hours=9))
        with pytest.raises(StateConflict, match="claimed by ana"):
            await release(desk, sam, task_id)
        assert (await release(desk, ana, task_id)).claimed_by is None

        await claim(desk, ana, task_id)
        admin.execute(f"update {kind} set claimed_until = now() - interval '1 minute' where id = %s", (task_id,))
        with pytest.raises(StateConflict, match=r"your claim of .* ran out at"):
            await extend(desk, ana, task_id)

        now = on.node.database.clock.now()
        with pytest.raises(Refused, match="cannot be put off"):
            await snooze(desk, ana, task_id, until=now - timedelta(seconds=1))
        later = await snooze(desk, ana, task_id, until=now + timedelta(hours=1), why="the shop is shut")
        assert (later.snoozed_by, later.claimed_by) == ("ana", None)
        assert (await wake(desk, sam, task_id)).snoozed_until is None

        with pytest.raises(NotFound, match="nobody named"):
            await assign(desk, ana, task_id, to="nemo")
        with pytest.raises(Refused, match="vic may not decide it"):
            await assign(desk, ana, task_id, to="vic")
        given = await assign(desk, ana, task_id, to="rosa", note="you know her")
        assert given.assigned_to == "rosa"
        viewer = acts(tenant, "vera", kind=ActorKind.PERSON, roles=("reviewer",))
        with pytest.raises(Forbidden, match="assigned to rosa"):
            await claim(desk, viewer, task_id)
        rosa = acts(tenant, "rosa", kind=ActorKind.PERSON, roles=("reviewer",))
        with pytest.raises(Refused, match="rosa leads nobody"):
            await escalate_to(desk, rosa, task_id, to="rosa", why="too much for me")
        assert (await escalate_to(desk, rosa, task_id, to="west", why="theirs")).team == "west"
        assert (await escalate_to(desk, ana, task_id, to="lena", why="too much for me")).assigned_to == "lena"

        lena = acts(tenant, "lena", kind=ActorKind.PERSON, roles=("lead",))
        asked = await ask_back(desk, lena, task_id, to="vic", question="which one?")
        assert (asked.asked_to, asked.asked_question) == ("vic", "which one?")
        vic = acts(tenant, "vic", kind=ActorKind.PERSON, roles=("viewer",))
        with pytest.raises(Forbidden):
            await say(desk, vic, task_id, text="hello")
        held = await claim(desk, sam, task_id)
        back = await reply(desk, vic, task_id, text="the red one \x00 \ud800")
        assert (back.asked_to, back.claimed_by, back.claimed_until) == (None, "sam", held.claimed_until)
        admin.execute(  # long ago
            "insert into task_note (id, tenant, task, kind, who, text, at)"
            " select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, %s, %s, 'said', 'eve', 'and?', now()"
            " from generate_series(%s::int, %s::int) n",
            (tenant, task_id, *((1, 1000) if kind == "review" else (2001, 3000))),
        )
        await say(desk, lena, task_id, text="fine")
        notes = [(one.kind, one.who, one.to_whom, one.text) for one in await notes_of(desk, tenant, task_id)]
        assert notes[-3:] == [
            ("asked", "lena", "vic", "which one?"),
            ("answered", "vic", "lena", "the red one \ufffd \ufffd"),
            ("said", "lena", None, "fine"),
        ]
        told = admin.execute("select kind from ledger_entry where subject = %s order by id", (task_id,)).fetchall()
        verbs = (
            "claimed",
            "claimed",
            "released",
            "claimed",
            "snoozed",
            "woken",
            "assigned",
            "escalated",
            "escalated",
            "asked",
            "claimed",
            "answered",
            "noted",
        )
        assert [one for (one,) in told if one in REVIEWS | EXCEPTIONS] == [f"{kind}.{verb}" for verb in verbs]
        other = await on.node.database.ensure_tenant("other")
        with pytest.raises(NotFound):
            await claim(desk, acts(other, "eve"), task_id)


REVIEWS = {
    "review.claimed", "review.released", "review.snoozed", "review.woken", "review.assigned", "review.escalated",
    "review.asked", "review.answered", "review.noted",
}  # fmt: skip
EXCEPTIONS = {
    "exception.claimed", "exception.released", "exception.snoozed", "exception.woken", "exception.assigned",
    "exception.escalated", "exception.asked", "exception.answered", "exception.noted",
}  # fmt: skip


async def test_a_claimed_exception_is_resolved_by_who_claimed_it(on: Stage) -> None:
    _, exception = await tasks(on)
    node = on.node
    await claim(node.desk, acts(node.tenant, "ana"), exception)
    known = (node.database, node.writer, node.tenant, exception, Way.RETRY)
    with pytest.raises(StateConflict, match="claimed by ana"):
        await resolve_exception(*known, who="sam", why="again")
    await resolve_exception(*known, who="ana", why="again")
