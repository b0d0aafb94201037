"""What tests of replay share: a workflow whose files are its own, to be changed and deleted, and decisions of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.publications.versions import refund_rules
from tests.pg.stage import REFUNDS, declared, settings_for

from interlock.cases.case import Case
from interlock.cases.in_line import find_point, question_of
from interlock.cases.registry import Registered, Registry, register
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision
from interlock.money import Money
from interlock.node import Node, open_node
from interlock.replay.replay import Replayer
from interlock.replay.restore import Restoring
from interlock.replay.result import Replay, Status

RULES = "components/approve-refund@1.rules.json"
NO_WORKFLOWS = Registry(())
OTHER_RULES = refund_rules("1", days=1).decode()
"""The rules as another file of the same name: a day after the purchase is too late."""


async def approve(case: Case) -> str:
    """Take one decision."""
    return str((await case.decide("approve", case.input)).output["reason"])


def project(folder: Path, **terms: Any) -> Registered:
    """A workflow with its contracts and rules in a folder of its own."""
    folder.mkdir(exist_ok=True)
    for name in ("contracts", "components"):
        shutil.copytree(REFUNDS / name, folder / name, dirs_exist_ok=True)
    return register(declared(approve, folder, **terms).workflow)


@asynccontextmanager
async def running(url: str, *flows: Registered, **settings: Any) -> AsyncGenerator[Node]:
    """A process with these workflows."""
    async with open_node(settings_for(url, **settings), registry=Registry(flows)) as node:
        yield node


async def decide(
    node: Node, key: str = "k", amount: str = "20.00", *, days: int = 3, point: str = "approve", **more: Any
) -> Decision:
    """Decide in line, and read what is on record."""
    value = {"customer": "Ana", "amount": amount, "days_since_purchase": days, **more}
    named = find_point(node.registry, f"{node.registry.all[0].workflow.name}.{point}")
    exposure = None if named.point.exposure else Money(amount, "EUR")
    asked = question_of(named, node.tenant, key=key, value=value, exposure=exposure)
    taken = await node.tools.decider.decide(asked)
    assert isinstance(taken, Decision), taken
    return await find_decision(node.database, node.tenant, taken.id)


async def replayed(
    node: Node,
    decision: Decision,
    *,
    installed: Callable[[], Registry] = lambda: NO_WORKFLOWS,
    only_installed: bool = False,
    **terms: Any,
) -> Replay:
    """The decision as it is on record now, made again; by default by a process in which no workflow is installed."""
    now = node.database.clock.now
    async with Restoring(node.database, installed, now=now, only_installed=only_installed) as restoring:
        found = await find_decision(node.database, node.tenant, decision.id)
        return await Replayer(restoring, vault=node.vault, **terms).replay(node.tenant, found)


def change(admin: psycopg.Connection[Any], decision: Decision, *, hashed: bool = False, **columns: object) -> None:
    """Write into a decision's row, as only an administrator can.

    Args:
        admin: A connection that may.
        decision: Which.
        hashed: Whether the ledger keeps the hash of the record; else it is as one of before records were hashed, so
            that each stage is seen by itself.
        columns: What to write.
    """
    if not hashed:
        admin.execute(
            "update ledger_entry set body = convert_to((convert_from(body, 'UTF8')::jsonb - 'record')::text, 'UTF8') "
            "where subject = %s and kind = 'decision.taken'",
            (decision.id,),
        )
    for name, value in columns.items():
        done = admin.execute(
            sql.SQL("update decision set {} = %s where id = %s").format(sql.Identifier(name)),
            (value, decision.id),
        )
        assert done.rowcount == 1


def differing(replay: Replay) -> list[str]:
    """The stages that are different."""
    return [stage.name for stage in replay.stages if stage.status is Status.DIFFERENT]


def statuses(replay: Replay) -> dict[str, str]:
    """Each stage's status."""
    return {stage.name: str(stage.status) for stage in replay.stages}


def encoded(value: object) -> bytes:
    """As records are encoded."""
    return msgspec.json.encode(value, order="sorted")
