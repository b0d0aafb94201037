"""A process that decides rows of a table for the one that reads it, as `interlock decide --processes` starts it.

Speaks over its pipes: the first line of standard input is a greeting; then whole parts come as messages, and what
became of each goes back as one, in whatever order they end. The end of the pipe is the end. It dies with its parent,
whatever ends that one: what it has committed is found again by its keys.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from io import FileIO

import msgspec

from interlock.batch.hands import Hands
from interlock.batch.wire import HEADER, Greeting, message, pack_outcomes, unpack_rows
from interlock.cases.in_line import find_point
from interlock.cli.screen import tell_error
from interlock.cli.serving import die_with
from interlock.cli.session import begin_logging, read_settings, run_loop
from interlock.config import Settings
from interlock.errors import InterlockError
from interlock.node import open_node


def main() -> None:
    """Decide until the end of the pipe, or the parent's."""
    die_with(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a model's code prints belongs into no message
    parts = os.fdopen(0, "rb", buffering=0)  # so that nothing is read ahead of the loop
    greeting = msgspec.json.decode(parts.readline(), type=Greeting)
    try:
        settings = replace(read_settings(greeting.flags), connectors={})
        begin_logging(settings, quiet=True)
        run_loop(lambda: _work(settings, greeting, parts, answers))
    except InterlockError as cause:
        tell_error(cause)
        sys.exit(cause.exit_code)


async def _work(settings: Settings, greeting: Greeting, pipe: FileIO, answers: FileIO) -> None:
    loop = asyncio.get_running_loop()
    parts = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(parts), pipe)
    async with open_node(settings) as node:
        named = find_point(node.registry, greeting.point, where="POINT")
        hands = Hands(
            node.tools.decider, greeting.tenant, named,
            contract=greeting.contract, caller=greeting.caller, run=greeting.run, margin=greeting.margin,
        )  # fmt: skip
        speaking = asyncio.Lock()
        await _answer(answers, b"\n", speaking)
        async with asyncio.TaskGroup() as tasks:
            while part := await _next(parts):
                tasks.create_task(_decide(hands, *part, answers, speaking))


async def _next(parts: asyncio.StreamReader) -> tuple[int, bytes] | None:
    try:
        number, length = HEADER.unpack(await parts.readexactly(HEADER.size))
        return number, await parts.readexactly(length)
    except asyncio.IncompleteReadError:
        return None


async def _decide(hands: Hands, number: int, data: bytes, answers: FileIO, speaking: asyncio.Lock) -> None:
    try:
        packed = pack_outcomes(await hands.decide(unpack_rows(data)))
    except Exception as cause:  # noqa: BLE001 - whoever asked is told, whatever it is
        packed = pack_outcomes(cause)
    await _answer(answers, message(number, packed), speaking)


async def _answer(answers: FileIO, data: bytes, speaking: asyncio.Lock) -> None:
    async with speaking:
        await asyncio.to_thread(_write, answers, data)


def _write(answers: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[answers.write(rest) :]


if __name__ == "__main__":
    main()
