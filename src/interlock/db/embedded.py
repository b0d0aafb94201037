"""An embedded PostgreSQL: the database of whoever has none, in a folder, over a socket that only its user may use.

Several processes use one folder at once. The first starts a small supervisor (`_supervisor.py`), which runs the server
for as long as one of them lives and stops it a few seconds after the last; no client owns the server, so killing any
one takes nothing from the others. Each client watches the supervisor and starts the next one if it is killed.

docs/explanation/embedded-postgres.md tells the whole story.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from interlock.db import _supervisor
from interlock.db._account import Account, server_account
from interlock.db._cluster import Layout, is_private, marker, open_folder, prepare, server_command
from interlock.db._locks import Lock, has_users
from interlock.db._programs import find_programs
from interlock.errors import InterlockError, PostgresNotStarted

DATABASE = "interlock"
SUPERUSER = "postgres"
LINGER_SECONDS = 2.0
STALL_SECONDS = 120.0
_WATCH_SECONDS = 0.5
_LOG_LINES = 15
_PROBE_SECONDS = 3

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One process's use of the embedded server of a folder, as a context manager or by ``start`` and ``stop``.

    Args:
        folder: Where the data are and stay; made when missing. See `_cluster.py` for what stands in it.
        progress: Is told in a sentence what a start that takes long is waiting for; by default the log is.
        linger: Seconds that the server stays up after its last user, for the next command of a script. It is the
            supervisor's, so only the process that starts it decides.
        stall: Seconds without any sign of work of the server after which a start is given up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        progress: Callable[[str], None] = _log.info,
        linger: float = LINGER_SECONDS,
        stall: float = STALL_SECONDS,
    ) -> None:
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would replace a link by its target
        self._progress = progress
        self._linger = linger
        self._stall = stall
        self._layout: Layout | None = None
        self._users: int | None = None
        self._watch: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def folder(self) -> Path:
        """Where the data are, as an absolute path."""
        return self._folder

    @property
    def log(self) -> Path:
        """The server's log."""
        return Layout(self._folder).log

    @property
    def url(self) -> str:
        """The URL for libpq of the database ``interlock``, as its superuser."""
        return self.url_for()

    def url_for(self, *, user: str = SUPERUSER, database: str = DATABASE) -> str:
        """The URL of any database of the server and any of its roles; every role may be used by this user alone.

        Raises:
            PostgresNotStarted: before ``start`` or after ``stop``.
        """
        if self._layout is None:
            raise PostgresNotStarted("the embedded server is not in use", where=str(self._folder), todo="start it")
        return _url(self._layout, user, database)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, or join the one that runs, and return when it answers. Twice is as good as once.

        There is no time limit while the server works: recovery after a crash takes as long as it takes. The calling
        thread waits; in a coroutine use ``asyncio.to_thread``.

        Raises:
            PostgresNotStarted: it did not come up; the end of its log is in the message.
        """
        if self._users is not None:
            return
        layout = open_folder(self._folder)
        account = server_account(layout.pgdata)
        users = os.open(layout.users_lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._await_turn(users)
            _bring_up(layout, account, self._linger, _Patience(layout, account, self._progress, self._stall))
        except BaseException:
            os.close(users)
            raise
        self._layout, self._users = layout, users
        self._stopping = threading.Event()
        self._watch = threading.Thread(
            target=self._keep_up, args=(layout, self._stopping), name="embedded-postgres", daemon=True
        )
        self._watch.start()

    def stop(self, *, wait: float = 0.0) -> bool:
        """End this process's use. The server stops by itself when nobody else uses it. Twice is as good as once.

        Args:
            wait: Seconds to wait for the server's end, if nobody else uses it. The main process of a container wants
                this, since its own end kills the rest.

        Returns:
            Whether the server is known to have ended.
        """
        if self._users is None or self._layout is None:
            return False
        layout, users, watch = self._layout, self._users, self._watch
        self._layout = self._users = self._watch = None
        self._stopping.set()
        if watch is not None and watch is not threading.current_thread():
            watch.join(timeout=_PROBE_SECONDS)
        os.close(users)
        until = time.monotonic() + wait
        while wait and time.monotonic() < until:
            with Lock(layout.supervisor_lock) as lock:
                if lock.taken:
                    return True
            if has_users(layout):
                return False
            time.sleep(0.05)
        return False

    def _await_turn(self, users: int) -> None:
        """Become a user. A supervisor that is stopping keeps us waiting until it is gone."""
        told = time.monotonic()
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            if time.monotonic() - told > _WATCH_SECONDS * 4:
                self._progress("waiting for the embedded PostgreSQL to finish stopping")
                told = time.monotonic()
            time.sleep(0.02)

    def _keep_up(self, layout: Layout, stopping: threading.Event) -> None:
        """Start another supervisor when ours was killed. Runs in a thread for as long as we use the server."""
        pause = _WATCH_SECONDS
        while not stopping.wait(pause):
            pause = _WATCH_SECONDS
            try:
                with Lock(layout.supervisor_lock) as lock:
                    if lock.taken and not stopping.is_set():
                        _log.warning("the supervisor of the embedded PostgreSQL is gone; starting another")
                        _launch(layout, server_account(layout.pgdata), lock.descriptor, self._linger)
            except (InterlockError, OSError, psutil.Error):
                _log.exception("the embedded PostgreSQL could not be started again; trying on")
                pause = 20 * _WATCH_SECONDS


class _Patience:
    """Says now and then what a start waits for, and when to lose hope."""

    def __init__(self, layout: Layout, account: Account, progress: Callable[[str], None], stall: float) -> None:
        self._layout = layout
        self._account = account
        self._progress = progress
        self._stall = stall
        self._log_start = _size(layout.log)
        self._signs: tuple[int, float] = (0, 0.0)
        self._moved = self._told = time.monotonic()
        self._unseen = 0

    def wait(self) -> None:
        """One short pause.

        Raises:
            PostgresNotStarted: no sign of work for too long.
        """
        time.sleep(0.02)
        now = time.monotonic()
        if now - self._told < min(2.0, self._stall / 2):
            return
        self._told = now
        self._unseen = self._unseen + 1 if self._is_out_of_sight() else 0
        if self._unseen > 1:
            raise self.failure(f"PostgreSQL runs, but its socket is not in {self._layout.socket_folder()}")
        signs = (_size(self._layout.log), self._work())
        if signs != self._signs:
            self._signs, self._moved = signs, now
        elif now - self._moved > self._stall:
            raise self.failure(f"PostgreSQL shows no sign of work for {self._stall:.0f} s")
        last = self.lines()[-1:]
        self._progress(f"waiting for the embedded PostgreSQL: {last[0] if last else 'no word yet'}")

    def _is_out_of_sight(self) -> bool:
        """Whether the server is ready behind a socket that was removed, or lies in a /tmp that is not ours."""
        ready = any(line.startswith("ready") for line in _pid_file(self._layout))
        return ready and not (self._layout.socket_folder() / _supervisor.SOCKET).exists()

    def lines(self) -> list[str]:
        """The last lines of the log that were written since this start."""
        try:
            with self._layout.log.open("rb") as log:
                start = self._log_start if _size(self._layout.log) >= self._log_start else 0
                log.seek(max(start, _size(self._layout.log) - 8192))
                return log.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        except FileNotFoundError:
            return []

    def failure(self, what: str) -> PostgresNotStarted:
        """The error, with the end of the log."""
        return PostgresNotStarted(
            "\n".join([what, *(f"  | {line}" for line in self.lines())]),
            where=str(self._layout.folder),
            todo=f"the log says why; all of it is in {self._layout.log}",
        )

    def _work(self) -> float:
        """Processor seconds of the server so far; recovery that only reads the disk counts its time there, too."""
        if not self._layout.pgdata.exists():
            return 0.0
        total = 0.0
        for process in _supervisor.server_processes(marker(self._layout.pgdata), self._account.uid):
            with suppress(psutil.Error):
                total += sum(process.cpu_times())
        return total


def _url(layout: Layout, user: str, database: str) -> str:
    host = quote(str(layout.socket_folder()), safe="")
    return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={_supervisor.PORT}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _bring_up(layout: Layout, account: Account, linger: float, patience: _Patience) -> None:
    """Until the server answers: start a supervisor whenever there is none, once, and knock."""
    launched = False
    while True:
        with Lock(layout.supervisor_lock) as lock:
            if lock.taken and launched:
                raise patience.failure("PostgreSQL did not come up")
            if lock.taken:
                _launch(layout, account, lock.descriptor, linger)
                launched = True
        if _answers(layout, account):
            return
        patience.wait()


def _launch(layout: Layout, account: Account, lock: int, linger: float) -> None:
    """Prepare the folder and start the supervisor, which takes the lock over."""
    programs = find_programs(account)
    try:
        prepare(layout, account, programs)
    except OSError as error:
        raise PostgresNotStarted(
            f"the folder cannot be prepared: {error.strerror}",
            where=str(error.filename or layout.folder),
            todo="mend the permissions or the disk, then start again",
        ) from error
    orders = _supervisor.Orders(
        command=server_command(layout, account, programs),
        pgdata=str(layout.pgdata),
        run=str(layout.run),
        log=str(layout.log),
        users=str(layout.users_lock),
        lock_fd=lock,
        marker=marker(layout.pgdata),
        uid=account.uid,
        gid=account.gid,
        switch=account.switch,
        linger=linger,
    )
    library = Path(psutil.__file__).parent.parent
    loader = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    subprocess.run(  # noqa: S603 - our own file with our own arguments; it leaves for the background at once
        [sys.executable, "-P", "-S", _supervisor.__file__, orders.dump()],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(library), **loader},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock,),
        check=True,
        timeout=60,
    )


def _answers(layout: Layout, account: Account) -> bool:
    """Whether the server answers, is the one of this folder, and has our database (which is made when missing).

    Raises:
        PostgresNotStarted: it turns us away, or the socket belongs to a server of another folder.
    """
    if not (layout.socket_folder() / _supervisor.SOCKET).exists():
        return False
    if not is_private(layout.socket_folder(), account):
        raise PostgresNotStarted(
            "the folder of the socket is open to others or belongs to somebody else",
            where=str(layout.socket_folder()),
            todo="look who changed it; then chmod 0700 it and start again",
        )
    try:
        return _is_ours(layout)
    except psycopg.OperationalError as error:
        # While it starts, stops or recovers there is no state, or one of class 57P (operator intervention).
        if error.sqlstate is None or error.sqlstate.startswith("57P"):
            return _refused_for_good(error)
        raise PostgresNotStarted(
            f"PostgreSQL turned the first connection away: {error}",
            where=str(layout.folder),
            todo=f"see {layout.log}",
        ) from error


def _refused_for_good(error: psycopg.OperationalError) -> bool:
    """Raise when the message is about who we are; libpq gives no SQL state for failed connections."""
    if "authentication failed" in str(error):
        raise PostgresNotStarted(
            f"PostgreSQL does not let this user in: {error}",
            todo="run as the user who started the server; each folder serves one user",
        ) from error
    return False


def _pid_file(layout: Layout) -> list[str]:
    """Process, data directory, time of start and more; empty when no server runs."""
    try:
        return (layout.pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _is_ours(layout: Layout) -> bool:
    with psycopg.connect(
        _url(layout, SUPERUSER, "postgres"), autocommit=True, connect_timeout=_PROBE_SECONDS
    ) as connection:
        row = connection.execute(
            "SELECT pg_read_file('postmaster.pid'), EXISTS (SELECT FROM pg_database WHERE datname = %s)", (DATABASE,)
        ).fetchone()
        if row is None or row[0].splitlines()[:3] != _pid_file(layout)[:3]:
            raise PostgresNotStarted(
                "the server behind the socket is not the one of this folder",
                where=str(layout.folder),
                todo="end it; it was not started by Interlock",
            )
        if not row[1]:
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return True
