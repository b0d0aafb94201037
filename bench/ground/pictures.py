"""Takes a picture of every page of the console, light and dark, and the queue and a review as a phone shows them.

``make pictures`` runs it: receipts are handed in, some are paid, some wait for a person; the pictures are of what that
left. A point with a certificate, and what its work is worth, are those of the shop in ``claims.py``. They go to
docs/pictures.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ground.claims import shop
from ground.desk import FLAGS, Desk, open_desk
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from interlock.cli.demo.receipts import generated
from interlock.guards.stops import stop
from interlock.identity.first import FIRST_PERSON

TO = Path(__file__).resolve().parents[2] / "docs" / "pictures"
EVERYTHING = ("admin", "lead", "owner", "engineer", "auditor", "reviewer")
PAGES = {
    "overview": "/console", "queue": "/console/queue", "exceptions": "/console/exceptions",
    "capacity": "/console/capacity", "quality": "/console/quality", "autonomy": "/console/autonomy",
    "value": "/console/value", "value-of": "/console/value/receipts", "workflows": "/console/workflows",
    "workflow": "/console/workflows/receipts", "cases": "/console/cases", "decisions": "/console/decisions",
    "actions": "/console/actions", "quarantine": "/console/quarantine", "contracts": "/console/contracts",
    "rules": "/console/rules", "stops": "/console/stops", "ledger": "/console/ledger", "people": "/console/people",
    "policies": "/console/policies", "me": "/console/me", "bulk": "/console/bulk?kind=review&point=approve",
    "practice": "/console/practice", "asked": "/console/asked", "connectors": "/console/connectors",
    "password": "/console/password", "costs": "/console/workflows/receipts/costs",
    "control": "/console/value/receipts/control",
    "new-stop": "/console/stops/new?scope=workflow:receipts&why=A+look+at+last+night%27s+payments",
}  # fmt: skip
"""The pages that have an address of their own."""
FOUND = {
    "review": ("/console/queue", r"/console/reviews/[0-9a-f-]{36}"),
    "case": ("/console/cases", r"/console/cases/[0-9a-f-]{36}"),
    "decision": ("/console/decisions", r"/console/decisions/[0-9a-f-]{36}"),
    "action": ("/console/actions?show=newest", r"/console/actions/[0-9a-f-]{36}"),
    "exception-group": ("/console/exceptions", r"/console/exceptions/groups/[0-9a-f-]{36}"),
    "exception": ("exception-group", r"/console/exceptions/[0-9a-f-]{36}"),
    "quarantined": ("/console/quarantine", r"/console/quarantine/[0-9a-f-]{36}"),
    "stop": ("/console/stops", r"/console/stops/[0-9a-f-]{36}"),
    "entry": ("/console/ledger", r"/console/ledger/[0-9a-f-]{36}"),
    "contract": ("/console/contracts", r"/console/contracts/[a-z][a-z0-9-]+"),
    "rule": ("/console/rules", r"/console/rules/[a-z][a-z0-9-]+"),
    "person": ("/console/people", r"/console/people/[0-9a-f-]{36}"),
    "explanation": ("decision", r"/console/decisions/[0-9a-f-]{36}/explanation"),
    "lineage": ("decision", r"/console/lineage/[0-9a-f-]{36}"),
}
"""Pages of one thing: the page, or the name of one found before, whose first link leads to one."""
NOT_TAKEN = {
    "/console/autonomy/{name:str}/anew": "it counts outcomes for a while; its certificate is taken as it is issued",
    "/console/breaks": "only on a node that reconciles statements, as the example's",
    "/console/contracts/{name:str}/{version:str}": "of a published version; the receipts' are files of the package",
    "/console/rules/{name:str}/{version:str}": "of a published version; the receipts' are files of the package",
    "/console/rules/{name:str}/{version:str}/against/{old:str}": "the same",
    "/console/practice/{attempt_id:uuid}": "a review again, without its answer",
}
"""Pages without a picture, and why."""
PHONE = ("queue", "review")
OF_THE_SHOP = {"certificate": "/console/autonomy/claims.assess", "worth": "/console/value/claims"}
IN_DOCS = {"certificate": 1225}
"""Of these the upper part, so many pixels high, is a picture of its own, which the documentation shows."""
CHOSEN = "an umbrella for the summer"
THEMES = ("light", "dark")
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


async def take(browser: Browser, desk: Desk) -> list[str]:
    """Take all of them; their names."""
    _, cookie = await desk.sign_in("ana", EVERYTHING)
    taken: list[str] = []
    addresses = dict(PAGES)
    for scheme in THEMES:
        for phone in (False, True):
            window = await open_window(browser, scheme, NARROW if phone else WIDE)
            page = await window.new_page()
            if not phone:
                await page.goto(desk.url + "/console/sign-in")
                await page.screenshot(path=TO / f"sign-in-{scheme}.png", full_page=True)
            await window.add_cookies([cookie])  # type: ignore[list-item]
            if not taken:
                addresses |= await find(page, desk)
            for name, path in addresses.items():
                if phone and name not in PHONE:
                    continue
                known = "-".join([name, *(["phone"] if phone else []), scheme])
                taken.append(await picture(page, desk.url + path, known, whole=not phone))
            await window.close()
    return taken


async def take_the_shop(browser: Browser, url: str, password: str) -> list[str]:
    """Take the pages of the shop, as its first account sees them; their names."""
    taken: list[str] = []
    for scheme in THEMES:
        window = await open_window(browser, scheme, WIDE)
        page = await window.new_page()
        if not taken:
            await fill_in(page, url + "/console/sign-in", name=FIRST_PERSON, password=password)
            await fill_in(page, url + "/console/password", present=password, password=CHOSEN, again=CHOSEN)
            await window.clear_cookies()
        await fill_in(page, url + "/console/sign-in", name=FIRST_PERSON, password=CHOSEN)
        for name, path in OF_THE_SHOP.items():
            taken.append(await picture(page, url + path, f"{name}-{scheme}", whole=True))
            if name in IN_DOCS and scheme == THEMES[0]:
                upper = {"x": 0, "y": 0, "width": WIDE["width"], "height": IN_DOCS[name]}
                await page.screenshot(path=TO / f"{name}.png", full_page=True, clip=upper)  # type: ignore[arg-type]
        await window.close()
    return taken


async def fill_in(page: Page, address: str, **fields: str) -> None:
    """Fill a form in and send it."""
    await page.goto(address)
    for name, value in fields.items():
        await page.locator(f"#{name}").fill(value)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def open_window(browser: Browser, scheme: str, size: dict[str, int]) -> BrowserContext:
    """A window of that size and theme."""
    return await browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]


async def picture(page: Page, address: str, name: str, *, whole: bool) -> str:
    """Take one picture; its name."""
    answer = await page.goto(address)
    if answer is None or not answer.ok:
        sys.exit(f"{address} cannot be shown")
    await page.wait_for_timeout(150)
    await page.screenshot(path=TO / f"{name}.png", full_page=whole)
    return name


async def find(page: Page, desk: Desk) -> dict[str, str]:
    """Where the pages of one thing are."""
    found: dict[str, str] = {}
    for name, (path, link) in FOUND.items():
        await page.goto(desk.url + found.get(path, path))
        hit = re.search(link, await page.content())
        if hit:
            found[name] = hit[0]
        else:
            print(f"no picture of a {name}: {found.get(path, path)} leads to none")
    return found


async def main() -> None:
    """Make the world, take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    TO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder)) as (url, password):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            taken = await take_the_shop(browser, url, password)
            await browser.close()
    with tempfile.TemporaryDirectory() as folder:
        async with open_desk(Path(folder), 60) as desk, async_playwright() as playwright:
            await desk.fail_some(generated(24, 8, datetime.now(UTC).date()))
            await stop(
                desk.node.database, desk.node.writer, desk.node.tenant, scope="action:receipts.pay", who="ana",
                why="the bank's file of the day is late", until=None, everywhere=False,
            )  # fmt: skip
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            taken += await take(browser, desk)
            await browser.close()
    print(f"{len(taken) + 2} pictures in {TO}: sign-in, {', '.join(taken)}")


if __name__ == "__main__":
    asyncio.run(main())
