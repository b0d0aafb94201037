"""Which statements are in force: a function of those that are taken, accepted and recalled, never of their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.authority.judge import Verdict
from interlock.db.database import Database
from interlock.errors import NotFound, Refused, StateConflict
from interlock.packs.reconciliation.counted import count_on
from interlock.packs.reconciliation.intake_ledger import tell
from interlock.packs.reconciliation.store import (
    CHANGE_STATEMENTS,
    FIND_RIVALS,
    KEEP_TOLD,
    LIST_STATEMENTS,
    LOCK_INTAKE,
    LOCK_STATEMENT,
    RECALL_FILE,
    SETTLE_STATEMENTS,
    SETTLE_TELLINGS,
    ChangedStatement,
    Settled,
    StatementRow,
)

LONGEST_WHY = 2000


async def settle(
    connection: AsyncConnection[Any], database: Database, tenant: UUID, statements: Sequence[UUID], *, who: str
) -> list[Settled]:
    """Say anew which statements of the same numbers are in force, and in which words their entries are told.

    Args:
        connection: In the transaction that changed them; it holds the intake's lock.
        database: Its clock.
        tenant: Whose.
        statements: What was changed.
        who: Who changed it.

    Returns:
        Those that have come into force, or are corrected now, because of it.
    """
    now = database.clock.now()
    settled = await SETTLE_STATEMENTS.all(connection, {"ids": list(statements), "now": now})
    for one in settled:
        row, by = await find_statement(connection, one.id), one.corrected_by
        kind = "statement.corrected" if by else "statement.restored"
        await tell(connection, database, tenant, kind, row, who=who, corrected_by=by)
    touched = {"ids": [*statements, *(one.id for one in settled)]}
    await count_on(connection, tenant, touched["ids"])
    await KEEP_TOLD.run(connection, touched)
    await SETTLE_TELLINGS.run(connection, touched)
    return settled


async def find_statement(connection: AsyncConnection[Any], statement: UUID) -> StatementRow:
    """A statement by its id.

    Raises:
        NotFound: this tenant has none of that id.
    """
    wanted = {"id": statement, "reconciliation": None, "state": None, "file": None, "most": 1}
    found = await LIST_STATEMENTS.one(connection, wanted)
    if found is None:
        raise _none(statement)
    return found


async def accept_statement(
    database: Database, tenant: UUID, statement: UUID, *, who: str, why: str, verdict: Verdict | None = None
) -> StatementRow:
    """Put a statement in force although its figures do not add up.

    Raises:
        NotFound: this tenant has none of that id.
        StateConflict: it is not held, or another one of its number is there that says something else.
        Refused: no usable reason is given.
    """
    return await _change(
        database, tenant, statement, "in_force", kind="statement.accepted", who=who, why=why, verdict=verdict
    )


async def recall_statement(
    database: Database, tenant: UUID, statement: UUID, *, who: str, why: str, verdict: Verdict | None = None
) -> StatementRow:
    """Take a statement back: entries that no other statement in force states count no more.

    The next round undoes what was booked on them. What it had corrected is in force again. Once all statements of its
    file are recalled, the same file can be handed in again.

    Raises:
        NotFound: this tenant has none of that id.
        StateConflict: it is recalled already.
        Refused: no usable reason is given.
    """
    return await _change(
        database, tenant, statement, "recalled", kind="statement.recalled", who=who, why=why, verdict=verdict
    )


_FROM = {"in_force": ("held",), "recalled": ("in_force", "held", "corrected")}


async def _change(
    database: Database,
    tenant: UUID,
    statement: UUID,
    state: str,
    *,
    kind: str,
    who: str,
    why: str,
    verdict: Verdict | None,
) -> StatementRow:
    if not why.strip() or len(why) > LONGEST_WHY or not why.isprintable():
        raise Refused("no usable reason is given", where="why", todo=f"say it in 1 to {LONGEST_WHY} characters")
    async with database.tenant(tenant) as connection:
        row = await lock_statement(connection, tenant, statement)
        if row.state not in _FROM[state]:
            raise StateConflict(
                f"statement {statement} is {row.state.replace('_', ' ')}",
                todo=f"`interlock reconcile statement {statement}` shows it",
            )
        if state == "in_force" and (rivals := await FIND_RIVALS.all(connection, {"ids": [row.id]})):
            raise StateConflict(
                f"statement {statement} and statement {rivals[0].id} have one number and say something else, and"
                " neither says when it was made: nothing tells which of the two is right",
                todo="recall the one that is wrong",
            )
        changed = ChangedStatement(id=row.id, state=state, why=why, changed_at=database.clock.now())
        await CHANGE_STATEMENTS.run(connection, [changed])
        await tell(connection, database, tenant, kind, row, who=who, why=why, verdict=verdict)
        if state == "recalled":
            await RECALL_FILE.run(connection, {"id": row.file, "why": why})
        await settle(connection, database, tenant, [row.id], who=who)
        return await find_statement(connection, statement)


async def lock_statement(connection: AsyncConnection[Any], tenant: UUID, statement: UUID) -> StatementRow:
    """A statement by its id, under the lock of its reconciliation's intake and its own, to the transaction's end.

    Raises:
        NotFound: this tenant has none of that id.
    """
    found = await find_statement(connection, statement)
    await LOCK_INTAKE.run(connection, {"tenant": tenant, "reconciliation": found.reconciliation})
    row = await LOCK_STATEMENT.one(connection, {"id": statement})
    if row is None:
        raise _none(statement)
    return row


def _none(statement: UUID) -> NotFound:
    return NotFound(f"there is no statement {statement}", todo="`interlock reconcile statements` lists them")
