"""Keys: everything without a mouse; never inside what is typed; single ones can be switched off (WCAG 2.1.4)."""

from __future__ import annotations

import pytest
from playwright.async_api import Page
from tests.browser.conftest import AtScreen
from tests.pg.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def dialogs(page: Page) -> int:
    """How many dialogs are open."""
    return await page.locator("dialog[open]").count()


async def test_keys_act_where_they_should_and_nowhere_else(at_screen: AtScreen, stage: Stage) -> None:
    for key in ("a", "b"):
        await stage.submit(key=key, amount="120.00")
    await stage.wait_for_reviews(2)
    screen = await at_screen()
    page, press = screen.page, screen.page.keyboard.press
    await screen.go("/console/queue")
    await press("?")
    assert "next in the list" in await page.locator("dialog").inner_text()
    await press("j")  # a dialog keeps the keys
    assert await page.locator("[data-row]:focus-within").count() == 0
    await press("Escape")
    assert await dialogs(page) == 0
    await press("f")
    text = page.get_by_label("In the reason")
    await text.focus()
    await page.keyboard.type("njx?/ vendor")
    assert await text.input_value() == "njx?/ vendor"
    assert await dialogs(page) == 0
    await press("Tab")
    assert not await text.evaluate("one => one === document.activeElement")  # nothing keeps the Tab key
    await page.get_by_role("heading", level=1).click()
    await press("/")
    await page.keyboard.type("exce")
    await press("Enter")
    await page.wait_for_url("**/console/exceptions")
    await press("g")
    await press("q")
    await page.wait_for_url("**/console/queue")
    await press("j")
    await press("ArrowDown")
    await press("ArrowDown")  # at the end it stays
    assert await page.locator("[data-row]").nth(1).locator("a:focus").count() == 1
    await press("k")
    await press("Enter")
    await page.wait_for_url("**/console/reviews/*")


async def test_single_keys_can_be_switched_off_and_what_a_form_holds_is_not_lost(
    at_screen: AtScreen, stage: Stage
) -> None:
    await stage.submit(amount="120.00")
    await stage.wait_for_reviews()
    screen = await at_screen()
    page, press = screen.page, screen.page.keyboard.press
    await screen.go("/console/queue")
    await page.evaluate("document.body.dataset.keys = 'off'")
    for key in ("j", "?", "/", "n"):
        await press(key)
    assert await dialogs(page) == 0
    assert page.url.endswith("/console/queue")
    assert await page.locator("[data-row]:focus-within").count() == 0
    await press("Control+k")
    assert await dialogs(page) == 1
    await press("Escape")
    await page.evaluate(
        """() => document.getElementById("main").insertAdjacentHTML("beforeend",
          `<form id="mine" method="post" action="/console/strip" data-guard data-confirm="Is it so?">
          <input name="a"><button>Send</button></form>`)"""
    )
    await page.locator("#mine input").fill("something")
    asked: list[str] = []

    async def stay(dialog: object) -> None:
        asked.append(getattr(dialog, "type", ""))
        await dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    await page.evaluate("location.assign('/console/exceptions')")
    await page.wait_for_timeout(100)
    assert asked == ["beforeunload"]
    await page.locator("#mine button").click()
    await page.get_by_text("Is it so?").wait_for()
    assert await page.get_by_role("button", name="Cancel").evaluate("one => one === document.activeElement")
    await press("Escape")
    assert page.url.endswith("/console/queue")
