"""LangGraph under the load: the same four steps as nodes, each checkpointed before the next (durability "sync")."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import TypedDict

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from load import Terms, drive, read_terms
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool


class Order(TypedDict):
    """The state that the graph keeps."""

    number: int
    count: int
    paid: str


async def main(terms: Terms) -> None:
    """One process, one connection pool of as many connections as there are callers."""
    client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=100, max_keepalive_connections=100))

    async def plus_one(state: Order) -> dict[str, object]:
        return {"count": state["count"] + 1}

    async def pay(state: Order) -> dict[str, object]:
        if not terms.server:
            return {"paid": f"p-{state['number']}"}  # a trivial node as the others are
        body = {"to": "Ana", "amount": "1.00"}
        headers = {"Idempotency-Key": f"bench-{state['number']}"}
        answer = await client.post(f"{terms.server}/payments", json=body, headers=headers)
        return {"paid": answer.raise_for_status().json()["id"]}

    graph = StateGraph(Order)
    names = ["first", "second", "pay", "last"]
    for name in names:
        graph.add_node(name, pay if name == "pay" else plus_one)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)

    pool = AsyncConnectionPool(
        terms.url,
        min_size=terms.callers,
        max_size=terms.callers,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        open=False,
    )
    async with pool, client:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        four = graph.compile(checkpointer=saver)

        async def run_one(number: int) -> None:
            order: Order = {"number": number, "count": number, "paid": ""}
            await four.ainvoke(order, {"configurable": {"thread_id": f"bench-{number}"}}, durability="sync")

        await drive(terms, run_one)


if __name__ == "__main__":
    asyncio.run(main(read_terms()))
