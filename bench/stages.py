"""Where each microsecond of a decision in line goes: every stage of the real path, alone, beside its floor.

Each stage runs thousands of times on the benchmarks' own point (30 fields, model, table of 50 rows); its figure is
processor time, the least of several rounds, since every disturbance only adds. The whole is measured on the real path
with 64 at once and a durable commit; what the stages do not explain is the event loop, the driver and the writer. A
floor is the same work by the bare library. The last line is JSON for machines; LONG=1 takes ten times as many rounds.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import uvloop
from ground.made import LENDING, MADE, make_lending
from ground.world import World

from interlock.api.bodies import DecideBody
from interlock.api.deciding import answer_decision, decided_document
from interlock.api.keys import Caller, Scope
from interlock.api.reading import read_body
from interlock.cases.in_line import find_point, question_of
from interlock.cases.registry import Registry, register
from interlock.cases.workflow import Workflow
from interlock.components.component import Question
from interlock.config import Settings
from interlock.contracts import read_json
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate
from interlock.db.queries import encode_rows
from interlock.db.work import Stamp
from interlock.decisions.ask import ask_components
from interlock.decisions.decide import check_input, make_draft
from interlock.decisions.store import NewDecision, canonical
from interlock.node import Node, open_node

sys.path.insert(0, str(LENDING))
ROUNDS, TIMES = (60, 2000) if os.environ.get("LONG") else (6, 2000)
AT_ONCE, DECISIONS = 64, 4000
GOAL_US = 250.0
"""Of the process, without HTTP: so that 3,000 decisions a second leave a quarter of one core to HTTP."""


def least_us(work: Callable[[], object]) -> float:
    """Microseconds of processor time of one call: the least of the rounds' means."""
    found: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            work()
        found.append((time.process_time() - began) / TIMES * 1e6)
    return min(found)


async def least_us_awaited(work: Callable[[], Any]) -> float:
    """The same of a coroutine that never waits."""
    found: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            await work()
        found.append((time.process_time() - began) / TIMES * 1e6)
    return min(found)


async def stages(node: Node, body: bytes) -> list[tuple[str, float, float | None]]:
    """Every stage with its floor, in order."""
    named = find_point(node.registry, "lending.approve")
    read = read_body(read_json(body), DecideBody)
    asked = question_of(named, node.tenant, key="k", value=read.input, caller="bench")
    data = canonical.encode(asked.value)
    now = node.database.clock.now()
    watch = node.tools.decider.watch
    asking = await ask_components(asked, now=now, watch=watch)
    for _ in range(200):  # until the model is known to be quick
        asking = await ask_components(asked, now=now, watch=watch)
    best = asking.best
    if best is None:
        raise SystemExit("the model gave no answer")
    draft = make_draft(asked, data, asking, 0.0)
    clock = node.database.clock
    made: list[NewDecision] = []
    writes = draft.writes(Stamp(now=clock.now(), entry=clock.new_id(), clock=clock), made)
    rows: dict[str, list[Any]] = {}
    for write in writes:
        rows.setdefault(write.statement.name, []).extend([write.row] * AT_ONCE)
    component, policy = asked.library.component(best.component), asked.point.policy
    if policy is None:
        raise SystemExit("the point has no policy")
    table = asked.library.component(policy)
    question = Question(input=asked.value, now=now)
    facts = Question(input={**asked.value, **best.answer.output}, now=now)
    session: Any = cast("Any", component)._models["score"]._session  # noqa: SLF001 - the bare library
    matrix = np.zeros((1, 26), dtype=np.float32)
    model = least_us(lambda: component.answer(question))
    asking_us = await least_us_awaited(lambda: ask_components(asked, now=now, watch=watch))
    rules = least_us(lambda: table.answer(facts))
    routing = least_us(lambda: make_draft(asked, data, asking, 0.0))

    def build() -> None:
        draft.writes(Stamp(now=clock.now(), entry=clock.new_id(), clock=clock), [])

    def encode() -> None:
        for sent in rows.values():
            encode_rows(sent)

    body_floor = least_us(lambda: msgspec.json.decode(body))
    return [
        ("body: bytes to JSON, strictly", least_us(lambda: read_json(body)), body_floor),
        ("body: JSON to the request", least_us(lambda: read_body(read_json(body), DecideBody)) - body_floor, None),
        ("point, question, key", least_us(lambda: question_of(named, node.tenant, key="k", value=read.input)), None),
        ("input as it is stored", least_us(lambda: canonical.encode(asked.value)), None),
        ("input against its contract", least_us(lambda: check_input(asked)), None),
        ("model: features and ONNX", model, least_us(lambda: session.run(["probabilities"], {"x": matrix}))),
        ("asking: choice, time, output's contract, confidence", asking_us - model, None),
        ("decision table of 50 rows", rules, None),
        ("conditions, verdicts, route", routing - rules, None),
        ("keys, digests, what must hold", least_us(lambda: draft.conditions), None),
        ("rows: decision, ledger entry, case, step", least_us(build), None),
        (f"rows as JSON, {AT_ONCE} together", least_us(encode) / AT_ONCE, None),
        ("answer as JSON", least_us(lambda: msgspec.json.encode(decided_document(made[0], None))), None),
    ]


async def whole(node: Node, world: World, bodies: list[bytes]) -> tuple[float, float, float]:
    """A decision on the real path: microseconds of the process and of the database, and decisions a second."""
    caller = Caller(id=node.tenant, tenant=node.tenant, tenant_name="default", name="bench", scopes=(Scope.ADMIN,))
    numbers = iter(range(10**9))

    async def ask(until: int) -> None:
        while (number := next(numbers)) < until:
            body = bodies[number % len(bodies)].replace(b'"k"', b'"k%d"' % number, 1)
            await answer_decision(node, caller, body, header_key="", trace="")

    async def many(count: int) -> None:
        until = next(numbers) + count
        await asyncio.gather(*(ask(until) for _ in range(AT_ONCE)))

    await many(1000)
    found: list[tuple[float, float, float]] = []
    for _ in range(3):
        before = time.process_time(), world.database_cpu(), time.perf_counter()
        await many(DECISIONS)
        after = time.process_time(), world.database_cpu(), time.perf_counter()
        mine, theirs, took = (late - early for late, early in zip(after, before, strict=True))
        found.append((mine / DECISIONS * 1e6, theirs / DECISIONS * 1e6, DECISIONS / took))
    return min(found)


async def measure(world: World, url: str) -> None:
    """Measure and print."""
    application: Callable[[random.Random, int], dict[str, Any]] = importlib.import_module("make").application
    lending: Workflow = importlib.import_module("workflow").lending
    dice = random.Random(7)
    bodies = [
        msgspec.json.encode({"point": "lending.approve", "key": "k", "input": application(dice, number)})
        for number in range(500)
    ]
    registry = Registry([register(lending, roots=(MADE,))])
    async with open_node(Settings(database_url=url), registry=registry) as node:
        named = await stages(node, bodies[0])
        mine, theirs, per_s = await whole(node, world, bodies)
    report(named, mine, theirs, per_s)


def report(named: list[tuple[str, float, float | None]], mine: float, theirs: float, per_s: float) -> None:
    """Print the table, and the line for machines."""
    explained = sum(took for _, took, _ in named)
    print(f"{'stage':<52} {'us':>7} {'floor':>7}")
    for name, took, floor in named:
        print(f"{name:<52} {took:>7.1f} {'' if floor is None else f'{floor:.1f}':>7}")
    print(f"{'event loop, writer, driver, gates of the commit':<52} {mine - explained:>7.1f}")
    print(f"{'the process, all of it':<52} {mine:>7.1f}")
    print(f"{'PostgreSQL':<52} {theirs:>7.1f}")
    print(f"{per_s:.0f} decisions a second in this process, {AT_ONCE} at once")
    figures: dict[str, Any] = {"python": platform.python_version(), "process_us": round(mine, 1)}
    figures |= {"database_us": round(theirs, 1), "per_s": round(per_s)}
    figures |= {name: round(took, 2) for name, took, _ in named}
    goal = {"name": "microseconds of the process", "value": round(mine, 1), "goal": GOAL_US, "met": mine <= GOAL_US}
    print(json.dumps({"bench": "stages", "figures": figures, "goals": [goal]}))


def main() -> None:
    """Make what is needed, and measure."""
    make_lending()
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder:
        data = Path(folder) / "server"
        with EmbeddedPostgres(data, linger=0) as server:
            world = World(data, server)
            url = world.database("decisions")
            asyncio.run(migrate(url))
            uvloop.run(measure(world, url))
            server.stop(wait=20)


if __name__ == "__main__":
    main()
