"""What keeps a decision's cost and size with ten million stored: each look-up goes by an index that holds no more."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.cli.lookup import CASE_OF_SUBJECT
from interlock.db.queries import Rows
from interlock.decisions.store import DECISIONS_OF_CASE, FIND_DECISION, FIND_KEY
from interlock.ledger.ledger import ENTRIES_OF_CASE

Admin = psycopg.Connection[tuple[Any, ...]]

STORED = 20_000
FILL = """
create temp table made as
select n, (substr(first_id(now())::text, 1, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id,
  case when n %% 10 = 0 then ('00000000-0000-7000-8000-' || lpad(to_hex(n / 10), 12, '0'))::uuid end as case_id
from generate_series(1, %(stored)s) n;
insert into decision (id, tenant, case_id, workflow, point, key, input, input_hash, component, propensity, attempts,
  findings, verdicts, reasons, route, evidence, cost, declaration, took_us, decided_at)
select id, %(tenant)s, case_id, 'w', 'p', n::text, '', '', 'person', 1, '', '', '', '', 'reject', '', 0, '', '', now()
from made;
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select id, %(tenant)s, 'decision.taken', id, case_id, now(), '' from made;
insert into idempotency_key (digest, tenant, holder, payload) select md5(n::text)::uuid, %(tenant)s, id, id from made;
analyze decision;
analyze ledger_entry;
analyze idempotency_key
"""


@pytest.fixture
def stored(admin: Admin, tenant: UUID) -> UUID:
    """Many decisions, one in ten of a case; the id of one of them."""
    for statement in FILL.split(";\n"):
        filled = re.sub(
            r"%\((\w+)\)s", lambda found: {"stored": str(STORED), "tenant": f"'{tenant}'"}[found[1]], statement
        )
        admin.execute(filled.replace("%%", "%").encode())
    ((id_,),) = admin.execute("select id from made where n = 70").fetchall()
    admin.execute("set role interlock_service")
    admin.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
    return UUID(str(id_))


@pytest.mark.parametrize(
    ("statement", "given", "index"),
    [
        (FIND_DECISION, {"id": None}, r"decision_\d{4}_\d\d_pkey"),
        (FIND_KEY, {"digest": UUID("7cbbc409-ec99-0f19-c78c-75bd1e06f215")}, r"idempotency_key_\d_pkey"),  # md5 of '70'
        (DECISIONS_OF_CASE, {"case_id": UUID("00000000-0000-7000-8000-000000000007"), "since": UUID(int=0)},
         r"decision_\w*case_id_idx"),
        (ENTRIES_OF_CASE, {"case_id": UUID("00000000-0000-7000-8000-000000000007")}, r"ledger_entry_\w*case_id_idx"),
        (CASE_OF_SUBJECT, {"id": None}, r"ledger_entry_\w*subject_idx"),
    ],
)  # fmt: skip
def test_what_is_looked_for_is_found_by_its_index(
    admin: Admin, stored: UUID, statement: Rows[Any], given: dict[str, UUID | None], index: str
) -> None:
    values = {name: value or stored for name, value in given.items()}
    rows = admin.execute(f"explain (analyze, buffers, costs off, timing off) {statement.sql}".encode(), values)
    found = "\n".join(str(row[0]) for row in rows)
    read = [int(n) for n in re.findall(r"Buffers: shared hit=(\d+)", found.split("Planning")[0])]
    assert re.search(f"Index (Only )?Scan (Backward )?using {index}|Bitmap Index Scan on {index}", found), found
    assert read[0] < 30, found  # the months to come are empty, and read as such
    assert len(admin.execute(statement.sql.encode(), values).fetchall()) == 1


def test_what_belongs_to_no_case_is_in_no_index_of_cases(admin: Admin, stored: UUID) -> None:
    admin.execute("reset role")
    assert stored
    sizes = dict(
        admin.execute(
            "select i.relid::regclass::text || ' ' || pg_get_expr(x.indpred, x.indrelid), c.reltuples::int "
            "from pg_stat_user_indexes i join pg_index x on x.indexrelid = i.indexrelid "
            "join pg_class c on c.oid = i.indexrelid "
            "where i.indexrelname like any (array['decision_2%%case_id_idx', 'ledger_entry_2%%case_id_idx'])"
        ).fetchall()
    )
    filled = {name: entries for name, entries in sizes.items() if entries}
    assert len(filled) == 2
    assert all(entries in (STORED // 10, STORED // 10 + 1) for entries in filled.values()), filled  # analyze rounds up


def test_tables_that_change_are_tended_by_what_changed(admin: Admin) -> None:
    """At ten million cases, a fifth of them dead would stand before those that are due."""
    options = dict(
        admin.execute(
            "select relname, coalesce(reloptions, '{}') from pg_class "
            "where oid = any (array['cases', 'review', 'action']::regclass[])"
        ).fetchall()
    )
    assert all("autovacuum_vacuum_scale_factor=0.01" in found for found in options.values())


def test_no_room_is_kept_beside_rows_that_never_change_in_place(admin: Admin, tenant: UUID) -> None:
    """Every move of a case changes its state, which is indexed: its new row goes wherever there is room."""
    admin.execute(
        "insert into cases (id, tenant, workflow, version, code, key, input, state, created_at, changed_at) select "
        "gen_random_uuid(), %s, 'w', '1', gen_random_uuid(), n::text, '', 'waiting', now(), now() "
        "from generate_series(1, 500) n",
        (tenant,),
    )
    admin.execute("update cases set state = 'ready'")
    admin.execute("select pg_stat_force_next_flush()")
    counted = admin.execute("select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'cases'")
    assert counted.fetchall() == [(500, 0)]
    assert "fillfactor" not in str(admin.execute("select reloptions from pg_class where relname = 'cases'").fetchall())
