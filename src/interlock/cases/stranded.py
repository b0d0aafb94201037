"""Cases whose code nobody carries: they wait for a worker that has it, and somebody should know."""

from __future__ import annotations

import logging

import psycopg

from interlock.cases.store import STRANDED_CASES, Stranded
from interlock.db.database import Database
from interlock.errors import DatabaseUnavailable

log = logging.getLogger("interlock.worker")
STRANDED_TODO = (
    "start a worker with the version that they began on, to drain them, or move them: `interlock cases migrate`"
)


async def tell_stranded(database: Database) -> None:
    """Say in the log which cases wait for a worker that carries their code."""
    try:
        async with database.installation() as connection:
            found = await STRANDED_CASES.all(connection)
    except (DatabaseUnavailable, psycopg.Error):
        log.warning("which cases are stranded cannot be read now")
        return
    for group in found:
        log.warning("%s: %s", as_sentence(group), STRANDED_TODO)


def as_sentence(group: Stranded) -> str:
    """How many of which workflow."""
    cases = f"{group.cases} case{'' if group.cases == 1 else 's'}"
    return (
        f"no living worker carries the code of {cases} of {group.workflow} {group.version} (code {group.code.hex[:8]})"
    )
