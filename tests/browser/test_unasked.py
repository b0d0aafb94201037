"""What nobody asked for is not sent: by keys in another form, by a link; what was typed in a stale form comes back."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.browser.conftest import AtScreen
from tests.pg.stage import Stage

from interlock.console.visit import COOKIE
from interlock.identity.sessions import close_session, open_session
from interlock.oversight.queue import find_review

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_keys_in_another_form_and_links_send_nothing_and_a_stale_form_comes_back_filled(
    stage: Stage, at_screen: AtScreen
) -> None:
    node = stage.node
    await stage.submit(amount="120.00")
    (review,) = await stage.wait_for_reviews()
    ana = await at_screen("ana")
    page, at = ana.page, f"/console/reviews/{review.id}"
    await ana.who.http.post(f"/console/tasks/{review.id}/claim")
    await ana.go(f"{at}#key=r")  # a link from anywhere
    await page.locator("#say").fill("do not pay before I have called them")
    await page.locator("#say").press("Control+Enter")
    await expect(page.locator("#told")).to_contain_text("another form")
    await expect(page.locator("#say")).to_have_value("do not pay before I have called them")
    found = await find_review(node.database, node.tenant, review.id)
    assert (found.held_verdict, found.claimed_by) == (None, "ana")
    await ana.go("/console/queue")
    await page.locator("[data-row] a[data-open]").first.focus()
    await page.keyboard.press("e")  # a key of the item's own page, pressed on its row
    await page.wait_for_url(f"**{at}")
    await expect(page.get_by_label("Change")).to_be_checked()
    await page.locator("#note").fill("typed with care")
    who = ana.who.visitor
    await close_session(node.writer, who.tenant, who.session, person=ana.who.person.id, who="ana")
    secret = await open_session(node.writer, who.tenant, ana.who.person, how="password", agent="another window")
    await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": ana.who.url}])
    await page.locator("#note").press("Control+Enter")
    await expect(page.locator("#told")).to_contain_text("It was not sent")
    await expect(page.locator("#note")).to_have_value("typed with care")
    assert page.url.endswith(at)
    assert (await find_review(node.database, node.tenant, review.id)).held_verdict is None
    ana.errors.clear()  # the browser's own word on what was refused
