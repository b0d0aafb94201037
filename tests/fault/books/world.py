"""A whole installation as processes: an API server, two workers, a provider that misbehaves, an embedded PostgreSQL.

Everything that is started here is the real command; the test only kills it and starts it again.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from interlock.db._account import server_account
from interlock.db._cluster import Layout, marker
from interlock.db._supervisor import server_processes
from interlock.db.embedded import EmbeddedPostgres
from interlock.errors import ConfigInvalid
from interlock.sim import FaultPlan, SimulatedProvider

REPOSITORY = Path(__file__).resolve().parents[3]
LEASE_S = 2.0
WORKFLOWS = ("refunds:refunds", "interlock.packs.receipts.workflow:receipts")
WORKERS = ("worker 1", "worker 2")
SERVER = "server"
_READY_S = 60.0
_PORTS = range(20_000, 32_000)  # below those that the system gives to outgoing connections

_SETTINGS = """\
data_dir = "{data_dir}"
tenant = "{tenant}"
workflows = {workflows}
api_port = {port}
lease = "{lease}s"
probe = "300ms"
poll = "200ms"

[connectors.payments]
kind = "http"
url = "{provider}"
simulated = true
honours_keys = true
key_retention = "30d"
can_look_up = true
max_request_life = "5s"
circuit_failures = {circuit_failures}

[connectors.payments.operations.pay]
method = "POST"
path = "/payments"
body = {{to = "{{to}}", amount = "{{amount.amount}}", currency = "{{amount.currency}}", reference = "{{key}}"}}

[connectors.payments.operations.pay.look_up]
path = "/payments?key={{key}}"
pending = {{field = "state", is = "pending"}}
match = {{to = "to", amount = "amount", currency = "currency"}}

[connectors.payments.operations.refund]
method = "POST"
path = "/payments/{{payment}}/refund"

[connectors.payments.operations.refund.look_up]
path = "/refunds?key={{key}}"
pending = {{field = "state", is = "pending"}}
match = {{payment = "{{payment}}"}}
"""


class World:
    """An installation in a folder; entering starts it, leaving ends every process of it.

    What it is made of, ``settings``, ``providers`` and ``spawn``, others override.

    Args:
        folder: For settings, logs and the provider's book.
        data_dir: Where the database is.
        tenant: Whose cases these are.
        plan: What goes wrong at the provider.
        workers: Which workers run from the start.
        circuit_failures: How many failures in a row open the provider's circuit; where half of all requests meet a
            fault on purpose, that many are no sign of anything.

    Attributes:
        timeline: What happened, in order.
        provider_wanted: Whether ``revive`` starts the provider when it is gone.
        provider: The provider.
        code: Where the workflows' modules are.
    """

    def __init__(
        self,
        folder: Path,
        data_dir: Path,
        *,
        tenant: str,
        plan: FaultPlan,
        workers: Sequence[str] = WORKERS,
        circuit_failures: int = 1000,
    ) -> None:
        self.folder = folder
        self.tenant = tenant
        self.port = free_port()
        self.key = self.reviewer_key = ""
        self.timeline: list[str] = []
        self.provider_wanted = True
        self.provider = SimulatedProvider(folder / "book", faults=plan)
        self.code = REPOSITORY / "examples" / "refunds"
        self._circuit_failures = circuit_failures
        self._layout = Layout(data_dir / "postgres")
        self._data_dir = data_dir
        self._wanted = [SERVER, *workers]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._began = time.monotonic()

    @property
    def url(self) -> str:
        """Where the API listens; the same after each restart."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def providers(self) -> tuple[SimulatedProvider, ...]:
        """Every provider."""
        return (self.provider,)

    def settings(self) -> str:
        """The text of interlock.toml; the providers run."""
        return _SETTINGS.format(
            data_dir=self._data_dir,
            tenant=self.tenant,
            workflows=json.dumps(WORKFLOWS),
            port=self.port,
            lease=f"{LEASE_S:.0f}",
            provider=self.provider.url,
            circuit_failures=self._circuit_failures,
        )

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for provider in self.providers:
            provider.start()
        (self.folder / "interlock.toml").write_text(self.settings(), encoding="utf-8")
        try:
            self.revive()
            self._await_key()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def postgres(self) -> EmbeddedPostgres:
        """One more user of the database, to be entered."""
        return EmbeddedPostgres(self._layout.folder)

    # ----------------------------------------------------------------- processes

    def revive(self) -> None:
        """Start what should run and does not; what ended although nobody killed it is noted."""
        for name in self._wanted:
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None and process.returncode != -signal.SIGKILL:
                last = self._log(f"{name} errors").read_text(errors="replace").strip().splitlines()[-3:]
                self.note(f"{name} ended by itself with {process.returncode}: {' '.join(last)}")
                assert process.returncode != ConfigInvalid.exit_code, self.words()
            self._running[name] = self.spawn(name)
        for provider in self.providers if self.provider_wanted else ():
            provider.start()

    def want(self, *names: str) -> None:
        """Say which processes shall run from now on, beside those that run; ``revive`` starts them."""
        self._wanted += [name for name in names if name not in self._wanted]

    def kill(self, name: str) -> None:
        """SIGKILL, if it runs; it is not started again before it is wanted again."""
        if name in self._wanted:
            self._wanted.remove(name)
            process = self._running.pop(name)
            process.kill()
            process.wait()

    def processes(self, *names: str) -> list[psutil.Process]:
        """Those of these that live: the server's own, and of a worker the one that works."""
        found: list[psutil.Process] = []
        for name in names:
            if self._running[name].poll() is not None:
                continue
            process = psutil.Process(self._running[name].pid)
            with suppress(psutil.Error):
                works = [one for one in process.children() if "interlock.cli.worker_process" in _command(one)]
                found += [process] if name == SERVER else works
        return found

    def heart(self, name: str) -> list[psutil.Process]:
        """The heartbeat process of a worker, if it has one now."""
        found: list[psutil.Process] = []
        for process in self.processes(name):
            with suppress(psutil.Error):
                found += [one for one in process.children() if "interlock.cases.heartbeat" in _command(one)]
        return found

    def database_processes(self) -> list[psutil.Process]:
        """PostgreSQL's postmaster and its children."""
        pgdata = self._layout.pgdata
        return server_processes(marker(pgdata), server_account(pgdata).uid)

    def postmaster(self) -> list[psutil.Process]:
        """PostgreSQL's first process alone."""
        return [one for one in self.database_processes() if "-D" in _command(one)]

    def supervisors(self) -> list[psutil.Process]:
        """The process that keeps PostgreSQL running."""
        mine = f'"{self._layout.pgdata}"'
        found = [one for one in psutil.process_iter() if any("_supervisor.py" in part for part in _command(one))]
        return [one for one in found if any(mine in part for part in _command(one))]

    def note(self, what: str) -> None:
        """Add a line to the timeline."""
        self.timeline.append(f"{time.monotonic() - self._began:8.2f} s  {what}")

    def words(self) -> str:
        """The timeline as text."""
        return "\n".join(self.timeline)

    def spawn(self, name: str) -> subprocess.Popen[bytes]:
        """Start the process of that name."""
        roles = {SERVER: ["--workers", "0"]}
        command = [sys.executable, str(Path(__file__).with_name("process.py")), str(os.getpid()), "up", "--json"]
        command += roles.get(name, ["--no-api", "--workers", "1"])
        return self.run(name, command)

    def run(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in this folder, under the name by which its log is found.

        Args:
            name: The process's.
            command: What to run.
            environment: More of it.
            stdin: Where its input comes from.
        """
        paths = [str(self.code), *filter(None, [os.environ.get("PYTHONPATH")])]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("INTERLOCK_")}
        with self._log(name).open("ab") as log, self._log(f"{name} errors").open("ab") as errors:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=inherited | {"PYTHONPATH": os.pathsep.join(paths)} | dict(environment or {}),
                stdin=stdin,
                stdout=log,
                stderr=errors,
            )

    def _await_key(self) -> None:
        """Wait until the server listens; it shows the first key once."""

        def told() -> bool:
            events = [json.loads(line) for line in self._log(SERVER).read_text().splitlines()]
            ready: list[dict[str, Any]] = [event for event in events if event["event"] == "ready"]
            self.key = ready[0]["key"] if ready else ""
            return bool(ready)

        wait_until(told, _READY_S, "the server is ready", meanwhile=self.revive)
        self.reviewer_key = self._second_key()

    def _second_key(self) -> str:
        """A key for who answers reviews: who hands a case in does not decide it."""
        command = [sys.executable, str(Path(__file__).with_name("process.py")), str(os.getpid())]
        made = self.run("keys", [*command, "keys", "add", "reviewer", "--scope", "read", "--scope", "review"])
        made.wait(timeout=_READY_S)
        (secret,) = [line for line in self._log("keys").read_text().split() if line.startswith("ilk_")]
        return secret

    def _log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.log"

    def _end(self) -> None:
        hearts = [heart for name in self._running for heart in self.heart(name)]
        for process in self._running.values():  # its workers die with it
            process.kill()
        kill_all(hearts)
        for process in self._running.values():
            process.wait()
        for provider in self.providers:
            provider.stop()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill_all(processes: Sequence[psutil.Process]) -> int:
    """SIGKILL each; how many were there to be killed."""
    killed = 0
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
            killed += 1
    return killed


def wait_until(
    true: Callable[[], bool], seconds: float, what: str, *, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Look every twentieth of a second, for so long at most.

    Raises:
        TimeoutError: it did not come true.
    """
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        meanwhile()
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection can take."""
    for port in (secrets.choice(_PORTS) for _ in range(100)):
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port was found in a hundred attempts")


Row = tuple[Any, ...]


def look(url: str, question: str, *values: object) -> list[Row]:
    """Ask the database as its superuser, whom row security does not bind."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock -c timezone=UTC") as connection:
        return connection.execute(question, values).fetchall()  # type: ignore[arg-type] - questions are our own
