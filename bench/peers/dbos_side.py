"""DBOS under the load: the same four steps, each recorded durably, called the way its documentation calls them."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio

import httpx
from dbos import DBOS, DBOSConfig, SetWorkflowID
from load import Terms, drive, read_terms


async def main(terms: Terms) -> None:
    """One process, one connection pool of as many connections as there are callers."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": terms.url,
        "sys_db_pool_size": terms.callers,
        "log_level": "ERROR",
        "run_admin_server": False,
    }
    DBOS(config=config)
    client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=100, max_keepalive_connections=100))

    @DBOS.step()
    async def plus_one(number: int) -> int:
        return number + 1

    @DBOS.step()
    async def pay(number: int) -> str:
        if not terms.server:
            return f"p-{number}"  # a trivial step as the others are
        body = {"to": "Ana", "amount": "1.00"}
        headers = {"Idempotency-Key": f"bench-{number}"}
        answer = await client.post(f"{terms.server}/payments", json=body, headers=headers)
        return answer.raise_for_status().json()["id"]

    @DBOS.workflow()
    async def four(number: int) -> str:
        first = await plus_one(number)
        second = await plus_one(first)
        paid = await pay(number)
        await plus_one(second)
        return paid

    DBOS.launch()

    async def run_one(number: int) -> None:
        with SetWorkflowID(f"bench-{number}"):
            await four(number)

    try:
        await drive(terms, run_one)
    finally:
        await client.aclose()
        DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(read_terms()))
