"""With many decisions behind a source, a page of it and its sums are read by index."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.db.database import Database
from interlock.lineage.influence import catch_up, read_influence
from interlock.lineage.source import read_source
from interlock.lineage.store import INFLUENCE_MEMBERS, INFLUENCE_TOTALS, INFLUENCED

Admin = psycopg.Connection[tuple[Any, ...]]
STORED = 4_000
FILL = """
create temp table made as
select n, (substr(first_id(now())::text, 1, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id
from generate_series(0, {stored} - 1) n;
insert into decision (id, tenant, workflow, point, key, input, input_hash, input_contract, component, propensity,
  attempts, exposure_minor, currency, findings, verdicts, reasons, route, evidence, cost, declaration, took_us,
  decided_at)
select id, '{tenant}', 'w', 'p', n::text, '', sha256(n::text::bytea), 'c@1.' || n % 3 || '.0', 'person', 1,
  '[{{"component":"rules:r@1","became":"unsure"}}]', 100, 'MYR', '', '', '', 'reject', '', 0, '', '', now() from made;
insert into ledger_entry (id, tenant, kind, subject, at, body)
select id, '{tenant}', 'decision.taken', id, now(), convert_to('{{"caller":"c' || n % 1000 || '"}}', 'UTF8') from made;
insert into ledger_leaf (index, entry, hash) select n, id, sha256('') from made;
analyze decision;
analyze ledger_entry;
analyze ledger_leaf
"""


@pytest.fixture
async def counted(admin: Admin, database: Database, tenant: UUID) -> Database:
    for statement in FILL.format(stored=STORED, tenant=tenant).split(";\n"):
        admin.execute(statement.encode())
    assert await catch_up(database, 60.0) == 0
    admin.execute("analyze lineage_part")
    return database


async def test_a_page_and_its_sums_are_read_by_index(counted: Database, admin: Admin, tenant: UUID) -> None:
    for of, decisions in (("contract:c@1", STORED), ("contract:c@1.2.0", STORED // 3), ("caller:c7", STORED // 1000)):
        found = await read_influence(counted, tenant, read_source(of), most=10)
        assert (found.decisions, found.money[0].decided) == (decisions, f"{decisions}.00 MYR")
    seen: list[UUID] = []
    before = None
    while True:
        page = await read_influence(counted, tenant, read_source("contract:c@1.1.0"), before=before, most=500)
        seen += [item.id for item in page.items]
        before = page.next
        if before is None:
            break
    assert len(set(seen)) == len(seen) == page.decisions
    assert seen == sorted(seen, reverse=True)
    admin.execute("set role interlock_service")
    admin.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
    source = read_source("caller:c7").digest(tenant)
    for statement, given, index in (
        (INFLUENCE_MEMBERS, {"source": source, "below": 2**62, "most": 1075}, "lineage_part_is_one"),
        (INFLUENCE_TOTALS, {"source": source}, "lineage_part_is_one"),
        (INFLUENCED, {"indexes": [7, 1007]}, "ledger_leaf_has_one_place"),
    ):
        rows = admin.execute(f"explain (analyze, buffers, costs off, timing off) {statement.sql}".encode(), given)
        plan = "\n".join(str(row[0]) for row in rows)
        assert index in plan, plan
        read = [int(n) for n in re.findall(r"Buffers: shared hit=(\d+)", plan.split("Planning")[0])]
        assert read[0] < 60, plan
