"""Takes a picture of every page of the console, light and dark, and the queue and a review as a phone shows them.

``make pictures`` runs it: receipts are handed in, some are paid, some wait for a person; the pictures are of what that
left. They go to docs/pictures.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ground.desk import FLAGS, Desk, open_desk
from playwright.async_api import Browser, Page, async_playwright

from interlock.cli.demo.receipts import generated
from interlock.guards.stops import stop

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
}
"""Pages of one thing: the page, or the name of one found before, whose first link leads to one."""
PHONE = ("queue", "review")


async def take(browser: Browser, desk: Desk) -> list[str]:
    """Take all of them; their names."""
    _, cookie = await desk.sign_in("ana", EVERYTHING)
    taken: list[str] = []
    addresses = dict(PAGES)
    for dark in (False, True):
        for phone in (False, True):
            size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
            scheme = "dark" if dark else "light"
            window = await browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
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
                await page.goto(desk.url + path)
                await page.wait_for_timeout(150)
                known = "-".join([name, *(["phone"] if phone else []), scheme])
                await page.screenshot(path=TO / f"{known}.png", full_page=not phone)
                taken.append(known)
            await window.close()
    return taken


async def find(page: Page, desk: Desk) -> dict[str, str]:
    """Where the pages of one thing are."""
    found: dict[str, str] = {}
    for name, (path, link) in FOUND.items():
        await page.goto(desk.url + found.get(path, path))
        hit = re.search(link, await page.content())
        if hit:
            found[name] = hit[0]
    return found


async def main() -> None:
    """Make the world, take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    TO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with open_desk(Path(folder), 60) as desk, async_playwright() as playwright:
            await desk.fail_some(generated(24, 8, datetime.now(UTC).date()))
            await stop(
                desk.node.database, desk.node.writer, desk.node.tenant, scope="action:receipts.pay", who="ana",
                why="the bank's file of the day is late", until=None, everywhere=False,
            )  # fmt: skip
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            taken = await take(browser, desk)
            await browser.close()
    print(f"{len(taken) + 2} pictures in {TO}: sign-in, {', '.join(taken)}")


if __name__ == "__main__":
    asyncio.run(main())
