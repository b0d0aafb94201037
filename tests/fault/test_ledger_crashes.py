"""The sealer is killed at each of its writes, and started twice at once: no gap, no duplicate, no fork."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

sys.path.insert(0, str(Path(__file__).parent))
from sealer_process import POINTS
from tests.dying import dying

from interlock.clock import Clock
from interlock.db.database import connect_service
from interlock.ledger.audit import audit_tree
from interlock.ledger.keys import kept_key
from interlock.ledger.publish import Outside

SCRIPT = Path(__file__).with_name("sealer_process.py")
ADD = (
    "insert into interlock.ledger_entry (id, tenant, kind, subject, at, body) "
    "select id, %s, 'test.made', id, now(), '{}' from unnest(%s::uuid[]) id"
)
TENANT = UUID(int=7)
COUNT = (
    "select (select count(*) from interlock.ledger_entry), count(*), coalesce(max(index) + 1, 0), "
    "(select size from interlock.ledger_head) from interlock.ledger_leaf"
)


@contextmanager
def producing(url: str) -> Generator[None]:
    """Entries are written all the while, some of them committed late."""
    done = threading.Event()

    def produce(seed: int) -> None:
        clock = Clock()
        with psycopg.connect(url) as connection:
            while not done.is_set():
                connection.execute(ADD, (TENANT, [clock.new_id() for _ in range(3)]))
                time.sleep(0.02 * seed)
                connection.commit()

    threads = [threading.Thread(target=produce, args=(seed,)) for seed in (1, 4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def start(url: str, folder: Path, point: str = "", times: int = 1) -> subprocess.Popen[str]:
    """A sealer that kills itself at a point; without one it goes on."""
    process = subprocess.Popen(
        dying(sys.executable, str(SCRIPT), url, str(folder / "out"), str(folder / "key"), point, str(times)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """At once."""
    with process:
        process.kill()


async def check(url: str, folder: Path) -> None:
    """Every entry has one place, everything that was signed and published is of this tree, and no line is damaged."""
    with psycopg.connect(url) as admin:
        row: tuple[Any, ...] | None = admin.execute(COUNT).fetchone()
    assert row is not None
    assert row[0] == row[1] == row[2] == row[3]
    published = Outside(folder / "out").all()
    connection = await connect_service(url)
    found = await audit_tree(connection, [kept_key(folder / "key", "x.example/log").verifier], published=published)
    await connection.close()
    assert found.faults == []
    assert found.checkpoints >= len(published) > 0


async def test_killed_at_any_write_the_next_goes_on_from_there(database_url: str, tmp_path: Path) -> None:
    kept_key(tmp_path / "key", "x.example/log")
    with producing(database_url):
        for turn, point in enumerate(POINTS):
            with start(database_url, tmp_path, point, 1 + turn % 2) as process:
                assert process.wait(timeout=20) == -9, point
    last = start(database_url, tmp_path)
    wait_for_all(database_url, tmp_path)
    kill(last)
    await check(database_url, tmp_path)


async def test_started_twice_and_killed_in_turn_they_seal_one_tree(database_url: str, tmp_path: Path) -> None:
    kept_key(tmp_path / "key", "x.example/log")
    with producing(database_url):
        running = [start(database_url, tmp_path) for _ in range(2)]
        for _ in range(3):
            await asyncio.sleep(0.3)
            kill(running.pop(0))
            running.append(start(database_url, tmp_path))
    wait_for_all(database_url, tmp_path)
    for process in running:
        kill(process)
    await check(database_url, tmp_path)


def wait_for_all(url: str, folder: Path) -> None:
    """Until every entry is sealed and the newest checkpoint published."""
    with psycopg.connect(url, autocommit=True) as admin:
        for _ in range(200):
            row: tuple[Any, ...] | None = admin.execute(COUNT).fetchone()
            newest = folder / "out" / "checkpoint"
            if row and row[0] == row[3] and newest.exists() and newest.read_text().split("\n")[1] == str(row[3]):
                return
            time.sleep(0.05)
    raise AssertionError("not all was sealed and published in ten seconds")
