"""Bringing a database to the schema of this version."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, run_loop
from interlock.config import Settings
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import Half
from interlock.db.migrate import migrate as bring_up
from interlock.errors import Refused

app = commands()


@app.command()
def migrate(
    context: typer.Context,
    *,
    before: Annotated[bool, typer.Option("--before", help="Only the half that suits the old code, too.")] = False,
    after: Annotated[bool, typer.Option("--after", help="Only the half for when no old process is left.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to the schema that this version needs."""
    screen = Screen(as_json=as_json)
    if before and after:
        raise Refused("--before and --after are given both", todo="give one of them, or neither for both halves")
    halves: tuple[Half, ...] = ("before",) if before else ("after",) if after else ("before", "after")
    settings = load_settings(context)

    async def run() -> tuple[str, ...]:
        return await _migrate(settings, halves)

    ran = run_loop(run)
    if as_json:
        screen.document({"ran": ran, "halves": halves})
    screen.lines(f"ran {name}" for name in ran)
    if not ran:
        screen.line("Nothing to do: the schema is up to date.")


async def _migrate(settings: Settings, halves: tuple[Half, ...]) -> tuple[str, ...]:
    if settings.database_url:
        return await bring_up(settings.admin_database_url or settings.database_url, halves=halves)
    server = EmbeddedPostgres(Path(settings.data_dir) / "postgres")
    await asyncio.to_thread(server.start)
    try:
        return await bring_up(server.url, halves=halves)
    finally:
        await asyncio.to_thread(server.stop)
