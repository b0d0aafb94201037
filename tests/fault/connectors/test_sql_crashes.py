"""The SQL connector through kills, stops and cuts, at the moments that matter: one effect, or none, and it is known."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from psycopg import conninfo

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.dying import dying
from tests.pg.conftest import Admin, admin
from tests.pg.connectors.conftest import Connect, Outside, ask, connect, outside
from tests.pg.connectors.till import Till, pay, till_settings
from tests.pg.cutting import CommitWire
from tests.pg.stage import declared, stage

from interlock.actions.action import ActionState
from interlock.actions.connector import Absent, Done, Found, InDoubt, Permanent, Transient, Voided

__all__ = ["admin", "connect", "outside"]
SCRIPT = Path(__file__).with_name("sql_process.py")
SOON_S = 20.0


@contextmanager
def process(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """A process, which is killed at the end if nobody did."""
    with subprocess.Popen(dying(sys.executable, str(SCRIPT), *arguments), stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def asleep(by: Outside | Till) -> bool:
    """Whether a statement of that database sleeps: its effect is written, its commit has not been asked for."""
    query = "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    return bool(by.admin.execute(query).fetchall())


@pytest.fixture
async def wire(outside: Outside) -> AsyncIterator[CommitWire]:
    async with CommitWire(conninfo.make_conninfo(outside.url)) as wire:
        yield wire


def through(wire: CommitWire) -> str:
    """The wire's address as a URL."""
    parts = conninfo.conninfo_to_dict(wire.url)
    return f"postgresql://{parts['user']}@127.0.0.1:{parts['port']}/{parts['dbname']}?sslmode=disable"


# ------------------------------------------------------------------ another database


async def test_killed_between_effect_and_commit_it_left_nothing(outside: Outside, connect: Connect) -> None:
    with process("send", outside.url, "k", "slow", "10") as sender:
        wait_for(lambda: asleep(outside), "it is at work")
        sender.send_signal(signal.SIGKILL)
        sender.wait()
        # the server does not know yet: who comes now under the key waits for the lost transaction to end
        sent = await connect(outside.url).send(ask("k", operation="slow"))
    assert isinstance(sent, Done)
    assert outside.payouts("k") == 1


async def test_stopped_between_effect_and_commit_and_woken_after_its_deadline_it_leaves_nothing(
    outside: Outside, connect: Connect
) -> None:
    with process("send", outside.url, "k", "slow", "2.5") as sender:
        wait_for(lambda: asleep(outside), "it is at work")
        sender.send_signal(signal.SIGSTOP)
        await asyncio.sleep(3)
        sender.send_signal(signal.SIGCONT)
        answer, _ = sender.communicate(timeout=SOON_S)
    assert answer.split()[0] in {"Transient", "InDoubt"}
    assert await connect(outside.url).look_up(ask("k")) == Absent()
    assert outside.payouts("k") == 0


@pytest.mark.parametrize("guarded", [True, False], ids=["as it is", "without the inbox's trigger"])
async def test_a_commit_that_arrives_after_its_deadline_does_nothing(
    outside: Outside, wire: CommitWire, connect: Connect, *, guarded: bool
) -> None:
    """The second form shows that it is the trigger that does it: without it the late commit pays."""
    connector = connect(through(wire))
    assert isinstance(await connector.send(ask("before")), Done)
    if not guarded:
        outside.admin.execute("alter table interlock_inbox disable trigger interlock_inbox_is_in_time")
    wire.hold.clear()
    sent = await connector.send(ask("k", seconds=0.7))
    assert isinstance(sent, InDoubt)
    assert wire.held.is_set()
    wire.hold.set()
    await asyncio.sleep(0.3)
    assert outside.payouts("k") == (0 if guarded else 1)


@pytest.mark.parametrize("arrived", [True, False], ids=["its answer lost", "itself lost"])
async def test_a_connection_cut_at_the_commit_is_in_doubt_and_then_known(
    outside: Outside, wire: CommitWire, connect: Connect, *, arrived: bool
) -> None:
    connector = connect(through(wire))
    assert isinstance(await connector.send(ask("before")), Done)
    if arrived:
        wire.cut_after_commits = 1
    else:
        wire.cut_before_commits = 1
    sent = await connector.send(ask("k"))
    assert isinstance(sent, InDoubt)
    assert sent.code == "commit-lost"
    assert outside.payouts("k") == int(arrived)
    found = await connector.look_up(ask("k"))
    assert isinstance(found, Found) if arrived else found == Absent()
    assert isinstance(await connector.send(ask("k")), Done)
    assert outside.payouts("k") == 1


async def test_a_connection_cut_before_the_commit_surely_had_no_effect(
    outside: Outside, wire: CommitWire, connect: Connect
) -> None:
    connector = connect(through(wire))
    sending = asyncio.create_task(connector.send(ask("k", operation="slow")))
    await asyncio.to_thread(wait_for, lambda: asleep(outside), "it is at work")
    wire.cut()
    sent = await sending
    assert isinstance(sent, Transient)
    assert sent.code == "connection-lost"
    assert isinstance(await connector.send(ask("k")), Done)
    assert outside.payouts("k") == 1


async def test_a_key_that_is_made_void_while_its_request_hangs_stays_without_effect(
    outside: Outside, wire: CommitWire, connect: Connect
) -> None:
    """Voiding waits for whoever is at work under the key; what was lost before its commit is refused afterwards."""
    connector = connect(through(wire))
    assert isinstance(await connector.send(ask("before")), Done)
    wire.cut_before_commits = 1
    assert isinstance(await connector.send(ask("k")), InDoubt)
    assert await connector.void(ask("k")) == Voided()
    late = await connector.send(ask("k"))
    assert isinstance(late, Permanent)
    assert late.code == "voided"
    assert outside.payouts("k") == 0


# ------------------------------------------------------------- Interlock's own database


@pytest.fixture
def till(admin: Admin) -> Iterator[Till]:
    till = Till.open(admin)
    yield till
    till.close()


@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_a_worker_that_ends_between_effect_and_commit_leaves_nothing_and_the_next_pays_once(
    database_url: str, tmp_path: Path, till: Till, fatal: signal.Signals
) -> None:
    flow = declared(pay, tmp_path, timeout="20s")
    till.pause(1.5)
    async with stage(database_url, [flow], connectors=[till_settings(till.role)], workers=0) as on:
        with process("work", database_url, str(tmp_path), till.role) as worker:
            case_id = await on.submit(key="k")
            await asyncio.to_thread(wait_for, lambda: asleep(till), "the worker is at work")
            worker.send_signal(fatal)
            till.pause(0)
            if fatal is signal.SIGSTOP:
                take_over(till, case_id)
            await on.work()
            await on.until(case_id)
            if fatal is signal.SIGSTOP:
                await asyncio.sleep(2)
                worker.send_signal(signal.SIGCONT)
                await asyncio.sleep(1)
            record = await on.record(case_id)
    assert record.case.conclusion == "paid"
    assert record.actions[0].state is ActionState.DONE
    assert till.payouts("/k") == 1


def take_over(till: Till, case_id: UUID) -> None:
    """What its peers do when the lease of a stopped worker is over."""
    took = "update cases set state = 'ready', worker = null, fence = fence + 1, wake_at = now() where id = %s"
    till.admin.execute(took, (case_id,))
