"""The process that keeps the embedded PostgreSQL running for as long as somebody uses it.

It is started by file name with a plain interpreter, so it imports only the standard library and psutil, nothing of
Interlock: it stays small (one thread) and starts in the time of an interpreter. What it was told stands in `Orders`.

Two locks (flock, which the kernel frees at death) are the whole protocol with the clients:

    supervisor.lock   exclusive; taken by the client that starts us and handed over as an open file. Who holds it may
                      touch the server's processes and files. INVARIANT: one supervisor for a folder.
    users.lock        shared by every client for as long as it uses the server. When we get it exclusively nobody uses
                      the server; we then keep it while we stop, so that a new client waits until we are gone.

When we are killed, PostgreSQL gets SIGINT from the kernel (PR_SET_PDEATHSIG, Linux) and shuts down by itself; elsewhere
the next start ends it. A client that lives on sees supervisor.lock free and starts the next supervisor.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType

import psutil

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
LOG_BYTES = 10_000_000
LOG_FILES = 3
TICK_SECONDS = 0.25
STOP_SECONDS = 60.0
SETTLED_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_STATUS_LINE = 7
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Orders:
    """What a supervisor is told.

    Attributes:
        command: The server's command line.
        pgdata: The server's data directory and its working directory.
        run: The folder of its socket.
        log: The file that everything said by the server and the supervisor goes to.
        users: The file `users.lock`.
        lock_fd: The open, exclusively locked `supervisor.lock`.
        marker: The server's cluster_name, which stands in the title of each of its processes.
        uid: The account of the server.
        gid: Its group.
        switch: Whether that is another account than the supervisor's own, which is root then.
        linger: Seconds between the end of the last client and the shutdown.
    """

    command: list[str]
    pgdata: str
    run: str
    log: str
    users: str
    lock_fd: int
    marker: str
    uid: int
    gid: int
    switch: bool
    linger: float

    def dump(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Orders:
        """From that argument."""
        return cls(**json.loads(text))


def server_environment() -> dict[str, str]:
    """What the server and initdb see of the environment: nothing of the caller's, so no PG* variable leads astray."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def server_processes(marker: str, uid: int) -> list[psutil.Process]:
    """The living processes of the server with this marker: its postmaster and the children.

    The marker is made from the device and inode of the data directory. It must stand in the process's title or
    arguments, the process must be called postgres and belong to the server's account: nobody else can fake that.
    """
    return [process for process in psutil.process_iter() if _is_ours(process, marker, uid)]


def _is_ours(process: psutil.Process, marker: str, uid: int) -> bool:
    try:
        with process.oneshot():
            return (
                process.name() == "postgres"
                and process.uids().effective == uid
                and process.status() != psutil.STATUS_ZOMBIE
                and any(marker in part for part in process.cmdline())
            )
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def end_leftovers(marker: str, uid: int, log: logging.Logger) -> None:
    """End what an earlier supervisor or a killed postmaster left running; the caller holds supervisor.lock.

    A postmaster is asked for a fast shutdown first. Then SIGQUIT, which a backend without a postmaster obeys too, and
    SIGKILL at last: what was committed is in the WAL on disk, and the next start recovers from it.
    """
    for sent, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 10.0)):
        left = server_processes(marker, uid)
        if sent is signal.SIGINT:
            # To a backend SIGINT only means "cancel the query", so it goes to a postmaster and the others wait for it.
            left = [process for process in left if _is_postmaster(process)]
        if not left:
            continue
        log.warning("supervisor: %s to leftover processes %s", sent.name, sorted(process.pid for process in left))
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sent)
        psutil.wait_procs(left, timeout=seconds)


def _is_postmaster(process: psutil.Process) -> bool:
    try:
        return "-D" in process.cmdline()
    except psutil.Error:
        return False


def remove_stale_files(orders: Orders) -> None:
    """Remove the pid and socket files of a server that is no more; the caller ended the leftovers and holds the lock.

    PostgreSQL itself refuses to start when the pid in such a file belongs to any process by now.

    Raises:
        RuntimeError: a PostgreSQL that we did not start runs in this data directory.
    """
    pidfile = Path(orders.pgdata, "postmaster.pid")
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(pidfile.read_text(encoding="ascii").split("\n")[0])
        if _uses_folder(pid, orders.pgdata):
            raise RuntimeError(f"a PostgreSQL that was started by hand runs in {orders.pgdata} (process {pid})")
    for stale in (pidfile, Path(orders.run, SOCKET), Path(orders.run, f"{SOCKET}.lock")):
        stale.unlink(missing_ok=True)


def _uses_folder(pid: int, folder: str) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and Path(process.cwd()).samefile(folder)
    except (psutil.Error, OSError):
        return False


def _die_with(parent: int) -> None:
    """In the child, before exec: have the kernel send SIGINT (a fast shutdown) when the supervisor dies."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


class Server:
    """One PostgreSQL and the pipe that its log comes through."""

    def __init__(self, orders: Orders, log: logging.Logger) -> None:
        end_leftovers(orders.marker, orders.uid, log)
        remove_stale_files(orders)
        self._orders = orders
        self._log = log
        self._rest = b""
        self._out, out = os.pipe()
        os.set_blocking(self._out, False)
        self._process = subprocess.Popen(  # noqa: S603 - our own binary with our own arguments
            orders.command,
            cwd=orders.pgdata,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=server_environment(),
            umask=0o077,
            user=orders.uid if orders.switch else None,
            group=orders.gid if orders.switch else None,
            extra_groups=[] if orders.switch else None,
            preexec_fn=partial(_die_with, os.getpid()),  # noqa: PLW1509 - this process has one thread
        )
        os.close(out)
        self.began = time.monotonic()

    def listen(self, seconds: float) -> None:
        """Copy what the server says into the log, for so long at most."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            heard = selector.select(seconds)
        if not heard:
            return
        chunk = os.read(self._out, 65536)
        if not chunk:  # every writer is gone
            time.sleep(min(seconds, 0.05))
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._log.info("%s", line.decode(errors="replace"))

    def is_ready(self) -> bool:
        """Whether the server says in its pid file that it takes connections."""
        try:
            lines = Path(self._orders.pgdata, "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return False
        return (
            len(lines) > _STATUS_LINE and lines[0] == str(self._process.pid) and lines[_STATUS_LINE].startswith("ready")
        )

    def exit_code(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Fast shutdown; harsher when that takes too long. Everything of the server is gone afterwards."""
        for sent, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            if self.exit_code() is not None:
                break
            self._process.send_signal(sent)
            until = time.monotonic() + seconds
            while self.exit_code() is None and time.monotonic() < until:
                self.listen(0.05)
        self.close()
        end_leftovers(self._orders.marker, self._orders.uid, self._log)

    def close(self) -> None:
        """Take the last words and let go of the pipe; the process has ended."""
        with suppress(BlockingIOError):
            for _ in range(100):
                self.listen(0.0)
        os.close(self._out)


class Users:
    """Whether any client is left."""

    def __init__(self, orders: Orders) -> None:
        self._file = os.open(orders.users, os.O_RDWR | os.O_CLOEXEC)
        self._linger = orders.linger
        self._alone_since: float | None = None

    def are_gone(self) -> bool:
        """True once nobody has used the server for the time of lingering; the lock is ours from then on."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._alone_since = None
            return False
        now = time.monotonic()
        self._alone_since = self._alone_since if self._alone_since is not None else now
        if now - self._alone_since >= self._linger:
            return True
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return False


class Supervisor:
    """Keeps one server up until its users are gone or SIGTERM comes."""

    def __init__(self, orders: Orders, log: logging.Logger) -> None:
        self._orders = orders
        self._log = log
        self._users = Users(orders)
        self._told_to_stop = False
        self._was_ready = False
        self._deaths = 0

    def tell_to_stop(self, number: int, _frame: FrameType | None) -> None:
        """The handler of SIGTERM and SIGINT."""
        self._log.info("supervisor: stopping on signal %d", number)
        self._told_to_stop = True

    def run(self) -> int:
        """Until the end; returns the exit code, 1 when the server never came up."""
        while True:
            server = Server(self._orders, self._log)
            if self._outlive(server):
                server.stop()
                self._log.info("supervisor: stopped")
                return 0
            server.close()
            if not self._was_ready:
                self._log.error("supervisor: PostgreSQL did not come up")
                return 1
            if self._pause(time.monotonic() - server.began):
                return 0

    def _outlive(self, server: Server) -> bool:
        """Wait; True when the server is to be stopped, False when it died."""
        while (code := server.exit_code()) is None:
            server.listen(TICK_SECONDS)
            self._was_ready = self._was_ready or server.is_ready()
            if self._told_to_stop or self._users.are_gone():
                return True
        self._log.warning("supervisor: PostgreSQL ended with %d", code)
        return False

    def _pause(self, lived: float) -> bool:
        """Back off before the next start, longer after each quick death; True when nobody needs a server any more."""
        self._deaths = 0 if lived > SETTLED_SECONDS else self._deaths + 1
        pause = min(LONGEST_BACKOFF_SECONDS, 0.05 * 2 ** min(self._deaths, 12)) if self._deaths else 0.0
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if self._told_to_stop or self._users.are_gone():
                return True
            time.sleep(min(TICK_SECONDS, pause))
        self._log.info("supervisor: starting PostgreSQL again after %.2f s", pause)
        return False


def remove_socket_folder(run: Path) -> None:
    """Remove a socket folder that had to be made elsewhere; ``run`` is a link to it then."""
    if run.is_symlink():
        with suppress(OSError):
            run.readlink().rmdir()


def main() -> int:
    """Leave the caller's session, then supervise."""
    orders = Orders.load(sys.argv[1])
    if os.fork():
        os._exit(0)  # the caller waits for this one; init inherits the other
    os.setsid()
    os.umask(0o077)
    handler = RotatingFileHandler(orders.log, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    log = logging.getLogger("supervisor")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.info("supervisor: process %d for %s", os.getpid(), orders.pgdata)
    try:
        supervisor = Supervisor(orders, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, supervisor.tell_to_stop)
        code = supervisor.run()
        remove_socket_folder(Path(orders.run))
    except Exception:  # whatever it is belongs into the log that the client quotes
        log.exception("supervisor: gave up")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
