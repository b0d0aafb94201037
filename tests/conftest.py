"""The real database, cloned from a template for each test.

The server is the embedded one, or any PostgreSQL 15 or newer that INTERLOCK_DATABASE_URL names (its user must be able
to make databases and roles).
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import secrets
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import hypothesis
import psycopg
import pytest
from psycopg import conninfo, sql

from interlock.db.database import Database
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate, migrations
from interlock.db.signals import Notifier
from interlock.sim import FaultPlan, SimulatedProvider

_TEMPLATE_LOCK = 0x74657374
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder's name has the user in it, and EmbeddedPostgres makes it private
_ROOM = 4 << 30
_STOP_S = 10.0
_FORGOTTEN_S = 24 * 3600.0

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a run in the background of a script ignores Ctrl-C, and so would every command that a test starts and interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Thousands of tests stay for the whole run: going through them all again and again took a third of their collection.
gc.set_threshold(20_000, 20, 20)

# Others run beside: how long an example or its making takes says something about them.
hypothesis.settings.register_profile("long", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("short", hypothesis.settings.get_profile("long"), max_examples=30)


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples of each property unless the long forms are asked for; what states a number keeps it."""
    hypothesis.settings.load_profile("long" if config.getoption("--long") else "short")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--long`` runs the long forms, too; `make soak` runs these and all examples of every property, nothing else."""
    parser.addoption("--long", action="store_true", help="run the long forms of soak and chaos runs, too")


LONGEST = ("tests/fault/test_books.py", "tests/fault/test_chaos.py", "tests/demo/test_demo.py")
"""What takes minutes begins at once, each in a process of its own: begun late it would be waited for by all."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long forms unless they are asked for, and let what takes longest begin first.

    The processes of a run begin with equal parts of the tests, in their order.
    """
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="a long form: run it with --long, or `make soak`"))
    longest = [[item for item in items if item.nodeid.startswith(file)] for file in LONGEST]
    others = [item for item in items if not item.nodeid.startswith(LONGEST)]
    part = -(-len(others) // len(LONGEST))
    items[:] = [
        item for place, first in enumerate(longest) for item in (*first, *others[place * part : (place + 1) * part])
    ]


def pytest_collection_finish() -> None:
    """Let no collection of garbage go through the tests themselves."""
    gc.collect()
    gc.freeze()


class Databases:
    """Databases cloned from a template. One is made ahead and old ones are dropped while a test runs.

    One thread with one connection does it all. `file_copy` is the quicker way where the server does not wait for its
    disk, and its copies keep the cache of the catalogue that each first connection needs.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = sql.Identifier(template)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="databases")
        self._connection: psycopg.Connection | None = None
        self._next: Future[str] | None = None
        self._drops: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._next is not None:
            self.drop(self._next.result())
        for drop in self._drops:
            drop.result()
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def take(self) -> str:
        """The name of a fresh database."""
        name = (self._next or self._thread.submit(self._make)).result()
        self._next = self._thread.submit(self._make)
        return name

    def drop(self, name: str) -> None:
        """Drop it soon, whoever is still connected."""
        statement = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        self._drops.append(self._thread.submit(self._run, statement))

    def _make(self) -> str:
        name = f"interlock_test_{secrets.token_hex(6)}"
        self._run(
            sql.SQL("create database {} template {} strategy file_copy").format(sql.Identifier(name), self._template)
        )
        return name

    def _run(self, statement: sql.Composed) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._server_url, autocommit=True)
        self._connection.execute(statement)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on which databases can be made; one for all test processes of a run.

    It survives the kill of any process, which is what tests do, but not of the machine: it waits for no disk, and is in
    memory where there is room, since a disk takes longer to make the files of a database than most tests to use them.
    """
    given = os.environ.get("INTERLOCK_DATABASE_URL", "")
    if given:
        yield given
        return
    folder = _folder_of_the_run(tmp_path_factory)
    with EmbeddedPostgres(folder, linger=0.2) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        yield server.url
        with suppress(FileNotFoundError):  # another process of the run was the last, too
            if server.stop(wait=_STOP_S):
                shutil.rmtree(folder, ignore_errors=True)


def _folder_of_the_run(temporary: pytest.TempPathFactory) -> Path:
    """Where the server of this run, and of all processes of it, has its data."""
    run = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ROOM:
        return run / "postgres"
    for left in _MEMORY.glob(f"interlock-tests-{os.getuid()}-*"):  # of runs that were killed
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - _FORGOTTEN_S:
                shutil.rmtree(left, ignore_errors=True)
    name = hashlib.sha256(bytes(run)).hexdigest()[:12]
    return _MEMORY / f"interlock-tests-{os.getuid()}-{name}"


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """The name of a database with the schema, made once per text of the migrations."""
    digest = hashlib.sha256("".join(m.text for m in migrations()).encode()).hexdigest()[:12]
    name = f"interlock_template_{digest}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (_TEMPLATE_LOCK,))
        if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            making = f"{name}_making"
            connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(making)))
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(making)))
            asyncio.run(migrate(conninfo.make_conninfo(server_url, dbname=making)))
            connection.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(making), sql.Identifier(name))
            )
    return name


@pytest.fixture(scope="session")
def databases(server_url: str, template: str) -> Iterator[Databases]:
    """Makes the databases of the tests."""
    with Databases(server_url, template) as databases:
        yield databases


@pytest.fixture
def database_url(server_url: str, databases: Databases) -> Iterator[str]:
    """A fresh database with the schema; the URL is an administrator's."""
    name = databases.take()
    yield conninfo.make_conninfo(server_url, dbname=name)
    databases.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The service's connections."""
    async with Database(database_url) as database:
        yield database


@pytest.fixture
async def tenant(database: Database) -> UUID:
    """A tenant."""
    return await database.ensure_tenant("default")


@pytest.fixture
async def notifier(database_url: str) -> AsyncIterator[Notifier]:
    """The notifier of this process."""
    async with Notifier(database_url) as notifier:
        yield notifier


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, or a skip that says so."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("INTERLOCK_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the real data are not here: {folder} (set INTERLOCK_SHARED_DATA)")
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    """One provider for the tests of a module."""
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@pytest.fixture
def provider(running: SimulatedProvider, monkeypatch: pytest.MonkeyPatch) -> SimulatedProvider:
    """A good provider, asked again at once."""
    running.set_faults(FaultPlan())
    monkeypatch.setattr("interlock.actions.action.FIRST_PAUSE", timedelta(milliseconds=5))
    monkeypatch.setattr("interlock.actions.doubt._LOOK_AGAIN", timedelta(milliseconds=50))
    return running
