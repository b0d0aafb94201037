"""A round: what should be is made so, pass by pass, until nothing is left to do now.

A pass brings the rows of the matches up to what became of their cases, takes back what is no longer part of the best
whole, and has decided what is new and whose entries are free. The whole is solved anew only where entries or people's
words have changed. Killed anywhere, the next round goes on: each of its steps is one commit, and the target does not
depend on how far the last one came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import polars as pl

from interlock.cases.in_line import NamedPoint, find_point
from interlock.components.component import ComponentRef
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import StateConflict
from interlock.ledger.ledger import entry_of
from interlock.node import Node
from interlock.packs.reconciliation.breaks.apply import BreakFigures, Breaks
from interlock.packs.reconciliation.rounds.compare import (
    MEMBER_SCHEMA,
    STANDING_SCHEMA,
    TURNS_SCHEMA,
    WORD_SCHEMA,
    compare,
)
from interlock.packs.reconciliation.rounds.propose import CALLER, Proposed, Proposer
from interlock.packs.reconciliation.rounds.solving import Solve, find_target
from interlock.packs.reconciliation.rounds.store import (
    ADD_ROUND,
    EARLIER_TURNS,
    END_ROUNDS,
    MOVES,
    NEWS,
    PROJECT_MATCHES,
    STANDING_MATCHES,
    STANDING_MEMBERS,
    WORDS,
    EndedRound,
    read_columns,
)
from interlock.packs.reconciliation.rounds.target import Target
from interlock.packs.reconciliation.rounds.turn import taking_turn
from interlock.packs.reconciliation.rounds.withdraw import Withdrawer
from interlock.packs.reconciliation.terms import ReconciliationTerms

POINT = "match"
ENDED = "reconciliation.round_ended"
MOST_PASSES = 20
"""Passes of one round: each but the last has changed something. The rest is the next round's."""
LOOK_AGAIN_S = 0.2
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")


@dataclass(slots=True)
class Figures:
    """What a round found and did.

    Attributes:
        expected: Entries in force of the expected side.
        actual: Those of the actual side.
        target: Matches of the best whole.
        kept: Those of them that stood already, when the last pass looked.
        proposed: What became of those that were proposed.
        withdrawn: Matches that this round began to take back.
        undoing: Matches that are being taken back still.
        waiting: Matches of the target whose entries are not free yet.
        breaks: What it found of breaks and did.
        passes: How often it looked.
        seconds: How long it took.
        solver: What the solver says of its work.
    """

    expected: int = 0
    actual: int = 0
    target: int = 0
    kept: int = 0
    proposed: Proposed = field(default_factory=Proposed)
    withdrawn: int = 0
    undoing: int = 0
    waiting: int = 0
    breaks: BreakFigures = field(default_factory=BreakFigures)
    passes: int = 0
    seconds: float = 0.0
    solver: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def settled(self) -> bool:
        """Whether what is, is what should be; what people have yet to answer counts as it stands."""
        undone = self.undoing or self.waiting or self.breaks.undoing or self.breaks.held
        return not (undone or self.proposed.held or self.proposed.failed)


class Rounds:
    """The rounds of one reconciliation, in one process; what was solved is kept for as long as it holds.

    Args:
        node: It carries the workflow of the terms.
        terms: Of the reconciliation.
        solve: The solver.

    Raises:
        NotFound: the node carries no decision point ``match`` of that workflow.
    """

    def __init__(self, node: Node, terms: ReconciliationTerms, solve: Solve) -> None:
        self._node = node
        self._terms = terms
        self._solve = solve
        self._named: NamedPoint = find_point(node.registry, f"{terms.workflow}.{POINT}", where="workflow")
        self._basis = ""
        self._breaks = Breaks(node, self._named.registered, terms)
        self._target: Target | None = None

    @property
    def target(self) -> Target | None:
        """The best whole, as this process last solved it."""
        return self._target

    async def news(self) -> str:
        """What a round rests on, in a text that is the same while nothing has changed."""
        async with self._node.database.tenant(self._node.tenant) as connection:
            return await NEWS.one(connection, self._of()) or ""

    def today(self) -> date:
        """The day, UTC, as the database counts: by it entries become late; see ``Breaks.plan``."""
        return self._node.database.clock.now().date()

    async def run(self, *, patience_s: float = 0.0) -> Figures:
        """Go through one round.

        Args:
            patience_s: For how long it waits for undos that hold entries up; workers carry them out.

        Raises:
            StateConflict: another process is at it.
            DatabaseUnavailable: the database went away; the next round goes on.
        """
        node, began = self._node, time.monotonic()
        async with taking_turn(node.url, node.tenant, self._terms.name):
            round_id = await self._begin()
            figures = Figures()
            moved = True
            while figures.passes < MOST_PASSES and (moved or self._waits(figures, began, patience_s)):
                if not moved:
                    await asyncio.sleep(LOOK_AGAIN_S)
                    figures.passes -= 1  # it only looks whether the undos are done
                moved = await self._pass(round_id, figures)
            figures.seconds = round(time.monotonic() - began, 3)
            await self._end(round_id, figures)
        return figures

    @staticmethod
    def _waits(figures: Figures, began: float, patience_s: float) -> bool:
        return bool(figures.undoing or figures.breaks.undoing) and time.monotonic() - began < patience_s

    async def moves(self) -> str:
        """Whether cases have moved on: ``free`` where a round can go on by that, ``states`` where rows are behind."""
        async with self._node.database.tenant(self._node.tenant) as connection:
            return await MOVES.one(connection, self._of()) or ""

    async def catch_up(self) -> int:
        """Bring the rows of matches and breaks up to their cases, while no other process does; how many changed.

        Raises:
            StateConflict: another process is at it.
        """
        async with taking_turn(self._node.url, self._node.tenant, self._terms.name):
            return await self.project() + await self._breaks.project()

    async def project(self) -> int:
        """Bring the rows of the matches up to what became of their cases; how many changed."""
        now = self._node.database.clock.now()
        async with self._node.database.tenant(self._node.tenant) as connection:
            return await PROJECT_MATCHES.one(connection, {**self._of(), "now": now}) or 0

    async def _pass(self, round_id: UUID, figures: Figures) -> bool:
        """Look, take back, propose; whether it changed anything."""
        await self.project()
        target = await self._solved()
        figures.passes += 1
        broken = await self._breaks.take_back(target)
        async with self._node.database.tenant(self._node.tenant) as connection:
            standing = await read_columns(connection, STANDING_MATCHES, self._of(), STANDING_SCHEMA)
            members = await read_columns(connection, STANDING_MEMBERS, self._of(), MEMBER_SCHEMA)
            turns = await read_columns(connection, EARLIER_TURNS, self._of(), TURNS_SCHEMA)
        found = compare(broken.matches, standing, pl.concat([members, broken.holds]))
        figures.expected, figures.actual = target.expected.height, target.actual.height
        figures.target, figures.kept, figures.solver = target.matches.height, found.kept, target.figures
        figures.breaks.doubted = target.matches.height - broken.matches.height
        withdrawn = await Withdrawer(self._node.writer, self._node.tenant, CALLER).withdraw_all(found.gone)
        proposed = await self._proposer(round_id).propose(found.new, turns, target.expected, target.actual)
        figures.withdrawn += withdrawn
        figures.undoing = found.undoing + withdrawn
        figures.waiting = found.waiting.height
        figures.proposed.add(proposed)
        opened = await self._breaks.open(broken, round_id, members, figures.breaks)
        return bool(withdrawn or proposed.decided or proposed.known or broken.withdrawn or opened)

    def _proposer(self, round_id: UUID) -> Proposer:
        return Proposer(self._node.tools.decider, self._node.tenant, self._named, self._terms, round_id)

    async def _solved(self) -> Target:
        """The best whole; solved anew where entries or people's words have changed."""
        # Read before the entries: what changes in between is seen by the next pass.
        basis = await self.news()
        if self._target is None or basis != self._basis:
            async with self._node.database.tenant(self._node.tenant) as connection:
                words = await read_columns(connection, WORDS, self._of(), WORD_SCHEMA)
            self._target = await find_target(self._node, self._named.point, self._terms, words, self._solve)
            self._basis = basis
        return self._target

    def _of(self) -> dict[str, Any]:
        return {"reconciliation": self._terms.name}

    async def _begin(self) -> UUID:
        node, component = self._node, self._component()
        round_id = node.database.clock.new_id()
        async with node.database.tenant(node.tenant) as connection:
            await ADD_ROUND.run(
                connection,
                {
                    "id": round_id,
                    **self._of(),
                    "began_at": node.database.clock.now(),
                    "scorer": str(component),
                    "scorer_digest": self._library().component(component).digest,
                    "terms": _canonical.encode(self._terms.document()),
                    "figures": b"{}",
                },
            )
        return round_id

    def _component(self) -> ComponentRef:
        return self._named.point.steps[0].shares[0].component

    def _library(self) -> Any:
        return self._named.registered.library.for_tenant(self._node.tenant)

    async def _end(self, round_id: UUID, figures: Figures) -> None:
        told: dict[str, Any] = msgspec.to_builtins(figures)
        counts = ("expected", "actual", "target", "kept", "withdrawn", "undoing", "waiting")
        proposed = {name: count for name, count in told["proposed"].items() if name != "why"}
        facts: dict[str, Any] = {
            "reconciliation": self._terms.name,
            "scorer": str(self._component()),
            **{name: told[name] for name in counts},
            **proposed,
        }

        def build(stamp: Stamp) -> list[Write]:
            row = EndedRound(id=round_id, at=stamp.now, figures=_canonical.encode(told), rested_on=self._basis)
            return [
                Write(END_ROUNDS, row),
                entry_of(stamp, stamp.entry, self._node.tenant, ENDED, round_id, None, facts),
            ]

        refusal = await self._node.writer.write(Unit(self._node.tenant, build))
        if refusal:
            raise StateConflict(refusal.what, where=str(round_id), todo="run it again")
