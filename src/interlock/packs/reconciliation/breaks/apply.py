"""Making the breaks what they should be: cases for the new ones, recalls for those that are overtaken.

Each is one commit of its own, so whatever is killed between two of them goes on with the next round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import polars as pl

from interlock.cases.cancel import cancel_writes, held_for_recall
from interlock.cases.journal import encode
from interlock.cases.registry import Registered
from interlock.cases.submit import submit
from interlock.db.work import Stamp, Unit, Write
from interlock.node import Node
from interlock.packs.reconciliation.breaks.compare import compare_breaks, without_doubts
from interlock.packs.reconciliation.breaks.facts import BreakPlan, break_input, break_key, late_from, plan_breaks
from interlock.packs.reconciliation.breaks.store import (
    ADD_BREAKS,
    EARLIER_BREAK_SCHEMA,
    EARLIER_BREAKS,
    LATE_ENTRIES,
    LATE_ENTRY_SCHEMA,
    PROJECT_BREAKS,
    STANDING_BREAK_SCHEMA,
    STANDING_BREAKS,
    WITHDRAW_BREAKS,
    NewBreak,
    WithdrawnBreak,
)
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.matching.solution import Solution
from interlock.packs.reconciliation.rounds.store import read_columns
from interlock.packs.reconciliation.rounds.target import Target
from interlock.packs.reconciliation.store import Horizon, horizons
from interlock.packs.reconciliation.terms import ReconciliationTerms

UNDER_WAY = 128
"""Submissions and recalls at once; the writer puts them into common commits."""
_SLICE = 1_000
"""So many new breaks are Python objects at a time."""
WHO = "reconciliation"
"""By whose word breaks are opened and taken back."""

CANDIDATE_SCHEMA: dict[str, pl.DataType] = {
    "expected": pl.String(),
    "actual": pl.String(),
    "probability": pl.Float64(),
}
"""Pairs of identities that a solver looked at, with how likely they are the same money."""


@dataclass(slots=True)
class BreakFigures:
    """What a round found of breaks and did.

    Attributes:
        target: Breaks that there should be.
        kept: Those that stand already, settled ones too.
        opened: Those that the round opened.
        withdrawn: Those that it began to take back.
        undoing: Those that are being taken back still, whose entries are not free yet.
        held: New ones that wait until a match that holds their entry is taken back.
        waiting: Entries that wait for their partner and are no breaks yet.
        doubted: Doubtful matches that are not asked, since a person settled a break of an entry of theirs.
    """

    target: int = 0
    kept: int = 0
    opened: int = 0
    withdrawn: int = 0
    undoing: int = 0
    held: int = 0
    waiting: int = 0
    doubted: int = 0


@dataclass(frozen=True, eq=False)
class BreaksFound:
    """What a pass found of breaks, once what is overtaken is being taken back.

    Attributes:
        matches: Those of the target that may take their entries; see ``without_doubts``.
        plan: What should be.
        new: Rows of ``BreakPlan.breaks`` without a break that is alive.
        kept: How many stay.
        withdrawn: How many this pass began to take back.
        undoing: How many are being taken back still, these included.
        holds: The entries of all breaks that are alive, in the form of members of matches.
    """

    matches: pl.DataFrame
    plan: BreakPlan
    new: pl.DataFrame
    kept: int
    withdrawn: int
    undoing: int
    holds: pl.DataFrame


class Breaks:
    """The breaks of one reconciliation.

    Args:
        node: Where they are kept.
        registered: The workflow whose cases follow them.
        terms: Of the reconciliation.
    """

    def __init__(self, node: Node, registered: Registered, terms: ReconciliationTerms) -> None:
        self.node = node
        self.registered = registered
        self.terms = terms
        self._planned: tuple[Target, Target, BreakPlan] | None = None
        self._planned_on = date.min

    async def project(self) -> int:
        """Bring the rows of the breaks up to what became of their cases; how many changed."""
        now = self.node.database.clock.now()
        async with self.node.database.tenant(self.node.tenant) as connection:
            return await PROJECT_BREAKS.one(connection, {**self._of(), "now": now}) or 0

    async def plan(self, target: Target, matches: pl.DataFrame) -> BreakPlan:
        """The breaks that follow from a target of which these matches count, in a thread, once for each and a day."""
        known, today = self._planned, self.node.database.clock.now().date()
        same = known and known[0] is target and known[1].matches["members"].equals(matches["members"])
        if known is None or not same or self._planned_on != today:
            asked = {**self._of(), "today": today, "days": late_from(self.terms)}
            async with self.node.database.tenant(self.node.tenant) as connection:
                days = await horizons(connection, self.terms.name)
                late = await read_columns(connection, LATE_ENTRIES, asked, LATE_ENTRY_SCHEMA)
            counting = replace(target, matches=matches)
            known = target, counting, await asyncio.to_thread(plan_of, counting, days, self.terms, late["id"])
            self._planned, self._planned_on = known, today
        return known[2]

    async def take_back(self, target: Target) -> BreaksFound:
        """Take back what the target has overtaken; before anything new is matched.

        INVARIANT: an entry is given to a match only when no break of it is alive: what was written off is taken back
        before it is booked. So whoever matches leaves out what ``holds`` names.

        Args:
            target: The best whole.
        """
        await self.project()
        async with self.node.database.tenant(self.node.tenant) as connection:
            standing = await read_columns(connection, STANDING_BREAKS, self._of(), STANDING_BREAK_SCHEMA)
        matches = without_doubts(target.matches, standing)
        plan = await self.plan(target, matches)
        found = compare_breaks(plan, standing)
        withdrawn = await self._withdraw(found.gone)
        return BreaksFound(
            matches=matches,
            plan=plan,
            new=found.new,
            kept=found.kept,
            withdrawn=withdrawn,
            undoing=found.undoing + withdrawn,
            holds=standing.select(match="id", entry="entry"),
        )

    async def open(self, found: BreaksFound, round_id: UUID, members: pl.DataFrame, figures: BreakFigures) -> int:
        """Open what is new and whose entry no match holds any more; how many were opened.

        Args:
            found: What ``take_back`` found.
            round_id: The round that asks for it.
            members: ``match`` and ``entry`` of the matches that are alive.
            figures: Where the round counts.
        """
        free = found.new.join(members.select(id="entry"), on="id", how="anti", maintain_order="left")
        opened = await self._open(free, round_id)
        figures.target, figures.kept, figures.waiting = found.plan.breaks.height, found.kept, found.plan.waiting
        figures.undoing, figures.held = found.undoing, found.new.height - free.height
        figures.opened += opened
        figures.withdrawn += found.withdrawn
        return opened

    async def _withdraw(self, gone: pl.DataFrame) -> int:
        room = asyncio.Semaphore(UNDER_WAY)

        async def one(break_id: str, case_id: str, why: str) -> bool:
            async with room:
                return await self._recall(UUID(break_id), UUID(case_id), why)

        rows = gone.select("id", "case_id", "why").iter_rows()
        return sum(await asyncio.gather(*(one(*row) for row in rows)))

    async def _recall(self, break_id: UUID, case_id: UUID, why: str) -> bool:
        """Take one back, in one commit with the recall of its case; whether it was not ending already."""
        tenant = self.node.tenant

        def build(stamp: Stamp) -> Sequence[Write]:
            row = WithdrawnBreak(id=break_id, why=why, at=stamp.now)
            return [*cancel_writes(stamp, tenant, case_id, who=WHO, why=why), Write(WITHDRAW_BREAKS, row)]

        unit = Unit(tenant, build, (held_for_recall(case_id),), wakes=("cases", "reviews"))
        return await self.node.writer.write(unit) is None

    async def _open(self, new: pl.DataFrame, round_id: UUID) -> int:
        if not new.height:
            return 0
        async with self.node.database.tenant(self.node.tenant) as connection:
            earlier = await read_columns(connection, EARLIER_BREAKS, self._of(), EARLIER_BREAK_SCHEMA)
        earlier = earlier.with_columns(facts=pl.col("facts").str.replace_all("-", ""))  # as digests are written here
        turned = new.join(earlier, on="facts", how="left", maintain_order="left").with_columns(
            pl.col("turns").fill_null(0)
        )
        room, opened = asyncio.Semaphore(UNDER_WAY), 0

        async def one(row: Mapping[str, Any]) -> bool:
            async with room:
                return await self._submit(row, round_id)

        for part in turned.iter_slices(_SLICE):
            opened += sum(await asyncio.gather(*(one(row) for row in part.iter_rows(named=True))))
        return opened

    async def _submit(self, row: Mapping[str, Any], round_id: UUID) -> bool:
        key, tenant = break_key(row, self.terms.name, row["turns"]), self.node.tenant
        data = encode(break_input(row, self.terms, key))

        def attach(stamp: Stamp) -> Sequence[Write]:
            found = NewBreak(
                id=stamp.new_id(),
                tenant=tenant,
                reconciliation=self.terms.name,
                round=round_id,
                entry=UUID(row["id"]),
                key=key,
                facts=UUID(row["facts"]),
                cause=row["cause"],
                case_id=stamp.entry,
                at=stamp.now,
            )
            return [Write(ADD_BREAKS, found)]

        taken = await submit(
            self.node.writer, tenant, self.registered, key=key, data=data, caller=WHO, levels=self.node.levels,
            attach=attach,
        )  # fmt: skip
        return taken.new

    def _of(self) -> dict[str, Any]:
        return {"reconciliation": self.terms.name}


def plan_of(target: Target, known: Sequence[Horizon], terms: ReconciliationTerms, late: pl.Series) -> BreakPlan:
    """The plan that follows from a target. Pure.

    Args:
        target: The best whole; its matches name entries by their ids.
        known: Up to which day each side, account and currency is known.
        terms: Of the reconciliation.
        late: The ids of entries that are late by the calendar.
    """
    entries = {Side.EXPECTED: target.expected, Side.ACTUAL: target.actual}
    taken = target.matches.select(id=pl.col("expected").list.concat("actual").explode())
    matched = pl.concat(frame.join(taken, on="id", how="semi")["identity"] for frame in entries.values())
    reach = pl.DataFrame(
        [(str(one.side), one.account, one.currency, one.until) for one in known],
        schema={"side": pl.String, "account": pl.String, "currency": pl.String, "last_day": pl.Date},
        orient="row",
    )
    return plan_breaks(entries, matched, candidates_of(target.solution), reach, terms, late)


def candidates_of(solution: object) -> pl.DataFrame:
    """The pairs that the pack's solver looked at, by ``CANDIDATE_SCHEMA``; of another solver none are known."""
    if not isinstance(solution, Solution):
        return pl.DataFrame(schema=CANDIDATE_SCHEMA)
    looked = solution.open.select("side", "identity", "candidates").explode("candidates").drop_nulls("candidates")
    seen = looked.with_columns(
        other=pl.col("candidates").struct.field("identity"),
        probability=pl.col("candidates").struct.field("probability"),
    )
    mine = pl.col("side") == str(Side.EXPECTED)
    pairs = seen.select(
        expected=pl.when(mine).then("identity").otherwise("other"),
        actual=pl.when(mine).then("other").otherwise("identity"),
        probability="probability",
    )
    single = (pl.col("expected").list.len() == 1) & (pl.col("actual").list.len() == 1)
    proposed = solution.proposals.filter(single).select(
        expected=pl.col("expected").list.first(), actual=pl.col("actual").list.first(), probability="probability"
    )
    both = [one.select(pl.col(name).cast(kind) for name, kind in CANDIDATE_SCHEMA.items()) for one in (proposed, pairs)]
    return pl.concat(both).unique(["expected", "actual"], keep="first", maintain_order=True)
