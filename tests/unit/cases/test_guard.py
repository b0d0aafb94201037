"""Workflow code does what can be replayed; all else is refused, where it stands, with what to do instead."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from interlock.cases.case import Case
from interlock.cases.driver import Driver, Outcome, Value
from interlock.cases.guard import inside_workflow
from interlock.cases.journal import Place, Recorded
from interlock.cases.requests import StepRequest
from interlock.cases.workflow import Body, workflow
from interlock.errors import WorkflowMisuse

CASE = Case(case_id=UUID(int=1), key="k", value={}, workflow="test", created_at=datetime(2026, 3, 1, tzinfo=UTC))


async def coroutine() -> None:
    """Something to await."""


def start_thread() -> None:
    threading.Thread(target=print).start()


def start_pool() -> None:
    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(print)
    finally:
        pool.shutdown()


def open_file() -> None:
    Path(__file__).read_text(encoding="utf-8")


def open_socket() -> None:
    socket.socket().close()


def start_process() -> None:
    subprocess.run(["true"], check=True)


def run_shell() -> None:
    os.system("true")  # noqa: S605 - what is refused # pyright: ignore[reportDeprecated]


def sleep() -> None:
    time.sleep(0)


@pytest.mark.parametrize(
    ("misuse", "said"),
    [
        (start_thread, "started a thread"),
        (start_pool, "started a thread"),
        (open_file, "opened a file"),
        (open_socket, "opened a socket"),
        (start_process, "started a process"),
        (run_shell, "started a process"),
        (sleep, "slept"),
    ],
)
def test_what_cannot_be_replayed_raises_inside_a_workflow_only(misuse: Callable[[], None], said: str) -> None:
    misuse()
    with inside_workflow("refunds"), pytest.raises(WorkflowMisuse, match=f"the workflow refunds {said}") as refused:
        misuse()
    assert "case.step" in refused.value.todo
    misuse()


class NoSteps:
    """A case whose code asks for nothing."""

    async def carry_out(self, _: StepRequest[Any], place: Place, _recorded: Recorded | None, /) -> Outcome:
        """Never asked."""
        raise AssertionError(place)

    def result_of(self, _: StepRequest[Any], recorded: Recorded, /) -> Value:
        """Never asked."""
        raise AssertionError(recorded)

    async def settle_up(self) -> None:
        """Nothing is recorded."""


def bare_gather() -> Awaitable[Any]:
    return asyncio.gather(coroutine())


def bare_task() -> Awaitable[Any]:
    made = coroutine()
    try:
        return asyncio.create_task(made)
    finally:
        made.close()


def bare_thread() -> Awaitable[Any]:
    return asyncio.to_thread(print)


def bare_sleep() -> Awaitable[Any]:
    return asyncio.sleep(1)


class Foreign:
    """An awaitable of somebody else's."""

    def __await__(self) -> Generator[str, None, None]:
        yield "mine"


@pytest.mark.parametrize("make", [bare_gather, bare_task, bare_thread, bare_sleep, Foreign])
async def test_no_concurrency_but_the_case_s_own(make: Callable[[], Awaitable[Any]]) -> None:
    async def body() -> None:
        await make()

    with pytest.raises(WorkflowMisuse) as refused:
        await Driver("refunds", NoSteps(), []).run(body())
    assert "case" in refused.value.todo
    await asyncio.sleep(0)  # nothing was left behind that still runs
    assert len(asyncio.all_tasks()) <= 2


async def a_clock(case: Case) -> None:
    assert datetime.now(UTC)


async def a_clock_by_module(case: Case) -> None:
    assert dt.datetime.now(UTC)


async def a_date(case: Case) -> None:
    assert dt.date.today()  # noqa: DTZ011 - what is refused


async def a_timer(case: Case) -> None:
    assert time.monotonic()


async def some_dice(case: Case) -> None:
    assert random.random()


async def an_id(case: Case) -> None:
    assert uuid4()


async def an_id_by_module(case: Case) -> None:
    assert uuid.uuid4()


async def the_environment(case: Case) -> None:
    assert os.environ["HOME"]


async def a_task(case: Case) -> None:
    await asyncio.sleep(1)


async def a_file(case: Case) -> None:
    open("x").close()  # noqa: ASYNC230, PTH123 - what is refused


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (a_clock, "datetime.now"),
        (a_clock_by_module, "datetime.now"),
        (a_date, "date.today"),
        (a_timer, "time.monotonic"),
        (some_dice, "random.random"),
        (an_id, "uuid4()"),
        (an_id_by_module, "uuid.uuid4"),
        (the_environment, "os.environ"),
        (a_task, "asyncio.sleep"),
        (a_file, "open()"),
    ],
)
def test_clocks_dice_and_environment_are_refused_where_the_workflow_is_declared(body: Body, said: str) -> None:
    with pytest.raises(WorkflowMisuse, match="which another run would answer otherwise") as refused:
        workflow("refunds", version="1")(body)
    assert said in refused.value.what
    line = body.__code__.co_firstlineno + 1  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess,reportUnknownMemberType,reportUnknownVariableType]
    assert refused.value.where == f"{__file__}:{line}"


async def asks_the_case(case: Case) -> str:
    made = {"random": case.random(), "now": case.now(), "id": case.new_id()}
    for request in made.values():
        await request
    return "".join(sorted(made))


def test_what_asks_the_case_is_no_misuse_and_a_plain_function_is_one() -> None:
    assert workflow("refunds", version="1")(asks_the_case).name == "refunds"
    with pytest.raises(WorkflowMisuse, match="no async function"):
        workflow("refunds", version="1")(nothing)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def nothing(case: Case) -> None:
    """No workflow."""
