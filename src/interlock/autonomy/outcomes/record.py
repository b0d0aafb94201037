"""Recording outcomes: many in one commit, each once, and what counts of each decision with them.

A decision's words are numbered. Whoever writes one takes the next number as an idempotency key, in the commit that
writes the word and what counts since: of two that read the same words one is refused, and looks again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from uuid import UUID

from interlock.authority.judge import Verdict
from interlock.autonomy.outcomes.line import OutcomeLine
from interlock.autonomy.outcomes.plan import Line, Plan, Points, Result
from interlock.autonomy.outcomes.store import (
    DECISIONS_BY_KEYS,
    DECISIONS_OF_CASES,
    FIND_JUDGED,
    WORDS_OF,
    Judged,
)
from interlock.db.database import Database
from interlock.db.gates import key_digest
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import StateConflict

CHANNEL = "outcomes"
"""Woken with every commit that records some."""
MOST_AT_ONCE = 500
_TRIES = 20
_PAUSE_S = 0.02


async def record_outcomes(
    database: Database,
    writer: Writer,
    tenant: UUID,
    lines: Sequence[Line],
    points: Points,
    *,
    who: str,
    verdict: Verdict | None = None,
) -> list[Result]:
    """Put outcomes on record; what became of each, in order. One that is refused never stops the others.

    Args:
        database: Where the decisions are.
        writer: For the commits: one for at most ``MOST_AT_ONCE`` lines.
        tenant: Whose.
        lines: What is said.
        points: What files say of points.
        who: Who brings it.
        verdict: What the policies said.

    Raises:
        DatabaseUnavailable: what was recorded is; all of it is sent again, and what is on record is known.
        StateConflict: others write on the same decisions all the time.
    """
    results: list[Result] = []
    for at in range(0, len(lines), MOST_AT_ONCE):
        part = lines[at : at + MOST_AT_ONCE]
        plan = await plan_outcomes(database, tenant, part, points, who=who, verdict=verdict)
        for again in range(_TRIES):
            refusal = await write_plan(writer, tenant, plan)
            if refusal is None:
                break
            await asyncio.sleep(random.random() * _PAUSE_S * again)  # noqa: S311 - it only spreads who tries again
            plan = await plan_outcomes(database, tenant, part, points, who=who, verdict=verdict)
        else:
            raise StateConflict("others write outcomes of the same decisions all the time", todo="send them again")
        results += plan.results
    return results


async def write_plan(writer: Writer, tenant: UUID, plan: Plan) -> Refusal | None:
    """Write what is planned, in a unit of its own; None, or why not: somebody else was faster."""
    if plan.is_empty:
        return None
    return await writer.write(Unit(tenant, plan.writes, plan.conditions(), wakes=(CHANNEL,)))


async def plan_outcomes(
    database: Database,
    tenant: UUID,
    lines: Sequence[Line],
    points: Points,
    *,
    who: str,
    verdict: Verdict | None = None,
    why: str = "",
) -> Plan:
    """Judge outcomes against what is on record; what is to be written, also by a unit of the caller's own.

    Such a unit has the plan's conditions, its writes and ``CHANNEL`` among its wakes, and is planned again where it is
    refused because a key is held.
    """
    found = await _find(database, tenant, lines)
    ids = sorted({one.id for one in found if one})
    async with database.tenant(tenant) as connection:
        words = await WORDS_OF.all(connection, {"ids": ids}) if ids else []
    plan = Plan(tenant, points, words, who=who, now=database.clock.now(), verdict=verdict, why=why)
    for line, it in zip(lines, found, strict=True):
        plan.take(line, it)
    return plan


async def _find(database: Database, tenant: UUID, lines: Sequence[Line]) -> list[Judged | None]:
    """The decision that each line is about; None: there is none, or it is no line."""
    named = [line if isinstance(line, OutcomeLine) else None for line in lines]
    digests = [_digest(tenant, line) if line and not line.decision else None for line in named]
    pairs = [(line, digest) for line, digest in zip(named, digests, strict=True) if line and digest]
    asked = [digest for line, digest in pairs if line.asked]
    cases = [digest for line, digest in pairs if line.case]
    at = sorted({_parts(line)[1] for line, _ in pairs if line.case})
    async with database.tenant(tenant) as connection:
        rows = await DECISIONS_BY_KEYS.all(connection, {"digests": asked}) if asked else []
        rows += await DECISIONS_OF_CASES.all(connection, {"digests": cases, "points": at}) if cases else []
        led = {(row.digest, row.point): row.decision for row in rows}
        each = [_led(line, digest, led) for line, digest in zip(named, digests, strict=True)]
        ids = sorted({one for one in each if one})
        wanted = {"ids": ids, "least": ids[0], "greatest": ids[-1]} if ids else {}
        judged = {one.id: one for one in await FIND_JUDGED.all(connection, wanted)} if ids else {}
    return [judged.get(one) if one else None for one in each]


def _led(line: OutcomeLine | None, digest: UUID | None, led: Mapping[tuple[UUID, str], UUID]) -> UUID | None:
    if line is None:
        return None
    return line.decision or (led.get((digest, _parts(line)[1])) if digest else None)


def _digest(tenant: UUID, line: OutcomeLine) -> UUID:
    """The digest of the key under which its decision was asked, or its case submitted."""
    if line.asked:
        return key_digest(tenant, f"decision:{line.point}", line.asked)
    return key_digest(tenant, f"case:{_parts(line)[0]}", line.case)


def _parts(line: OutcomeLine) -> tuple[str, str]:
    workflow, _, point = line.point.rpartition(".")
    return workflow, point
