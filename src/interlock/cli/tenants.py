"""Tenants: isolated customers of one installation."""

from __future__ import annotations

from typing import Annotated, Any

import psycopg
import typer
from psycopg import AsyncConnection

from interlock.cli.lookup import LIST_TENANTS, Tenant
from interlock.cli.options import Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, run_loop, with_node
from interlock.db.database import Database
from interlock.errors import Forbidden, Refused
from interlock.node import Node, open_database

app = commands()
group = commands("tenants", "Tenants: add and list them.")
app.add_typer(group)

_ALL_ROWS = "-c row_security=off -c timezone=UTC"  # an error, and not a short answer, for who may not see all rows


@group.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Small letters, digits and -, at most 63.")],
    *,
    as_json: Json = False,
) -> None:
    """Add a tenant; one of that name that is there already is left as it is."""
    screen = Screen(as_json=as_json)

    async def make(node: Node) -> tuple[str, bool]:
        known = await node.database.find_tenant(name)
        return str(known or await _make(node.database, name)), known is None

    tenant, new = with_node(context, make, who=who_acts(""), act="keys.manage")
    if as_json:
        screen.document({"tenant": tenant, "name": name, "new": new})
    screen.line(f"The tenant {name} ({tenant}) {'is made' if new else 'was there already'}.")


async def _make(database: Database, name: str) -> str:
    try:
        return str(await database.ensure_tenant(name))
    except psycopg.errors.CheckViolation as cause:
        raise Refused(
            f"{name[:80]!r} is no name of a tenant",
            where="NAME",
            todo="begin with a small letter or digit; then small letters, digits and -, 63 at most",
        ) from cause


@group.command(name="list")
def list_all(context: typer.Context, *, as_json: Json = False) -> None:
    """List every tenant; needs an administrator's connection, since the service sees one at a time."""
    screen = Screen(as_json=as_json)
    settings = load_settings(context)

    async def read() -> list[Tenant]:
        async with open_database(settings) as url:
            admin = settings.admin_database_url or url
            async with await AsyncConnection.connect(admin, autocommit=True, options=_ALL_ROWS) as connection:
                return await _read(connection)

    tenants = run_loop(read)
    if as_json:
        screen.document({"tenants": [as_document(one) for one in tenants]})
    screen.table(
        ("tenant", "name", "since"),
        ((one.tenant, one.name, minute(one.created_at)) for one in tenants),
        none="There is no tenant yet.",
    )


async def _read(connection: AsyncConnection[Any]) -> list[Tenant]:
    try:
        return await LIST_TENANTS.all(connection)
    except psycopg.errors.InsufficientPrivilege as cause:
        raise Forbidden(
            "this connection may not see all tenants", todo="set admin_database_url to an administrator's connection"
        ) from cause
