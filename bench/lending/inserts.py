"""The floor of the database: one plain INSERT of the same bytes and a durable commit each, at the same concurrency."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time

import psycopg
import uvloop
from make import application

CREATE = "create table if not exists plain (id bigint generated always as identity primary key, body bytea not null)"
INSERT = "insert into plain (body) values (%s)"


async def main(url: str, callers: int, warm_up: float, seconds: float) -> None:
    """Insert in a closed loop; print inserts a second as JSON."""
    dice = random.Random(7)
    bodies = [json.dumps(application(dice, number)).encode() for number in range(500)]
    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(callers)]
    await connections[0].execute(CREATE)
    counted_from = time.perf_counter() + warm_up
    ends = counted_from + seconds
    done = 0

    async def call(connection: psycopg.AsyncConnection[tuple[object, ...]], number: int) -> None:
        nonlocal done
        while (now := time.perf_counter()) < ends:
            await connection.execute(INSERT, (bodies[number % len(bodies)],))
            done += now >= counted_from
            number += 1

    await asyncio.gather(*(call(one, number) for number, one in enumerate(connections)))
    print(json.dumps({"per_s": done / seconds}))
    for connection in connections:
        await connection.close()


if __name__ == "__main__":
    read = argparse.ArgumentParser()
    read.add_argument("--url", required=True)
    read.add_argument("--callers", type=int, required=True)
    read.add_argument("--warm-up", type=float, required=True)
    read.add_argument("--seconds", type=float, required=True)
    terms = read.parse_args()
    uvloop.run(main(terms.url, terms.callers, terms.warm_up, terms.seconds))
