"""Many at once by keyboard: a view that is kept and counts, and alike reviews that are decided together, or refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from tests.browser.by_tab import choose, tab_to
from tests.browser.conftest import AtScreen, Screen
from tests.console.visiting import refund_orders, site
from tests.pg.stage import POINT, Stage, declared

from interlock.cases.registry import Registry
from interlock.node import Node

pytestmark = pytest.mark.asyncio(loop_scope="session")
QUEUE = "    queue: {name: q, hold: 1m, bulk: {most: 2, exposure: 500 EUR}}\n"


@pytest_asyncio.fixture(loop_scope="session")
async def visited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node with the refunds, of which two may be decided together."""
    async with site(database_url, Registry([declared(refund_orders, tmp_path, point=f"{POINT}{QUEUE}")])) as found:
        yield found


async def test_a_view_is_kept_with_its_count_and_what_is_chosen_in_it_is_decided_together(
    at_screen: AtScreen, stage: Stage
) -> None:
    for amount in ("120.00", "121.00", "122.00", "900.00"):
        await stage.submit(key=amount, amount=amount)
    await stage.wait_for_reviews(4)
    ana, ben = await at_screen("ana"), await at_screen("ben")
    page, press = ana.page, ana.page.keyboard.press
    await ana.go("/console/queue")
    await _keep_a_view(page)
    mine = page.locator("#views").get_by_role("link", name="small ones")
    await expect(mine).to_contain_text("3")
    await ben.go("/console/queue")
    await expect(ben.page.locator("#views")).not_to_contain_text("small ones")  # it is ana's own
    await ana.go("/console/queue")
    await page.locator("[data-row]").nth(3).wait_for()
    key = await mine.get_attribute("data-key")
    for one in (key or "").split(">"):
        await press(one)
    await expect(page.locator("[data-row]")).to_have_count(3)

    await _decide_chosen(page, 3)
    await expect(page.locator(".refused")).to_contain_text("3 are more than 2 in one act")
    assert len(await stage.reviews()) == 4
    ana.errors.clear()  # the browser's own word on what was refused
    await ana.go("/console/queue?exposure_to=200+EUR")
    await _decide_chosen(page, 2)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Approve: 2 of 2")
    assert await page.get_by_text("decided", exact=True).count() == 2
    await _undo_one(ana)
    await expect(ben.page.locator("[data-row]", has_text="taken by ana")).to_have_count(1)


async def _keep_a_view(page: Page) -> None:
    await page.keyboard.press("f")
    await tab_to(page, "At stake to")
    await page.keyboard.type("200 EUR")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/queue?*exposure_to=200*")
    await tab_to(page, "Keep this filter as")
    await page.keyboard.type("small ones")
    await page.keyboard.press("Enter")


async def _decide_chosen(page: Page, number: int) -> None:
    """Choose the first ones, look at what they are together, approve them and say that one is sure."""
    press = page.keyboard.press
    await page.locator("[data-row]").nth(number - 1).wait_for()
    for _ in range(number):
        await press("j")
        await press("x")
    await page.get_by_text(f"{number} chosen").wait_for()
    await press("b")
    await page.get_by_role("heading", name=f"Decide {number} together").wait_for()
    await page.get_by_text("They are alike").wait_for()
    await choose(page, "Approve all")
    await press("Control+Enter")
    await page.get_by_role("dialog").get_by_text(f"Decide all {number}?").wait_for()
    assert await page.get_by_role("button", name="Cancel").evaluate("one => one === document.activeElement")
    await press("Tab")
    await press("Enter")


async def _undo_one(who: Screen) -> None:
    """What was decided together is undone by itself."""
    await tab_to(who.page, "Undo")
    await who.page.keyboard.press("Enter")
    await who.page.get_by_text("Undone: it is yours again.").wait_for()
