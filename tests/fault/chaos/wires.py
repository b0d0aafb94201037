"""The process that stands between the workers and PostgreSQL, as the test turns it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class Wires:
    """Starts ``proxy.py``, tells it what to break, and counts what it says has happened.

    Args:
        upstream: The socket of PostgreSQL.
        doors: A socket for each worker, by the worker's name.
    """

    def __init__(self, upstream: Path, doors: dict[str, Path]) -> None:
        self._upstream = upstream
        self._doors = doors
        self._happened: Counter[str] = Counter()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        for door in self._doors.values():
            door.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", str(Path(__file__).with_name("proxy.py")), str(self._upstream)]
        command += map(str, self._doors.values())
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = threading.Event()
        threading.Thread(target=self._listen, args=(self._process, ready), daemon=True).start()
        if not ready.wait(20):
            raise TimeoutError("the proxy did not begin to listen within 20 s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait(timeout=20)

    def order(self, worker: str, what: str, *more: str) -> None:
        """Tell it what to break, and at whose door."""
        if self._process is None or self._process.stdin is None:
            raise AssertionError("it is entered first")
        self._process.stdin.write(f"{' '.join([what, str(self._doors[worker]), *more])}\n")
        self._process.stdin.flush()

    def happened(self, worker: str, what: str) -> int:
        """How often it has happened at that door."""
        return self._happened[f"{what} {self._doors[worker]}"]

    def _listen(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        for line in process.stdout or ():
            self._happened[line.strip()] += 1
            ready.set()
        if process.stdout:
            process.stdout.close()


def doors_of(folder: Path, workers: Sequence[str], port: int) -> dict[str, Path]:
    """A short path for each worker's socket, named as libpq looks for it."""
    return {name: folder / f"d{number}" / f".s.PGSQL.{port}" for number, name in enumerate(workers)}
