"""The load that every contender is put under: callers in a closed loop, each of which starts a case and awaits its end.

Standard library only: it runs in Interlock's environment and in that of its peers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

RunOne = Callable[[int], Awaitable[None]]


class Terms(argparse.Namespace):
    """What a contender's process is told.

    Attributes:
        url: A database of its own, as a libpq URL.
        server: Where the HTTP server is; empty: the step that would call it is as trivial as the others.
        callers: How many cases are under way at once.
        warm_up: Seconds before anything counts.
        seconds: Seconds that count.
    """

    url: str
    server: str
    callers: int
    warm_up: float
    seconds: float


def read_terms() -> Terms:
    """The command line of a contender's process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--server", default="")
    parser.add_argument("--callers", type=int, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    return parser.parse_args(namespace=Terms())


async def drive(terms: Terms, run_one: RunOne) -> None:
    """Keep so many cases under way; say when counting begins, and what was counted.

    The first line on standard output is ``{"begin": true}``; the second has the cases that ended within the time
    that counts, its length in seconds and each case's seconds from its start to its end. Then it waits for the end of
    standard input, so that whoever started it can read the processor times of all processes while they live.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    counted_from, until = began + terms.warm_up, began + terms.warm_up + terms.seconds
    took: list[float] = []
    number = 0

    async def caller() -> None:
        nonlocal number
        while (asked := time.perf_counter()) and loop.time() < until:
            number += 1
            await run_one(number)
            if counted_from <= loop.time() <= until:
                took.append(time.perf_counter() - asked)

    async def say_begin() -> None:
        await asyncio.sleep(terms.warm_up)
        _say({"begin": True})

    async def say_end() -> None:
        await asyncio.sleep(terms.warm_up + terms.seconds)
        _say({"cases": len(took), "seconds": terms.seconds, "took": took})

    await asyncio.gather(say_begin(), say_end(), *(caller() for _ in range(terms.callers)))
    await asyncio.to_thread(sys.stdin.read)


def _say(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)
