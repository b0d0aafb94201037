"""The course of the demo: hand in, work, review, wait, hand in again, balance."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from interlock.api.app import create_app
from interlock.api.keys import make_key
from interlock.api.serve import serving
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.cli.demo.books import balance, read_cases, read_records
from interlock.cli.demo.receipts import Handed
from interlock.cli.demo.report import Report, make_report
from interlock.cli.demo.reviewer import Reviewer
from interlock.cli.demo.world import CURRENCY, fault_plan, going_down
from interlock.client import Client
from interlock.config import Settings
from interlock.money import Money
from interlock.node import Node, open_node
from interlock.packs.receipts.vendor_list import VARIABLE
from interlock.sim import Entry, SimulatedProvider

_AT_ONCE = 16
_LOOK_S = 0.25
_DOWN_S = 1.5
_LONGEST_S = 120.0
_MOVING = (CaseState.READY, CaseState.RUNNING)

Tell = Callable[[str], None]


async def run_demo(
    settings: Settings,
    provider: SimulatedProvider,
    handed: Sequence[Handed],
    *,
    seed: int,
    vendors: Sequence[str],
    folder: Path,
    tell: Tell,
) -> tuple[Report, str]:
    """Run it; the figures, and the id of a case that is worth explaining.

    Args:
        settings: Written for the demo.
        provider: Running.
        handed: The receipts.
        seed: Of the faults.
        vendors: The list of known vendors; empty: the pack's own.
        folder: The demo's folder.
        tell: Is told in a sentence what happens.
    """
    started, compute = time.perf_counter(), time.process_time()
    if vendors:
        listed = folder / "vendors.txt"
        listed.write_text("\n".join(vendors) + "\n", encoding="utf-8")
        os.environ[VARIABLE] = str(listed)
    async with open_node(settings) as node, node.sealing(), serving(create_app(node), "127.0.0.1", 0) as url:
        registered = node.registry.named("receipts")
        tell(f"PostgreSQL, provider ({provider.url}) and API ({url}) are up")
        keys = [
            await make_key(node.database, node.writer, node.tenant, name=name, scopes=["read", "review"])
            for name in ("reviewer", "second-reviewer")
        ]
        async with node.worker(serves=node.tenant):
            cases = await _hand_in(node, registered, handed)
            tell(f"{len(cases)} receipts are handed in")
            await asyncio.to_thread(provider.set_faults, going_down(fault_plan(seed), _DOWN_S))
            with Client(url, keys[0]) as client, Client(url, keys[1]) as second:
                reviewer = Reviewer(client, second, cases, currency=CURRENCY)
                await _work(node, reviewer, tell)
            before = await asyncio.to_thread(provider.book)
            again = await _hand_in(node, registered, handed)
            await _settle(node, _nothing)
        book = await asyncio.to_thread(provider.book)
        tell("everything was handed in a second time; reading both books")
        records = await read_records(node.database, node.tenant)
        report = make_report(
            records,
            cases,
            currency=CURRENCY,
            balance=balance(records, book, currency=CURRENCY),
            faults=(await asyncio.to_thread(provider.faults)).injected,
            second_time=(len(set(again) - set(cases)), _paid_between(before, book)),
            compute_s=time.process_time() - compute,
            seconds=time.perf_counter() - started,
        )
        telling = max(records, key=lambda record: (bool(record.reviews) + bool(record.actions), len(record.entries)))
        return report, str(telling.case.id)


async def _nothing() -> int:
    return 0


async def _hand_in(node: Node, registered: Registered, handed: Sequence[Handed]) -> dict[str, Handed]:
    """Submit every receipt, some at once; by the id of the case that each became."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(receipt: Handed) -> tuple[str, Handed]:
        async with turn:
            submitted = await submit(
                node.writer,
                node.tenant,
                registered,
                key=receipt.key,
                data=receipt.body,
                caller="demo",
                levels=node.levels,
            )
        return str(submitted.case_id), receipt

    return dict(await asyncio.gather(*(one(receipt) for receipt in handed)))


async def _work(node: Node, reviewer: Reviewer, tell: Tell) -> None:
    """Let the reviewer work beside the worker until only what was left on purpose waits."""
    await _settle(node, lambda: asyncio.to_thread(reviewer.work))
    tell(f"the reviewer decided {reviewer.resolved} reviews through the API and left {reviewer.left} for you")


async def _settle(node: Node, work: Callable[[], Awaitable[int]]) -> None:
    """Go on until nothing moves: no case is ready, runs, or waits for a time, and there was nothing to do.

    Bounded: what still moves at the end shows as a difference in the books.
    """
    quiet, give_up = 0, time.perf_counter() + _LONGEST_S
    while quiet < 2 and time.perf_counter() < give_up:  # noqa: PLR2004 - twice, since a resolution wakes a case
        done = await work()
        quiet = 0 if done or await _moving(node) else quiet + 1
        await asyncio.sleep(_LOOK_S)


async def _moving(node: Node) -> int:
    cases = await read_cases(node.database, node.tenant)
    return sum(case.state in _MOVING or case.wake_at is not None for case in cases)


def _paid_between(before: Sequence[Entry], after: Sequence[Entry]) -> str:
    known = {entry.id for entry in before}
    more = [Money(entry.amount, entry.currency) for entry in after if entry.id not in known]
    return str(sum(more, Money(0, CURRENCY)))
