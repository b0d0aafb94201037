"""Coming to something by the Tab key alone, and by the number of a choice."""

from __future__ import annotations

from playwright.async_api import Page

MOST_TABS = 80


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what bears this name has the focus."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        told = "document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent"
        if name in await page.evaluate(told):
            return
    raise AssertionError(f"Tab does not come to {name}")


async def choose(page: Page, name: str) -> None:
    """Press the key that a choice bears."""
    radio = page.get_by_role("radio", name=name)
    key = await radio.get_attribute("data-key")
    assert key is not None, f"{name} has no key"
    await page.keyboard.press(key.split()[0])
    assert await radio.is_checked()
