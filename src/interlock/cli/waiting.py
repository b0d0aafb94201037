"""Waiting until submitted cases are done or wait for somebody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

from rich.live import Live

from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.cli.lookup import STATES_OF_CASES, WORKERS_CARRYING
from interlock.cli.screen import Screen, make_table
from interlock.cli.sending import Report
from interlock.durations import format_duration
from interlock.errors import LimitReached
from interlock.node import Node

_POLL_S = 0.3
_POLL_EACH_S = 2e-5  # so that asking about very many costs the database a small part of its time
_SETTLED = frozenset(
    {
        CaseState.DONE.value,
        CaseState.CANCELLED.value,
        CaseState.EXCEPTION.value,
        CaseState.WAITING.value,
        CaseState.QUARANTINED.value,
    }
)
"""States in which nothing goes on by itself; a case that waits for a time is ``sleeping`` and not among them."""

Drawn = Callable[[dict[str, int]], None]


async def wait_for(
    node: Node, registered: Registered, report: Report, screen: Screen, most: timedelta
) -> dict[str, int]:
    """Wait until no case of a report goes on by itself; how many are in each state, with the conclusion.

    Raises:
        LimitReached: some still go on after the longest time.
    """
    cases = {case.case for case in report.cases} | {held.case for held in report.quarantined}
    identifiers = f"{{{','.join(map(str, cases))}}}"
    pause = _POLL_S + len(cases) * _POLL_EACH_S
    until = time.monotonic() + most.total_seconds()
    with _table(screen) as draw:
        while True:
            async with node.database.tenant(node.tenant) as connection:
                counts = await STATES_OF_CASES.all(connection, {"ids": identifiers})
                workers = await WORKERS_CARRYING.one(connection, {"code": registered.workflow.code})
            states = {f"{c.state}: {c.conclusion}" if c.conclusion else c.state: c.cases for c in counts}
            going = sum(count.cases for count in counts if count.state not in _SETTLED)
            draw(states if workers else {**states, "(no worker carries them: start `interlock up`)": going})
            if not going:
                return states
            if time.monotonic() > until:
                raise LimitReached(
                    f"{going} cases still go on after {format_duration(most)}",
                    todo="they go on without this command; `interlock summary` shows where they are"
                    if workers
                    else "no living worker carries this workflow: start `interlock up`",
                )
            await asyncio.sleep(pause)


@contextmanager
def _table(screen: Screen) -> Generator[Drawn]:
    """A table that changes where a person watches; else nothing."""
    if not screen.live:
        yield lambda _states: None
        return
    with Live(console=screen.err, transient=True, refresh_per_second=4) as live:
        yield lambda states: live.update(make_table(("state", "cases"), sorted(states.items())))
