"""Equal entries of statements that go on where others end are further ones: their lines lead to entries of their own.

Which ones follows from the statements in force alone, so it is worked out anew whenever these change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import polars as pl
from psycopg import AsyncConnection

from interlock.packs.reconciliation.chain import links_of, shared_days, shifts_of
from interlock.packs.reconciliation.identity import entry_ids, with_turn
from interlock.packs.reconciliation.store import LIST_LINKABLE, LIST_MOVING, LIST_STATING, MOVE_LINES


async def count_on(connection: AsyncConnection[Any], tenant: UUID, statements: Sequence[UUID]) -> None:
    """Count equal entries on from statement to statement, for the days of these.

    Args:
        connection: In the transaction that changed what is in force; it holds the intake's lock.
        tenant: Whose.
        statements: What was changed, of one reconciliation.
    """
    touched = {"ids": list(statements)}
    linkable = await LIST_LINKABLE.all(connection, touched)
    if not linkable:
        return
    links = links_of(linkable)
    days = [
        {"statement": one, "first": first, "last": last} for one, (first, last) in shared_days(linkable, links).items()
    ]
    stating = await LIST_STATING.all(connection, {"rows": _json(days)}) if days else []
    shifts = shifts_of(linkable, links, stating)
    rows = [{"statement": one, "base": base, "shift": shift} for (one, base), shift in shifts.items()]
    wanted = {**touched, "linkable": [one.id for one in linkable], "rows": _json(rows)}
    moving = await LIST_MOVING.all(connection, wanted)
    if not moving:
        return
    first = pl.Series([one.identity.hex for one in moving], dtype=pl.String)
    identities = with_turn(first, pl.Series([one.turn + one.shift for one in moving], dtype=pl.Int64))
    entries = entry_ids(identities, tenant, moving[0].reconciliation)
    moved = [
        {"statement": one.statement, "line": one.line, "shift": one.shift, "entry": entry, "identity": identity}
        for one, entry, identity in zip(moving, entries, identities, strict=True)
    ]
    await MOVE_LINES.run(connection, {"rows": _json(moved)})


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return msgspec.json.encode(list(rows)).decode()
