"""Everything that is kept of one person, in clear, for that person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import NotFound, StateConflict, WorkFailed
from interlock.ledger.ledger import first_entry, further_entry
from interlock.privacy.reading import revealed
from interlock.privacy.subject import Subjects, check_why


class KeptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record that holds somebody's data.

    Attributes:
        kind: ``case``, ``step``, ``decision``, ``review``, ``action``, ``event``, ``exception`` or ``quarantine``.
        id: Its id; of a step, that of its case.
        at: Since when.
        body: What is kept, as JSON; what was stored as JSON stands in it as text.
    """

    kind: str
    id: UUID
    at: datetime
    body: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One record, in clear as far as it is the person's own.

    Attributes:
        kind: case, step, decision, review, action, event, exception or quarantine.
        id: Its id; of a step, that of its case.
        at: Since when.
        data: What is kept.
    """

    kind: str
    id: UUID
    at: datetime
    data: dict[str, Any]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is kept of one person.

    Attributes:
        subject: Who.
        at: When it was taken, UTC.
        records: What is kept, the oldest first.
    """

    subject: str
    at: datetime
    records: tuple[Record, ...]


_SQL = load_queries(__file__)
KEPT_OF_SUBJECT = _SQL.rows("kept_of_subject", KeptRow)


async def export_subject(subjects: Subjects, value: str, *, who: str, why: str) -> Export:
    """Gather what is kept of somebody. That it was taken is on the ledger before it is given.

    What a record holds of others stays hidden, and so does what is sealed and names nobody: it may be anybody's.

    Raises:
        NotFound: nothing is or was kept of them.
        StateConflict: it is erased.
        Refused: no reason.
    """
    check_why(why)
    found = [key for key in await subjects.keys(value) if not key.alone]
    keys = [key.id for key in found if key.wrapped is not None]
    if not found:
        raise NotFound("only sealed records that name nobody hold this value", todo="interlock quarantine shows them")
    if not keys:
        raise StateConflict("the subject is erased: nobody can read their data again")
    async with subjects.database.tenant(subjects.tenant) as connection:
        rows = await KEPT_OF_SUBJECT.all(connection, {"keys": keys})
    opened = await subjects.vault.keys(subjects.tenant, keys)
    records = tuple(
        Record(kind=row.kind, id=row.id, at=row.at, data={name: _clear(one) for name, one in _fields(row).items()})
        for row in rows
    )
    shown = tuple(
        Record(
            kind=one.kind, id=one.id, at=one.at, data=msgspec.json.decode(revealed(_encoded(one.data), opened, None)[0])
        )
        for one in records
    )
    await _note(subjects, keys, who=who, why=why, records=len(shown))
    return Export(subject=value, at=subjects.database.clock.now(), records=shown)


def _fields(row: KeptRow) -> dict[str, Any]:
    return msgspec.json.decode(row.body)


def _clear(value: Any) -> Any:
    """What was stored as JSON, read; anything else as it is."""
    if not isinstance(value, str) or value[:1] not in ("{", "[", '"') or value.startswith("{personal:"):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _encoded(data: dict[str, Any]) -> bytes:
    return msgspec.json.encode(data)


async def _note(subjects: Subjects, keys: Sequence[UUID], *, who: str, why: str, records: int) -> None:
    def build(stamp: Stamp) -> list[Write]:
        told: dict[str, Any] = {"who": who, "why": why, "records": records}
        first = first_entry(stamp, subjects.tenant, "subject.exported", subject=keys[0], **told)
        more = [further_entry(stamp, subjects.tenant, "subject.exported", subject=key, **told) for key in keys[1:]]
        return [first, *more]

    refusal = await subjects.writer.write(Unit(subjects.tenant, build))
    if refusal:
        raise WorkFailed(f"the export could not be put on record: {refusal.what}")
