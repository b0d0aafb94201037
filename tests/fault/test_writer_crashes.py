"""Kill -9 of writers and of the server, and cut wires: what was acknowledged is there once, what was refused is not.

Each writer is a process of its own (this file, run as a script) that notes every answer in a file before it goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psutil
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.dying import dying

from interlock.clock import Clock
from interlock.db.batch import Batch
from interlock.db.database import Database
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.gates import CaseGate, HoldsCase, KeyGate, TakesKey, short_digest
from interlock.db.migrate import migrate
from interlock.db.queries import Bulk
from interlock.db.signals import Notifier, wake_case
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, WorkFailed
from interlock.ledger.ledger import first_entry

SECONDS = 12.0
TENANTS = 3
CASES = 60
CLIENTS = 24


class Attempt(msgspec.Struct, frozen=True):
    """A second row of a unit, so that a torn unit shows."""

    action_id: UUID
    tenant: UUID
    number: int


ADD_ATTEMPTS = Bulk(
    "test.add_attempts",
    "insert into attempt (action_id, tenant, number, worker, sent_at) select action_id, tenant, number, 1, now() "
    "from json_to_recordset(%(rows)s::json) as r (action_id uuid, tenant uuid, number int)",
    Attempt,
    ("action_id", "number"),
)


class SocketGate:
    """Lets everything pass, and keeps the number of the socket, so that the writer's wire can be cut."""

    socket = -1

    async def admit(self, batch: Batch) -> None:
        """Look."""
        self.socket = batch.connection.fileno()

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""

    def cut(self) -> None:
        """Cut the wire in both directions, as a broken network does."""
        with suppress(OSError), socket.socket(fileno=os.dup(self.socket)) as wire:
            wire.shutdown(socket.SHUT_RDWR)


# ------------------------------------------------------------------ one writer's process


def a_unit(random_: random.Random, cases: list[tuple[UUID, UUID]]) -> Unit:
    tenant, case = random_.choice(cases)
    fresh = random_.random() < 0.7
    key = f"{random_.random()}" if fresh else f"k{random_.randrange(2000)}"
    payload = b"y" if random_.random() < 0.1 else b"x"
    kind = "nul\0" if random_.random() < 0.001 else "test.woke"

    def build(stamp: Stamp) -> list[Write]:
        return [
            first_entry(stamp, tenant, kind, subject=stamp.entry, case_id=case),
            Write(ADD_ATTEMPTS, Attempt(stamp.entry, tenant, 1)),
            wake_case(case),
        ]

    taken = TakesKey(short_digest(tenant.bytes, key.encode()), short_digest(payload))
    return Unit(tenant, build, (HoldsCase(case, 9 if random_.random() < 0.05 else None), taken))


async def keep_writing(url: str, notes: Path, seconds: float, seed: int) -> None:
    """What a writer's process does: write, and note each answer durably enough for a kill -9 of itself."""
    random_ = random.Random(seed)
    end = time.monotonic() + seconds
    with connect_patiently(url) as admin:
        cases = [(row[0], row[1]) for row in admin.execute("select tenant, id from cases order by id")]
    note = os.open(notes, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    gate = SocketGate()

    async def client(writer: Writer) -> None:
        while time.monotonic() < end:
            unit = a_unit(random_, cases)
            try:
                told = said(await writer.write(unit))
            except WorkFailed as cause:
                told = "failed" if "\\u0000" in str(cause) or "null character" in str(cause) else f"error:{cause}"
            os.write(note, f"{unit.id} {told.split(chr(10))[0]}\n".encode())

    async def cutter() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(random_.uniform(0.02, 0.4))
            gate.cut()

    async with (
        Notifier(url) as notifier,
        Writer(url, Clock(), [CaseGate(), KeyGate(), gate], notifier, patience_s=60) as writer,
    ):
        await asyncio.gather(cutter(), *(client(writer) for _ in range(CLIENTS)))


def main(url: str, notes: str, seconds: str, seed: str) -> None:
    """One writer's process; begun while the server is down, it waits."""
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it tells of every pipeline that we broke
    end = time.monotonic() + float(seconds)
    while (left := end - time.monotonic()) > 0:
        with suppress(DatabaseUnavailable, psycopg.OperationalError):
            asyncio.run(keep_writing(url, Path(notes), left, int(seed)))


def said(refusal: Refusal | None) -> str:
    if refusal is None:
        return "ok"
    return f"{'same' if refusal.same else refusal.code} {refusal.holder}"


# ------------------------------------------------------------------ the server and its end


class Yard:
    """A server of our own, with cases, and the writers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder / "server", linger=0.5)
        self.writers: list[subprocess.Popen[bytes]] = []
        self.notes: list[Path] = []

    @property
    def postmaster(self) -> int:
        """The pid of the server's first process."""
        return int((self.server.folder / "pgdata" / "postmaster.pid").read_text().split("\n")[0])

    def kill_server(self) -> None:
        """Kill -9 the postmaster and then every child, as losing power does."""
        with suppress(FileNotFoundError, psutil.NoSuchProcess, ValueError):
            postmaster = psutil.Process(self.postmaster)
            children = postmaster.children(recursive=True)
            for process in (postmaster, *children):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def start_writer(self, seconds: float) -> None:
        """Start one more writer."""
        number = len(self.notes)
        self.notes.append(self.folder / f"notes.{number}")
        arguments = [self.server.url, str(self.notes[-1]), str(seconds), str(number)]
        self.writers.append(subprocess.Popen(dying(sys.executable, __file__, *arguments)))

    def answers(self) -> dict[UUID, list[str]]:
        """Every answer by unit; half a line at the end is an answer that nobody got."""
        found: dict[UUID, list[str]] = {}
        for notes in self.notes:
            for line in notes.read_text().splitlines(keepends=True) if notes.exists() else ():
                if line.endswith("\n"):
                    unit, *told = line.split()
                    assert UUID(unit) not in found, "one unit was answered twice"
                    found[UUID(unit)] = told
        return found

    def close(self) -> None:
        """End what was started."""
        for writer in self.writers:
            writer.kill()
            writer.wait()
        self.server.stop(wait=10)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path)
    yard.server.start()
    try:
        asyncio.run(prepare(yard.server.url))
        yield yard
    finally:
        yard.close()


async def prepare(url: str) -> None:
    await migrate(url)
    async with Database(url) as database:
        tenants = [await database.ensure_tenant(f"t{number}") for number in range(TENANTS)]
        ids = [database.clock.new_id() for _ in range(CASES)]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin, admin.cursor() as cursor:
        await cursor.executemany(
            "insert into interlock.cases (id, tenant, workflow, version, code, key, input, state, created_at, "
            "changed_at) values (%s, %s, 'test', '1', %s, '', '', 'waiting', now(), now())",
            [(case, tenants[at % TENANTS], UUID(int=1)) for at, case in enumerate(ids)],
        )


def connect_patiently(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """An administrator's connection, once the server is back."""
    end = time.monotonic() + 30
    while True:
        try:
            return psycopg.connect(url, autocommit=True, options="-c search_path=interlock")
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


# ------------------------------------------------------------------ the tests


def test_an_answer_outlives_the_server(yard: Yard) -> None:
    """Kill -9 of every process of the server in the moment after the answer."""
    acknowledged: list[UUID] = []

    async def write_and_kill() -> None:
        async with Notifier(yard.server.url) as notifier, Database(yard.server.url) as database:
            tenant = await database.ensure_tenant("t0")
            async with Writer(yard.server.url, database.clock, [KeyGate()], notifier, patience_s=60) as writer:
                for _ in range(3):
                    units = [
                        Unit(tenant, lambda stamp: [first_entry(stamp, tenant, "test.done", subject=stamp.entry)])
                        for _ in range(20)
                    ]
                    await asyncio.gather(*(writer.write(unit) for unit in units))
                    yard.kill_server()
                    acknowledged.extend(unit.id for unit in units)

    asyncio.run(asyncio.wait_for(write_and_kill(), 90))
    with connect_patiently(yard.server.url) as admin:
        found = [row[0] for row in admin.execute("select id from ledger_entry where tenant <> installation_tenant()")]
    assert len(acknowledged) == 60
    assert sorted(found) == sorted(acknowledged)


def test_writers_and_server_are_killed_at_any_moment(yard: Yard) -> None:
    random_ = random.Random(5)
    end = time.monotonic() + SECONDS
    killed: Counter[str] = Counter()
    for _ in range(2):
        yard.start_writer(SECONDS)
    while (left := end - time.monotonic()) > 4:
        time.sleep(random_.uniform(0.8, 1.6))
        if sum(killed.values()) % 3 == 1:
            yard.kill_server()
            killed["server"] += 1
        else:
            victim = random_.choice([writer for writer in yard.writers if writer.poll() is None])
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            killed["writer"] += 1
            yard.start_writer(left - 1)
    survivors = [writer for writer in yard.writers if writer.poll() is None]
    assert [writer.wait(60) for writer in survivors] == [0, 0]
    assert killed["server"] >= 2
    assert killed["writer"] >= 2
    with connect_patiently(yard.server.url) as admin:
        check_the_books(admin, yard.answers())


def check_the_books(admin: psycopg.Connection[tuple[Any, ...]], answers: dict[UUID, list[str]]) -> None:
    """Compare what writers were told with what is there."""
    told = Counter(answer[0].split(":")[0] for answer in answers.values())
    assert told["ok"] > 500
    assert set(told) <= {"ok", "same", "key-held", "fenced", "failed"}, told
    entries = [row[0] for row in admin.execute("select id from ledger_entry where tenant <> installation_tenant()")]
    present = set(entries)
    assert len(entries) == len(present)
    assert {unit for unit, (what, *_) in answers.items() if what == "ok"} - present == set(), "acknowledged and lost"
    assert {unit for unit, (what, *_) in answers.items() if what != "ok"} & present == set(), "refused and written"
    held = {UUID(rest[0]) for what, *rest in answers.values() if what in {"same", "key-held"}}
    assert held - present == set(), "refused because of something that is not there"
    keys = [row[0] for row in admin.execute("select holder from idempotency_key")]
    attempts = [row[0] for row in admin.execute("select action_id from attempt")]
    assert sorted(keys) == sorted(attempts) == sorted(entries), "a unit is there in part"
    counted = dict(
        admin.execute(
            "select case_id, count(*) from ledger_entry where tenant <> installation_tenant() group by 1"
        ).fetchall()
    )
    assert dict(admin.execute("select id, signals from cases where signals > 0").fetchall()) == counted
    row = admin.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone()
    assert row == (0,)


if __name__ == "__main__":
    main(*sys.argv[1:])
