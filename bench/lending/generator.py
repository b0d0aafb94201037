"""The load generator: a process of its own that sends one body after the other on connections that it keeps open.

Without a rate each connection sends as soon as it has its answer. With a rate the requests leave at even intervals,
whatever became of those before, and a latency counts from the moment at which the request was due: a slow server
cannot hide behind the generator's waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from make import application

UNAVAILABLE = 503
TURNED_AWAY_S = 0.05
VARIETY = 997
"""So many different applications take turns; each request has a key of its own."""


class Bodies:
    """The requests, one after the other, each with a key that was never sent."""

    def __init__(self, run: str, path: str, host: str, key: str) -> None:
        dice = random.Random(7)
        self._inputs = [json.dumps(application(dice, number)).encode() for number in range(VARIETY)]
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._numbers = iter(range(10**9))
        self._run = run

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self

    def __next__(self) -> tuple[int, bytes]:
        number = next(self._numbers)
        body = b'{"point":"lending.approve","key":"%s-%d","input":%s}' % (
            self._run.encode(),
            number,
            self._inputs[number % VARIETY],
        )
        return number, b"%s%d\r\n\r\n%s" % (self._head, len(body), body)


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._read = bytearray()
        self._due = 0.0
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = transport
        self._load.is_free(self)

    def send(self, due: float, numbered: tuple[int, bytes]) -> None:
        """Send one request."""
        self._due = due
        self._number, request = numbered
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """See whether the answer is complete."""
        self._read += data
        head = self._read.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._read.lower().find(b"content-length:", 0, head)
        end = head + 4 + int(self._read[at + 15 : self._read.find(b"\r\n", at)])
        if len(self._read) >= end:
            status = int(self._read[9:12])
            if self._load.recorded is not None:
                self._load.recorded.append((self._number, status, _id_in(self._read, head) if status < 300 else ""))
            del self._read[:end]
            self._load.answered(status, self._due)
            self._load.done(self, status)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        """Count what can be answered no more."""
        self._load.lost()


def _id_in(answer: bytearray, head: int) -> str:
    """The decision's id that an answer says."""
    at = answer.find(b'"id":"', head)
    return answer[at + 6 : at + 42].decode()


class Load:
    """What goes on: free connections, requests that are due, and what was answered."""

    def __init__(self, bodies: Bodies, rate: float, seconds: float, warm_up: float, *, records: bool = False) -> None:
        self._bodies = bodies
        self.recorded: list[tuple[int, int, str]] | None = [] if records else None
        self._rate = rate
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._counts_from = time.perf_counter() + warm_up
        self._ends = self._counts_from + seconds
        self.took: list[tuple[int, float]] = []
        self.unanswered = 0
        self.connections_lost = 0

    def is_free(self, connection: Connection) -> None:
        """Send the next that is due, or keep the connection for later."""
        now = time.perf_counter()
        if self._rate and self._waiting:
            self._send(connection, self._waiting.popleft())
        elif self._rate or now >= self._ends:
            self._free.append(connection)
        else:
            self._send(connection, now)

    def _send(self, connection: Connection, due: float) -> None:
        self.unanswered += 1
        connection.send(due, next(self._bodies))

    def answered(self, status: int, due: float) -> None:
        """Count an answer whose request was due within the time."""
        self.unanswered -= 1
        if self._counts_from <= due < self._ends:
            self.took.append((status, time.perf_counter() - due))

    def done(self, connection: Connection, status: int) -> None:
        """Go on; without a rate, who was turned away waits a moment, as the answer asks."""
        if status == UNAVAILABLE and not self._rate:
            asyncio.get_running_loop().call_later(TURNED_AWAY_S, self.is_free, connection)
        else:
            self.is_free(connection)

    def lost(self) -> None:
        """A connection ended."""
        self.connections_lost += 1

    async def run(self) -> None:
        """Until the time is over and what is under way has been answered, or ten seconds later."""
        due = time.perf_counter()
        while self._rate and due < self._ends:
            now = time.perf_counter()
            while due <= now:
                if self._free:
                    self._send(self._free.popleft(), due)
                else:
                    self._waiting.append(due)
                due += 1 / self._rate
            await asyncio.sleep(max(0.0005, due - now))
        await asyncio.sleep(max(0.0, self._ends - time.perf_counter()))
        give_up = time.perf_counter() + 10
        while (self._waiting or self.unanswered) and time.perf_counter() < give_up:  # noqa: ASYNC110 - it happens in callbacks
            await asyncio.sleep(0.01)


class Terms(argparse.Namespace):
    """What the process is told; see the options."""

    server: str
    key: str
    run: str
    path: str
    connections: int
    rate: float
    seconds: float
    warm_up: float
    record: Path | None


async def main(terms: Terms) -> None:
    """Load the server and print what was measured as one line of JSON."""
    where = urlsplit(terms.server)
    bodies = Bodies(terms.run, terms.path, where.netloc, terms.key)
    load = Load(bodies, terms.rate, terms.seconds, terms.warm_up, records=terms.record is not None)
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: Connection(load), where.hostname or "", where.port or 80)
        for _ in range(terms.connections)
    ]
    await load.run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    for transport, _ in connections:
        transport.close()
    times = sorted(took for status, took in load.took if status < 300)
    refused = sorted(took for status, took in load.took if status == UNAVAILABLE)
    if terms.record and load.recorded is not None:
        lines = (f"{terms.run}-{number} {status} {id_}\n" for number, status, id_ in load.recorded)
        terms.record.write_text("".join(lines))
    print(
        json.dumps(
            {
                "statuses": dict(Counter(status for status, _ in load.took)),
                "per_s": len(times) / terms.seconds,
                **{f"p{cut}_ms": _cut(times, cut) for cut in (50, 90, 99)},
                "refused_p99_ms": _cut(refused, 99),
                "refused_p50_ms": _cut(refused, 50),
                "connections_lost": load.connections_lost,
                "unanswered": load.unanswered,
                "cpu_s": used.ru_utime + used.ru_stime,
            }
        )
    )


def _cut(times: list[float], percent: int) -> float:
    return times[min(len(times) - 1, len(times) * percent // 100)] * 1000 if times else 0.0


if __name__ == "__main__":
    read = argparse.ArgumentParser()
    read.add_argument("--server", required=True)
    read.add_argument("--key", required=True)
    read.add_argument("--run", required=True, help="makes the keys of this run its own")
    read.add_argument("--path", default="/v1/decisions")
    read.add_argument("--connections", type=int, default=64)
    read.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as answers come")
    read.add_argument("--seconds", type=float, default=8.0)
    read.add_argument("--warm-up", type=float, default=2.0)
    read.add_argument("--record", type=Path, help="write the key, the status and the id of every answer here")
    uvloop.run(main(read.parse_args(namespace=Terms())))
