"""Walking over the console's pages: a site with real work in it, and a crawl along every link."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
from tests.console.visiting import refund_orders
from tests.pg.stage import REFUNDS, Stage, declared, payments, stage

from interlock.api.serve import serving
from interlock.cases.publishing import publish_contract, publish_rules
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.console.app import create_site
from interlock.guards.stops import resume, stop

SCRIPT = "<script>alert('x')</script>"
"""What stands in every field that somebody may write."""
_HREF = re.compile(r'href="([^"]+)"')
MOST_PAGES = 400


@dataclass(frozen=True, slots=True)
class Work:
    """A site with work in it.

    Attributes:
        on: The stage, with its node.
        url: Where the site listens.
        paid: A case that is done.
        waiting: A case that waits for a person.
        held: A case whose input is in quarantine.
        decision: The decision of the paid case.
        action: Its payment.
        quarantine: What is held of the third.
        stop: A stop that was lifted.
    """

    on: Stage
    url: str
    paid: UUID
    waiting: UUID
    held: UUID
    decision: UUID
    action: UUID
    quarantine: UUID
    stop: UUID

    @property
    def ids(self) -> dict[str, str]:
        """What stands in the addresses of pages."""
        names = ("paid", "waiting", "held", "decision", "action", "quarantine", "stop")
        return {name: str(getattr(self, name)) for name in names}


@asynccontextmanager
async def working_site(
    database_url: str, folder: Path, provider_url: str, *, also: Sequence[Registered] = ()
) -> AsyncGenerator[Work]:
    """Cases in several states, a published table, a stop that was lifted; script wherever somebody may write."""
    flows = [declared(refund_orders, folder), *also]
    async with stage(database_url, flows, connectors=[payments(provider_url)]) as on:
        paid = await on.submit(key=f"k1 {SCRIPT}", customer=SCRIPT)
        waiting = await on.submit(key="k2", amount="250.00", customer=SCRIPT)
        held = await on.submit(key="k3", amount=SCRIPT)
        await on.until(paid)
        await on.until(waiting, CaseState.WAITING)
        node = on.node
        rules = (REFUNDS / "components" / "approve-refund@1.rules.json").read_bytes()
        await publish_rules(
            node.database, node.writer, node.registry, node.tenant, rules, "content", who=SCRIPT, why=f"first {SCRIPT}"
        )
        promised = (REFUNDS / "contracts" / "refund-request@1.odcs.yaml").read_bytes()
        await publish_contract(
            node.database, node.writer, node.registry, node.tenant, promised, "contract", who="ana", why=SCRIPT
        )
        made = await stop(
            node.database, node.writer, node.tenant, scope="connector:payments", who=SCRIPT, why=f"a look {SCRIPT}"
        )
        await resume(node.writer, node.tenant, made.id, who="ana", why=SCRIPT)
        done, wrong = await on.record(paid), await on.record(held)
        async with serving(create_site(node), "127.0.0.1", 0) as url:
            yield Work(
                on, url, paid, waiting, held, done.decisions[0].id, done.actions[0].id, wrong.quarantines[0].id, made.id
            )


async def crawl(http: httpx.AsyncClient, start: str, *, within: tuple[str, ...]) -> dict[str, httpx.Response]:
    """Every page of these folders that links lead to, by its address."""
    found: dict[str, httpx.Response] = {}
    left = [start]
    while left:
        path = left.pop(0)
        if path in found:
            continue
        if len(found) >= MOST_PAGES:
            raise AssertionError(f"more than {MOST_PAGES} pages: {list(found)[-5:]}")
        answer = found[path] = await http.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            left += [link for link in links_of(answer.text) if link.startswith(within) or link == "/console"]
    return found


def links_of(text: str) -> list[str]:
    """The addresses of a page's links, without the part after ``#``."""
    return list(dict.fromkeys(html.unescape(one).partition("#")[0] for one in _HREF.findall(text)))
