"""Streams under kill -9: of a consumer between commit and acknowledgement, of one of several, and of the broker itself.

The consumers are the real program, as processes; the broker is a real NATS server with its data on disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.dying import dying
from tests.nats_server import NatsServer, jetstream, nats_server
from tests.pg.cli.conftest import as_url

CLAIMS = Path(__file__).parents[1] / "pg" / "streams" / "claims"
PATIENCE_S = 40.0
RUN = "from interlock.cli import main; main()"
DIES_BEFORE_ACKNOWLEDGING = """\
import os, signal
from nats.aio.msg import Msg
left = [int(os.environ["DIES_AT"])]
async def ack(self):
    left[0] -= 1
    if left[0] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    await self._client.publish(self.reply)
Msg.ack = ack
"""
SETTINGS = """\
workflows = ["claims_workflow:claims"]
[streams.claims]
broker = "nats"
url = "{url}"
stream = "CLAIMS"
subject = "claims.in"
target = "claims.approve"
ack_wait = "1s"
concurrency = 32
"""
Process = subprocess.Popen[str]
Admin = psycopg.Connection[tuple[Any, ...]]


def claim(number: int) -> bytes:
    """A claim as a structured CloudEvent."""
    data = {"who": "ana", "total": "12.30"}
    event = {"specversion": "1.0", "id": f"c-{number}", "source": "/desk", "type": "t", "data": data}
    return json.dumps(event).encode()


async def publish(js: JetStreamContext, numbers: range) -> None:
    """Publish claims."""
    for number in numbers:
        await js.publish("claims.in", claim(number))


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server with JetStream."""
    with nats_server(tmp_path / "jetstream") as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, nats: NatsServer, database_url: str) -> tuple[Path, dict[str, str]]:
    """A project with a stream, and the environment of its processes."""
    folder = tmp_path / "project"
    shutil.copytree(CLAIMS, folder)
    (folder / "interlock.toml").write_text(SETTINGS.format(url=nats.url), encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return folder, environ | {"INTERLOCK_DATABASE_URL": as_url(database_url)}


@contextmanager
def consumers(project: tuple[Path, dict[str, str]]) -> Generator[Callable[..., Process]]:
    """A function that starts a consumer and waits until it takes messages; all of them are killed in the end."""
    folder, environ = project
    started: list[Process] = []

    def start(before: str = "", **more: str) -> Process:
        command = dying(sys.executable, "-P", "-c", f"{before}\n{RUN}", "stream", "claims", "--json")
        process = subprocess.Popen(command, cwd=folder, env=environ | more, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        return process

    try:
        yield start
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)
            if process.stdout:
                process.stdout.close()


def count(admin: Admin, table: str = "decision") -> int:
    """How many rows a table has."""
    own = " where tenant <> interlock.installation_tenant()" if table == "ledger_entry" else ""
    row = admin.execute(f"select count(*) from interlock.{table}{own}".encode()).fetchone()
    return int(row[0]) if row else -1


async def wait_for(admin: Admin, decisions: int) -> None:
    """Wait until so many decisions are stored."""
    until = time.monotonic() + PATIENCE_S
    while count(admin) < decisions:
        assert time.monotonic() < until, f"{count(admin)} of {decisions} decisions"
        await asyncio.sleep(0.05)


async def left(js: JetStreamContext) -> int:
    """How many messages nobody has acknowledged."""
    info = await js.consumer_info("CLAIMS", "interlock_claims")
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def settled(js: JetStreamContext) -> None:
    """Wait until the server has nothing left for the consumer."""
    until = time.monotonic() + PATIENCE_S
    while await left(js):
        assert time.monotonic() < until, await left(js)
        await asyncio.sleep(0.1)


@pytest.fixture
def admin(database_url: str) -> Iterator[Admin]:
    """An administrator's connection."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


async def test_a_consumer_that_dies_between_commit_and_acknowledgement_changes_nothing(
    nats: NatsServer, project: tuple[Path, dict[str, str]], admin: Admin
) -> None:
    async with jetstream(nats) as js:
        await publish(js, range(60))
        with consumers(project) as start:
            dying = start(DIES_BEFORE_ACKNOWLEDGING, DIES_AT="1")
            assert dying.wait(timeout=PATIENCE_S) == -signal.SIGKILL
            stored = count(admin)
            assert stored >= 1, "it was committed before it would have been acknowledged"
            assert await left(js) == 60, "nothing was acknowledged"
            start()
            await wait_for(admin, 60)
            await settled(js)
    assert count(admin) == 60
    assert count(admin, "ledger_entry") == 60
    assert count(admin, "quarantine") == 0


async def test_consumers_that_are_killed_in_the_middle_lose_and_repeat_nothing(
    nats: NatsServer, project: tuple[Path, dict[str, str]], admin: Admin
) -> None:
    dice = random.Random(7)
    total = 1500
    async with jetstream(nats) as js:
        await publish(js, range(total))
        with consumers(project) as start:
            running = [start(), start()]
            for _ in range(4):
                await asyncio.sleep(dice.uniform(0.05, 0.3))
                victim = running.pop(0)
                victim.kill()
                victim.wait(timeout=10)
                running.append(start())
            await wait_for(admin, total)
            await settled(js)
    keys = admin.execute("select count(*), count(distinct key) from interlock.decision").fetchone()
    assert keys == (total, total)
    assert count(admin, "ledger_entry") == total
    assert count(admin, "quarantine") == 0


async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    nats: NatsServer, project: tuple[Path, dict[str, str]], admin: Admin
) -> None:
    with consumers(project) as start:
        async with jetstream(nats) as js:
            await publish(js, range(300))
            start()
            await wait_for(admin, 20)
        nats.kill()
        await asyncio.sleep(1.0)
        nats.start()
        async with jetstream(nats) as js:
            await publish(js, range(300, 400))
            await wait_for(admin, 400)
            await settled(js)
    assert count(admin) == 400


async def test_a_terminated_consumer_ends_by_itself_and_leaves_nothing_half_done(
    nats: NatsServer, project: tuple[Path, dict[str, str]], admin: Admin
) -> None:
    async with jetstream(nats) as js:
        await publish(js, range(400))
        with consumers(project) as start:
            process = start()
            await wait_for(admin, 50)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=PATIENCE_S) == 0
            stored = count(admin)
            assert await left(js) <= 400 - stored, "what was stored was acknowledged"
            start()
            await wait_for(admin, 400)
            await settled(js)
    assert count(admin) == 400


async def test_while_the_database_takes_nobody_nothing_is_acknowledged_and_then_all_is_decided(
    nats: NatsServer, project: tuple[Path, dict[str, str]], database_url: str, server_url: str, admin: Admin
) -> None:
    name = str(conninfo_to_dict(database_url)["dbname"])
    async with jetstream(nats) as js:
        with consumers(project) as start:
            start()
            await publish(js, range(10))
            await wait_for(admin, 10)
            await settled(js)
            admin.close()
            with psycopg.connect(server_url, autocommit=True) as other:
                allow = sql.SQL("alter database {} allow_connections {}")
                other.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
                other.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
                await publish(js, range(10, 110))
                await asyncio.sleep(4.0)
                assert await left(js) == 100, "nothing is acknowledged, and nothing was given up"
                other.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
            with psycopg.connect(database_url, autocommit=True) as again:
                await wait_for(again, 110)
                await settled(js)
                assert count(again) == 110
                assert count(again, "quarantine") == 0


async def test_up_runs_the_streams_and_starts_one_that_dies_again(
    nats: NatsServer, project: tuple[Path, dict[str, str]], admin: Admin
) -> None:
    async with jetstream(nats) as js:
        await publish(js, range(50))
        up = begin(project, "up", "--workers", "0", "--port", "0", "--json")
        try:
            ready = next(told for told in events_of(up) if told["event"] == "ready")
            (stream,) = ready["streams"]
            await wait_for(admin, 50)
            os.kill(stream, signal.SIGKILL)
            ended = next(told for told in events_of(up) if told["event"] == "worker_ended")
            assert (ended["stream"], ended["status"]) == ("claims", "SIGKILL")
            await publish(js, range(50, 100))
            await wait_for(admin, 100)
            await settled(js)
            give_up = time.monotonic() + PATIENCE_S
            while True:  # how it stands is written once a second
                listed = await asyncio.to_thread(told_by, project, "streams", "--json")
                running = [one for one in listed["streams"] if one["state"] == "running" and not one["silent"]]
                if sum(one["decided"] for one in running) >= 50:
                    break
                assert time.monotonic() < give_up
            assert listed["not_running"] == []
            headers = {"Authorization": f"Bearer {ready['key']}"}
            async with httpx.AsyncClient(base_url=ready["url"], headers=headers) as api:
                streams = (await api.get("/v1/streams")).json()["streams"]
            assert {one["stream"] for one in streams} == {"claims"}
            assert max(streams, key=lambda one: one["seen_at"])["pending"] == 0
        finally:
            up.terminate()
            assert up.wait(timeout=PATIENCE_S) == 0
            if up.stdout:
                up.stdout.close()
    listed = await asyncio.to_thread(told_by, project, "streams", "--json")
    assert {one["state"] for one in listed["streams"]} >= {"ended"}
    give_up = time.monotonic() + PATIENCE_S
    while True:  # the one that was killed is taken for alive until it has been silent for a while
        table = await asyncio.to_thread(run_once, project, "streams")
        assert "claims" in table.stdout
        if "nobody runs the stream claims" in table.stderr:
            break
        assert time.monotonic() < give_up


def begin(project: tuple[Path, dict[str, str]], *arguments: str) -> Process:
    """Begin a command."""
    folder, environ = project
    command = dying(sys.executable, "-P", "-c", RUN, *arguments)
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)


def events_of(up: Process) -> Iterator[dict[str, Any]]:
    """What `interlock up` tells, as it tells it."""
    assert up.stdout is not None
    for line in up.stdout:
        yield json.loads(line)


def run_once(project: tuple[Path, dict[str, str]], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    folder, environ = project
    command = [sys.executable, "-P", "-c", RUN, *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=True)


def told_by(project: tuple[Path, dict[str, str]], *arguments: str) -> dict[str, Any]:
    """What a command tells programs."""
    told: dict[str, Any] = json.loads(run_once(project, *arguments).stdout)
    return told


def test_a_stream_that_is_not_in_the_settings_is_refused(project: tuple[Path, dict[str, str]]) -> None:
    folder, environ = project
    command = [sys.executable, "-P", "-c", RUN, "stream", "clams"]
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 4
    assert "claims" in ran.stderr
