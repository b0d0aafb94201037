"""The browser works here, and loads nothing from another host."""

from __future__ import annotations

import pytest
from tests.browser.conftest import AtScreen

from interlock.console.assets import asset_path

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_chromium_opens_what_the_site_serves(at_screen: AtScreen) -> None:
    screen = await at_screen()
    answer = await screen.page.goto(screen.who.url + asset_path("console.css"))
    assert answer is not None
    assert answer.status == 200
