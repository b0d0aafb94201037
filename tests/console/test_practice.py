"""Practising: nothing follows from it, what is right is told at once, and where it is asked for one decides by it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from tests.console.visiting import Visiting, refund_orders, signed_in, site
from tests.pg.acting import acts
from tests.pg.stage import POINT, Stage, declared

from interlock.api.keys import make_key
from interlock.authority.actor import Actor, ActorKind
from interlock.cases.registry import Registry
from interlock.cases.verdicts import decide_review, shown_now
from interlock.errors import Forbidden
from interlock.oversight.claims import claim
from interlock.oversight.practice.qualified import practised_at
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution, Review

Admin = psycopg.Connection[Any]
WHY = '"><script>alert(1)</script> the receipt was checked'
AT = "refund_orders.approve"
QUEUE = "    queue: {name: few, practice: {right: 2, of: 2, lasts: 30d}}\n"
APPROVED = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
_KEPT = """select md5(string_agg(t::text, '|' order by t::text)) from (
  select to_jsonb(v) as t from interlock.review v union all select to_jsonb(c.id) from interlock.cases c
  union all select to_jsonb(d) from interlock.review_verdict d union all select to_jsonb(k) from interlock.known_case k
  union all select to_jsonb(o) from interlock.oversight_queue o
  union all select to_jsonb(h) from interlock.oversight_hour h) x"""


async def begun(who: Visiting) -> str:
    """The address of the next item."""
    sent = await who.http.post("/console/practice/begin", data={"at": AT})
    assert sent.status_code == 303, sent.text[:300]
    return sent.headers["location"]


async def practise(who: Visiting, resolution: str) -> str:
    """Answer the next item; the page that tells what is right."""
    path = await begun(who)
    code = {"approve": "as_proposed", "reject": "doubtful"}[resolution]
    sent = await who.http.post(path, data={"resolution": resolution, f"reason_{resolution}": code, "note": ""})
    assert sent.status_code == 303, sent.text[:300]
    return unescape((await who.http.get(path)).text)


async def decide(who: Visiting, stage: Stage, review: Review) -> httpx.Response:
    """Approve a review from its page."""
    shown = await shown_now(stage.node.desk, stage.node.registry, who.visitor.actor, review)
    form = {"resolution": "approve", "reason_approve": "as_proposed", "note": "", "confirmed": "", "then": "stay"}
    return await who.http.post(f"/console/reviews/{review.id}/decide", data={**form, "shown": shown.stated})


def bodies(admin: Admin, kind: str) -> list[dict[str, Any]]:
    """What the ledger has of a kind."""
    rows = admin.execute("select body from interlock.ledger_entry where kind = %s order by id", (kind,)).fetchall()
    return [msgspec.json.decode(body) for (body,) in rows]


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is there, and what waits.

    Attributes:
        stage: The node.
        admin: Its database.
        url: Where its site listens.
        ana: A reviewer.
        ben: A lead who decides.
        lea: A lead.
        first: What is decided and taught.
        last: What waits.
        later: What waits, too.
    """

    stage: Stage
    admin: Admin
    url: str
    ana: Visiting
    ben: Visiting
    lea: Visiting
    first: list[Review]
    last: Review
    later: Review

    async def lesson(self, who: Visiting, review: Review) -> int:
        """Declare a lesson; how that was answered."""
        form = {"review": str(review.id), "explanation": WHY}
        return (await who.http.post("/console/practice/lessons", data=form)).status_code

    async def right(self, who: Visiting, verb: str, person: str) -> int:
        """Give or take the right to decide; how that was answered."""
        form = {"person": person, "at": AT, "why": WHY}
        return (await who.http.post(f"/console/practice/{verb}", data=form)).status_code

    async def practised(self) -> tuple[str, ...] | None:
        """Who is qualified, as a process sees it that does not carry the workflow."""
        node = self.stage.node
        return await practised_at(node.database, node.tenant, "refund_orders", None, "approve")


async def test_practice_touches_nothing_is_told_at_once_and_lets_one_decide_until_it_ends(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(refund_orders, tmp_path, point=POINT + QUEUE)
    async with AsyncExitStack() as stack:
        admin = stack.enter_context(psycopg.connect(database_url, autocommit=True))
        node, url = await stack.enter_async_context(site(database_url, Registry([flow])))
        stage = await stack.enter_async_context(Stage(node))
        await stage.work()
        ana, ben, lea = [
            await signed_in(stack, node, url, name, [role])
            for name, role in (("ana", "reviewer"), ("ben", "lead"), ("lea", "lead"))
        ]
        for number in range(7):
            await stage.submit(key=f"k{number}", amount=f"12{number}.00")
        *first, last, later = sorted(await stage.wait_for_reviews(7), key=lambda one: str(one.exposure))
        scene = Scene(stage, admin, url, ana, ben, lea, first, last, later)
        await _nobody_decides_unpractised(scene)
        await _what_is_taught_is_admitted(scene)
        await _practice_qualifies(scene)
        await _it_ends(scene)


async def _nobody_decides_unpractised(scene: Scene) -> None:
    """On no path; and it is said where to practise. Somebody begins by another's word."""
    node, last = scene.stage.node, scene.last
    refused = await decide(scene.ana, scene.stage, last)
    assert (refused.status_code, "/console/practice" in refused.text) == (403, True)
    assert "asks for practice" in (await scene.ana.http.get(f"/console/reviews/{last.id}")).text
    secret = await make_key(node.database, node.writer, node.tenant, name="desk", scopes=["review"])
    async with httpx.AsyncClient(base_url=scene.url, headers={"Authorization": f"Bearer {secret}"}) as http:
        body = {"resolution": "approve", "reason_code": "as_proposed"}
        by_key = await http.post(f"/v1/reviews/{last.id}/resolve", json=body)
    assert (by_key.status_code, "practise at /console/practice" in by_key.text) == (403, True)
    operator = Actor(kind=ActorKind.OPERATOR, name="cli:root", tenant=node.tenant)
    with pytest.raises(Forbidden, match="have-not-practised"):
        await decide_review(node.desk, node.registry, operator, last.id, APPROVED)
    with pytest.raises(Forbidden):
        await claim(node.desk, acts(node.tenant, "eve"), last.id)
    assert await scene.practised() is None  # nobody ever was
    assert await scene.right(scene.ana, "give", "Ben") == 403
    assert await scene.right(scene.lea, "give", "LEA") == 403
    assert await scene.right(scene.lea, "give", "Ben") == 303
    assert await scene.practised() == ("ben",)


async def _what_is_taught_is_admitted(scene: Scene) -> None:
    """It is decided, by others, and from the fifth on at most half by one person."""
    for review in scene.first:
        await scene.stage.resolve(review, APPROVED, who="cli:ben")
    assert await scene.lesson(scene.ben, scene.first[0]) == 403
    assert await scene.lesson(scene.ana, scene.first[0]) == 403
    assert await scene.lesson(scene.lea, scene.last) == 409
    assert [await scene.lesson(scene.lea, one) for one in scene.first] == [303, 303, 303, 303, 400]
    assert await scene.lesson(scene.lea, scene.first[0]) == 409


async def _practice_qualifies(scene: Scene) -> None:
    """What is right is told at once, after it is answered; nothing else of the tenant changes by it."""
    ana, admin = scene.ana, scene.admin
    before = admin.execute(_KEPT).fetchone()
    path = await begun(ana)
    assert await begun(ana) == path  # what was begun is answered first
    page = (await ana.http.get(path)).text
    assert "Practice: nothing happens" in page
    for told in ("ben", "the receipt was checked", *(str(one.case_id) for one in scene.first)):
        assert told not in page, told
    assert (await scene.ben.http.get(path)).status_code == 404
    made_up = await ana.http.post(path, data={"resolution": "approve", "reason_approve": "made_up"})
    assert (made_up.status_code, "a reason is needed" in made_up.text) == (422, True)
    none = await ana.http.post(path, data={"note": ""})
    assert (none.status_code, "choose first: 1 to " in none.text) == (422, True)
    wrong = await practise(ana, "reject")
    assert "Not right" in wrong
    assert WHY in wrong
    assert "<script>alert" not in (await ana.http.get(path)).text
    again = {"resolution": "approve", "reason_approve": "as_proposed", "note": ""}
    assert (await ana.http.post(path, data=again)).status_code == 409
    assert "Right is <strong>approve" in await practise(ana, "approve")
    assert (await decide(ana, scene.stage, scene.last)).status_code == 403  # one of two
    await practise(ana, "approve")
    assert admin.execute(_KEPT).fetchone() == before
    assert [one["right"] for one in bodies(admin, "oversight.practised")] == [False, True, True]
    given = [(one["person"], one["who"]) for one in bodies(admin, "oversight.qualified")]
    assert given == [("ben", "lea"), ("ana", None)]
    await practise(ana, "approve")
    assert "it does not count" in await practise(ana, "approve")  # all four were seen
    mine = (await ana.http.get("/console/practice")).text
    assert "qualified" in mine
    assert "Lessons" not in mine
    assert WHY in unescape((await scene.lea.http.get("/console/practice")).text)
    assert (await decide(ana, scene.stage, scene.last)).status_code == 303


async def _it_ends(scene: Scene) -> None:
    """What lasts ends by itself; what a lead takes is gone at once; what was withdrawn is not practised on."""
    node, later, admin = scene.stage.node, scene.later, scene.admin
    admin.execute("update interlock.qualification set until = given_at + interval '1 us' where person = 'ana'")
    with pytest.raises(Forbidden):
        await claim(node.desk, acts(node.tenant, "ana"), later.id)
    assert await claim(node.desk, acts(node.tenant, "ben"), later.id)
    assert await scene.right(scene.ana, "take", "ben") == 403
    assert [await scene.right(scene.lea, "take", "ben") for _ in range(2)] == [303, 404]
    with pytest.raises(Forbidden):
        await scene.stage.resolve(later, APPROVED, who="ben")
    assert await scene.practised() == ()
    assert [one["person"] for one in bodies(admin, "oversight.qualification_taken")] == ["ben"]
    for one in scene.first[:4]:
        gone = await scene.lea.http.post(f"/console/practice/lessons/{one.id}/withdraw")
        assert gone.status_code == 303
    left = await scene.ana.http.post("/console/practice/begin", data={"at": AT})
    assert left.headers["location"] == "/console/practice"
    kinds = ("oversight.lesson_declared", "oversight.lesson_withdrawn")
    assert [len(bodies(admin, kind)) for kind in kinds] == [4, 4]
