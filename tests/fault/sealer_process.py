"""A sealer in a process of its own, which kills itself at one of its writes, the nth time that it comes there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from interlock.clock import Clock
from interlock.ledger import seal, store
from interlock.ledger.checkpoint import Checkpoint
from interlock.ledger.keys import kept_key
from interlock.ledger.publish import HISTORY, Outside

POINTS = (
    "before the batch", "before its commit", "after its commit", "before keeping", "after keeping", "in the history",
    "before the newest", "after publishing",
)  # fmt: skip


def die_at(point: str, times: int) -> Callable[[str], None]:
    """What ends the process when it has come to a point so many times."""
    left = times

    def come(where: str) -> None:
        nonlocal left
        if where == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return come


def arm(come: Callable[[str], None]) -> None:
    """Have every write say where the process is."""
    snapshot, seal_once, keep, publish, replace = (
        store.snapshot, seal.seal_once, seal.KEEP_CHECKPOINT.one, Outside.publish, Path.replace
    )  # fmt: skip

    @contextlib.asynccontextmanager
    async def cut_snapshot(connection: AsyncConnection[Any]) -> AsyncGenerator[None]:
        come("before the batch")
        async with snapshot(connection):
            yield
            come("before its commit")

    async def cut_seal(connection: AsyncConnection[Any], most: int = 100) -> Any:
        found = await seal_once(connection, most)
        if found and found.sealed:
            come("after its commit")
        return found

    async def cut_keep(connection: AsyncConnection[Any], parameters: Any = None) -> Any:
        come("before keeping")
        kept = await keep(connection, parameters)
        come("after keeping")
        return kept

    def cut_publish(self: Outside, checkpoint: Checkpoint, note: str, at: datetime) -> Checkpoint:
        if POINT == "in the history":
            folder = self.folder / HISTORY
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{at:%Y-%m-%d}.jsonl").open("ab") as file:
                file.write(b'{"at":"2026-')
            come("in the history")
        newest = publish(self, checkpoint, note, at)
        come("after publishing")
        return newest

    def cut_replace(self: Path, target: Any) -> Path:
        come("before the newest")
        return replace(self, target)

    store.snapshot = cut_snapshot
    seal.seal_once = cut_seal
    seal.KEEP_CHECKPOINT.one = cut_keep  # pyright: ignore[reportAttributeAccessIssue] - the test's cut
    Outside.publish = cut_publish
    Path.replace = cut_replace


async def work(url: str, folder: Path, key: Path) -> None:
    """Seal until the process ends."""
    terms = seal.LedgerTerms((kept_key(key, "x.example/log"),), folder)
    seal.SIGN_EVERY_S = seal.SEAL_EVERY_S = 0.02
    seal.STAND_BY_S = 0.05
    async with seal.Sealer(url, Clock(), terms):
        print("ready", flush=True)  # noqa: T201 - the test reads it
        await asyncio.sleep(60)


POINT = sys.argv[4] if __name__ == "__main__" else ""
if __name__ == "__main__":
    arm(die_at(POINT, int(sys.argv[5])))
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
