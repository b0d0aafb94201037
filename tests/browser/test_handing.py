"""By keyboard: put off, handed over, asked back and answered by two people at two screens."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from tests.browser.by_tab import tab_to
from tests.browser.conftest import AtScreen
from tests.pg.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def say(page: Page, *entries: str) -> None:
    """Type these into fields that follow one another, and send them."""
    for at, entry in enumerate(entries):
        if at:
            await page.keyboard.press("Tab")
        await page.keyboard.type(entry)
    await page.keyboard.press("Enter")


async def test_work_is_put_off_handed_over_asked_about_and_answered_without_a_mouse(
    at_screen: AtScreen, stage: Stage
) -> None:
    await stage.submit(amount="120.00")
    (review,) = await stage.wait_for_reviews()
    ana, ben = await at_screen("ana"), await at_screen("ben")
    page, press, at = ana.page, ana.page.keyboard.press, f"/console/reviews/{review.id}"
    await ana.go("/console/queue")
    await press("j")
    await press("s")  # a key of the item's own page, pressed on its row, for what is folded away there
    await page.wait_for_url(f"**{at}")
    await expect(page.get_by_label("Put off")).to_be_focused()
    await page.keyboard.type("for a day")
    await tab_to(page, "Why")
    await say(page, "they call back tomorrow")
    await page.get_by_text("Nothing waits for a decision").wait_for()
    await ana.go(at)
    await page.get_by_text("ana put it off until").wait_for()
    await press("a")
    await expect(page.get_by_label("Hand over to")).to_be_focused()
    await say(page, "ben", "you know them")
    await page.get_by_text("It is ben's to do.").wait_for()

    await ben.go(at)
    await ben.page.keyboard.press("a")
    await tab_to(ben.page, "Ask")
    await ben.page.keyboard.press("Control+a")
    await say(ben.page, "ana", "Did they call?")
    await ben.page.get_by_text("ben asked ana, and it waits").wait_for()
    await ana.go("/console/asked")
    await page.get_by_text("Did they call?").wait_for()
    await tab_to(page, "Answer")
    await page.keyboard.type("They did.")
    await press("Tab")
    await press("Enter")
    await expect(page.locator("#notes")).to_contain_text("They did.")
    await expect(ben.page.locator("#standing")).not_to_contain_text("ben asked ana")  # without a reload
    await ben.page.reload()
    await expect(ben.page.locator("#notes")).to_contain_text("They did.")
