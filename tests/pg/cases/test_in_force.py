"""A workflow's file, its code and its components are told of when a process first brings them along, once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import psycopg
from tests.pg.stage import declared, stage

from interlock.cases.in_force import tell_in_force
from interlock.cases.registry import Registry
from interlock.db.database import Database
from interlock.ledger.ledger import INSTALLATION

Admin = psycopg.Connection[tuple[Any, ...]]


async def flow(case: object) -> None:
    """Does nothing: only its file matters."""


def told(admin: Admin, kind: str) -> list[dict[str, Any]]:
    rows = admin.execute(
        "select body from ledger_entry where kind = %s and tenant = %s order by id", (kind, INSTALLATION)
    )
    return [json.loads(row[0]) for row in rows]


async def test_a_file_is_told_of_when_it_changes_and_when_it_comes_back(
    database_url: str, database: Database, admin: Admin, tmp_path: Path
) -> None:
    first = declared(flow, tmp_path, name="flow")
    async with stage(database_url, [first]) as on:
        tenant = on.node.tenant
        assert [one["workflow"] for one in told(admin, "workflow.in_force")] == ["flow"]
        other = declared(flow, tmp_path, name="flow", components="rules:approve-refund@1, person", limits="rate: 2/s")
        same, changed = on.node.registry, Registry([other])
        for registry in (same, changed, changed, same):
            await asyncio.gather(
                tell_in_force(database, on.node.writer, registry, tenant, components=False),
                tell_in_force(database, on.node.writer, registry, tenant, components=False),
            )
        entries = told(admin, "workflow.in_force")
        assert len(entries) == 3
        assert entries[0] == entries[2]
        assert entries[0]["declaration"] != entries[1]["declaration"]
        assert entries[0]["shares"] == {"approve": {"rules:approve-refund@1": "1", "person": "1"}}


async def test_a_component_is_told_of_once(database_url: str, database: Database, admin: Admin, tmp_path: Path) -> None:
    entry = declared(flow, tmp_path, name="flow")
    async with stage(database_url, [entry]) as on:
        for _ in range(2):
            await tell_in_force(database, on.node.writer, on.node.registry, on.node.tenant, components=True)
    (one,) = told(admin, "component.first_used")
    assert (one["component"], one["component_kind"]) == ("rules:approve-refund@1", "rules")
