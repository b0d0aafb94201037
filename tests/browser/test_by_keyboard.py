"""From the door to a decided review and back to the queue by keyboard alone; and with single keys switched off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.browser.by_tab import tab_to
from tests.browser.conftest import PATIENCE_MS
from tests.console.at_the_door import PASSWORD
from tests.console.visiting import refund_orders, site
from tests.pg.stage import POINT, Stage, declared

from interlock.cases.registry import Registry
from interlock.identity.password import hash_password
from interlock.identity.people import make_person
from interlock.node import Node

pytestmark = pytest.mark.asyncio(loop_scope="session")
NO_MOUSE = """for (const kind of ["pointerdown", "mousedown", "touchstart", "wheel"])
  addEventListener(kind, () => console.error(`${kind} was used`), true);"""


@pytest_asyncio.fixture(loop_scope="session")
async def visited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node whose verdicts are held for longer than all of this takes: no case of them comes back as an exception."""
    point = f"{POINT}    queue: {{name: q, hold: 5m}}\n"
    async with site(database_url, Registry([declared(refund_orders, tmp_path, point=point)])) as found:
        yield found


async def test_from_the_door_to_decided_reviews_and_back_without_a_mouse(
    browser: Browser, visited: tuple[Node, str]
) -> None:
    node, url = visited
    stored = await hash_password(PASSWORD)
    await make_person(node.writer, node.tenant, name="ana", roles=("reviewer",), who="the test", password=stored)
    window = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    errors: list[str] = []
    async with Stage(node) as on:
        await on.work()
        for amount in ("900.00", "500.00", "200.00"):
            await on.submit(key=amount, amount=amount)
        await on.wait_for_reviews(3)
        try:
            await window.add_init_script(NO_MOUSE)
            page = await window.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            await page.goto(f"{url}/console/exceptions")
            await _decide_three(page)
            await _switch_single_keys_off(page)
        finally:
            await window.close()
    assert errors == []


async def _decide_three(page: Page) -> None:
    press, head = page.keyboard.press, page.locator(".page-head")
    await page.keyboard.type("ana")
    await press("Tab")
    await page.keyboard.type(PASSWORD)
    await press("Enter")
    await page.get_by_role("heading", name="Exceptions", level=1).wait_for()
    for key in ("g", "q"):
        await press(key)
    await page.wait_for_url("**/console/queue")
    await press("?")
    await page.get_by_role("dialog").get_by_text("next in the list").wait_for()
    await press("Escape")
    for key in ("j", "j", "k", "Enter"):
        await press(key)
    await expect(head).to_contain_text("900.00")
    await page.get_by_text("Live", exact=True).wait_for()
    await press("3")
    await press("Tab")
    await page.keyboard.type("doubtful")
    await press("Control+Enter")
    await expect(page.locator(".undo")).to_contain_text("Reject")
    await expect(head).not_to_contain_text("900.00")  # the next
    await page.get_by_text("Live", exact=True).wait_for()
    await press("u")
    await page.get_by_text("Undone: it is yours again.").wait_for()
    await expect(head).to_contain_text("900.00")
    await page.get_by_text("Live", exact=True).wait_for()
    await press("1")
    await press("Control+Enter")
    await expect(page.locator(".undo")).to_contain_text("Approve")
    await page.get_by_text("Live", exact=True).wait_for()
    await _open_first(page)
    await press("1")
    await page.get_by_text("You have it").wait_for()
    await press("Control+Enter")
    await page.locator(".undo").get_by_text("Approve").wait_for()
    await _open_first(page)
    await press("1")
    await page.get_by_text("You have it").wait_for()
    await tab_to(page, "Note")
    await page.keyboard.type("jk123u?")  # keys are text in text
    await press("Control+Enter")
    await page.get_by_text("Nothing else waits for you.").wait_for()
    for key in ("g", "q"):
        await press(key)
    await page.get_by_text("Nothing waits for a decision.").wait_for()


async def _open_first(page: Page) -> None:
    """From anywhere to the first item of the queue."""
    for key in ("g", "q"):
        await page.keyboard.press(key)
    await page.wait_for_url("**/console/queue")
    await page.get_by_text("Live", exact=True).wait_for()
    for key in ("j", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_url("**/console/reviews/*")
    await page.get_by_text("Live", exact=True).wait_for()


async def _switch_single_keys_off(page: Page) -> None:
    press = page.keyboard.press
    await tab_to(page, "ana")
    await press("Enter")
    await page.wait_for_url("**/console/me")
    await tab_to(page, "Single keys act")
    await press("Space")
    await tab_to(page, "Keep this")
    await press("Enter")
    await expect(page.locator("body")).to_have_attribute("data-keys", "off")
    for key in ("?", "/", "g", "q", "g", "e"):
        await press(key)
    assert await page.locator("dialog").count() == 0
    assert page.url.endswith("/console/me")
    await press("Control+k")
    await page.keyboard.type("queue")
    await press("Enter")
    await page.wait_for_url("**/console/queue")
    for key in ("n", "j", "f", "1"):
        await press(key)
    assert page.url.endswith("/console/queue")
    assert await page.locator("details.filter[open], [data-row]:focus-within").count() == 0
