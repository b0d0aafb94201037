"""Deciding many alike from a page: what it would be, within what the file allows, and what became of each."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

from tests.console.visiting import refund_orders, signed_in, site
from tests.pg.stage import POINT, Stage, declared

from interlock.cases.registry import Registry

QUEUE = '    queue: {name: q, hold: 0s, bulk: {most: 2, exposure: "500 EUR"}}\n'


async def test_what_would_be_decided_is_shown_and_then_what_became_of_each(database_url: str, tmp_path: Path) -> None:
    registry = Registry([declared(refund_orders, tmp_path, point=f"{POINT}{QUEUE}")])
    async with site(database_url, registry) as (node, url), Stage(node) as on, AsyncExitStack() as stack:
        await on.work()
        for n in range(3):
            await on.submit(key=f"k{n}", amount="120.00")
        reviews = await on.wait_for_reviews(3)
        ana = await signed_in(stack, node, url, "ana")
        chosen = [("id", str(one.id)) for one in reviews[:2]]
        page = (await ana.http.get("/console/bulk", params=[*chosen, ("id", str(uuid4()))])).text
        assert "They are alike" in page
        assert "240.00" in page
        assert "1 of those chosen do not wait any more" in page
        items = [("item", unescape(one)) for one in re.findall(r'name="item" value="([^"]+)"', page)]
        assert len(items) == 2
        form = [("resolution", "approve"), ("reason_approve", "as_proposed")]
        body = ana.http.build_request("POST", "/console/bulk", data=dict(form)).content.decode()
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        everything = (await ana.http.get("/console/bulk")).text
        assert "Decide 3 together" in everything
        three = [("item", unescape(one)) for one in re.findall(r'name="item" value="([^"]+)"', everything)]
        many = await ana.http.post("/console/bulk", content=f"{body}&{encoded(three)}", headers=sent)
        assert (many.status_code, "3 are more than 2 in one act" in many.text) == (400, True)
        stale = [(name, f"{value.split(' ')[0]} {'0' * 64}") for name, value in items[:1]]
        done = await ana.http.post("/console/bulk", content=f"{body}&{encoded([*stale, items[1]])}", headers=sent)
        assert "Approve: 1 of 2" in done.text
        assert "not as it was shown" in done.text
        assert len(await on.reviews()) == 2
        viewer = await signed_in(stack, node, url, "vera", ("viewer",))
        assert (await viewer.http.post("/console/bulk", content=body, headers=sent)).status_code == 403
        assert (await ana.http.get("/console/bulk", params={"id": "../x"})).status_code == 400


def encoded(pairs: list[tuple[str, str]]) -> str:
    """Fields as a form sends them."""
    return urlencode(pairs)
