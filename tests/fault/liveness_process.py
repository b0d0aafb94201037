"""A worker in a process of its own, and the workflows that the liveness tests run: run as a script by the tests."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.stage import declared, payments, settings_for

from interlock.cases.case import Case
from interlock.cases.registry import Registered, Registry
from interlock.cases.worker import Worker
from interlock.money import Money
from interlock.node import open_node

LOG = "INTERLOCK_TEST_LOG"


def note(what: str) -> str:
    """Write down, durably enough for a kill of this process, what it did."""
    log = os.open(os.environ[LOG], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(log, f"{os.getpid()} {what}\n".encode())
    os.close(log)
    return what


async def hold(key: str, seconds: float) -> str:
    """Take long, and let others go on."""
    note(f"hold {key}")
    await asyncio.sleep(seconds)
    return note(f"held {key}")


def block(key: str, seconds: float) -> str:
    """Take long, and let nobody go on."""
    note(f"hold {key}")
    time.sleep(seconds)
    return note(f"held {key}")


async def compute(key: str, count: int) -> str:
    """One long call into C, in a thread, that does not give up the interpreter's lock."""
    note(f"hold {key}")
    await asyncio.to_thread(sum, range(count))
    return note(f"held {key}")


def match(key: str, seconds: float) -> str:
    """Match a pattern that backtracks without end against longer and longer texts: no call gives up the lock."""
    note(f"hold {key}")
    until, length = time.monotonic() + seconds, 20
    while time.monotonic() < until:
        re.match(r"(a+)+$", "a" * length + "b")
        length += 1
    return note(f"held {key}")


async def holding(case: Case) -> str:
    """Hold for as many seconds as are asked for, then pay."""
    await case.step("hold", hold, case.key, float(case.input["days_since_purchase"]))
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def blocking(case: Case) -> str:
    """Block for as many seconds as are asked for, then pay."""
    await case.step("block", block, case.key, float(case.input["days_since_purchase"]))
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def matching(case: Case) -> str:
    """Match for as many seconds as are asked for, then pay."""
    await case.step("match", match, case.key, float(case.input["days_since_purchase"]))
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def computing(case: Case) -> str:
    """Compute, then pay."""
    await case.step("compute", compute, case.key, 10_000_000 * int(case.input["days_since_purchase"]))
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


def flows(folder: Path) -> list[Registered]:
    """The workflows, with files in this folder."""
    return [declared(body, folder, name=body.__name__) for body in (holding, blocking, matching, computing)]


async def work(url: str, provider: str, folder: Path, lease_s: float) -> None:
    """Work until the process ends."""
    registry = Registry(flows(folder))
    connector = payments(provider, max_request_life=timedelta(milliseconds=200))
    async with open_node(settings_for(url, {"payments": connector}), registry=registry) as node:
        worker = Worker(url, node.tools, registry, node.notifier, lease_s=lease_s, probe_s=0.3, poll_s=0.1)
        async with worker:
            note(f"worker {worker.number}")
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))
