"""Lost answers: the wire is cut at any moment, also just after the commit became durable.

Between the writer and the server stands a proxy that can cut. INVARIANT: every unit that was acknowledged is there
exactly once, nothing that was refused is there, and no unit is there in part.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import conninfo

from interlock.clock import Clock
from interlock.db.batch import Batch, Gate
from interlock.db.database import Database
from interlock.db.gates import CaseGate, HoldsCase, KeyGate, TakesKey, short_digest
from interlock.db.queries import Bulk
from interlock.db.signals import Notifier, wake_case
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, WorkFailed
from interlock.ledger.ledger import first_entry

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # the server's CommandComplete: from here on the commit is durable
SECONDS = 6.0


class Wire:
    """A proxy before the server; ``cut_after_commits`` answers of the server to a commit never arrive."""

    def __init__(self, url: str) -> None:
        info = conninfo.make_conninfo(url)
        with psycopg.connect(info) as connection:
            self._socket = Path(connection.info.host) / f".s.PGSQL.{connection.info.port}"
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._server: asyncio.Server | None = None
        self.cut_after_commits = 0
        self.open = True
        self.cuts = 0
        self.url = ""
        self._base = info

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = str(self._server.sockets[0].getsockname()[1])
        self.url = conninfo.make_conninfo(
            self._base, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection now."""
        for pair in list(self._pairs):
            self._cut(pair)

    def _cut(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.cuts += 1
        for side in pair:
            side.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._socket))
        pair = (writer, server_writer)
        self._pairs.add(pair)
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(
                    self._pass(reader, server_writer, pair, answers=False),
                    self._pass(server_reader, writer, pair, answers=True),
                )
        finally:
            self._pairs.discard(pair)
            for side in pair:
                side.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        answers: bool,
    ) -> None:
        while data := await reader.read(65536):
            if answers and self.cut_after_commits and COMMITTED in data:
                self.cut_after_commits -= 1
                self._cut(pair)
                return
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with Wire(database_url) as wire:
        yield wire


def a_unit(tenant: UUID, case: UUID, key: str, *, payload: bytes = b"x", fence: int | None = None) -> Unit:
    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.woke", subject=stamp.entry, case_id=case), wake_case(case)]

    return Unit(
        tenant,
        build,
        (HoldsCase(case, fence), TakesKey(short_digest(tenant.bytes, key.encode()), short_digest(payload))),
    )


def bare_unit(tenant: UUID) -> Unit:
    return Unit(tenant, lambda stamp: [first_entry(stamp, tenant, "test.done", subject=stamp.entry)])


def entries(admin: Admin) -> list[UUID]:
    return [row[0] for row in admin.execute("select id from ledger_entry where tenant <> installation_tenant()")]


@pytest.mark.parametrize("gates", [[CaseGate(), KeyGate()], []], ids=["with gates", "without"])
async def test_a_unit_whose_answer_was_lost_is_found(
    gates: list[Gate], wire: Wire, database: Database, notifier: Notifier, tenant: UUID, admin: Admin
) -> None:
    async with Writer(wire.url, database.clock, gates, notifier) as writer:
        for _ in range(5):
            wire.cut_after_commits = 1
            assert await writer.write(bare_unit(tenant)) is None
            assert wire.cut_after_commits == 0
    assert len(entries(admin)) == 5


async def test_its_own_success_does_not_refuse_it(
    wire: Wire, database: Database, notifier: Notifier, tenant: UUID, admin: Admin, make_cases: MakeCases
) -> None:
    """The commit gave the case away and took the key: the second run meets its own traces."""
    (case,) = make_cases(tenant, state="running", worker=1)

    class GivenCase(msgspec.Struct, frozen=True):
        case_id: UUID

    give = Bulk(
        "test.give",
        "update cases c set state = 'ready', worker = null, fence = fence + 1 "
        "from json_to_recordset(%(rows)s::json) as r (case_id uuid) where c.id = r.case_id",
        GivenCase,
        ("case_id",),
    )
    held = (HoldsCase(case, 1), TakesKey(short_digest(b"k"), short_digest(b"x")))

    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "test.gave", subject=case), Write(give, GivenCase(case))]

    async with Writer(wire.url, database.clock, [CaseGate(), KeyGate()], notifier) as writer:
        wire.cut_after_commits = 1
        assert await writer.write(Unit(tenant, build, held)) is None
    assert len(entries(admin)) == 1
    assert admin.execute("select fence from cases").fetchall() == [(2,)]


async def test_a_first_run_that_commits_late_is_found_behind_its_locks(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID, admin: Admin, make_cases: MakeCases
) -> None:
    """The wire is cut, and the server is still at work on the first run when the second one begins."""
    (case,) = make_cases(tenant, state="running", worker=1)
    unit = Unit(
        tenant, lambda stamp: [first_entry(stamp, tenant, "test.done", subject=stamp.entry)], (HoldsCase(case, 1),)
    )
    unit.prepare(database.clock)
    unit.doubtful = True
    admin.execute("begin")
    admin.execute("update cases set state = 'ready', worker = null where id = %s", (case,))
    admin.execute(
        "insert into ledger_entry (id, tenant, kind, subject, at, body) values (%s, %s, 'test.done', %s, now(), '')",
        (unit.id, tenant, unit.id),
    )
    async with Writer(database_url, database.clock, [CaseGate(), KeyGate()], notifier) as writer:
        writing = asyncio.create_task(writer.write(unit))
        await asyncio.sleep(0.2)
        assert not writing.done()
        admin.execute("commit")
        assert await asyncio.wait_for(writing, 5) is None
    assert entries(admin) == [unit.id]


async def test_doubt_outlives_an_error_of_the_second_run(
    wire: Wire, database: Database, notifier: Notifier, tenant: UUID, admin: Admin
) -> None:
    """The second run fails for a reason of its own and the units go on alone: they are still looked for."""

    class FailsOnce:
        failed = False

        async def admit(self, batch: Batch) -> None:
            if batch.again and not self.failed:
                self.failed = True
                raise psycopg.errors.DeadlockDetected("for once")

        async def retract(self, batch: Batch) -> None:
            """It writes nothing."""

    gate = FailsOnce()
    async with Writer(wire.url, database.clock, [gate], notifier) as writer:
        wire.cut_after_commits = 1
        assert await asyncio.gather(*(writer.write(bare_unit(tenant)) for _ in range(3))) == [None] * 3
    assert gate.failed
    assert len(entries(admin)) == 3


async def test_a_database_that_stays_away_is_reported_as_unknown(
    wire: Wire, database: Database, notifier: Notifier, tenant: UUID
) -> None:
    async with Writer(wire.url, database.clock, [], notifier, patience_s=0.3) as writer:
        wire.open = False
        wire.cut()
        with pytest.raises(DatabaseUnavailable, match="whether it wrote is unknown"):
            await writer.write(bare_unit(tenant))
        wire.open = True
        assert await writer.write(bare_unit(tenant)) is None


class Record:
    """What two writers were told."""

    def __init__(self) -> None:
        self.written: list[tuple[Unit, UUID]] = []
        self.refused: list[tuple[Unit, Refusal]] = []
        self.failed: list[Unit] = []


async def _client(writer: Writer, cases: list[tuple[UUID, UUID]], record: Record, random_: random.Random) -> None:
    tenant, case = random_.choice(cases)
    key = f"k{random_.randrange(3000)}" if random_.random() < 0.3 else f"{random_.random()}"
    payload = b"x" if random_.random() < 0.9 else b"y"
    unit = a_unit(tenant, case, key, payload=payload, fence=9 if random_.random() < 0.05 else None)
    if random_.random() < 0.002:
        unit = Unit(tenant, lambda stamp: [first_entry(stamp, tenant, "nul\0", subject=stamp.entry)], unit.conditions)
    try:
        refusal = await writer.write(unit)
    except WorkFailed:
        record.failed.append(unit)
    else:
        if refusal:
            record.refused.append((unit, refusal))
        else:
            record.written.append((unit, case))


async def _cutter(wire: Wire, random_: random.Random, end: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        await asyncio.sleep(random_.uniform(0.005, 0.15))
        if random_.random() < 0.5:
            wire.cut_after_commits = 1
        else:
            wire.cut()


async def test_cuts_at_any_moment_lose_double_and_tear_nothing(
    wire: Wire, database_url: str, database: Database, notifier: Notifier, make_cases: MakeCases, admin: Admin
) -> None:
    random_ = random.Random(11)
    cases: list[tuple[UUID, UUID]] = []
    for name in ("a", "b", "c"):
        tenant = await database.ensure_tenant(name)
        cases += [(tenant, case) for case in make_cases(tenant, 40, state="waiting")]
    record, end = Record(), asyncio.get_running_loop().time() + SECONDS
    async with (
        Wire(database_url) as second_wire,
        Writer(wire.url, database.clock, [CaseGate(), KeyGate()], notifier) as first,
        Writer(second_wire.url, Clock(), [CaseGate(), KeyGate()], notifier) as second,
    ):

        async def clients(writer: Writer) -> None:
            while asyncio.get_running_loop().time() < end:
                await _client(writer, cases, record, random_)

        await asyncio.gather(
            *(clients(writer) for writer in (first, second) for _ in range(32)),
            _cutter(wire, random_, end),
            _cutter(second_wire, random_, end),
        )
        cuts = wire.cuts + second_wire.cuts
    assert cuts > 30
    assert len(record.written) > 300
    assert {refusal.code for _, refusal in record.refused} == {"key-held", "fenced"}
    found = entries(admin)
    assert len(found) == len(set(found))
    assert set(found) == {unit.id for unit, _ in record.written}  # nothing lost, nothing that was refused or failed
    assert {refusal.holder for _, refusal in record.refused if refusal.code == "key-held"} <= set(found)
    holders = {row[0] for row in admin.execute("select holder from idempotency_key")}
    assert holders == set(found)
    woken = dict(admin.execute("select id, signals from cases where signals > 0").fetchall())
    for case, signals in woken.items():
        assert signals == sum(1 for _, mine in record.written if mine == case)
    assert sum(woken.values()) == len(found)
