"""Live: news of a commit reaches the pages of its own tenant, in every process; an ended session hears no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from psycopg import AsyncConnection
from tests.console.visiting import SignIn, Visiting, refund_orders, signed_in, site
from tests.pg.stage import declared

from interlock.cases.registry import Registry
from interlock.console import live
from interlock.console.hub import APART
from interlock.console.presence import EXPIRY_S, Here, Presence, read_presence
from interlock.db.news import read_news
from interlock.guards.stops import resume, stop
from interlock.node import Node


class Follower:
    """Reads a stream's messages."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self, *skipping: str) -> tuple[str, str]:
        """The next message that is none of those to be skipped: its event and data."""
        event = ""
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                if line.startswith("data:") and event not in skipping:
                    return event, line.removeprefix("data:").strip()
        return "", ""


@asynccontextmanager
async def following(who: Visiting, query: str) -> AsyncGenerator[Follower]:
    """A page's stream."""
    async with who.http.stream("GET", f"/console/live?{query}") as answer:
        assert answer.status_code == 200, await answer.aread()
        follower = Follower(answer)
        assert await follower.next() == ("hello", "")
        yield follower


async def test_news_reach_the_own_tenant_in_every_process_and_no_other(
    database_url: str, node: Node, sign_in: SignIn, tmp_path: Path
) -> None:
    ana = await sign_in("ana")
    eve = await sign_in("eve", tenant="elsewhere")
    async with AsyncExitStack() as stack:
        other, url = await stack.enter_async_context(site(database_url, Registry([declared(refund_orders, tmp_path)])))
        bob = await signed_in(stack, other, url, "bob")
        here = await stack.enter_async_context(following(ana, "topics=stops+reviews"))
        there = await stack.enter_async_context(following(bob, "topics=stops"))
        elsewhere = await stack.enter_async_context(following(eve, "topics=stops"))
        begun = time.monotonic()
        made_at = quote((node.database.clock.now() + APART).isoformat())
        stopped = await stop(
            node.database, node.writer, ana.visitor.tenant, scope="everything", who="ana", why="a test"
        )
        assert await here.next() == ("news", "stops")
        assert await there.next() == ("news", "stops")
        assert time.monotonic() - begun < 1
        assert "everything" in (await bob.http.get("/console/strip")).text
        assert "everything" not in (await eve.http.get("/console/strip")).text
        # a page that was made before the news and follows only now hears of it at once; one made after does not
        missed = await stack.enter_async_context(following(ana, f"topics=stops+reviews&since={made_at}"))
        assert await missed.next() == ("news", "stops")
        later = quote((node.database.clock.now() + 2 * APART).isoformat())
        made_after = await stack.enter_async_context(following(ana, f"topics=stops&since={later}"))
        await resume(node.writer, ana.visitor.tenant, stopped.stop.id, who="ana", why="over")
        assert await there.next() == ("news", "stops")
        assert await made_after.next() == ("news", "stops")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await made_after.next()
        await stop(node.database, node.writer, eve.visitor.tenant, scope="everything", who="eve", why="another test")
        assert await elsewhere.next() == ("news", "stops")  # its first: of the other tenant's stop it heard nothing


async def test_who_has_an_item_open_is_seen_by_the_others(database_url: str, sign_in: SignIn, tmp_path: Path) -> None:
    ana, item = await sign_in("ana"), uuid4()
    async with AsyncExitStack() as stack:
        other, url = await stack.enter_async_context(site(database_url, Registry([declared(refund_orders, tmp_path)])))
        bob = await signed_in(stack, other, url, "bob")
        page = await stack.enter_async_context(following(ana, f"topics=present:{item}&here={item}"))
        await page.next("beat")
        async with following(bob, f"topics=reviews&here={item}"):
            assert await page.next("beat") == ("news", f"present:{item}")
            shown = await ana.http.get(f"/console/present/{item}")
            assert "<strong>bob</strong> has this open too" in shown.text
            assert "ana" not in shown.text.replace("console", "")
        assert await page.next("beat") == ("news", f"present:{item}")
        assert "bob" not in (await ana.http.get(f"/console/present/{item}")).text


async def test_a_stream_ends_with_its_session_and_with_the_process(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SESSION_EVERY_S", 0.0)
    registry = Registry([declared(refund_orders, tmp_path)])
    async with AsyncExitStack() as people:
        async with site(database_url, registry) as (node, url):
            ana = await signed_in(people, node, url, "ana")
            bob = await signed_in(people, node, url, "bob")
            refused = [await ana.http.get(f"/console/live?topics={topics}") for topics in ("", "review%3Bx", "a " * 40)]
            assert [one.status_code for one in refused] == [400, 400, 400]
            of_ana = await people.enter_async_context(following(ana, "topics=stops"))
            async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
                await connection.execute(
                    "update interlock.person_session set closed_at = now() where id = %s", (ana.visitor.session,)
                )
            await stop(node.database, node.writer, bob.visitor.tenant, scope="everything", who="bob", why="a test")
            assert (await of_ana.next("beat"))[0] == "ended"
            of_bob = await people.enter_async_context(following(bob, "topics=reviews"))
            begun = time.monotonic()
        assert time.monotonic() - begun < 3  # an open page does not hold the process up
        assert (await of_bob.next("beat", "news"))[0] == "drained"


def test_presence_is_read_as_it_is_told_and_forgotten_in_time() -> None:
    tenant, item = uuid4(), uuid4()
    here = Here(tenant, item, "a.b@c-d+e", "0123abcd")
    news = read_news(here.wake("here"))
    assert news is not None
    assert len(here.wake("gone")) < 200
    assert read_presence(*news) == (True, here)
    assert read_news("cases") is None
    assert read_presence("here:zz", tenant) is None
    known = Presence()
    assert known.come(here, 0.0)
    assert not known.come(here, 10.0)
    assert known.names(tenant, item) == ("a.b@c-d+e",)
    assert known.names(uuid4(), item) == ()
    assert known.expire(10.0 + EXPIRY_S) == []
    assert known.expire(10.1 + EXPIRY_S) == [here]
    assert known.names(tenant, item) == ()
