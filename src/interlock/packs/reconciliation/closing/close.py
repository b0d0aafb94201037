"""Reporting on an account, and closing it: all is read at one moment, and a close is one commit with its entry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.cancel import check_why
from interlock.db.database import SET_TENANT, Database
from interlock.db.work import Stamp
from interlock.decisions.proof import prove
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import ADD_ENTRIES, Entry, first_entry, further_entry
from interlock.ledger.store import snapshot
from interlock.node import Node
from interlock.packs.reconciliation.breaks.store import PROJECT_BREAKS
from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.closing.document import digest_of, encode, signed_of
from interlock.packs.reconciliation.closing.report import Report, report_of
from interlock.packs.reconciliation.closing.rested import not_looked_at
from interlock.packs.reconciliation.closing.store import (
    ADD_CLOSE,
    ADD_CLOSED_ENTRIES,
    CLOSES_FROM,
    DIFFERENCES,
    FLOWS,
    KNOWN_ACCOUNTS,
    LAST_CLOSE,
    LAST_ROUND,
    REOPEN_CLOSE,
    STATED,
    TOTALS,
    UNREADY,
    CloseRow,
)
from interlock.packs.reconciliation.closing.sums import Sums, Unready
from interlock.packs.reconciliation.rounds.store import NEWS, PROJECT_MATCHES
from interlock.packs.reconciliation.rounds.turn import taking_turn

KINDS = ("statement", "broken", "round", "match", "break", "balance")
"""What may be carried over, all of a kind by its name."""
_SHOWN = 5
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Period:
    """What is reported on.

    Attributes:
        reconciliation: The reconciliation.
        account: The account, as its statements name it.
        until: The last day.
    """

    reconciliation: str
    account: str
    until: date


@dataclass(frozen=True, slots=True)
class Reported:
    """A report, and what of its period is not done."""

    report: Report
    unready: tuple[Unready, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A close that was signed.

    Attributes:
        id: Its id.
        report: What was signed.
        digest: SHA-256 of its bytes.
        entry: The entry of the ledger that tells of it.
    """

    id: UUID
    report: Report
    digest: bytes
    entry: UUID


async def report_on(database: Database, tenant: UUID, period: Period) -> Reported:
    """What an account came to, as it is known now; nothing is changed.

    Raises:
        NotFound: no statement names the account.
    """
    async with _moment(database, tenant) as connection:
        last = await _last(connection, period)
        return await _reported(connection, period, last)


async def close(
    node: Node, period: Period, *, who: str, why: str, carry_over: Sequence[str] = (), reopen: bool = False,
    verdict: Verdict | None = None,
) -> Closed:  # fmt: skip
    """Sign an account off. No round runs meanwhile.

    Args:
        node: Where it is kept.
        period: Which account, until which day.
        who: Who signs.
        why: What they say.
        carry_over: What is not done and is carried over: ids, or kinds for all of a kind.
        reopen: Whether the close of the same day is to be done again.
        verdict: What the policies said of it, for its entries.

    Raises:
        Refused: no reason; a day that is not over; something that is not done is not carried over; a name that is
            carried over is not open.
        NotFound: no statement names the account.
        StateConflict: the day is closed already, or a later one is; a round is under way; the report does not tie.
    """
    why = check_why(why)
    today = node.database.clock.now().astimezone(UTC).date()
    if period.until >= today:
        over = today - timedelta(days=1)
        raise Refused(
            f"{period.until} is not over yet, in UTC", where="--until", todo=f"close until {over} or a day before"
        )
    async with taking_turn(node.url, node.tenant, period.reconciliation):
        await _project(node, period.reconciliation)
        try:
            async with _moment(node.database, node.tenant) as connection:
                return await _close(
                    node, connection, period, who=who, why=why, carry_over=carry_over, reopen=reopen, verdict=verdict
                )
        except (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure) as cause:
            raise StateConflict(
                "somebody else closed it meanwhile", todo="look at `interlock reconcile closes`"
            ) from cause


async def leaf_of(database: Database, tenant: UUID, entry: UUID, *, patience_s: float) -> int | None:
    """The index of an entry's leaf once a signed checkpoint covers it; None if none does in this time."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            proof = await prove(database, tenant, entry)
        except StateConflict:
            if time.monotonic() > give_up:
                return None
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            return next(one.index for one in proof.entries)


@asynccontextmanager
async def _moment(database: Database, tenant: UUID) -> AsyncGenerator[AsyncConnection[Any]]:
    """A transaction of a tenant that sees one moment."""
    async with database.installation() as connection, snapshot(connection):
        await SET_TENANT.all(connection, {"tenant": str(tenant)})
        yield connection


async def _project(node: Node, reconciliation: str) -> None:
    """Bring matches and breaks up to what became of their cases."""
    asked = {"reconciliation": reconciliation, "now": node.database.clock.now()}
    async with node.database.tenant(node.tenant) as connection:
        await PROJECT_MATCHES.one(connection, asked)
        await PROJECT_BREAKS.one(connection, asked)


async def _last(connection: AsyncConnection[Any], period: Period) -> CloseRow | None:
    known = await KNOWN_ACCOUNTS.all(connection, {"reconciliation": period.reconciliation})
    if period.account not in known:
        there = ", ".join(known) or "none yet"
        raise NotFound(
            f"no statement of {period.reconciliation} is of the account {period.account[:60]!r}",
            where="--account",
            todo=f"its accounts are {there}"[:500],
        )
    return await LAST_CLOSE.one(connection, _asked(period))


def _asked(period: Period) -> dict[str, Any]:
    return {"reconciliation": period.reconciliation, "account": period.account, "until": period.until}


async def _reported(
    connection: AsyncConnection[Any], period: Period, last: CloseRow | None, carry_over: Sequence[str] | None = None
) -> Reported:
    first_day = last.until + timedelta(days=1) if last else None
    asked = {**_asked(period), "first_day": first_day}
    sums = Sums(
        flows=await FLOWS.all(connection, asked),
        totals=await TOTALS.all(connection, _asked(period)),
        differences=await DIFFERENCES.all(connection, asked),
        stated=await STATED.all(connection, asked),
    )
    waiting, named = await UNREADY.all(connection, _asked(period)), {"reconciliation": period.reconciliation}
    told: dict[str, Any] = {
        "reconciliation": period.reconciliation,
        "account": period.account,
        "first_day": first_day,
        "until": period.until,
        "signed": signed_of(last.report if last else None),
    }
    found = report_of(sums, **told)
    rounds = not_looked_at(await LAST_ROUND.one(connection, named), await NEWS.one(connection, named) or "")
    unready = (*waiting, *rounds, *found.untied)
    if carry_over is None:
        return Reported(found, unready)
    return Reported(report_of(sums, **told, carried_over=carried_over(unready, carry_over)), ())


def carried_over(unready: Sequence[Unready], named: Sequence[str]) -> tuple[Unready, ...]:
    """What is not done, if all of it is named.

    Raises:
        Refused: something is not named, or a name is of nothing that is open.
    """
    ids = {str(one.id) for one in unready}
    strange = [name for name in named if name not in KINDS and name not in ids]
    if strange:
        raise Refused(
            f"{strange[0][:60]!r} is nothing that is open", where="--carry-over",
            todo=f"name ids as the report shows them, or all of a kind: {', '.join(KINDS)}",
        )  # fmt: skip
    left = [one for one in unready if one.kind not in named and str(one.id) not in named]
    if left:
        shown = "; ".join(f"{one.kind} {one.id}: {one.what[:200]}" for one in left[:_SHOWN])
        more = f"; and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        raise Refused(
            f"{len(left)} of the period are not done: {shown}{more}",
            todo="settle them, or carry each over by name: --carry-over ID, or all of a kind: --carry-over break",
        )
    return tuple(unready)


async def _close(
    node: Node, connection: AsyncConnection[Any], period: Period, *, who: str, why: str, carry_over: Sequence[str],
    reopen: bool, verdict: Verdict | None,
) -> Closed:  # fmt: skip
    """Close in a transaction that is open: see ``close``."""
    last = await _last(connection, period)
    again = await _to_reopen(connection, period, reopen=reopen)
    found = (await _reported(connection, period, last, carry_over)).report
    broken = next((check for check in found.checks if not check.holds), None)
    if broken:
        raise StateConflict(
            f"the report does not tie: {broken.what}",
            todo="let a round run first: `interlock reconcile run`; if it stays so, the records are damaged",
        )
    clock = node.database.clock
    stamp = Stamp(clock.now(), clock.new_id(), clock)
    report = encode(found)
    row = Closed(id=stamp.new_id(), report=found, digest=digest_of(report), entry=stamp.entry)
    if again:
        await REOPEN_CLOSE.run(connection, {"id": again.id, "who": who, "now": stamp.now, "why": why})
    named = {**_asked(period), "first_day": found.first_day}
    told = {"follows": last.id if last else None, "why": why, "who": who, "now": stamp.now}
    await ADD_CLOSE.run(connection, {**named, **told, "id": row.id, "report": report, "digest": row.digest})
    await ADD_CLOSED_ENTRIES.run(connection, {**named, "close": row.id})
    await ADD_ENTRIES.run(
        connection, _entries(stamp, node.tenant, row, again, who=who, why=why, **verdict_facts(verdict))
    )
    return row


async def _to_reopen(connection: AsyncConnection[Any], period: Period, *, reopen: bool) -> CloseRow | None:
    """The close of the same day that is to be done again, if that is wanted."""
    later = await CLOSES_FROM.all(connection, _asked(period))
    if later and later[-1].until > period.until:
        raise StateConflict(
            f"{period.account} is closed until {later[-1].until}",
            todo="what has changed since stands in the next report; only the last close can be done again: --reopen",
        )
    if later and not reopen:
        raise StateConflict(
            f"{period.account} is closed until {period.until} already, by {later[0].signed_by}",
            todo="do it again with --reopen, if that is meant",
        )
    if reopen and not later:
        raise Refused(f"{period.until} is not closed", where="--reopen", todo="leave --reopen out")
    return later[0] if later else None


def _entries(stamp: Stamp, tenant: UUID, row: Closed, again: CloseRow | None, **said: Any) -> list[Entry]:
    """What the ledger tells: ids, days, digests and sums; no account, which may be a person's."""
    found = row.report
    open_now = {f"{one.side} {one.currency}": amount_text(one.closing.minor, one.currency) for one in found.lines}
    closed = first_entry(
        stamp, tenant, "reconciliation.closed", subject=row.id, reconciliation=found.reconciliation,
        first_day=found.first_day, until=found.until, digest=row.digest.hex(), follows=found.follows or None,
        closing=open_now, carried_over=len(found.carried_over), **said,
    )  # fmt: skip
    writes = [closed]
    if again:
        reopened = further_entry(
            stamp, tenant, "reconciliation.reopened", subject=again.id, digest=again.digest.hex(), close=row.id,
            **said,
        )  # fmt: skip
        writes.append(reopened)
    return [write.row for write in writes if isinstance(write.row, Entry)]
