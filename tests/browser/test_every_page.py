"""Every page: nothing that axe-core finds, light and dark; whole at 200 % zoom; in an order that is read aloud well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.browser.axe import violations
from tests.console.busy import Busy, busy_site
from tests.console.route_table import ways_of

from interlock.console.visit import COOKIE
from interlock.sim import SimulatedProvider

# ruff: noqa: E501 - what is asked of the page is a script of its own
pytestmark = pytest.mark.asyncio(loop_scope="session")
COLOURS = ("color-contrast", "link-in-text-block")
"""What another theme may break; all else is the same in both."""
NO_PAGES = (
    "/record", "/body", "/live", "/list", "/views", "/decided", "/strip", "/now", "/standing", "/session", "/checkpoint",
    "/console/assets/", "/console/present/", "/console/proofs/", "/console/breaks/closes/", "/sign-in/with/",
    "/sign-in/back/", "/console/autonomy/{name:str}", "/console/autonomy/{name:str}/anew", "/console/breaks",
)  # fmt: skip
"""Parts of pages and files; pages that are on another site, and are looked at there: test_autonomy_page, test_pages."""
NAMES = {
    "/console/workflows/": {"name": "refund_orders"},
    "/console/value/": {"name": "refund_orders"},
    "/console/contracts/": {"name": "refund-request", "version": "1.0.0"},
    "/console/rules/": {"name": "approve-refund", "version": "1", "old": "1"},
}
"""What pages of one thing are called by, by where they begin."""
REFUSED = ("/console/cases/00000000-0000-0000-0000-000000000000", "/console/queue?confidence_from=abc")
ASKED = (
    "/console/stops/new?scope=workflow:refund_orders", "/console/decisions?where=exposure", "/console/queue?kind=review",
    "/console/value/refund_orders?behind=cases",
)  # fmt: skip
LOOKED = """() => {
  const told = [], all = what => [...document.querySelectorAll(what)];
  const levels = all("h1, h2, h3, h4, h5, h6").filter(one => one.checkVisibility()).map(one => Number(one.tagName[1]));
  if (levels.filter(one => one === 1).length !== 1) told.push("not one h1");
  levels.forEach((one, at) => { if (at && one > levels[at - 1] + 1) told.push(`h${levels[at - 1]} is followed by h${one}`); });
  if (all("main").length !== 1) told.push("not one main");
  if (!document.querySelector("body.bare, .refused") && (!all("body > header").length || !all("nav[aria-label]").length)) told.push("landmarks");
  for (const one of all("img")) if (!one.hasAttribute("alt")) told.push(`no alt: ${one.src}`);
  for (const one of all("main svg")) {
    const named = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.querySelector("title");
    if (!one.closest("[aria-hidden=true]") && !named) told.push(`a drawing without a name: ${one.outerHTML.slice(0, 80)}`);
  }
  for (const one of all("main td, main tbody th")) {
    const box = one.getBoundingClientRect();
    if (box.width && one.innerText.trim().length > 4 && box.width < 45) told.push(`smeared: ${one.outerHTML.slice(0, 100)}`);
  }
  for (const one of all("[tabindex]")) if (one.tabIndex > 0) told.push("an order of its own");
  return told;
}"""
CUT = """() => {
  const told = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) told.push(`the page scrolls sideways: ${document.documentElement.scrollWidth}`);
  const scrolls = one => { for (let at = one.parentElement; at; at = at.parentElement) if (/(auto|scroll)/.test(getComputedStyle(at).overflowX)) return true; return false; };
  for (const one of document.querySelectorAll("main :is(h1, h2, h3, p, a, button, input, select, textarea, dd, td, th, summary)")) {
    if (!one.checkVisibility() || one.closest(".hidden-visually, .skip") || scrolls(one)) continue;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (box.width && (box.right > width + 1 || box.left < -1)) told.push(`outside: ${one.outerHTML.slice(0, 100)}`);
    if (style.overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1 && style.textOverflow !== "ellipsis" && !one.matches("input, select")) told.push(`cut: ${one.outerHTML.slice(0, 100)}`);
  }
  return told.slice(0, 5);
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def busy(database_url: str, tmp_path: Path, provider: SimulatedProvider) -> AsyncIterator[Busy]:
    """A site with one of everything."""
    async with busy_site(database_url, tmp_path, provider.url) as found:
        yield found


async def test_every_page_is_sound_in_both_themes_and_at_twice_the_size(busy: Busy, browser: Browser) -> None:
    ways = [way for way in ways_of(busy.work.on.node) if not way.changes and not way.path.endswith(NO_PAGES)]
    ways = [way for way in ways if not any(one in way.path for one in NO_PAGES if one.endswith("/"))]
    filled = [way.fill({**busy.ids, **_names(way.path)}) for way in ways]
    window = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    errors: list[str] = []
    wrong: dict[str, list[str]] = {}
    try:
        page = await window.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        await _look(page, f"{busy.work.url}/console/sign-in", wrong)
        await window.add_cookies([{"name": COOKIE, "value": busy.ana.secret, "url": busy.work.url}])
        for path in dict.fromkeys((*filled, *ASKED, *REFUSED)):
            if path != "/console/sign-in":
                await _look(page, busy.work.url + path, wrong, refused=path in REFUSED)
        await page.goto(f"{busy.work.url}/console/reviews/{busy.ids['review_id']}")
        await _tab_through(page, wrong)
    finally:
        await window.close()
    assert len(filled) > 30
    assert wrong == {}
    assert errors == []


def _names(path: str) -> dict[str, str]:
    return {name: one for begin, names in NAMES.items() if path.startswith(begin) for name, one in names.items()}


async def _look(page: Page, url: str, wrong: dict[str, list[str]], *, refused: bool = False) -> None:
    """One page in light and in dark, and at 200 %: the width of half the screen."""
    answer = await page.goto(url, wait_until="domcontentloaded")
    found = [] if answer and answer.ok is not refused else [f"is answered by {answer and answer.status}"]
    found += [*await violations(page), *await page.evaluate(LOOKED)]
    await page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in await violations(page, only=COLOURS)]
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 640, "height": 400})
    found += [f"at 200 %: {one}" for one in await page.evaluate(CUT)]
    await page.set_viewport_size({"width": 1280, "height": 800})
    if found:
        wrong[url.partition("/console")[2]] = found


async def _tab_through(page: Page, wrong: dict[str, list[str]]) -> None:
    """Whether Tab comes to everything that can be used, in the order in which it stands, and out again."""
    expected = await page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
          .filter(one => one.checkVisibility() && !one.disabled && one.tabIndex >= 0 && one.type !== "radio")
          .map((one, at) => { one.dataset.stop = at; return at; })"""
    )
    reached: list[int] = []
    for _ in range(len(expected) + 30):
        await page.keyboard.press("Tab")
        at = await page.evaluate(
            "document.activeElement.dataset.stop ?? (document.activeElement === document.body ? 'end' : '')"
        )
        if at == "end" or (at == "0" and reached):
            break
        if at:
            reached.append(int(at))
    if reached != expected:
        wrong["the order of Tab"] = [f"{reached} instead of {expected}"]
