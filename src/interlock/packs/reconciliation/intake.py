"""Taking a file in: its statements, their entries, and what of them is broken; once, whole, or not at all.

Entries and lines are written first, some thousands in a commit, under the id of a statement that is not there yet: they
count for nothing, and a crash among them leaves nothing that counts. One short commit then makes the statements, with
the ledger's entries, what goes to quarantine, and which statements are in force now. A statement's id is a digest of
its file and content, so what a crash left is found again and not made twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import polars as pl
from psycopg import AsyncConnection

from interlock.authority.judge import Verdict
from interlock.db.database import Database
from interlock.db.gates import short_digest
from interlock.db.text import storable
from interlock.errors import Refused, StateConflict
from interlock.packs.reconciliation.entry import Side, Statement
from interlock.packs.reconciliation.identity import content_of, with_identity, with_ids
from interlock.packs.reconciliation.in_force import settle
from interlock.packs.reconciliation.intake_ledger import tell, tell_refused
from interlock.packs.reconciliation.quarantined import quarantine_broken
from interlock.packs.reconciliation.standing import days_of, encode_findings, holds, stated_of, sums_of
from interlock.packs.reconciliation.statements import CsvDialect, StatementFinding, findings_of, read_statements
from interlock.packs.reconciliation.store import (
    ADD_ENTRIES,
    ADD_FILES,
    ADD_STATEMENTS,
    ADD_TELLINGS,
    COUNT_RECALLED,
    FIND_CONFLICTS,
    FIND_FILE,
    FIND_ON_OTHER_SIDE,
    FIND_RIVALS,
    LIST_STATEMENTS,
    LOCK_INTAKE,
    FileRow,
    NewFile,
    NewStatement,
    StatementRow,
)

BY_HAND = "hand"
MOST_BROKEN = 1_000
"""Entries of one file that may be broken: of more, how it is read is wrong, not what it says."""
_CHUNK = 5_000
_LONGEST_NAME = 255
_LONGEST_WHY = 2_000
TICK = timedelta(microseconds=1)
_LATEST = datetime.max.replace(tzinfo=UTC) - TICK


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where files of one side come from, and how they are read.

    Attributes:
        name: Its name in the settings; ``hand`` for the command line.
        side: Of which side.
        format: The format, or ``auto``.
        dialect: How a table of entries is written, for CSV, Parquet and queries.
        account: The account, for files that do not say it.
        currency: The currency, for files that do not say it.
    """

    name: str
    side: Side
    format: str = "auto"
    dialect: CsvDialect | None = None
    account: str = ""
    currency: str = ""

    @property
    def read_as(self) -> UUID:
        """A digest of how files are read."""
        return short_digest(*(repr(one).encode() for one in (self.format, self.dialect, self.account, self.currency)))

    @property
    def read_for(self) -> UUID:
        """A digest of the account and currency that files are of where they do not say it."""
        dialect = self.dialect or CsvDialect(columns={})
        own = (self.account or dialect.account, self.currency or dialect.currency)
        return short_digest(*(one.encode() for one in own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a file.

    Attributes:
        file: Its row.
        known: Whether it was taken before: nothing was changed.
        statements: Its statements as they stand now.
    """

    file: FileRow
    known: bool
    statements: tuple[StatementRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A statement with its rows worked out, on its way in."""

    statement: Statement
    entries: pl.DataFrame
    row: NewStatement
    findings: tuple[StatementFinding, ...]
    takes_a_place: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes files of one reconciliation in.

    Attributes:
        database: Connections.
        tenant: Whose.
        reconciliation: Of which reconciliation.
        who: Who hands them in.
        workflow: The workflow that broken entries wait under in quarantine.
        verdict: What the policies said of it, where a person does it.
    """

    database: Database
    tenant: UUID
    reconciliation: str
    who: str
    workflow: str = "reconciliation"
    verdict: Verdict | None = None

    async def known(self, source: Source, digest: bytes) -> FileRow | None:
        """The file of this content, if it was taken, or refused when it was read just so."""
        wanted = {"reconciliation": self.reconciliation, "side": source.side, "digest": digest}
        async with self.database.tenant(self.tenant) as connection:
            return await FIND_FILE.one(connection, {**wanted, "read_as": source.read_as, "read_for": source.read_for})

    async def take(self, source: Source, name: str, data: bytes, *, corrects: bool = False) -> Taken:
        """Take a file in. The same bytes twice are one file; what was refused before is tried again.

        Args:
            source: How it is read, and for which side.
            name: Its name, for people.
            data: Its bytes.
            corrects: Whether a statement of it takes the place of one of the same number where neither says which is
                the later.

        Raises:
            Refused: it cannot be read, or what it states conflicts with what is there; the refusal is on record.
        """
        digest = hashlib.sha256(data).digest()
        found = await self.known(source, digest)
        if found is not None and found.state == "taken":
            return Taken(file=found, known=True, statements=await self._statements(found.id))
        try:
            statements = await asyncio.to_thread(
                read_statements, data, format=source.format, dialect=source.dialect, account=source.account,
                currency=source.currency,
            )  # fmt: skip
            return await self.take_statements(
                source, name, statements, digest=digest, size=len(data), corrects=corrects
            )
        except Refused as cause:
            await self.refuse(source, name, digest, len(data), str(cause))
            raise

    async def take_statements(
        self,
        source: Source,
        name: str,
        statements: Sequence[Statement],
        *,
        digest: bytes,
        size: int,
        corrects: bool = False,
    ) -> Taken:
        """Take statements in that were read already: those of a query, or of ``take``.

        Args:
            source: Where they come from.
            name: What they stood in, for people.
            statements: All of it.
            digest: SHA-256 of what they were read from.
            size: Its bytes.
            corrects: See ``take``.

        Raises:
            Refused: what they state conflicts with what is there, or too much of it is broken.
        """
        _check(statements)
        file = NewFile(
            id=self.database.clock.new_id(), tenant=self.tenant, reconciliation=self.reconciliation, side=source.side,
            source=source.name, name=_shown(name), digest=digest, read_as=source.read_as, read_for=source.read_for,
            bytes=size, state="taken", why="", statements=len(statements),
            entries=sum(one.entries.height for one in statements),
            broken=sum(len(one.broken) for one in statements), received_at=self.database.clock.now(),
        )  # fmt: skip
        async with self.database.tenant(self.tenant) as connection:
            turn = await COUNT_RECALLED.one(connection, self._wanted(file)) or 0
        ready = await asyncio.to_thread(self._prepared, file, statements, turn)
        async with self.database.tenant(self.tenant) as connection:
            ready = [await self._judged(connection, one, corrects=corrects) for one in ready]
        for one in ready:
            await self._write_entries(one)
        async with self.database.tenant(self.tenant) as connection:
            known = await self._commit(connection, file, ready, corrects=corrects)
        found = known or await self.known(source, digest)
        if found is None:
            raise StateConflict("the file was recalled while it was taken", todo="hand it in again")
        return Taken(file=found, known=known is not None, statements=await self._statements(found.id))

    def _prepared(self, file: NewFile, statements: Sequence[Statement], turn: int) -> list[_Ready]:
        """The rows of each statement. Pure; it takes its time, so it runs in a thread."""
        ready: list[_Ready] = []
        for place, statement in enumerate(statements):
            entries = with_identity(statement, file.side)
            stated = stated_of(statement)
            content = content_of(statement, entries, stated, (one.data for one in statement.broken))
            findings = findings_of(statement)
            credit, debit = sums_of(statement.entries)
            begins, ends = days_of(statement)
            row = NewStatement(
                id=short_digest(
                    self.tenant.bytes, self.reconciliation.encode(), file.side.encode(), file.digest,
                    file.read_as.bytes, f"{turn}/{place}".encode(), content.bytes,
                ),
                tenant=self.tenant, file=file.id, reconciliation=self.reconciliation, side=file.side,
                source=file.source, format=statement.format, account=statement.account, currency=statement.currency,
                number=statement.number, made_at=statement.made_at, precedence=statement.made_at, content=content,
                first_day=statement.first_day, last_day=statement.last_day, begins=begins, ends=ends,
                opening_minor=statement.opening.minor if statement.opening else None,
                closing_minor=statement.closing.minor if statement.closing else None,
                stated=stated, entries=statement.entries.height, broken=len(statement.broken),
                credit_minor=credit, debit_minor=debit, state="held" if holds(findings) else "in_force",
                findings=encode_findings(findings), why="", received_at=file.received_at, changed_at=file.received_at,
            )  # fmt: skip
            stored = with_ids(entries, self.tenant, self.reconciliation)
            ready.append(_Ready(statement=statement, entries=stored, row=row, findings=findings))
        return ready

    async def _judged(self, connection: AsyncConnection[Any], ready: _Ready, *, corrects: bool) -> _Ready:
        """The statement with its precedence among others of its number.

        Raises:
            StateConflict: another one says something else, nothing says which is the later, and no person does.
        """
        row = ready.row
        if row.state == "held" and not corrects:
            return ready  # it counts for nothing until somebody accepts it
        wanted = {
            "reconciliation": row.reconciliation, "side": row.side, "account": row.account, "currency": row.currency,
            "number": row.number, "content": row.content, "id": row.id, "first_day": row.first_day or row.begins,
            "last_day": row.last_day or row.ends, "begins": row.begins, "ends": row.ends,
            "opening": row.opening_minor, "closing": row.closing_minor, "precedence": row.precedence,
        }  # fmt: skip
        found = await FIND_CONFLICTS.all(connection, wanted)
        if not found:
            return ready
        if not corrects:
            raise StateConflict(
                f"statement {_shown(row.number)} of {_shown(row.account)} in {row.currency} is there already, says"
                " something else, and neither says when it was made: nothing tells which of the two is right",
                where=f"statement {found[0].id}",
                todo="hand it in with --corrects if it takes the other one's place; else recall the other one",
            )
        # a person's word counts from now on; a later statement that says when it was made still comes after it
        latest = max((one.precedence for one in found if one.precedence), default=datetime.min.replace(tzinfo=UTC))
        if latest > _LATEST:
            raise StateConflict(
                f"statement {_shown(row.number)} is there already, made at {latest:%Y-%m-%d}: nothing comes after it",
                where=f"statement {found[0].id}",
                todo="recall that one",
            )
        precedence = max(row.received_at, latest + TICK)
        return replace(ready, row=_preceding(row, precedence), takes_a_place=True)

    async def _write_entries(self, ready: _Ready) -> None:
        """Entries and lines; they count for nothing until their statement is there."""
        # in the order of their ids: two files that state the same entries wait for each other, and never in a circle
        row, columns = ready.row, ready.entries.sort("id")
        given = {
            "statement": row.id, "tenant": self.tenant, "reconciliation": row.reconciliation, "side": row.side,
            "account": row.account, "currency": row.currency, "now": row.received_at,
        }  # fmt: skip
        for at in range(0, columns.height, _CHUNK):
            part = columns.slice(at, _CHUNK)
            sent = {**given, "rows": part.write_json()}
            async with self.database.tenant(self.tenant) as connection:
                if await ADD_ENTRIES.one(connection, sent) != part.height:
                    await ADD_TELLINGS.run(connection, sent)

    async def _commit(
        self, connection: AsyncConnection[Any], file: NewFile, ready: Sequence[_Ready], *, corrects: bool
    ) -> FileRow | None:
        """Make it count; the file, if somebody else was faster with the same one."""
        await LOCK_INTAKE.run(connection, {"tenant": self.tenant, "reconciliation": self.reconciliation})
        read = {"read_as": file.read_as, "read_for": file.read_for}
        known = await FIND_FILE.one(connection, {**self._wanted(file), **read})
        if known is not None and known.state == "taken":
            return known
        other = await FIND_ON_OTHER_SIDE.one(connection, {**self._wanted(file), "read_for": file.read_for})
        if other is not None:
            raise Refused(
                f"the same file counts on the other side already, as {other.name}: it would be matched with itself",
                todo=f"hand it in for the side that it is of; if that is the {file.side} one, recall what counts first",
            )
        judged = [await self._judged(connection, one, corrects=corrects) for one in ready]
        rows = [one.row for one in judged]
        await ADD_FILES.run(connection, [file])
        await ADD_STATEMENTS.run(connection, rows)
        ids = [one.id for one in rows]
        await _check_siblings(connection, rows)
        settled = await settle(connection, self.database, self.tenant, ids, who=self.who)
        if (
            corrects
            and not any(one.takes_a_place for one in judged)
            and not {one.corrected_by for one in settled} & {*ids}
        ):
            raise Refused(
                "it corrects nothing: no statement of the same account, number and days says something else",
                todo="recall the statement that is wrong by its id, and hand this one in without --corrects",
            )
        for one in judged:
            kind = "statement.held" if one.row.state == "held" else "statement.taken"
            await tell(
                connection, self.database, self.tenant, kind, one.row, who=self.who, file_digest=file.digest,
                verdict=self.verdict,
            )  # fmt: skip
            await quarantine_broken(
                connection, self.database, self.tenant, self.workflow, one.statement, one.row,
                caller=f"reconcile:{self.reconciliation}",
            )  # fmt: skip
        return None

    async def refuse(self, source: Source, name: str, digest: bytes, size: int, why: str) -> None:
        """Put on record that a file was refused, and why; once for each way of reading it."""
        now = self.database.clock.now()
        file = NewFile(
            id=short_digest(self.tenant.bytes, self.reconciliation.encode(), source.side.encode(), digest,
                            source.read_as.bytes, b"refused"),
            tenant=self.tenant, reconciliation=self.reconciliation, side=source.side, source=source.name,
            name=_shown(name), digest=digest, read_as=source.read_as, read_for=source.read_for, bytes=size,
            state="refused", why=storable(why)[:_LONGEST_WHY], statements=0, entries=0, broken=0, received_at=now,
        )  # fmt: skip
        async with self.database.tenant(self.tenant) as connection:
            await ADD_FILES.run(connection, [file])
            await tell_refused(connection, self.database, file, who=self.who)

    async def _statements(self, file: UUID) -> tuple[StatementRow, ...]:
        wanted = {"id": None, "reconciliation": self.reconciliation, "state": None, "file": file, "most": None}
        async with self.database.tenant(self.tenant) as connection:
            return tuple(await LIST_STATEMENTS.all(connection, wanted))

    def _wanted(self, file: NewFile) -> dict[str, Any]:
        return {"reconciliation": self.reconciliation, "side": file.side, "digest": file.digest}


async def _check_siblings(connection: AsyncConnection[Any], rows: Sequence[NewStatement]) -> None:
    """Hold the statements of one file against each other.

    Raises:
        StateConflict: two of one number and the same days say something else, and neither is the later one.
    """
    if len({(one.account, one.currency, one.number) for one in rows}) == len(rows):
        return
    ids = {one.id for one in rows if one.state != "held"}
    if any(one.id in ids for one in await FIND_RIVALS.all(connection, {"ids": list(ids)})):
        raise StateConflict(
            "two statements of it have one number and the same days and say something else, and neither says when it"
            " was made: nothing tells which of the two is right",
            todo="ask who sent it which of them is right, and hand that one in by itself",
        )


def _preceding(row: NewStatement, precedence: datetime) -> NewStatement:
    return msgspec.structs.replace(row, precedence=precedence)


def _shown(text: str) -> str:
    """Text for a row that people read: storable, printable, not too long."""
    kept = "".join(one if one.isprintable() else "\ufffd" for one in storable(text[:_LONGEST_NAME]))
    return kept if len(text) <= _LONGEST_NAME else f"{kept[:-1]}…"


def _check(statements: Sequence[Statement]) -> None:
    if not statements:
        raise Refused("there is no statement in it", todo="see that it is the file that was meant")
    broken = [one for statement in statements for one in statement.broken]
    if len(broken) > MOST_BROKEN:
        first = broken[0]
        raise Refused(
            f"{len(broken):,} of its entries are broken, the first at {first.where}: {first.what}",
            todo=f"see how it is read: more than {MOST_BROKEN:,} broken entries are no fault of single ones",
        )
