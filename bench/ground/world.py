"""The ground that benchmarks stand on: one embedded PostgreSQL, processor times, and the peers' environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
import venv
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

from interlock.db._account import server_account
from interlock.db._cluster import Layout, marker
from interlock.db._supervisor import server_processes
from interlock.db.embedded import EmbeddedPostgres

SIDES = Path(__file__).parents[1] / "peers"
LOCK = SIDES / "requirements.lock"
ENVIRONMENT = Path(__file__).parents[2] / ".bench" / "peers"
PATIENCE_S = 60.0


class World:
    """The database server that all contenders share.

    Args:
        folder: Of the database.
        server: The database.
    """

    def __init__(self, folder: Path, server: EmbeddedPostgres) -> None:
        self.pgdata = Layout(folder).pgdata
        self._server = server

    def database(self, name: str) -> str:
        """A fresh database; its URL, in the form that libpq and SQLAlchemy both read."""
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return urlsplit(self._server.url)._replace(path=f"/{name}").geturl()

    def database_cpu(self) -> float:
        """Processor seconds of PostgreSQL so far."""
        found = server_processes(marker(self.pgdata), server_account(self.pgdata).uid)
        return sum(_cpu_of_server(process) for process in found)


def cpu_of(process: psutil.Process, *, ended_children: bool = True) -> float:
    """Processor seconds of a process so far, and of those of its children that have ended."""
    times = process.cpu_times()
    ended = times.children_user + times.children_system if ended_children else 0.0
    return times.user + times.system + ended


def _cpu_of_server(process: psutil.Process) -> float:
    """Of one of PostgreSQL's, to the nanosecond where the kernel tells; its ticks are 10 ms."""
    try:
        is_first = "-D" in process.cmdline()
        exact = Path(f"/proc/{process.pid}/schedstat")  # of its only thread
        if not exact.exists():
            return cpu_of(process, ended_children=is_first)
        times = process.cpu_times()
        ended = times.children_user + times.children_system if is_first else 0.0
        return int(exact.read_text().split()[0]) / 1e9 + ended
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):  # it ended just now
        return 0.0


def make_environment() -> Path:
    """The Python that has the peers' libraries, made anew when their lock has changed."""
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "lock"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    print(f"making the peers' environment in {ENVIRONMENT} ...")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    done = subprocess.run([*install, "--requirement", str(LOCK)], stderr=subprocess.PIPE, check=False, timeout=600)
    if done.returncode:
        raise SystemExit(f"the peers could not be installed from {LOCK}:\n{done.stderr.decode()}")
    stamp.write_text(digest)
    return python


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a process says, waited for no longer than a minute."""
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        watchdog.cancel()
    if not line:
        raise SystemExit(f"{process.args} ended without a word: see above")
    return line


def processes_cpu(pid: int) -> float:
    """Processor seconds of a process and of all that it started, so far."""
    process = psutil.Process(pid)
    return sum(cpu_of(one) for one in [process, *process.children(recursive=True)])
