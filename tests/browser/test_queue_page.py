"""The queue in the real browser: read, filter, take the next; by keyboard; on a phone; in both themes."""

from __future__ import annotations

import pytest
from tests.browser.axe import in_both_themes
from tests.browser.conftest import AtScreen
from tests.pg.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
SCRIPT = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


async def test_the_queue_is_read_filtered_and_worked_without_a_mouse(at_screen: AtScreen, stage: Stage) -> None:
    screen = await at_screen()
    page = screen.page
    await screen.go("/console/queue")
    await page.get_by_text("Nothing waits for a decision").wait_for()
    for amount in ("120.00", "700.00", "300.00"):
        await stage.submit(key=amount, amount=amount, customer=SCRIPT)
    await stage.wait_for_reviews(3)
    rows = page.locator("[data-row]")
    await rows.nth(2).wait_for()  # without a reload
    assert await rows.locator("td.num .amount").all_inner_texts() == ["700.00", "300.00", "120.00"]
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    assert await rows.nth(1).locator("a[data-open]").evaluate("one => one === document.activeElement")
    await page.keyboard.press("x")
    assert await page.get_by_text("1 chosen").is_visible()
    await stage.submit(key="late", amount="900.00")
    await rows.nth(3).wait_for()
    assert await rows.nth(2).locator("a[data-open]").evaluate("one => one === document.activeElement")  # the same one
    assert await rows.nth(2).locator("input").is_checked()
    assert await in_both_themes(page) == []
    await page.keyboard.press("f")
    await page.get_by_label("At stake from").fill("600 EUR")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/queue?*exposure_from=600*")
    assert await rows.count() == 2
    assert await in_both_themes(page) == []
    await page.keyboard.press("n")
    await page.wait_for_url("**/console/reviews/*")
    await screen.go("/console/queue?claimed_by=ana")
    assert await rows.locator("td.num .amount").all_inner_texts() == ["900.00"]
    assert "taken by ana" in await rows.inner_text()


async def test_the_queue_fits_a_phone_and_a_page_that_is_zoomed(at_screen: AtScreen, stage: Stage) -> None:
    screen = await at_screen(width=390, height=844)
    page = screen.page
    await stage.submit(key="k" * 150, amount="120.00")
    await stage.wait_for_reviews()
    await screen.go("/console/queue")
    for width in (390, 640, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        small = await page.evaluate(
            """() => [...document.querySelectorAll("a, button, select, summary, input[type=text]")]
              .filter(one => one.checkVisibility() && !one.classList.contains("skip"))
              .filter(one => one.getBoundingClientRect().height < 24).map(one => one.outerHTML)"""
        )
        assert small == []  # WCAG 2.2, 2.5.8
        assert await in_both_themes(page) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_role("link", name="Exceptions").first.wait_for()
