"""Takes and reads decisions in a process of its own, as the API does behind its door, whenever it is told to.

Each line of standard input is an order, ``decide 1000``: so many at once are under way until all are done. The answer
is a line of JSON: processor time of this process and time on the wall, in microseconds each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import uvloop
from make import application
from workflow import lending

from interlock.api.deciding import answer_decision
from interlock.api.keys import Caller, Scope
from interlock.cases.registry import Registry, register
from interlock.config import Settings
from interlock.decisions.decide import find_decision
from interlock.decisions.store import FIND_KEY
from interlock.node import Node, open_node

AT_ONCE, READ_AT_ONCE = 64, 8
VARIETY = 997
SPREAD = 40_000
"""So many of the stored decisions take turns in being read: their pages are many more than those of a few rounds."""
KEYS = "select k.holder, k.digest from interlock.idempotency_key k order by random() limit %s"


class Verbs:
    """What this process can be told to do.

    Args:
        node: The process's node.
        run: Makes its keys its own.
        stored: Ids and key digests of stored decisions, in no order.
    """

    def __init__(self, node: Node, run: str, stored: list[tuple[UUID, UUID]]) -> None:
        self._node = node
        self._run = run.encode()
        self._stored = stored
        dice = random.Random(3)
        self._inputs = [json.dumps(application(dice, number)).encode() for number in range(VARIETY)]
        self._caller = Caller(
            id=node.tenant, tenant=node.tenant, tenant_name="default", name="bench", scopes=(Scope.ADMIN,)
        )

    async def decide(self, number: int) -> None:
        """Take the decision of this number."""
        given = self._inputs[number % VARIETY]
        body = b'{"point":"lending.approve","key":"%s%d","input":%s}' % (self._run, number, given)
        await answer_decision(self._node, self._caller, body, header_key="", trace="t")

    async def read(self, number: int) -> None:
        """Read a stored decision by its id."""
        holder, _ = self._stored[number % len(self._stored)]
        await find_decision(self._node.database, self._node.tenant, holder)

    async def find(self, number: int) -> None:
        """Find who holds a key."""
        holder, digest = self._stored[number % len(self._stored)]
        async with self._node.database.tenant(self._node.tenant) as connection:
            held = await FIND_KEY.one(connection, {"digest": digest})
        if held is None or held.holder != holder:
            raise SystemExit(f"the key of {holder} was not found")


async def obey(verbs: Verbs) -> None:
    """Carry out orders until standard input ends."""
    known: dict[str, tuple[Callable[[int], Awaitable[None]], int]] = {
        "decide": (verbs.decide, AT_ONCE),
        "read": (verbs.read, READ_AT_ONCE),
        "find": (verbs.find, READ_AT_ONCE),
    }
    begun = dict.fromkeys(known, 0)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, count = line.split()
        verb, at_once = known[name]
        numbers = iter(range(begun[name], begun[name] + int(count)))
        begun[name] += int(count)

        async def caller(verb: Callable[[int], Awaitable[None]] = verb, numbers: Iterator[int] = numbers) -> None:
            for number in numbers:
                await verb(number)

        before = time.process_time(), time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(at_once)))
        cpu, wall = time.process_time() - before[0], time.perf_counter() - before[1]
        print(json.dumps({"cpu_us": cpu / int(count) * 1e6, "wall_us": wall / int(count) * 1e6}), flush=True)


async def main(url: str, made: Path, run: str) -> None:
    """Open the node and wait for orders; a first line says that it is ready."""
    with psycopg.connect(url) as admin:
        stored = [(UUID(str(holder)), UUID(str(digest))) for holder, digest in admin.execute(KEYS, (SPREAD,))]
    registry = Registry([register(lending, roots=(made,))])
    async with open_node(Settings(database_url=url), registry=registry) as node:
        print("ready", flush=True)
        await obey(Verbs(node, run, stored))


if __name__ == "__main__":
    read = argparse.ArgumentParser()
    read.add_argument("--url", required=True)
    read.add_argument("--made", type=Path, required=True)
    read.add_argument("--run", required=True, help="makes the keys of this run its own")
    terms = read.parse_args()
    uvloop.run(main(terms.url, terms.made, terms.run))
