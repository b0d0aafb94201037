"""The small process beside each worker that shows its peers that it lives.

A thread would be seconds late behind one long C call; this process has nothing else to do. It holds a session-level
advisory lock on a direct connection, which the server frees within milliseconds of its death, and it renews the lease,
which is for pauses and cut networks that free no lock. It ends with its parent, and it stops renewing when the parent
makes no progress within its limit: then peers take the cases over.

Speaks over its pipes: a line to standard output when it holds a worker's number, and none after; the parent sends a
byte on standard input at each sign of progress, and closing that end is the end.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import time
from uuid import UUID

import psycopg

from interlock.cases.store import BEGIN_WORKER, END_LEASE, HOLD_WORKER_LOCK, RENEW_LEASE
from interlock.db.database import SERVICE_OPTIONS

LOST = 3
"""The exit status that says: the lease is lost, whoever held it may do nothing more."""

_RECONNECT_S = 0.05


def main() -> None:
    """Hold one worker's lock and lease until its parent ends."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):  # ^C, and a service's end, go to the whole group
        signal.signal(number, signal.SIG_IGN)  # the parent decides when it ends, and our end of the pipe tells us
    sys.exit(_beat(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="interlock.cases.heartbeat")
    parser.add_argument("--url-from", required=True, help="the environment variable that holds the database's URL")
    parser.add_argument("--name", required=True)
    parser.add_argument("--code", action="append", default=[], type=UUID)
    parser.add_argument("--workflow", action="append", default=[])
    parser.add_argument("--lease", required=True, type=float)
    parser.add_argument("--progress", required=True, type=float)
    return parser.parse_args()


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, options=SERVICE_OPTIONS, connect_timeout=5)


def _beat(options: argparse.Namespace) -> int:
    url = os.environ[options.url_from]
    parent = os.getppid()
    connection = _connect(url)
    with connection.transaction():  # the lock is held before anyone can see the worker's row
        begun = {
            "name": options.name, "code": options.code, "workflows": options.workflow, "lease": options.lease
        }  # fmt: skip
        row = connection.execute(BEGIN_WORKER.text, begun).fetchone()
        number = int(row[0]) if row else 0
        connection.execute(HOLD_WORKER_LOCK.text, {"number": number})
    print(number, flush=True)  # noqa: T201 - the parent reads it
    renewed = progressed = time.monotonic()
    while True:
        watched = [sys.stdin] if connection.closed else [sys.stdin, connection]
        ready, _, _ = select.select(watched, [], [], _RECONNECT_S if connection.closed else options.lease / 10)
        if sys.stdin in ready:
            if not os.read(sys.stdin.fileno(), 4096):  # the parent has ended, or ends
                _give_up(connection, number)
                return 0
            progressed = time.monotonic()
        if os.getppid() != parent:
            return 0
        if time.monotonic() - progressed > options.progress:
            continue  # held up: the lease runs out, and peers take over; progress before that mends it
        held, connection = _renew(connection, url, number, options.lease)
        if held:
            renewed = time.monotonic()
        elif held is False or time.monotonic() - renewed > options.lease:
            return LOST


def _renew(
    connection: psycopg.Connection, url: str, number: int, lease: float
) -> tuple[bool | None, psycopg.Connection]:
    """Renew the lease: True, False when the worker was declared dead, None when the database does not answer.

    A lost connection has freed the lock; it is taken again before the lease counts as renewed.
    """
    try:
        if connection.closed:
            connection = _connect(url)
            connection.execute(HOLD_WORKER_LOCK.text, {"number": number})
        row = connection.execute(RENEW_LEASE.text, {"number": number, "lease": lease}).fetchone()
    except psycopg.Error:
        connection.close()
        return None, connection
    return row is not None, connection


def _give_up(connection: psycopg.Connection, number: int) -> None:
    try:
        connection.execute(END_LEASE.text, {"number": number})
        connection.close()
    except psycopg.Error:
        return  # the lock is free with the connection anyway


if __name__ == "__main__":
    main()
