"""The rules that hold for every table, whoever adds it: row security, rights, names, types."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import DiagnosticField

from interlock.db.database import SERVICE_OPTIONS, Database

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]

# Names that PostgreSQL gives by itself; a constraint's name says its rule. A primary key says enough as *_pkey.
_DEFAULT_NAME = re.compile(r"_(check|key|fkey|excl)\d*\Z")
# An installation's, not a tenant's.
_INSTALLATIONS = {
    "worker", "circuit", "installation_stop", "lineage_cursor", "reconciliation", "ledger_leaf", "ledger_node",
    "ledger_head", "ledger_checkpoint",
}  # fmt: skip
# What is a probability, not an amount.
_MAY_FLOAT = {"confidence", "confidence_needed", "per_second", "probability", "margin", "evidence"}

# Days of business documents: they have no moment, and so no zone.
_MAY_BE_DAYS = {"booked_on", "value_on", "first_day", "last_day", "begins", "ends", "until"}


def columns(admin: Admin) -> list[tuple[str, str, str, str]]:
    """Table, column, type, kind of type ('e': enumeration) of every column of a table of ours."""
    return admin.execute(  # pyright: ignore[reportReturnType] - four texts
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typtype::text "
        "from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid "
        "where c.relnamespace = 'interlock'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 "
        "and not a.attisdropped"
    ).fetchall()


def test_row_security_is_enabled_and_forced_on_every_table_and_partition(admin: Admin) -> None:
    tables = admin.execute(
        "select relname, relrowsecurity, relforcerowsecurity, relispartition, "
        "exists (select from pg_policy p where p.polrelid = c.oid) from pg_class c "
        "where relnamespace = 'interlock'::regnamespace and relkind in ('r', 'p')"
    ).fetchall()
    assert len(tables) > 30
    assert [name for name, enabled, forced, _, _ in tables if not (enabled and forced)] == []
    assert [name for name, _, _, part, policy in tables if not part and not policy] == []


def test_every_policy_compares_the_tenant(admin: Admin) -> None:
    policies = dict(
        admin.execute(
            "select tablename::text, string_agg(qual, ' or ') from pg_policies "
            "where schemaname = 'interlock' group by 1"
        ).fetchall()
    )
    assert {table: policies.pop(table) for table in _INSTALLATIONS} == dict.fromkeys(_INSTALLATIONS, "true")
    wrong = {table: rule for table, rule in policies.items() if not re.search(r"\(tenant = .*current_tenant\(\)", rule)}
    assert wrong == {}
    tenantless = {table for table, _, _, _ in columns(admin)} - {t for t, c, _, _ in columns(admin) if c == "tenant"}
    assert tenantless == _INSTALLATIONS


def test_the_service_owns_nothing_and_has_no_right_on_partitions(admin: Admin) -> None:
    assert (
        admin.execute(
            "select relname from pg_class where relnamespace = 'interlock'::regnamespace "
            "and relowner <> 'interlock_owner'::regrole"
        ).fetchall()
        == []
    )
    rights = "select, insert, update, delete, truncate, references, trigger"
    assert (
        admin.execute(
            "select relname from pg_class where relnamespace = 'interlock'::regnamespace and relispartition "
            "and (has_table_privilege('interlock_service', oid, %s) or has_table_privilege('public', oid, %s))",
            (rights, rights),
        ).fetchall()
        == []
    )
    assert (
        admin.execute(
            "select relname from pg_class where relnamespace = 'interlock'::regnamespace and relkind in ('r', 'p') "
            "and has_table_privilege('interlock_service', oid, 'truncate, references, trigger')"
        ).fetchall()
        == []
    )
    (role,) = admin.execute(
        "select rolsuper or rolbypassrls or rolcanlogin from pg_roles where rolname = 'interlock_service'"
    ).fetchall()
    assert role == (False,)
    assert not admin.execute(
        "select roleid from pg_auth_members where member = 'interlock_service'::regrole"
    ).fetchall()


def test_functions_that_look_across_tenants_are_closed_to_others(admin: Admin) -> None:
    """A security definer function fixes its search path, and only the service may call it."""
    functions = admin.execute(
        "select proname, coalesce(array_to_string(proconfig, ' '), ''), "
        "has_function_privilege('public', oid, 'execute'), proowner::regrole::text "
        "from pg_proc where pronamespace = 'interlock'::regnamespace and prosecdef"
    ).fetchall()
    assert len(functions) >= 8
    assert [name for name, settings, _, _ in functions if "search_path=interlock, pg_catalog" not in settings] == []
    assert [name for name, _, public, _ in functions if public] == []
    assert {owner for _, _, _, owner in functions} == {"interlock_finder", "interlock_owner"}


def test_the_service_reaches_no_partition_itself(database_url: str, database: Database, admin: Admin) -> None:
    parts = [
        row[0]
        for row in admin.execute(
            "select relname from pg_class where relnamespace = 'interlock'::regnamespace "
            "and relispartition and relkind = 'r'"
        )
    ]
    assert len(parts) >= 20
    with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as service:
        service.execute("select set_config('app.tenant', %s, false)", (str(UUID(int=1)),))
        for part in parts:
            name = sql.Identifier(part)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(sql.SQL("select from {}").format(name))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(sql.SQL("insert into {} default values").format(name))
            copied = service.pgconn.exec_(sql.SQL("copy interlock.{} from stdin").format(name).as_bytes(service))
            assert copied.error_field(DiagnosticField.SQLSTATE) == b"42501"  # insufficient privilege


async def test_a_tenant_sees_and_writes_only_its_own(database: Database, make_cases: MakeCases) -> None:
    mine, theirs = await database.ensure_tenant("mine"), await database.ensure_tenant("theirs")
    (case,) = make_cases(mine)
    make_cases(theirs)
    async with database.tenant(mine) as connection:
        assert await (await connection.execute("select id from cases")).fetchall() == [(case,)]
        changed = await connection.execute("update cases set signals = 1")
        assert changed.rowcount == 1
    insert = (
        "insert into idempotency_key (digest, tenant, holder, payload) "
        "values (gen_random_uuid(), %s, %s, gen_random_uuid())"
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        async with database.tenant(mine) as connection:
            await connection.execute(insert, (theirs, case))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        async with database.tenant(mine) as connection:
            await connection.execute("update cases set tenant = %s", (theirs,))


async def test_without_a_tenant_nothing_is_there(database: Database, tenant: UUID, make_cases: MakeCases) -> None:
    make_cases(tenant, 3)
    async with database.tenant(tenant) as connection:
        assert (await connection.execute("select from cases")).rowcount == 3
    async with database.installation() as connection:  # perhaps the same connection: no tenant is left on it
        assert (await connection.execute("select from cases")).rowcount == 0
        assert (await connection.execute("select from tenant")).rowcount == 0
        assert (await connection.execute("update cases set signals = 9")).rowcount == 0


def test_forced_row_security_blinds_a_migration_unless_its_role_is_above_it(
    tenant: UUID, make_cases: MakeCases, admin: Admin
) -> None:
    make_cases(tenant, 5)
    change = "update interlock.cases set version = version || '!'"
    admin.execute("set role interlock_owner")
    assert admin.execute(change).rowcount == 0  # no error, no row
    admin.execute("set row_security = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        admin.execute(change)
    admin.execute("reset role")
    admin.execute("grant usage on schema interlock to interlock_migrator")
    admin.execute("grant select, update on interlock.cases to interlock_migrator")
    admin.execute("set role interlock_migrator")
    assert admin.execute(change).rowcount == 5


def test_constraints_carry_names_that_say_the_rule(admin: Admin) -> None:
    names = admin.execute(
        "select conrelid::regclass::text, conname from pg_constraint where connamespace = 'interlock'::regnamespace "
        "and contype in ('c', 'u', 'f', 'x', 'p')"
    ).fetchall()
    assert len(names) > 30
    assert [f"{table}: {name}" for table, name in names if _DEFAULT_NAME.search(name)] == []


def test_amounts_are_exact_times_have_a_zone_states_are_enumerations(admin: Admin) -> None:
    wrong: list[str] = []
    for table, column, type_, kind in columns(admin):
        inexact = type_ in {"double precision", "real", "money"} and column not in _MAY_FLOAT
        minor = column.endswith("_minor") and type_ != "bigint"
        zoneless = "without time zone" in type_ or (type_ == "date" and column not in _MAY_BE_DAYS)
        free = (column in {"state", "route"} or column.endswith("_state")) and kind != "e"
        if inexact or minor or zoneless or free or type_ == "jsonb":
            wrong.append(f"{table}.{column} {type_}")
    assert wrong == []
