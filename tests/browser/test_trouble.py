"""When it goes wrong: exceptions by keyboard, the red button, a queue that is full; and what others see of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from tests.browser.by_tab import choose, tab_to
from tests.browser.conftest import AtScreen, Screen
from tests.console.busy import trip
from tests.console.visiting import refund_orders, site
from tests.pg.stage import POINT, Stage, declared

from interlock.cases.queues import queues_told
from interlock.cases.registry import Registry
from interlock.cases.store import CaseState
from interlock.node import Node
from interlock.oversight.duty import look_after

pytestmark = pytest.mark.asyncio(loop_scope="session")
QUEUE = "    queue: {name: few, capacity: 2, due: 1h, when_full: hold}\n"


@pytest_asyncio.fixture(loop_scope="session")
async def visited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node with the refunds, of which two may wait, and with a workflow that trips."""
    flows = [declared(refund_orders, tmp_path, point=f"{POINT}{QUEUE}"), declared(trip, tmp_path)]
    async with site(database_url, Registry(flows)) as found:
        yield found


async def test_exceptions_are_resolved_one_and_all_the_button_stops_and_a_full_queue_takes_nothing_in(
    at_screen: AtScreen, stage: Stage
) -> None:
    lea, ben = await at_screen("lea", ("lead", "owner", "engineer")), await at_screen("ben")
    await ben.go("/console/queue")
    await _resolve_by_keyboard(lea, stage)
    await _stop_and_lift(lea, ben)
    await _hold_what_is_full(lea, stage)


async def _resolve_by_keyboard(lea: Screen, stage: Stage) -> None:
    cases = [await stage.submit("trip", key=f"k{n}", customer="Ana") for n in range(3)]
    for case in cases:
        await stage.until(case, CaseState.EXCEPTION)
    page, press = lea.page, lea.page.keyboard.press
    await lea.go("/console/exceptions")
    for leads_to in ("groups/*", "*"):  # the cause, and the oldest of it
        await press("j")
        await press("Enter")
        await page.wait_for_url(f"**/console/exceptions/{leads_to}")
    was = page.url
    await _abandon(page)
    await page.wait_for_url(lambda url: "/console/exceptions/" in url and url.partition("?")[0] != was)  # the next
    assert [await _ended(stage, case) for case in cases] == [True, False, False]
    await tab_to(page, "All of this cause")
    await press("Enter")
    await page.get_by_role("heading", name="2 cases", level=1).wait_for()
    await _abandon(page)
    await page.get_by_text("Held against the oldest 2: it fits 2.").wait_for()
    assert [await _ended(stage, case) for case in cases] == [True, False, False]  # that was a look
    await tab_to(page, "Resolve all 2")
    await press("Enter")
    await page.get_by_role("heading", name="Abandon the case: 2 of 2").wait_for()
    assert all([await _ended(stage, case) for case in cases])


async def _abandon(page: Page) -> None:
    await choose(page, "Abandon the case")
    await tab_to(page, "Why")
    await page.keyboard.type("nobody needs it")
    await page.keyboard.press("Control+Enter")


async def _ended(stage: Stage, case: UUID) -> bool:
    return (await stage.record(case)).case.state is not CaseState.EXCEPTION


async def _stop_and_lift(lea: Screen, ben: Screen) -> None:
    page, strip = lea.page, ben.page.locator("#strip")
    await lea.go("/console/stops")
    await page.get_by_label("What").select_option("workflow:trip")
    await tab_to(page, "Why")
    await page.keyboard.type("it trips")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Stop workflow:trip?").wait_for()
    await page.get_by_role("heading", name="What it holds").wait_for()
    await expect(strip).to_be_hidden()  # nothing is stopped yet
    red = page.get_by_role("button", name="Stop workflow:trip")
    assert "danger" in (await red.get_attribute("class") or "")
    await red.press("Enter")
    await expect(strip).to_contain_text("workflow:trip")
    await lea.go("/console/stops")
    await page.get_by_role("row", name="workflow:trip").get_by_role("link").press("Enter")
    await page.get_by_role("heading", name="Lift it").wait_for()
    await tab_to(page, "Why")
    await page.keyboard.type("it is mended")
    await page.keyboard.press("Enter")
    await expect(strip).to_be_hidden()


async def _hold_what_is_full(lea: Screen, stage: Stage) -> None:
    node, page = stage.node, lea.page
    for n in range(2):  # one after the other: of two at once the room may let the second wait half a minute outside
        await stage.submit("refund_orders", key=f"r{n}", amount="120.00")
        await stage.wait_for_reviews(n + 1)
    assert await look_after(node.database, node.writer, queues_told(one.declaration for one in node.registry.all))
    await lea.go("/console/capacity")
    await expect(page.get_by_role("row", name="few")).to_contain_text("takes nothing in")
    late = await stage.submit("refund_orders", key="late", amount="120.00")
    await stage.until(late, CaseState.WAITING)
    assert len(await stage.reviews()) == 2, "what comes while it is full waits outside, and is not decided by itself"
    await lea.go("/console/capacity?queue=few")
    full = page.get_by_role("region", name="When it is too full")
    await expect(full).to_contain_text("by interlock")
    await expect(full).to_contain_text("2 wait, and 2 may")
    await expect(full).to_contain_text("Nothing ever goes by itself")
    await tab_to(page, "Why")
    await page.keyboard.type("two more came to work")
    await page.keyboard.press("Enter")
    await expect(full).to_contain_text("by lea: two more came to work")
    await expect(full.get_by_role("button", name="Take nothing in")).to_be_visible()
