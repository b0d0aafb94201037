"""What is a person's own beside the queue: items that they hold already, and what they decided last."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.console.test_item import form_of
from tests.console.visiting import SignIn
from tests.pg.stage import Stage

from interlock.node import Node

EMPTY = "Nothing waits for a decision."


@pytest.fixture
async def stage(node: Node) -> AsyncIterator[Stage]:
    """The node with a worker."""
    async with Stage(node) as on:
        await on.work()
        yield on


async def test_what_one_holds_after_an_undo_is_next_and_an_empty_queue_shows_what_one_decided(
    stage: Stage, sign_in: SignIn
) -> None:
    await stage.submit(key="a", amount="120.00")
    await stage.submit(key="b", amount="130.00")
    first, second = await stage.wait_for_reviews(2)
    ana, ben = await sign_in("ana"), await sign_in("ben")
    there = await ana.http.post(f"/console/reviews/{first.id}/decide", data=await form_of(ana, first, then="next"))
    assert there.headers["location"] == f"/console/reviews/{second.id}?decided={first.id}"
    await ana.http.post(f"/console/reviews/{first.id}/undo")
    again = await ana.http.post(f"/console/reviews/{second.id}/decide", data=await form_of(ana, second, then="next"))
    assert again.headers["location"] == f"/console/reviews/{first.id}?decided={second.id}"  # it is theirs again
    pulled = await ana.http.post("/console/queue/next", data={"query": ""})
    assert pulled.headers["location"] == f"/console/reviews/{first.id}"
    assert "told=nothing" in (await ben.http.post("/console/queue/next", data={"query": ""})).headers["location"]
    anas = await ben.http.post("/console/queue/next", data={"query": "claimed_by=ana"})
    assert "told=nothing" in anas.headers["location"]
    end = await ana.http.post(f"/console/reviews/{first.id}/decide", data=await form_of(ana, first, then="next"))
    assert "word=last" in end.headers["location"]
    shown = (await ana.http.get("/console/queue?state=free")).text
    assert '<details class="panel" open><summary>What you decided last' in shown
    told = (await ana.http.get("/console/queue/decided")).text
    assert [told.count(word) for word in ("takes effect", ">Undo<", "taken back")] == [2, 2, 1]
    assert told.index(f"/{first.id}/undo") < told.index(f"/{second.id}/undo")
    assert "Nothing yet." in (await ben.http.get("/console/queue/decided")).text
