"""Accessibility: what axe-core finds on a page.

The rules are run over the driver's own channel (``Runtime.evaluate``), since the console's content security policy lets
no script in that is not its own, and a test does not loosen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

from playwright.async_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""Those that are looked at, by axe-core's tags."""


async def violations(page: Page, *, within: str = "", only: Sequence[str] = ()) -> list[str]:
    """What axe-core finds wrong, a line for each rule and element; a clean page gives an empty list.

    Args:
        page: What is before the person now.
        within: A CSS selector: only what is in it.
        only: The ids of the rules that are run; empty: all of ``RULES``.
    """
    channel = await page.context.new_cdp_session(page)
    try:
        await _run(channel, _source(), wait=False)
        where = "document" if not within else f"document.querySelector({within!r})"
        run = f"{{type: 'rule', values: {list(only)!r}}}" if only else f"{list(RULES)!r}"
        asked = f"axe.run({where}, {{runOnly: {run}, resultTypes: ['violations']}})"
        told = f"{asked}.then(found => JSON.parse(JSON.stringify(found.violations)))"
        found = cast("list[dict[str, Any]]", await _run(channel, told, wait=True))
    finally:
        await channel.detach()
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:160]} [{_why(node)[:200]}]"
        for rule in found
        for node in rule["nodes"]
    ]


async def in_both_themes(page: Page, *, within: str = "") -> list[str]:
    """What is wrong in the light theme and in the dark one."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {one}" for one in await violations(page, within=within)]
    return found


def _why(node: dict[str, Any]) -> str:
    return str(node.get("failureSummary", "")).replace("\n", " ")


async def _run(channel: Any, expression: str, *, wait: bool) -> Any:
    answer = await channel.send(
        "Runtime.evaluate",
        {"expression": expression, "awaitPromise": wait, "returnByValue": wait, "allowUnsafeEvalBlockedByCSP": True},
    )
    if "exceptionDetails" in answer:
        raise AssertionError(f"axe-core could not run: {answer['exceptionDetails']}")
    return answer["result"].get("value")


@cache
def _source() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()
