"""Judging the levels: what is measured now, what that means, and the one commit in which a level changes its state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.contracts.contract import Contract
from interlock.contracts.level import Kind, Level, Seen
from interlock.contracts.shown import pointer
from interlock.db.database import SET_TENANT, Database
from interlock.db.gates import TakesKey, key_digest
from interlock.db.queries import encode_rows
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import InterlockError
from interlock.ledger.ledger import first_entry
from interlock.levels.store import (
    DATA_LINES,
    SEEN_OF_LEVELS,
    STANDING_LEVELS,
    TRY_TO_JUDGE,
    TURN_LEVELS,
    AskedLevel,
    NewStanding,
    Standing,
    State,
)

CHANNEL = "data_levels"
Contracts = Callable[[UUID], Iterable[Contract]]
"""The contracts that count in a tenant at this moment."""
log = logging.getLogger("interlock.levels")


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One level of one contract, measured now.

    Attributes:
        contract: Whose level.
        level: The level.
        seen: What was seen.
        breach: What is wrong, in words; empty if it is kept.
        standing: Where it stands on record; None: it never broke.
    """

    contract: Contract
    level: Level
    seen: Seen
    breach: str
    standing: Standing | None

    @property
    def age(self) -> timedelta | None:
        """How old the newest moment or the last record is, where the level is about that."""
        if self.level.age is None:
            return None
        return self.seen.moment_age if self.level.kind is Kind.LATENCY else self.seen.arrival_age


@dataclass(frozen=True, slots=True)
class _Turn:
    """A level that is to change its state."""

    tenant: UUID
    line: str
    level: str
    state: State
    what: str
    owner: str
    number: int


async def measure_levels(connection: AsyncConnection[object], contracts: Iterable[Contract]) -> list[Measured]:
    """Measure every level of some contracts in the tenant of a connection.

    Args:
        connection: A transaction in which only this tenant's rows exist.
        contracts: Those that count in it, one for each line.
    """
    known = list(contracts)
    return await _measure(connection, known, await _standing(connection, [contract.line for contract in known]))


async def _standing(connection: AsyncConnection[object], lines: Sequence[str]) -> dict[tuple[str, str], Standing]:
    rows = await STANDING_LEVELS.all(connection, {"lines": list(lines)}) if lines else []
    return {(row.line, row.level): row for row in rows}


async def _measure(
    connection: AsyncConnection[object], contracts: Sequence[Contract], standing: Mapping[tuple[str, str], Standing]
) -> list[Measured]:
    known = [(contract, level) for contract in contracts for level in contract.levels]
    if not known:
        return []
    asked = encode_rows(_asked(contract, level) for contract, level in known)
    seen = {(row.line, row.level): row.seen() for row in await SEEN_OF_LEVELS.all(connection, {"levels": asked})}
    found: list[Measured] = []
    for contract, level in known:
        key = (contract.line, level.said)
        breach = level.breach(seen[key])
        found.append(
            Measured(contract=contract, level=level, seen=seen[key], breach=breach, standing=standing.get(key))
        )
    return found


async def judge_levels(database: Database, writer: Writer, lines: Sequence[str], contracts: Contracts) -> int:
    """Measure every level in every tenant once, and record those that changed; how many did.

    INVARIANT: each change is recorded once, however many processes judge at the same time: it takes its number as a
    key in the same commit.

    Args:
        database: To measure.
        writer: For the commits.
        lines: The lines of the contracts that this process knows.
        contracts: What counts in a tenant.
    """
    turns: list[_Turn] = []
    async with database.installation() as connection, connection.transaction():
        if not await TRY_TO_JUDGE.one(connection):
            return 0
        tenants: dict[UUID, set[str]] = {}
        for row in await DATA_LINES.all(connection, {"lines": list(lines)}):
            tenants.setdefault(row.tenant, set()).add(row.line)
        for tenant, its in tenants.items():
            await SET_TENANT.all(connection, {"tenant": str(tenant)})
            by_line = {contract.line: contract for contract in contracts(tenant) if contract.line in its}
            standing = await _standing(connection, sorted(its))
            measured = await _measure(connection, list(by_line.values()), standing)
            turns += [turn for one in measured if (turn := _turn_of(tenant, one))]
            turns += _turns_of_gone(tenant, by_line, measured, standing)
    taken = 0
    for turn in turns:
        try:
            taken += await _take(writer, turn)
        except InterlockError as cause:  # the other levels' turns do not wait for this one's
            log.warning("%s: %s, and it could not be recorded yet: %s", turn.line, turn.what, cause)
    return taken


def _asked(contract: Contract, level: Level) -> AskedLevel:
    return AskedLevel(
        line=contract.line,
        level=level.said,
        element=pointer(level.element),
        seconds=level.window.total_seconds() if level.window else 0.0,
    )


def _turn_of(tenant: UUID, one: Measured) -> _Turn | None:
    state = State.BROKEN if one.breach else State.KEPT
    last = one.standing
    if state is (last.state if last else State.KEPT):
        return None
    what = one.breach or "it is kept again"
    number = last.turn + 1 if last else 1
    return _Turn(tenant, one.contract.line, one.level.said, state, what, one.contract.owner, number)


def _turns_of_gone(
    tenant: UUID,
    contracts: Mapping[str, Contract],
    measured: Sequence[Measured],
    standing: Mapping[tuple[str, str], Standing],
) -> list[_Turn]:
    """Levels that stand as broken and that no contract in force promises any more."""
    promised = {(one.contract.line, one.level.said) for one in measured}
    return [
        _Turn(tenant, row.line, row.level, State.KEPT, "it is no longer promised", row.owner, row.turn + 1)
        for key, row in standing.items()
        if row.state is State.BROKEN and key not in promised and row.line in contracts
    ]


async def _take(writer: Writer, turn: _Turn) -> bool:
    """Record a change; False: another process was faster."""
    kind = "data.level_broken" if turn.state is State.BROKEN else "data.level_restored"

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewStanding(
            tenant=turn.tenant,
            line=turn.line,
            level=turn.level,
            state=turn.state,
            turn=turn.number,
            what=turn.what,
            owner=turn.owner,
            changed_at=stamp.now,
        )
        entry = first_entry(
            stamp,
            turn.tenant,
            kind,
            subject=stamp.entry,
            contract=turn.line,
            level=turn.level,
            what=turn.what,
            owner=turn.owner,
            turn=turn.number,
        )
        return [Write(TURN_LEVELS, row), entry]

    key = key_digest(turn.tenant, "data-level", f"{turn.line}/{turn.level}/{turn.number}")
    if await writer.write(Unit(turn.tenant, build, (TakesKey(key, UUID(int=0)),), wakes=(CHANNEL,))):
        return False
    if turn.state is State.BROKEN:
        log.warning("%s: %s is broken, %s; %s is to look", turn.line, turn.level, turn.what, turn.owner)
    else:
        log.warning("%s: %s: %s", turn.line, turn.level, turn.what)
    return True
