"""Each change of a data level fails once, and succeeds once with its answer lost: it is on record once all the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from writes.cut import Cut, Moment

from interlock.contracts import parse_contract
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.levels.judge import judge_levels
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]
CONTRACT = parse_contract(
    b"""\
apiVersion: v3.1.0
kind: DataContract
id: reading
name: reading
version: 1.0.0
status: active
team: {members: [{username: owner@example.com, role: owner}]}
slaProperties: [{property: frequency, value: 1, unit: h}]
schema: [{name: reading, logicalType: object, properties: [{name: a, logicalType: string}]}]
""",
    "reading.odcs.yaml",
)


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize("kind", ["data.level_broken", "data.level_restored"])
async def test_a_change_is_recorded_once(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID, kind: str, moment: Moment
) -> None:
    with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as admin:
        insert = "insert into data_arrival values (%s, 'reading@1', '', now(), now() - interval '2 hours', null)"
        admin.execute(insert, (tenant,))
        async with Writer(database_url, database.clock, gates(), notifier) as writer:
            with Cut(kind, moment) as cut:
                for _ in range(3):
                    await judge_levels(database, writer, [CONTRACT.line], lambda _: [CONTRACT])
                admin.execute("update data_arrival set last_at = now()")
                for _ in range(3):
                    await judge_levels(database, writer, [CONTRACT.line], lambda _: [CONTRACT])
        assert cut.struck
        rows = admin.execute("select kind from ledger_entry where kind like 'data.%' order by id").fetchall()
        assert [row[0] for row in rows] == ["data.level_broken", "data.level_restored"]
        assert admin.execute("select state::text, turn from data_level").fetchall() == [("kept", 2)]
