"""The page of a review in the real browser: evidence beside the form, two people, undo, what changed meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import expect
from tests.browser.axe import violations
from tests.browser.conftest import AtScreen, Screen
from tests.console.visiting import refund_orders, site
from tests.pg.stage import Stage, declared

from interlock.cases.registry import Registry, load_registry
from interlock.cases.submit import submit
from interlock.node import Node
from interlock.oversight.queue import find_review

pytestmark = pytest.mark.asyncio(loop_scope="session")
LINES = [
    "ACME HARDWARE SDN BHD", "LOT 2 JALAN BANTING", "TAX INVOICE", "DATE: 08/03/2018", "CEMENT 10 X 16.50",
    "174.90", "SAND 2 X 65.00", "137.80", "TOTAL", "312.70", "CASH", "350.00", "CHANGE", "37.30",
]  # fmt: skip
BOXES = [
    [150, 20, 650, 60], [200, 70, 600, 100], [300, 130, 500, 160], [40, 200, 350, 230], [40, 260, 400, 290],
    [600, 260, 720, 290], [40, 310, 360, 340], [600, 310, 720, 340], [40, 400, 200, 440], [580, 400, 720, 440],
    [40, 460, 160, 490], [600, 460, 720, 490], [40, 510, 200, 540], [620, 510, 720, 540],
]  # fmt: skip
SCRIPT = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


@pytest_asyncio.fixture(loop_scope="session")
async def visited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node with the receipts and the refunds."""
    receipts = load_registry(["interlock.packs.receipts.workflow:receipts"])
    async with site(database_url, Registry([declared(refund_orders, tmp_path), *receipts.all])) as found:
        yield found


async def open_receipt(stage: Stage, screen: Screen) -> UUID:
    """A receipt whose reading a person looks at, before somebody at a screen."""
    value = {
        "employee": "ana@example.com", "words": [*LINES, SCRIPT], "bboxes": [*BOXES, [40, 600, 700, 640]],
        "image_size": {"width": 800, "height": 700},
    }  # fmt: skip
    node = stage.node
    flow = node.registry.named("receipts")
    await submit(node.writer, node.tenant, flow, key="r-17", data=json.dumps(value).encode(), levels=node.levels)
    (review,) = await stage.wait_for_reviews()
    await screen.go(f"/console/reviews/{review.id}")
    return review.id


async def test_a_field_marks_where_it_was_read_and_a_change_is_seen_before_it_counts(
    stage: Stage, at_screen: AtScreen
) -> None:
    ana = await at_screen("ana")
    review = await open_receipt(stage, ana)
    page = ana.page
    await page.set_viewport_size({"width": 1280, "height": 800})
    await expect(page.locator("#decide .send .primary")).to_be_in_viewport(ratio=1)
    assert await page.locator(".paper").evaluate("one => one.scrollHeight <= one.clientHeight + 1"), "whole is whole"
    source = page.locator(".paper .source-3")
    pale = await source.evaluate("one => getComputedStyle(one).fill")
    await page.keyboard.press("2")
    await page.get_by_label("Total").focus()
    assert await source.evaluate("one => getComputedStyle(one).fill") != pale
    assert await page.locator("script:not([src]), img[onerror]").count() == 0
    await page.get_by_label("Total").fill("thirteen")
    await page.keyboard.press("Control+Enter")
    wrong = page.get_by_label("Total")
    await expect(wrong).to_have_attribute("aria-invalid", "true")
    await expect(wrong).to_be_focused()
    ana.errors.clear()  # the browser's own word on what was refused
    await wrong.fill("13.00")
    await page.get_by_label("Reason code").locator("visible=true").select_option("misread")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#difference")).to_contain_text("312.70")
    await expect(page.locator("#difference ins")).to_have_text("13.00")
    assert (await find_review(stage.node.database, stage.node.tenant, review)).held_verdict is None
    for dark in (False, True):
        await page.emulate_media(color_scheme="dark" if dark else "light")
        assert await violations(page) == []
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".undo")).to_contain_text("Change: receipts, read")
    await page.keyboard.press("u")
    await expect(page.get_by_text("Undone: it is yours again.")).to_be_visible()
    assert (await find_review(stage.node.database, stage.node.tenant, review)).held_verdict is None


async def test_of_two_people_on_one_item_the_other_sees_it_taken_and_one_alone_decides(
    stage: Stage, at_screen: AtScreen
) -> None:
    await stage.submit("refund_orders", amount="120.00", customer=SCRIPT)
    (review,) = await stage.wait_for_reviews()
    ana, ben = await at_screen("ana"), await at_screen("ben")
    for one in (ana, ben):
        await one.go(f"/console/reviews/{review.id}")
    await ana.page.locator("#note").fill("mine")
    await ana.page.locator("#decide input[value=approve]").check()
    await expect(ana.page.locator("#lease")).to_contain_text("You have it")
    await expect(ben.page.locator("#standing")).to_contain_text("ana works on it")
    await ben.page.locator("#decide input[value=approve]").check()
    await ben.page.get_by_role("button", name="Decide and stay").click()
    await expect(ben.page.locator(".refused")).to_contain_text("ana")
    ben.errors.clear()  # the browser's own word on what was refused
    await ana.page.keyboard.press("Control+Enter")
    await expect(ana.page.locator(".undo")).to_contain_text("Approve")
