"""Every named statement of every room, prepared on the real schema and compared with its type."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg.pq import ExecStatus

import interlock
from interlock.clock import Clock, first_id
from interlock.db import queries
from interlock.db.database import SERVICE_OPTIONS
from interlock.db.queries import Bulk, Command, Rows, load_queries
from interlock.errors import InterlockError

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]

_ROOT = Path(interlock.__file__).parent
# Not the service's: what the administrator runs while migrating.
_ADMINISTRATORS = {
    "db.ensure_migration_record",
    "db.find_applied_migrations",
    "db.record_migration",
    "db.record_migration_in_ledger",
}
_RECORDSET = re.compile(r"json_to_recordset\(%\(rows\)s::json\)\s+as\s+\w+\s*\(([^)]*)\)", re.IGNORECASE)


def statements() -> dict[str, Rows[Any] | Bulk[Any] | Command]:
    """Every statement of the program, once every module that loads queries is imported."""
    for file in _ROOT.rglob("*.py"):
        if "load_queries(" in file.read_text(encoding="utf-8"):
            importlib.import_module(".".join(file.relative_to(_ROOT.parent).with_suffix("").parts))
    return {statement.name: statement for statement in queries.declared}


STATEMENTS = statements()


def describe(connection: Admin, text: str) -> list[str]:
    """The columns of a statement as the server prepares it; an InterlockError where it cannot."""
    prepared = connection.pgconn.prepare(b"", text.encode())
    if prepared.status != ExecStatus.COMMAND_OK:
        raise InterlockError(prepared.error_message.decode())
    described = connection.pgconn.describe_prepared(b"")
    return [(described.fname(at) or b"").decode() for at in range(described.nfields)]


def test_rooms_are_found() -> None:
    assert {"db", "ledger"} <= {name.split(".")[0] for name in STATEMENTS}
    assert len(STATEMENTS) > 15


def test_every_statement_prepares_and_its_columns_are_its_types(admin: Admin) -> None:
    wrong: dict[str, str] = {}
    for name, statement in STATEMENTS.items():
        try:
            found = describe(admin, statement.numbered)
        except InterlockError as cause:
            wrong[name] = str(cause)
            continue
        if isinstance(statement, Rows):
            fields: set[str] = set()
            if not statement.single:
                fields = {field.encode_name for field in msgspec.structs.fields(statement.row)}
            if len(found) != len(set(found)) or (len(found) != 1 if statement.single else set(found) != fields):
                wrong[name] = f"columns {sorted(found)}, fields {sorted(fields)}"
    assert wrong == {}


def test_the_service_may_run_every_statement(database_url: str, admin: Admin) -> None:
    """EXPLAIN checks every right that running it would, and runs nothing."""
    wrong: dict[str, str] = {}
    with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as service:
        service.execute("set plan_cache_mode = force_generic_plan")
        for name in sorted(set(STATEMENTS) - _ADMINISTRATORS):
            its = "it_" + name.replace(".", "_")
            nulls = ", ".join(["null"] * len(STATEMENTS[name].parameters))
            try:
                service.execute(f"prepare {its} as {STATEMENTS[name].numbered}".encode())
                service.execute(f"explain execute {its} {f'({nulls})' if nulls else ''}".encode())
            except psycopg.Error as cause:
                wrong[name] = str(cause)
    assert wrong == {}


def test_a_bulk_statement_reads_what_is_sent() -> None:
    """It reads ``json_to_recordset(%(rows)s::json) as r (column type, ...)`` with just the columns of its struct."""
    wrong: dict[str, str] = {}
    for name, statement in STATEMENTS.items():
        if isinstance(statement, Bulk):
            sent = {field.encode_name for field in msgspec.structs.fields(statement.sent)}
            sets = [{part.split()[0] for part in text.split(",")} for text in _RECORDSET.findall(statement.sql)]
            if not sets or any(columns != sent for columns in sets):
                wrong[name] = f"reads {sets}, is sent {sorted(sent)}"
            if not statement.distinct or not set(statement.distinct) <= sent:
                wrong[name] = f"distinct {statement.distinct} are no fields of {sorted(sent)}"
    assert wrong == {}


def test_no_statement_is_left_unused() -> None:
    assert {(file.room, name) for file in queries.files for name in file.unused} == set()
    assert {path.parent.name for path in _ROOT.rglob("queries.sql")} == {file.room for file in queries.files}


def test_sql_stands_only_in_sql_files() -> None:
    """Nobody runs a string of SQL from Python; ``begin``, ``listen`` and the like are no queries."""
    pattern = re.compile(r"""execute\(\s*[frb]*["']+\s*(select|insert|update|delete|with)\b""", re.IGNORECASE)
    db = {
        "migrate.py",
        "embedded.py",
        "_supervisor.py",
        "_cluster.py",
    }  # these talk as administrators, before there is a schema
    found = [
        str(file.relative_to(_ROOT))
        for file in _ROOT.rglob("*.py")
        if file.name not in db and file.parent.name != "sim" and pattern.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_file_that_names_a_statement_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "queries.sql").write_text("-- name: a\nselect 1\n\n-- name: a\nselect 2\n")
    with pytest.raises(InterlockError, match="twice"):
        load_queries(str(tmp_path / "store.py"))


# ------------------------------------------------------------------ plans of what is hot


def plan(admin: Admin, text: str, parameters: tuple[Any, ...] = ()) -> str:
    return "\n".join(row[0] for row in admin.execute(f"explain (costs off) {text}".encode(), parameters))


def test_claiming_reads_only_due_cases_by_their_index(admin: Admin, tenant: UUID, make_cases: MakeCases) -> None:
    make_cases(tenant, 1)
    admin.execute(
        "insert into cases select gen_random_uuid(), tenant, workflow, version, code, key, input, 1, 'waiting', null, "
        "null, now() + n * interval '1 minute', 0, null, 1, null, null, now(), now() "
        "from cases, generate_series(1, 20000) n"
    )
    admin.execute("analyze cases")
    ((source, names),) = admin.execute(
        "select prosrc, proargnames[1:pronargs] from pg_proc where proname = 'claim_cases'"
    ).fetchall()
    inner = re.search(r"\(\s*(select d\.id.*skip locked)\s*\)", source, re.DOTALL)
    assert inner
    text = re.sub("--.*", "", inner[1])
    given = {"claimant": "1", "carried": f"array['{UUID(int=1)}'::uuid]", "most": "50"}
    for name in names:
        text = re.sub(rf"\b{name}\b", given.get(name, "null"), text)
    found = plan(admin, text)
    assert "Index Scan using case_due" in found
    assert re.search(r"Index Cond: \(.*wake_at <= ", found), found  # 20,000 timers that are not due are not read
    assert "Sort" not in found


def test_the_entries_of_a_case_are_read_by_its_index(admin: Admin, tenant: UUID) -> None:
    admin.execute(
        "insert into ledger_entry (id, tenant, kind, subject, case_id, at, body) "
        "select (substr(first_id(now())::text, 1, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, %s, 't', "
        "gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad(to_hex(n / 10), 12, '0'))::uuid, now(), '' "
        "from generate_series(1, 20000) n",
        (tenant,),
    )
    admin.execute("analyze ledger_entry")
    admin.execute("set role interlock_service")
    admin.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
    text = STATEMENTS["ledger.entries_of_case"].sql.replace("%(case_id)s", "%s")
    found = plan(admin, text, (UUID(int=77),))
    assert re.search(r"Index Scan using ledger_entry_\w*case_id_idx", found), found
    assert len(admin.execute(text.encode(), (UUID(int=77),)).fetchall()) == 10


def test_bounds_of_the_id_leave_out_the_other_months(admin: Admin) -> None:
    parts = admin.execute("select count(*) from pg_inherits where inhparent = 'ledger_entry'::regclass").fetchall()
    assert parts[0][0] >= 4
    now = Clock().now()
    everything = plan(admin, "select id from ledger_entry where at > %s", (now,))
    bounded = plan(admin, "select id from ledger_entry where id >= %s and id <= %s", (first_id(now), Clock().new_id()))
    months = r"ledger_entry_\d{4}_\d\d"
    assert len(set(re.findall(months, everything))) == parts[0][0]
    assert set(re.findall(months, bounded)) == {f"ledger_entry_{now:%Y_%m}"}
