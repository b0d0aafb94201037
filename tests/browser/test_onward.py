"""From a row to its item and from verdict to verdict without a whole load: address, focus, way back, nothing lost."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from tests.browser.conftest import AtScreen
from tests.pg.stage import Stage

from interlock.oversight.queue import find_review

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOLD = """() => {
  const plain = window.fetch;
  window.fetch = (_, { signal }) => new Promise((answer, lost) => {
    signal.addEventListener("abort", lost);
    window.fetch = plain;
    window.refuse = () => answer(new Response("<p class=refused>somebody else was quicker</p>", { status: 409 }));
  });
}"""
STRIKE_AGAIN = """document.addEventListener("console:arrived", () => document.querySelector("h1").dispatchEvent(
  new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true })))"""


async def a_step_waits_for_the_answer(page: Page) -> None:
    """While a verdict is under way nothing else is opened, so that its refusal is seen."""
    here = page.url
    await page.evaluate(HOLD)
    await page.keyboard.press("Control+Enter")
    await page.evaluate("history.back()")
    await expect(page.locator("#told")).to_contain_text("not answered yet")
    await page.evaluate(
        "document.body.append(Object.assign(document.createElement('a'), { id: 'off', href: '/console/queue' }))"
    )
    await page.locator("#off").evaluate("one => { one.dataset.open = ''; one.click(); one.remove(); }")
    await page.evaluate("window.refuse()")
    await expect(page.locator("#told")).to_contain_text("somebody else was quicker")
    assert page.url == here
    await expect(page.locator("#note")).to_have_value("kept")


async def test_steps_keep_the_page_and_are_like_whole_loads_and_a_held_key_decides_one(
    stage: Stage, at_screen: AtScreen
) -> None:
    for amount in ("900.00", "500.00", "200.00"):
        await stage.submit(key=amount, amount=amount)
    reviews = await stage.wait_for_reviews(3)
    ana = await at_screen("ana", roles=("reviewer", "lead"))
    page, press = ana.page, ana.page.keyboard.press
    await ana.go("/console/queue")
    await page.evaluate("window.same = true")
    for key in ("j", "j", "Enter"):
        await press(key)
    await page.wait_for_url("**/console/reviews/*")
    await expect(page.locator("main h1")).to_be_focused()
    await expect(page.locator("body")).to_have_attribute("data-here", page.url.rpartition("/")[2])
    assert "Queue" not in await page.title()
    await page.go_back()
    await expect(page.locator("tbody tr:nth-child(2) a")).to_be_focused()
    assert await page.title() == "Queue · Interlock"
    assert await page.locator("#nav [aria-current=page]").all_inner_texts() == ["Queue"]

    await page.go_forward()
    await page.locator("#note").fill("not sent")
    await page.evaluate("history.back()")
    await page.get_by_role("dialog").get_by_text("was not sent").wait_for()
    await press("Escape")
    await expect(page.locator("#note")).to_have_value("not sent")
    assert "/reviews/" in page.url
    await page.evaluate("history.back()")
    await page.get_by_role("button", name="Leave it").click()
    await expect(page.locator("main h1")).to_have_text("Needs your decision")

    await press("n")
    await page.wait_for_url("**/console/reviews/*")
    first = page.url
    await page.locator("#note").fill("kept")
    await page.locator("#decide input[value=approve]").check()
    await page.route("**/decide", lambda route: route.abort())
    await press("Control+Enter")
    await page.get_by_text("No answer came.").wait_for()
    await expect(page.locator("#note")).to_have_value("kept")
    ana.errors.clear()  # the browser's own word on what did not go through
    await page.unroute("**/decide")
    await a_step_waits_for_the_answer(page)
    await page.evaluate(STRIKE_AGAIN)
    await page.keyboard.down("Control")
    await page.keyboard.down("Enter")
    await page.wait_for_url(lambda url: url.partition("?")[0] != first)
    await expect(page.locator(".undo")).to_contain_text("Approve")
    await page.keyboard.down("Enter")  # as a key repeats itself that is not let go
    for key in ("Enter", "Control"):
        await page.keyboard.up(key)
    await expect(page.locator("#told")).to_contain_text("this came only now")
    await expect(page.locator("form#decide")).not_to_have_attribute("aria-busy", "true")
    found = [await find_review(stage.node.database, stage.node.tenant, one.id) for one in reviews]
    assert sum(one.held_verdict is not None for one in found) == 1
    assert await page.evaluate("window.same")
