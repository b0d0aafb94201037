"""A process that runs for months keeps room for what it will write."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from interlock import node as nodes
from interlock.cases.registry import Registry
from interlock.config import Settings


async def test_partitions_are_made_while_the_process_runs(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "PARTITION_UPKEEP_S", 0.05)
    async with nodes.open_node(Settings(database_url=database_url), registry=Registry(())) as node:
        assert await node.database.partitions_ahead() == 3
        with psycopg.connect(database_url, autocommit=True) as admin:
            latest = admin.execute(
                "select max(c.relname) from pg_class c join pg_inherits i on i.inhrelid = c.oid "
                "where i.inhparent = 'interlock.decision'::regclass and c.relkind = 'r'"
            ).fetchone()
            assert latest
            admin.execute(f"drop table interlock.{latest[0]}".encode())  # as if a month had passed
        async with asyncio.timeout(20):
            while await node.database.partitions_ahead() < 3:  # noqa: ASYNC110 - the database does not tell
                await asyncio.sleep(0.02)
