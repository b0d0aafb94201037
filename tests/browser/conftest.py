"""What tests in the real browser share: Debian's Chromium, a site with work in it, and people at their screens.

Every test here runs in the loop of the browser's driver: ``pytestmark = pytest.mark.asyncio(loop_scope="session")``.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.console.visiting import Visiting, refund_orders, signed_in, site
from tests.pg.stage import Stage, declared

from interlock.cases.registry import Registry
from interlock.console.visit import COOKIE
from interlock.node import Node

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_MS = 20_000
"""For what a page does or shows; whatever holds goes on at once."""
expect.set_options(timeout=PATIENCE_MS)

AtScreen = Callable[..., Awaitable["Screen"]]


@dataclass(frozen=True, slots=True)
class Screen:
    """Somebody at a screen.

    Attributes:
        who: Who is signed in.
        page: The page before them.
        errors: What the page's script complained of; a test ends with none.
    """

    who: Visiting
    page: Page
    errors: list[str]

    async def go(self, path: str) -> None:
        """Open a page of the console."""
        await self.page.goto(self.who.url + path)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, once for all tests of a process."""
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node with the refunds workflow, and where its site listens."""
    async with site(database_url, Registry([declared(refund_orders, tmp_path)])) as found:
        yield found


@pytest.fixture
def node(visited: tuple[Node, str]) -> Node:
    """The node."""
    return visited[0]


@pytest_asyncio.fixture(loop_scope="session")
async def stage(node: Node) -> AsyncIterator[Stage]:
    """The node with a worker."""
    async with Stage(node) as on:
        await on.work()
        yield on


@pytest_asyncio.fixture(loop_scope="session")
async def at_screen(visited: tuple[Node, str], browser: Browser) -> AsyncIterator[AtScreen]:
    """A function that puts somebody before a screen: name, roles, teams; and ``look``: width, height, dark."""
    screens: list[Screen] = []
    async with AsyncExitStack() as stack:
        sign = functools.partial(signed_in, stack, *visited)

        async def sit(
            name: str = "ana",
            roles: tuple[str, ...] = ("reviewer",),
            *,
            width: int = 1280,
            height: int = 800,
            dark: bool = False,
        ) -> Screen:
            who = await sign(name, roles)
            window = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
            )
            stack.push_async_callback(window.close)
            await window.add_cookies([{"name": COOKIE, "value": who.secret, "url": who.url}])
            page = await window.new_page()
            page.set_default_timeout(PATIENCE_MS)
            screen = Screen(who, page, [])
            page.on("pageerror", lambda error: screen.errors.append(str(error)))
            page.on("console", lambda said: screen.errors.append(said.text) if said.type == "error" else None)
            screens.append(screen)
            return screen

        yield sit
        # that somebody was faster is an answer, which the page shows; the browser notes it all the same
        assert [error for screen in screens for error in screen.errors if "status of 409" not in error] == []
