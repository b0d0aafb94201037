"""The page of a point's autonomy: sound in both themes, whole at twice the size and on a phone; issued by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.browser.axe import violations
from tests.browser.test_every_page import COLOURS, CUT, LOOKED
from tests.console.test_autonomy_pages import PAGE, POINT, course, fill
from tests.console.visiting import Visiting, refund_orders, signed_in, site
from tests.pg.stage import declared

from interlock.autonomy.figures.measure import measure_and_keep
from interlock.cases.registry import Registry
from interlock.console.visit import COOKIE
from interlock.node import Node

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def olga(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, Visiting]]:
    """An owner, at whose point the truth of decisions is known."""
    registry = Registry([declared(refund_orders, tmp_path, point=POINT)])
    async with site(database_url, registry) as (node, url), AsyncExitStack() as stack:
        await measure_and_keep(node.database, fill(database_url, node, 1500))
        yield node, await signed_in(stack, node, url, "shop@example.com", ("owner",))


async def test_an_owner_looks_issues_and_withdraws(
    olga: tuple[Node, Visiting], browser: Browser, database_url: str
) -> None:
    node, who = olga
    window = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    await window.add_cookies([{"name": COOKIE, "value": who.secret, "url": who.url}])
    try:
        page = await window.new_page()
        await page.goto(who.url + PAGE)
        await page.get_by_role("link", name="Derive anew").click()
        await expect(page.get_by_text("Nothing counts yet")).to_be_visible()
        assert await violations(page) == []
        await page.get_by_role("button", name="Issue it").click()
        await expect(page.get_by_text("With 95 % certainty")).to_be_visible()
        with psycopg.connect(database_url, autocommit=True) as admin:
            course(admin, node)
        await page.reload()
        assert await violations(page) == []
        assert await page.evaluate(LOOKED) == []
        assert await page.locator("svg.chart[role=img]").count() == 4
        await page.emulate_media(color_scheme="dark")
        assert await violations(page, only=COLOURS) == []
        for width, height in ((640, 400), (390, 844)):
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate(CUT) == []
        await page.get_by_label("Why").fill("the model was retrained")
        await page.get_by_role("button", name="Withdraw").click()
        await expect(page.get_by_text("A person decides everything here")).to_be_visible()
    finally:
        await window.close()
