"""The command: every check, in a table, with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import typer

from interlock.cli.doctor.certified import check_certified
from interlock.cli.doctor.check import Check, Level, fail, failed
from interlock.cli.doctor.database import check_database
from interlock.cli.doctor.flags import check_flags
from interlock.cli.doctor.ledger import check_ledger
from interlock.cli.doctor.local import check_connectors, check_folder, check_settings, check_workflows
from interlock.cli.doctor.outcome_feeds import check_outcome_feeds
from interlock.cli.doctor.published import check_published
from interlock.cli.doctor.reconciliations import check_reconciliations
from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, run_loop
from interlock.config import Settings
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate
from interlock.errors import ConfigInvalid, InterlockError

app = commands()
FAILED = 1


@app.command()
def doctor(context: typer.Context, *, as_json: Json = False) -> None:
    """Check settings, database, workers, workflows and connectors.

    Exits with 1 if anything is not fit to run.
    """
    screen = Screen(as_json=as_json)
    try:
        settings = load_settings(context)
    except ConfigInvalid as cause:
        checks = [failed("settings", cause)]
    else:

        async def look() -> list[Check]:
            return await _look(settings)

        checks = run_loop(look)
    worst = _worst(checks)
    if as_json:
        screen.document({"level": worst, "checks": checks})
    screen.table(("", "check", "found", "to do"), ((c.level, c.name, c.what, c.todo) for c in checks), none="")
    counts = {level: sum(check.level is level for check in checks) for level in Level}
    screen.line(", ".join(f"{count} {level}" for level, count in counts.items()))
    if worst is Level.FAIL:
        raise typer.Exit(FAILED)


async def _look(settings: Settings) -> list[Check]:
    checks = list(check_settings(settings))
    connectors: list[Check] | None = None
    try:
        async with _reachable(settings) as url:
            admin = settings.admin_database_url or url
            checks += [check async for check in check_database(settings, url, admin)]
            checks += check_folder(settings)
            checks += [check async for check in check_published(settings, url)]
            checks += [check async for check in check_certified(settings, url)]
            checks += [check async for check in check_ledger(settings, url)]
            connectors = await check_connectors(settings, url)
    except InterlockError as cause:
        checks.append(failed("database", cause))
    except psycopg.Error as cause:
        what = f"it could not be looked at: {cause.diag.message_primary or cause}"
        checks.append(fail("database", what, "see that the URLs name the right database and roles, and migrate it"))
    checks += check_workflows(settings)
    checks += check_flags(settings)
    checks += check_reconciliations(settings)
    checks += check_outcome_feeds(settings)
    checks += await check_connectors(settings) if connectors is None else connectors
    return checks


@asynccontextmanager
async def _reachable(settings: Settings) -> AsyncGenerator[str]:
    """The database as it is; the embedded one is started and, as always at its start, brought up to date."""
    if settings.database_url:
        yield settings.database_url
        return
    server = EmbeddedPostgres(Path(settings.data_dir) / "postgres")
    await asyncio.to_thread(server.start)
    try:
        await migrate(server.url)
        yield server.url
    finally:
        await asyncio.to_thread(server.stop)


def _worst(checks: list[Check]) -> Level:
    order = list(Level)
    return max((check.level for check in checks), key=order.index, default=Level.OK)
