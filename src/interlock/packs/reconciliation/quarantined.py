"""Broken entries: each waits in the one quarantine that there is, and joins its statement once it is mended."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, cast
from uuid import UUID

import polars as pl
from psycopg import AsyncConnection

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.journal import encode
from interlock.cases.quarantine import rules_of
from interlock.cases.release import Release
from interlock.cases.store import (
    ADD_QUARANTINES,
    END_QUARANTINES,
    LOCK_QUARANTINES,
    EndedQuarantine,
    NewQuarantine,
    Quarantined,
)
from interlock.contracts import check
from interlock.db.database import Database
from interlock.db.gates import short_digest
from interlock.db.text import storable
from interlock.db.work import Stamp
from interlock.errors import ContractViolated, NotFound, StateConflict, Violation
from interlock.ledger.ledger import ADD_ENTRIES as TELL
from interlock.ledger.ledger import first_entry, hash_of
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Broken, Side, Statement
from interlock.packs.reconciliation.identity import with_identity, with_ids
from interlock.packs.reconciliation.in_force import find_statement, lock_statement, settle
from interlock.packs.reconciliation.intake_ledger import tell
from interlock.packs.reconciliation.standing import days_of, encode_findings, holds, statement_of, sums_of
from interlock.packs.reconciliation.statements import findings_of
from interlock.packs.reconciliation.statements.draft import TEXTS, cleaned_texts
from interlock.packs.reconciliation.statements.held import entry_contract
from interlock.packs.reconciliation.store import (
    ADD_BROKEN,
    ADD_ENTRIES,
    ADD_TELLINGS,
    CHANGE_STATEMENTS,
    FIND_BROKEN,
    FIND_KNOWN_BROKEN,
    FIND_RIVALS,
    MEND_STATEMENTS,
    STILL_BROKEN,
    ChangedStatement,
    KnownBroken,
    MendedStatement,
    NewBroken,
    NewStatement,
    StatementRow,
    entries_of_statement,
)

CONTRACT = "entry@1"
ADDS_UP = "with its mended entries it adds up"


async def quarantine_broken(
    connection: AsyncConnection[Any],
    database: Database,
    tenant: UUID,
    workflow: str,
    statement: Statement,
    row: NewStatement,
    *,
    caller: str,
) -> None:
    """Put the broken entries of a statement into quarantine, in the transaction that takes it in.

    What came broken just so in another statement of the account waits there already, or is mended, and joins as that.

    Args:
        connection: In that transaction.
        database: Its clock.
        tenant: Whose.
        workflow: Under which workflow they wait.
        statement: The statement.
        row: Its row.
        caller: Who handed it in.
    """
    if not statement.broken:
        return
    digests = {one.line: short_digest(one.data or f"{row.id}/{one.line}".encode()) for one in statement.broken}
    known = await _known_broken(connection, row.id, digests)
    held: list[NewQuarantine] = []
    for one in statement.broken:
        if one.line in known:
            continue
        violation = Violation(
            where=storable(one.where), what=storable(one.what), rule=storable(one.rule), todo=storable(one.todo)
        )
        held.append(
            NewQuarantine(
                id=database.clock.new_id(), tenant=tenant, case_id=None, workflow=workflow, point="",
                contract=CONTRACT, data=one.data, violations=encode((violation,)), created_at=row.received_at,
                key=f"{row.id}/{one.line}", caller=caller, rules=rules_of((violation,)),
            )
        )  # fmt: skip
    new = [one.line for one in statement.broken if one.line not in known]
    quarantines = {line: one.quarantine for line, one in known.items()}
    quarantines |= {line: one.id for line, one in zip(new, held, strict=True)}
    broken = [
        NewBroken(statement=row.id, line=line, tenant=tenant, quarantine=one, data=digests[line])
        for line, one in quarantines.items()
    ]
    await ADD_BROKEN.run(connection, broken)
    mended = {line: one for line, one in known.items() if one.mended}
    for line, one in mended.items():
        entries = await entries_of_statement(connection, one.statement)
        (given,) = entries.filter(pl.col("line") == one.line).iter_rows(named=True)
        await _join(connection, database, tenant, await find_statement(connection, row.id), line, _as_given(given))
    if mended:
        await _judge_again(connection, database, tenant, await find_statement(connection, row.id), who=caller)
    if not held:
        return
    await ADD_QUARANTINES.run(connection, held)
    told = [
        first_entry(
            Stamp(row.received_at, one.id, database.clock), tenant, "decision.quarantined", subject=one.id,
            point=workflow, quarantine=one.id, contract=CONTRACT, rules=one.rules, caller=caller,
            input_digest=short_digest(one.data), data_hash=hash_of(one.data),
            violations_hash=hash_of(one.violations),
        ).row
        for one in held
    ]  # fmt: skip
    await TELL.run(connection, cast("Any", told))


async def _known_broken(
    connection: AsyncConnection[Any], statement: UUID, digests: dict[int, UUID]
) -> dict[int, KnownBroken]:
    """What of a statement's broken lines came so before; of equal ones each is another one."""
    wanted = {"statement": statement, "data": list(digests.values())}
    left: dict[UUID, list[KnownBroken]] = defaultdict(list)
    for one in await FIND_KNOWN_BROKEN.all(connection, wanted):
        left[one.data].append(one)
    return {line: left[data].pop(0) for line, data in digests.items() if left[data]}


def _as_given(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, date) else value for name, value in entry.items()}


class EntryMending:
    """Lets mended entries into their statements: see ``interlock.cases.release.Mending``."""

    contract = CONTRACT

    def violations(self, value: Any) -> tuple[Violation, ...]:
        """What an entry still breaks."""
        if not isinstance(value, dict):
            return (Violation(where="", what="it is no object", rule="type", todo="mend it to a JSON object"),)
        found = check(entry_contract(), value)
        if not found and cast("dict[str, Any]", value)["minor"] == 0:
            return (Violation(where="/minor", what="it moves no money", rule="zero", todo="discard it"),)
        return found

    async def mended(self, release: Release, held: Quarantined, value: Any) -> None:
        """Add a mended entry to its statement, and hold the statement against its own figures again.

        Raises:
            ContractViolated: it still breaks the contract, or is of another account or currency than its statement.
            StateConflict: somebody released or discarded it meanwhile, or the statement is recalled.
        """
        if broken := self.violations(value):
            raise ContractViolated("the entry still breaks its contract", broken, quarantine=str(held.id))
        given = cast("dict[str, Any]", value)
        database, tenant = release.decider.database, release.tenant
        async with database.tenant(tenant) as connection:
            found = await FIND_BROKEN.all(connection, {"quarantine": held.id})
            if not found:
                raise NotFound(f"{held.id} is no entry of a statement", todo="discard it")
            row = await lock_statement(connection, tenant, found[0].statement)
            _check_frame(row, given, held)
            locked = await LOCK_QUARANTINES.one(connection, {"ids": [held.id]})
            if locked is None or locked.state != "held":
                raise StateConflict(f"{held.id} is released or discarded already", todo="look at it again")
            await _end(connection, database, tenant, held, who=release.who, verdict=release.verdict)
            for one in found:
                row = await lock_statement(connection, tenant, one.statement)
                if row.state != "recalled":
                    await _join(connection, database, tenant, row, one.line, given)
                    await _judge_again(connection, database, tenant, row, who=release.who)


entry_mending = EntryMending()


def _check_frame(row: StatementRow, given: dict[str, Any], held: Quarantined) -> None:
    if row.state == "recalled":
        raise StateConflict(f"its statement {row.id} is recalled", todo="discard it: the statement counts no more")
    wrong = tuple(
        Violation(where=f"/{name}", what=f"{given[name]!r} is not the statement's {stated!r}", rule="frame",
                  todo=f"write {stated!r}: one statement, one account and currency")
        for name, stated in (("account", row.account), ("currency", row.currency))
        if given[name] != stated
    )  # fmt: skip
    if wrong:
        raise ContractViolated("the entry is of another account", wrong, quarantine=str(held.id))


async def _join(
    connection: AsyncConnection[Any],
    database: Database,
    tenant: UUID,
    row: StatementRow,
    line: int,
    given: dict[str, Any],
) -> None:
    """Write the entry and its line. Among equal ones of its statement it is counted as the last."""
    days = {name: date.fromisoformat(given[name]) for name in ("booked_on", "value_on")}
    texts = {name: storable(given.get(name) or "") for name in TEXTS}
    values = {name: given.get(name) for name in ENTRY_SCHEMA} | texts | days | {"where": ""}
    mended = pl.DataFrame([values | {"line": 0}], schema=ENTRY_SCHEMA).with_columns(cleaned_texts())
    # only such as can be equal: a statement may have a million entries
    others = (await entries_of_statement(connection, row.id)).filter(pl.col("minor") == mended["minor"].item())
    last = int(cast("int", others["line"].max() or 0)) + 1
    mended = mended.with_columns(line=pl.lit(last, dtype=ENTRY_SCHEMA["line"]))
    joined = with_identity(statement_of(row, pl.concat([others, mended])), Side(row.side))
    one = joined.filter(pl.col("line") == last).with_columns(line=pl.lit(line, dtype=pl.Int64))
    one = with_ids(one, tenant, row.reconciliation)
    sent = {
        "statement": row.id, "tenant": tenant, "reconciliation": row.reconciliation, "side": row.side,
        "account": row.account, "currency": row.currency, "now": database.clock.now(), "rows": one.write_json(),
    }  # fmt: skip
    if not await ADD_ENTRIES.one(connection, sent):
        await ADD_TELLINGS.run(connection, sent)


async def _end(
    connection: AsyncConnection[Any],
    database: Database,
    tenant: UUID,
    held: Quarantined,
    *,
    who: str,
    verdict: Verdict | None,
) -> None:
    stamp = Stamp(database.clock.now(), database.clock.new_id(), database.clock)
    ended = EndedQuarantine(id=held.id, state="released", resolved_at=stamp.now, resolved_by=who)
    await END_QUARANTINES.run(connection, [ended])
    entry = first_entry(stamp, tenant, "quarantine.released", subject=held.id, who=who, **verdict_facts(verdict))
    await TELL.run(connection, [cast("Any", entry.row)])


async def _judge_again(
    connection: AsyncConnection[Any], database: Database, tenant: UUID, row: StatementRow, *, who: str
) -> None:
    """Hold the statement against its own figures with what is mended; in force, if it was held and adds up now."""
    entries = await entries_of_statement(connection, row.id)
    left = await STILL_BROKEN.all(connection, {"statement": row.id})
    broken = tuple(Broken(line=one.line, where="", what="", todo="", rule="", data=one.data) for one in left)
    statement = statement_of(row, entries, broken)
    findings = findings_of(statement)
    credit, debit = sums_of(entries)
    begins, ends = days_of(statement)
    now = database.clock.now()
    mended = MendedStatement(
        id=row.id, entries=entries.height, broken=len(left), credit_minor=credit, debit_minor=debit,
        findings=encode_findings(findings), begins=begins, ends=ends, changed_at=now,
    )  # fmt: skip
    await MEND_STATEMENTS.run(connection, [mended])
    rivals = await FIND_RIVALS.all(connection, {"ids": [row.id]}) if row.state == "held" else []
    if row.state == "held" and not holds(findings) and not rivals:
        changed = ChangedStatement(id=row.id, state="in_force", why=ADDS_UP, changed_at=now)
        await CHANGE_STATEMENTS.run(connection, [changed])
        await tell(connection, database, tenant, "statement.accepted", row, who=who, why=ADDS_UP)
    await settle(connection, database, tenant, [row.id], who=who)
