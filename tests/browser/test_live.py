"""Live in the real browser: two people on one queue, a lost connection, a session that ends, a stop that is seen."""

from __future__ import annotations

import time

import pytest
from psycopg import AsyncConnection
from tests.browser.axe import in_both_themes
from tests.browser.conftest import AtScreen
from tests.pg.stage import Stage

from interlock.cases.cancel import cancel_case
from interlock.guards.stops import stop
from interlock.node import Node

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_one_person_takes_the_other_sees_within_a_second(
    at_screen: AtScreen, stage: Stage, node: Node
) -> None:
    await stage.submit(amount="120.00")
    (review,) = await stage.wait_for_reviews()
    ana, bob = await at_screen("ana"), await at_screen("bob")
    await ana.go("/console/queue")
    await bob.go("/console/queue")
    await ana.page.get_by_text("Live", exact=True).wait_for()
    await bob.page.locator("summary", has_text="Why here").click()
    await bob.page.get_by_text("Live", exact=True).wait_for()
    begun = time.monotonic()
    await ana.page.keyboard.press("n")
    await bob.page.get_by_text("taken by ana").wait_for()
    assert time.monotonic() - begun < 3  # with the browser's own time; the hub's is measured without it
    await bob.page.get_by_text("open: ana").wait_for()
    assert await bob.page.get_by_text("min for one of its kind").is_visible()  # what was opened stays open
    await bob.go(f"/console/reviews/{review.id}")
    await ana.page.get_by_text("bob").first.wait_for()
    await stop(node.database, node.writer, ana.who.visitor.tenant, scope="everything", who="ana", why="a test")
    await bob.page.locator("#strip", has_text="everything").wait_for()


async def test_a_lost_connection_is_said_and_made_good_and_nothing_pretends_to_be_sent(
    at_screen: AtScreen, stage: Stage, database_url: str
) -> None:
    screen = await at_screen()
    page = screen.page
    await screen.go("/console/queue")
    await page.get_by_text("Live", exact=True).wait_for()
    await page.context.set_offline(offline=True)
    await page.get_by_text("The connection is lost").wait_for()
    assert await in_both_themes(page) == []
    await page.get_by_role("button", name="Pull the next one").click()
    await page.get_by_text("Not sent: there is no connection").wait_for()
    await stage.submit(amount="120.00")
    await stage.wait_for_reviews()
    await page.context.set_offline(offline=False)
    await page.locator("[data-row]").wait_for()  # what came meanwhile
    assert await page.get_by_text("The connection is lost").count() == 0
    screen.errors.clear()  # the browser notes each request that found no connection
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "update interlock.person_session set closed_at = now() where id = %s", (screen.who.visitor.session,)
        )
    await page.context.set_offline(offline=True)
    await page.context.set_offline(offline=False)
    await page.wait_for_url("**/console/sign-in?to=/console/queue")
    screen.errors.clear()


async def test_pages_of_records_follow_what_happens_and_say_live_only_where_they_do(
    at_screen: AtScreen, stage: Stage, node: Node
) -> None:
    case = await stage.submit(amount="120.00")
    await stage.wait_for_reviews()
    screen = await at_screen("ana", ("lead", "admin"))
    live = ("/console", "/console/cases", "/console/workflows/refund_orders", f"/console/cases/{case}")
    pages = [screen.page, *[await screen.page.context.new_page() for _ in live[1:]]]
    for page, path in zip(pages, live, strict=True):
        await page.goto(screen.who.url + path)
        await page.get_by_text("Live", exact=True).wait_for()
    overview, cases, workflow, one = pages
    link = cases.locator("td a.id").first
    await link.focus()
    await one.get_by_label("Why").fill("half a sen")
    before = await overview.locator("#now").inner_text()
    tenant = screen.who.visitor.tenant
    await stage.submit(key="two", amount="130.00")
    await stop(node.database, node.writer, tenant, scope="action:refund_orders.pay", who="bob", why="a look")
    await cancel_case(node.database, node.writer, tenant, case, who="bob", why="a double")
    await cases.get_by_text("two", exact=True).wait_for()
    assert await cases.evaluate("document.activeElement.matches('td a.id')")
    await workflow.locator("#now").get_by_text("a look").wait_for()
    await one.locator(".page-head").get_by_text("cancelled").wait_for()
    assert await one.get_by_label("Why").input_value() == "half a sen"
    await overview.locator("#now").get_by_text("action:refund_orders.pay").wait_for()
    assert await overview.locator("#now").inner_text() != before
    await workflow.goto(f"{screen.who.url}/console/ledger")
    await workflow.locator("body[data-line=live]").wait_for()
    assert not await workflow.get_by_text("Live", exact=True).is_visible()
