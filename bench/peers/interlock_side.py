"""Interlock under the load: three steps and an action, with ledger entries, limits and a rate."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
import uvloop
from load import Terms, drive, read_terms

from interlock import Case, Money, workflow
from interlock.cases.registry import Registry, register
from interlock.cases.submit import submit
from interlock.config import Settings
from interlock.connector_settings import ConnectorSettings
from interlock.db.database import connect_service
from interlock.db.signals import Notifier
from interlock.node import open_node

ENDED = "select id, state::text from interlock.cases where id = any(%s) and state in ('done', 'exception', 'cancelled')"
POLL_S = 0.25


def plus_one(number: int) -> int:
    """A trivial step."""
    return number + 1


@workflow("four", version="1.0.0", file=Path(__file__).with_name("four.workflow.yaml"))
async def four(case: Case) -> str:
    """Four recorded steps, one of them an action."""
    number = await case.step("first", plus_one, case.input["number"])
    number = await case.step("second", plus_one, number)
    paid = await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key)
    await case.step("last", plus_one, number)
    return str(paid["id"])


class Ends:
    """Tells callers that their cases have ended: woken as any waiting client is, and looking besides."""

    def __init__(self, url: str, tenant: UUID, notifier: Notifier) -> None:
        self._url = url
        self._tenant = tenant
        self._awaited: dict[UUID, asyncio.Future[str]] = {}
        self._news = asyncio.Event()
        notifier.listen("done", self._news.set)

    async def of(self, case_id: UUID) -> str:
        """Wait for a case's end; its state."""
        self._awaited[case_id] = asyncio.get_running_loop().create_future()
        return await self._awaited[case_id]

    async def watch(self) -> None:
        """Look after each wake, until it is cancelled."""
        async with await connect_service(self._url) as connection:
            await connection.execute("select set_config('app.tenant', %s, false)", (str(self._tenant),))
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._news.wait()
                self._news.clear()
                await self._look(connection)

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        cursor = await connection.execute(ENDED, (list(self._awaited),))
        for case_id, state in await cursor.fetchall():
            self._awaited.pop(case_id).set_result(state)


async def main(terms: Terms) -> None:
    """One node with one worker."""
    pay = {"method": "POST", "path": "/payments", "body": {"to": "{to}", "amount": "{amount.amount}"}}
    payments = ConnectorSettings(
        name="payments",
        url=terms.server,
        simulated=True,
        honours_keys=True,
        key_retention=timedelta(days=1),
        max_request_life=timedelta(seconds=1),
        operations={"pay": pay},
    )
    settings = Settings(
        database_url=terms.url, concurrency=terms.callers, connectors=MappingProxyType({"payments": payments})
    )
    flow = register(four)
    async with open_node(settings, registry=Registry([flow])) as node, node.worker():
        ends = Ends(terms.url, node.tenant, node.notifier)
        watching = asyncio.create_task(ends.watch())

        async def run_one(number: int) -> None:
            data = json.dumps({"number": number}).encode()
            taken = await submit(node.writer, node.tenant, flow, key=f"bench-{number}", data=data)
            state = await ends.of(taken.case_id)
            if state != "done":
                raise SystemExit(f"case {taken.case_id} ended as {state}")

        await drive(terms, run_one)
        watching.cancel()


if __name__ == "__main__":
    uvloop.run(main(read_terms()))  # as `interlock up` runs its workers
