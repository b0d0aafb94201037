"""Migrations, in two halves.

``NNNN_name.before.sql`` runs before a deploy and must suit the old code too; ``NNNN_name.after.sql`` runs when no old
process is left. Each file is one transaction and is recorded with its digest.

They run as the administrator who is given, since they make roles. A migration that changes data runs as
``interlock_migrator`` with ``row_security`` off and asserts how many rows it changed: forced row security would let an
UPDATE change no row and say nothing.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from dataclasses import dataclass
from typing import Any, Literal, cast

import psycopg
from psycopg import AsyncConnection

from interlock.db.queries import load_queries
from interlock.errors import DatabaseUnavailable, SchemaOutdated

Half = Literal["before", "after"]
_LOCK = 0x696E7465726C6F63  # one migration at a time
_FILE = re.compile(r"(\d{4})_(\w+)\.(before|after)\.sql\Z")

_SQL = load_queries(__file__)
ENSURE_RECORD = _SQL.command("ensure_migration_record")
FIND_APPLIED = _SQL.rows("find_applied_migrations", str)
RECORD = _SQL.command("record_migration")
RECORD_IN_LEDGER = _SQL.command("record_migration_in_ledger")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file.

    Attributes:
        number: Their order.
        half: Before or after the deploy.
        name: The file's name.
        text: The SQL.
    """

    number: int
    half: Half
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Every migration that this version of the code knows, in order."""
    found: list[Migration] = []
    for file in importlib.resources.files("interlock.db").joinpath("migrations").iterdir():
        match = _FILE.match(file.name)
        if match:
            found.append(Migration(int(match[1]), cast("Half", match[3]), file.name, file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda m: (m.number, m.half == "after")))


async def migrate(url: str, *, halves: tuple[Half, ...] = ("before", "after")) -> tuple[str, ...]:
    """Bring a database to this code's schema; the names of the files that were run.

    Args:
        url: An administrator's connection: it makes roles and a schema.
        halves: ``("before",)`` ahead of a deploy while old processes run.

    Raises:
        DatabaseUnavailable: nothing answers.
        SchemaOutdated: a recorded migration is not the one that this code has, or the server is too old.
    """
    async with await _connect(url) as connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        await ENSURE_RECORD.run(connection)
        applied = dict(entry.split(" ", 1) for entry in await FIND_APPLIED.all(connection))
        ran: list[str] = []
        for migration in migrations():
            if migration.name in applied:
                _same(migration, applied[migration.name])
            elif migration.half in halves:
                await _run(connection, migration)
                ran.append(migration.name)
        return tuple(ran)


async def _connect(url: str) -> AsyncConnection[Any]:
    try:
        return await AsyncConnection.connect(url, autocommit=True, options="-c timezone=UTC")
    except psycopg.OperationalError as cause:
        raise DatabaseUnavailable(
            f"the database does not answer: {str(cause).strip()}", todo="see that it runs and that the URL is right"
        ) from cause


def _same(migration: Migration, digest: str) -> None:
    if digest != migration.digest:
        raise SchemaOutdated(
            f"the database ran another text of {migration.name}",
            todo="a migration is never edited once it has run; write a new one",
        )


async def _run(connection: AsyncConnection[Any], migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text.encode())
        await connection.execute("reset role; reset row_security")  # the migration may have become somebody else
        await RECORD.run(connection, {"name": migration.name, "digest": migration.digest})
        await RECORD_IN_LEDGER.run(connection)


async def check_schema(url: str) -> tuple[str, ...]:
    """See that every migration that this code needs before a deploy has run; those that ran and that it does not know.

    The latter are a newer version's. What that version runs before its deploy leaves this one working; what it runs
    after may take away what this one needs.

    Raises:
        DatabaseUnavailable: nothing answers.
        SchemaOutdated: one is missing.
    """
    async with await _connect(url) as connection:
        try:
            applied = {entry.split(" ", 1)[0] for entry in await FIND_APPLIED.all(connection)}
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            applied = set[str]()
    missing = [m.name for m in migrations() if m.half == "before" and m.name not in applied]
    if missing:
        raise SchemaOutdated(f"the database lacks {', '.join(missing)}", todo="run `interlock migrate`")
    return tuple(sorted(applied - {m.name for m in migrations()}))
