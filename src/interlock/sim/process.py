"""Start, kill, restart and read a simulated system: for tests, demonstrations and drills."""

from __future__ import annotations

import http.client
import os
import select
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import msgspec

from interlock.errors import SimulationFailed
from interlock.sim.book import Entry, Summary, summary
from interlock.sim.faults import FaultPlan, FaultReport
from interlock.sim.general_ledger import Account, LedgerSummary, Posting, ledger_summary
from interlock.sim.reading import read_book, read_general_ledger

_START_PATIENCE = 20.0
_STOP_PATIENCE = 10.0
_CALL_PATIENCE = 10.0

_HOST = "127.0.0.1"


class _Ready(msgspec.Struct):
    url: str
    port: int
    pid: int


class SimulatedProcess:
    """A simulated system in a process of its own, which ends with this one, however this one ends.

    Use it as a context manager. Its calls block for as long as a process takes to start (some 0.2 s); async code runs
    them in a thread. Restarting keeps port, book and fault plan, apart from the plan's ``down``.

    Args:
        book: The file of the book; made when it is not there. Standard error goes to ``<book>.stderr`` beside it.
        faults: The fault plan to begin with.
        key_retention: For how long a key is honoured.
        keys_optional: Whether requests that have an effect may come without a key.
        port: The TCP port on loopback; 0 finds a free one.

    Attributes:
        module: What it is started as.
        noun: What it is, for messages.
    """

    module: ClassVar[str]
    noun: ClassVar[str]

    def __init__(
        self,
        book: Path,
        *,
        faults: FaultPlan | None = None,
        key_retention: timedelta = timedelta(days=30),
        keys_optional: bool = False,
        port: int = 0,
    ) -> None:
        self._path = book
        self._plan = faults or FaultPlan()
        self._key_retention = key_retention
        self._keys_optional = keys_optional
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it serves, without a slash at the end; the same after a restart."""
        return f"http://{_HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            SimulationFailed: it does not run.
        """
        if self._process is None:
            raise SimulationFailed(f"the {self.noun} does not run", where=str(self._path), todo="start it")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it and wait until it serves; nothing when it runs.

        Raises:
            SimulationFailed: it ended or said nothing; the end of its standard error is in the message.
        """
        if self.alive:
            return self
        self.kill()
        with self._stderr.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own module and values
                self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        try:
            self._port = self._ready(self._process).port
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._reap(self._process)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone; SIGKILL when that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap(self._process)

    def restart(self) -> Self:
        """Stop it if it runs, and start it again on the same port and the same book."""
        self.stop()
        self._plan = msgspec.structs.replace(self._plan, down=None)
        return self.start()

    def set_faults(self, plan: FaultPlan) -> FaultReport:
        """Put a fault plan in force, and keep it for restarts; attempts and faults are counted anew."""
        self._plan = plan
        return msgspec.json.decode(self._call("PUT", "/faults", msgspec.json.encode(plan)), type=FaultReport)

    def faults(self) -> FaultReport:
        """The plan in force, and how many faults struck since it was put."""
        return msgspec.json.decode(self._call("GET", "/faults"), type=FaultReport)

    @property
    def _stderr(self) -> Path:
        return self._path.with_name(f"{self._path.name}.stderr")

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", self.module]
        command += ["--book", str(self._path), "--port", str(self._port), "--parent", str(os.getpid())]
        command += ["--key-retention", str(self._key_retention.total_seconds())]
        command += ["--faults", msgspec.json.encode(self._plan).decode()]
        return [*command, "--keys-optional"] if self._keys_optional else command

    def _ready(self, process: subprocess.Popen[bytes]) -> _Ready:
        """Read the line by which it says that it serves."""
        line = b""
        end = time.monotonic() + _START_PATIENCE
        while process.stdout is not None and not line.endswith(b"\n") and (left := end - time.monotonic()) > 0:
            if select.select([process.stdout], [], [], left)[0]:
                part = os.read(process.stdout.fileno(), 4096)
                if not part:
                    break
                line += part
        try:
            return msgspec.json.decode(line, type=_Ready)
        except msgspec.DecodeError as cause:
            said = self._stderr.read_text(errors="replace")[-2000:].strip()
            raise SimulationFailed(
                f"the {self.noun} did not come up: {said or 'it said nothing'}",
                where=str(self._path),
                todo=f"see {self._stderr}",
            ) from cause

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=_CALL_PATIENCE)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise SimulationFailed(
                f"{method} {path} was refused with {response.status}: {_detail(content)}", where=self.url
            )
        return content

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._process = None

    def _lines(self) -> list[bytes] | None:
        """The book's lines; None when it does not answer."""
        try:
            return self._call("GET", "/book").splitlines()
        except (OSError, http.client.HTTPException):
            return None


class SimulatedProvider(SimulatedProcess):
    """A payment provider in a process of its own; see docs/reference/simulated-provider.md."""

    module = "interlock.sim.provider"
    noun = "provider"

    def book(self) -> tuple[Entry, ...]:
        """The whole book in order: asked for when the provider answers, read from the file when it does not."""
        lines = self._lines()
        return read_book(self._path) if lines is None else tuple(_entry.decode(line) for line in lines)

    def summary(self) -> Summary:
        """The book in a few numbers."""
        return summary(self.book())


class SimulatedBooks(SimulatedProcess):
    """A general ledger in a process of its own; see docs/reference/simulated-books.md."""

    module = "interlock.sim.books"
    noun = "general ledger"

    def postings(self) -> tuple[Posting, ...]:
        """Every posting in order: asked for when the ledger answers, read from the file when it does not."""
        lines = self._lines()
        return tuple(read_general_ledger(self._path)) if lines is None else tuple(map(_posting.decode, lines))

    def read(self) -> bytes:
        """Every posting in order as NDJSON, for whoever reads many as a table."""
        lines = self._lines()
        if lines is None:
            lines = [msgspec.json.encode(posting) for posting in read_general_ledger(self._path)]
        return b"\n".join(lines)

    def accounts(self) -> tuple[Account, ...]:
        """Every account, by name and currency, in the same way."""
        try:
            return msgspec.json.decode(self._call("GET", "/accounts"), type=tuple[Account, ...])
        except (OSError, http.client.HTTPException):
            return read_general_ledger(self._path).accounts()

    def summary(self) -> LedgerSummary:
        """The ledger in a few numbers."""
        return ledger_summary(self.postings())


_entry = msgspec.json.Decoder(Entry)
_posting = msgspec.json.Decoder(Posting)


def _detail(content: bytes) -> Any:
    return msgspec.json.decode(content).get("detail")
