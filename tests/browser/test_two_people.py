"""Two people, and one whose lease ran out, whose connection is lost, who looks at what has changed: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from tests.browser.conftest import AtScreen, Screen
from tests.console.at_the_door import PASSWORD
from tests.console.visiting import refund_orders, site
from tests.pg.acting import acts
from tests.pg.stage import POINT, Stage, declared

from interlock.cases.registry import Registry
from interlock.console.visit import COOKIE
from interlock.identity.changing import end_sessions, set_password
from interlock.identity.password import hash_password
from interlock.identity.sessions import open_session
from interlock.node import Node
from interlock.oversight.claims import claim
from interlock.oversight.handing import say
from interlock.oversight.queue import find_review
from interlock.oversight.review import Review

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def visited(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node with the refunds: from 500 EUR on two must agree; verdicts are held for 30 s, if nothing else is said."""
    hold = str(getattr(request, "param", "30s"))
    point = f"{POINT}    four_eyes: 500 EUR\n    queue: {{name: q, hold: {hold}}}\n"
    async with site(database_url, Registry([declared(refund_orders, tmp_path, point=point)])) as found:
        yield found


async def waiting(stage: Stage, amount: str) -> Review:
    """A refund that waits for a person."""
    await stage.submit(key=amount, amount=amount)
    (review,) = await stage.wait_for_reviews()
    return review


async def heard_by(screen: Screen) -> list[str]:
    """All that the page's stream of events says from now on."""
    heard: list[str] = []
    channel: Any = await screen.page.context.new_cdp_session(screen.page)
    await channel.send("Network.enable")

    def note(event: Any) -> None:
        heard.append(json.dumps(event))

    channel.on("Network.eventSourceMessageReceived", note)
    return heard


async def test_what_was_typed_survives_a_lapsed_lease_a_lost_connection_and_a_change(
    stage: Stage, at_screen: AtScreen
) -> None:
    node, review = stage.node, await waiting(stage, "120.00")
    ana = await at_screen("ana")
    page, note = ana.page, ana.page.locator("#note")
    await ana.go(f"/console/reviews/{review.id}")
    await note.fill("typed with care")
    await page.locator("#decide input[value=approve]").check()
    await expect(page.locator("#lease")).to_contain_text("You have it")
    await claim(node.desk, ana.who.visitor.actor, review.id, lease=timedelta(seconds=1))
    await expect(page.locator("#standing")).to_contain_text("Your lease ran out")  # nobody reloads, nothing happens
    await page.get_by_role("button", name="Take it again").press("Enter")
    await expect(page.locator("#lease")).to_contain_text("You have it")
    await expect(page.locator("#standing")).not_to_contain_text("Your lease ran out")
    await expect(note).to_have_value("typed with care")

    await page.context.set_offline(offline=True)
    await page.get_by_text("The connection is lost").wait_for()
    await note.press("Control+Enter")
    await page.get_by_text("Not sent: there is no connection").wait_for()
    assert (await find_review(node.database, node.tenant, review.id)).held_verdict is None
    await page.context.set_offline(offline=False)
    await page.get_by_text("Connected again").wait_for()
    ana.errors.clear()  # the browser's own word on each request that found no connection
    await expect(note).to_have_value("typed with care")

    await say(node.desk, acts(node.tenant, "ben"), review.id, text="the customer called again")
    await note.press("Control+Enter")
    told = page.locator(".refused")
    await expect(told).to_contain_text("is not as it was shown: notes")
    await expect(told).to_contain_text("ben said: the customer called again")
    await expect(told).to_be_in_viewport()
    await expect(page.locator("#notes")).to_contain_text("the customer called again")
    await expect(note).to_have_value("typed with care")
    ana.errors.clear()  # the browser's own word on what was refused
    await note.press("End")  # who strikes the same key again before they can have looked sends nothing
    await note.press("Control+Enter")
    await expect(page.get_by_role("alert").filter(has_text="choose first: 1 to 3")).to_be_in_viewport()
    assert (await find_review(node.database, node.tenant, review.id)).held_verdict is None
    ana.errors.clear()
    await page.locator("#decide input[value=approve]").check()
    await note.press("Control+Enter")
    await expect(page.locator(".undo")).to_contain_text("Approve")


async def test_a_session_that_ends_while_a_form_is_typed_leads_back_to_it(stage: Stage, at_screen: AtScreen) -> None:
    node, review = stage.node, await waiting(stage, "120.00")
    ana = await at_screen("ana")
    page = ana.page
    await ana.go(f"/console/reviews/{review.id}")
    await page.locator("#note").fill("typed with care")
    await page.locator("#decide input[value=approve]").check()
    await expect(page.locator("#lease")).to_contain_text("You have it")
    stored = await hash_password(PASSWORD)
    await set_password(node.database, node.tenant, ana.who.person.id, stored, who="an admin", changes_it=False)
    await page.locator("#note").press("Control+Enter")
    await page.wait_for_url(f"**/console/sign-in?to=/console/reviews/{review.id}")
    assert (await find_review(node.database, node.tenant, review.id)).held_verdict is None
    for text, key in (("ana", "Tab"), (PASSWORD, "Enter")):
        await page.keyboard.type(text)
        await page.keyboard.press(key)
    await page.wait_for_url(f"{ana.who.url}/console/reviews/{review.id}")
    await expect(page.locator("#note")).to_have_value("typed with care")
    await _by_a_provider(ana, node, f"/console/reviews/{review.id}")
    await expect(page.locator("#note")).to_have_value("typed with more care")
    await page.locator("#note").press("Control+Enter")
    await expect(page.locator(".undo")).to_contain_text("Approve")


async def _by_a_provider(ana: Screen, node: Node, at: str) -> None:
    """Whose session ends again, and who comes back from another site, that says nothing of where they were."""
    page, tenant = ana.page, ana.who.visitor.tenant
    await page.locator("#note").fill("typed with more care")
    person = await end_sessions(node.database, tenant, ana.who.person.id, who="an admin")
    await page.locator("#note").press("Control+Enter")
    await page.wait_for_url(f"**/console/sign-in?to={at}")
    there = f'<meta name="referrer" content="no-referrer"><a href="{ana.who.url}{at}">Back</a>'
    await page.route("http://provider.example/", lambda route: route.fulfill(body=there, content_type="text/html"))
    await page.goto("http://provider.example/")
    secret = await open_session(node.writer, tenant, person, how="company", agent="a test")
    await page.context.add_cookies([{"name": COOKIE, "value": secret, "url": ana.who.url}])
    await page.get_by_role("link", name="Back").press("Enter")
    await page.wait_for_url(f"{ana.who.url}{at}")


@pytest.mark.parametrize("visited", ["0s"], indirect=True)
async def test_of_four_eyes_the_second_sees_nothing_of_the_first_and_a_lead_sees_both(
    stage: Stage, at_screen: AtScreen
) -> None:
    review = await waiting(stage, "700.00")
    ana, ben = await at_screen("ana"), await at_screen("ben", ("reviewer", "auditor"))
    lea = await at_screen("lea", ("lead",))
    path = f"/console/reviews/{review.id}"
    await ben.go("/console/queue")
    heard = await heard_by(ben)
    await ben.page.reload()
    await ben.page.get_by_text("Live", exact=True).wait_for()
    await ana.go(path)
    await ana.page.get_by_text("It needs two people").first.wait_for()
    await _reject(ana, "FIRSTSECRET")
    await expect(ana.page.locator(".undo")).to_contain_text("It waits for a second person")
    await ben.page.get_by_text("awaits a second").first.wait_for()
    seen = [await ben.page.content()]
    for one in (
        f"/console/cases/{review.case_id}",
        f"/console/decisions/{review.decision_id}",
        "/console/ledger",
        path,
    ):
        await ben.go(one)
        seen.append(await ben.page.content())
    assert heard, "the page was told that there is news, and nothing else"
    assert not [word for word in ("FIRSTSECRET", "reject", "doubtful") for one in (*heard, *seen[:-1]) if word in one]
    assert "FIRSTSECRET" not in seen[-1]  # whose form names every choice and every reason
    await ben.page.get_by_text("you are the second").wait_for()
    assert not await ben.page.locator("#decide input:checked").count(), "nothing is chosen for anybody"
    await ben.page.locator("#decide input[value=approve]").check()
    await ben.page.locator("#note").press("Control+Enter")
    await ben.page.get_by_text("Two people disagree").first.wait_for()
    assert "FIRSTSECRET" not in await ben.page.content()
    await lea.go(path)
    both = lea.page.locator("section", has=lea.page.get_by_role("heading", name="Both verdicts"))
    for word in ("ana: reject", "FIRSTSECRET", "ben: approve"):
        await expect(both).to_contain_text(word)
    await lea.page.get_by_text("Live", exact=True).wait_for()
    await lea.page.locator("#decide input[value=approve]").check()
    await lea.page.locator("#note").press("Control+Enter")
    await lea.page.wait_for_url(f"**decided={review.id}")  # the next, if something waits already


async def _reject(who: Screen, note: str) -> None:
    await who.page.locator("#decide input[value=reject]").check()
    await who.page.locator("#reason-reject").select_option("doubtful")
    await who.page.locator("#note").fill(note)
    await who.page.locator("#note").press("Control+Enter")
