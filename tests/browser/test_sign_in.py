"""The door, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser
from tests.browser.conftest import PATIENCE_MS
from tests.console.at_the_door import PASSWORD, known

from interlock.node import Node

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_somebody_signs_in_by_keyboard_and_chooses_a_password(
    browser: Browser, visited: tuple[Node, str]
) -> None:
    node, url = visited
    await known(node, changes_it=True)
    window = await browser.new_context(viewport={"width": 390, "height": 800}, reduced_motion="reduce")
    try:
        page = await window.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(f"{url}/console/me")
        for text, key in (("ana", "Tab"), ("wrong", "Enter")):
            await page.keyboard.type(text)
            await page.keyboard.press(key)
        await page.get_by_role("alert").get_by_text("do not go together").wait_for()
        await page.keyboard.type(PASSWORD)  # the name is kept, and the password is asked for
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Choose a password").wait_for()
        for text, key in ((PASSWORD, "Tab"), ("eight herons at dusk", "Tab"), ("eight herons at dusk", "Enter")):
            await page.keyboard.type(text)
            await page.keyboard.press(key)
        await page.get_by_role("heading", name="Where you are signed in").wait_for()
        assert page.url == f"{url}/console/me"
    finally:
        await window.close()
