"""One consumer of a NATS JetStream, as it ships: it decides applications, or only acknowledges them, as its floor.

It publishes the messages first, takes them all, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import nats
import uvloop
from make import application
from workflow import lending

from interlock.cases.registry import Registry, register
from interlock.config import Settings
from interlock.node import Node, open_node
from interlock.stream_settings import StreamSettings
from interlock.streams.consumer import Consumer
from interlock.streams.delivery import Delivery
from interlock.streams.intake import find_target
from interlock.streams.source import Takes, make_source

POINT = "lending.approve"
DIFFERENT = 500
PATIENCE_S = 120.0


class Acknowledging:
    """Takes messages and acknowledges them at once."""

    def __init__(self) -> None:
        self.done = 0

    async def take(self, delivery: Delivery) -> None:
        """Take one."""
        await delivery.acknowledge()
        self.done += 1

    async def finish(self, delivery: Delivery) -> None:
        """Take one."""
        await self.take(delivery)


async def publish(server: str, name: str, messages: int) -> None:
    """Make a stream and fill it."""
    dice = random.Random(messages)
    applications = [json.dumps(application(dice, number)) for number in range(DIFFERENT)]
    library = cast("Any", nats)
    client = await library.connect(server)
    jetstream: Any = client.jetstream()
    await jetstream.add_stream(name=name, subjects=[name.lower()])
    for number in range(messages):
        head = f'{{"specversion":"1.0","id":"{number}","source":"/bench/{name}","type":"application.made","data":'
        await client.publish(name.lower(), (head + applications[number % DIFFERENT] + "}").encode())
    await client.flush(timeout=30)
    while (await jetstream.stream_info(name)).state.messages < messages:  # noqa: ASYNC110 - it is the server that waits
        await asyncio.sleep(0.05)
    await client.close()


async def consume(
    node: Node, server: str, name: str, messages: int, concurrency: int, *, floor: bool
) -> dict[str, Any]:
    """Take all messages of a stream; how long it took, and the processor time of this process."""
    settings = StreamSettings(
        name="bench", broker="nats", url=server, subject=name.lower(), target=POINT, stream=name,
        concurrency=concurrency, ack_wait=timedelta(seconds=60),
    )  # fmt: skip
    acknowledging = Acknowledging()
    consumer = Consumer(
        "bench", node.tools, node.tenant, find_target(node.registry, POINT), caller="bench", concurrency=concurrency
    )
    takes: Takes = acknowledging if floor else consumer
    source = make_source(settings, takes, {})
    began, used = time.perf_counter(), _processor_s()
    await source.start()
    async with asyncio.timeout(PATIENCE_S):
        while (acknowledging.done if floor else consumer.tally.done) < messages:  # noqa: ASYNC110 - of what ships, nothing tells
            await asyncio.sleep(0.005)
    took, used = time.perf_counter() - began, _processor_s() - used
    await source.stop_fetching()
    await source.close()
    return {"messages": messages, "seconds": took, "processor_seconds": used, "quarantined": consumer.tally.quarantined}


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(terms: argparse.Namespace) -> None:
    """Publish, consume, print."""
    registry = Registry([register(lending, roots=(terms.made,))])
    name = f"BENCH{terms.run}"
    await publish(terms.server, name, terms.messages)
    async with open_node(Settings(database_url=terms.url), registry=registry) as node:
        print(json.dumps(await consume(node, terms.server, name, terms.messages, terms.concurrency, floor=terms.floor)))


if __name__ == "__main__":
    read = argparse.ArgumentParser()
    read.add_argument("--url", required=True)
    read.add_argument("--server", required=True)
    read.add_argument("--made", type=Path, required=True)
    read.add_argument("--run", required=True)
    read.add_argument("--messages", type=int, required=True)
    read.add_argument("--concurrency", type=int, required=True)
    read.add_argument("--floor", action="store_true")
    uvloop.run(main(read.parse_args()))
