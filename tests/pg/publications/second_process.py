"""Another process that watches what is published: prints each version that counts in it, with the time."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import REFUNDS, settings_for

from interlock.cases.case import Case
from interlock.cases.registry import Registry, register
from interlock.cases.workflow import workflow
from interlock.node import open_node


async def approve(case: Case) -> str:
    """Take one decision."""
    return str((await case.decide("approve", case.input)).by)


async def watch(url: str, file: str) -> None:
    """Look every ten milliseconds, a minute at most."""
    flow = register(workflow("approvals", version="1.0.0", file=file)(approve), (REFUNDS,))
    async with open_node(settings_for(url), registry=Registry([flow])) as node:
        registered = node.registry.all[0]
        reference = registered.declaration.decisions["approve"].steps[0].shares[0].component
        shown = ""
        for _ in range(6000):
            now = str(registered.library.for_tenant(node.tenant).component(reference).ref)
            if now != shown:
                print(now, time.time(), flush=True)  # noqa: T201 - the test reads it
            shown = now
            await asyncio.sleep(0.01)


asyncio.run(watch(sys.argv[1], sys.argv[2]))
