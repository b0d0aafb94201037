"""The course of the demo: hand in, match, book, review, correct, recall, compare; each by what ships."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import polars as pl

from interlock.cases.store import FIND_CASE, LIST_CASES, CaseState
from interlock.cli.crew import Crew, WorkerEnded
from interlock.cli.demo.reconciling.balance import ROWS, BooksBalance, balance, read_postings
from interlock.errors import InterlockError
from interlock.node import Node
from interlock.packs.reconciliation.breaks.store import LIST_BREAKS
from interlock.packs.reconciliation.configured import settings_of, sources_of, terms_of
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.generated import HandedFile
from interlock.packs.reconciliation.intake import Intake, Source, Taken
from interlock.packs.reconciliation.rounds.compare import MEMBER_SCHEMA, STANDING_SCHEMA
from interlock.packs.reconciliation.rounds.open import open_rounds
from interlock.packs.reconciliation.rounds.round import Figures, Rounds
from interlock.packs.reconciliation.rounds.store import STANDING_MATCHES, STANDING_MEMBERS, read_columns
from interlock.packs.reconciliation.store import entries_in_force
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.sim import SimulatedBooks

WORKERS = 2
"""Worker processes: one for each core of a small machine."""
PATIENCE_S = 20.0
_LOOK_S = 0.2
_LONGEST_S = 1_500.0
_MOVING = (CaseState.READY, CaseState.RUNNING)

Tell = Callable[[str], None]


@dataclass(slots=True)
class Handed:
    """What became of the files that were handed in.

    Attributes:
        taken: By name, what was taken, as it stood then.
        known: How many were handed in again and changed nothing.
        refused: By name, why a file was refused.
    """

    taken: dict[str, Taken]
    known: int
    refused: dict[str, str]


class Course:
    """One reconciliation of a demo, with its node, its rounds and its books.

    Args:
        node: It carries the workflow.
        books: Running.
        name: The reconciliation in the settings.
        tell: Is told in a sentence what happens.
    """

    def __init__(self, node: Node, books: SimulatedBooks, name: str, tell: Tell) -> None:
        self.node = node
        self.books = books
        self.tell = tell
        configured = settings_of(node.settings, name)
        self.terms: ReconciliationTerms = terms_of(configured)
        self.sources: Mapping[str, Source] = {key: one for key, (_, one) in sources_of(configured).items()}
        self.rounds: Rounds = open_rounds(node, self.terms)
        self.handed = Handed({}, 0, {})

    async def hand_in(self, files: Sequence[HandedFile]) -> None:
        """Take files in, one after the other, by the sources of the settings."""
        intake = Intake(self.node.database, self.node.tenant, self.terms.name, "demo", self.terms.workflow)
        for file in files:
            try:
                taken = await intake.take(self.sources[f"{file.side}.{file.source}"], file.name, file.data)
            except InterlockError as cause:
                self.handed.refused[file.name] = str(cause)
                continue
            if taken.known:
                self.handed.known += 1
            else:
                self.handed.taken[file.name] = taken

    async def settle(self) -> Figures:
        """Go through rounds until what is, is what should be, and all that no person holds up is booked.

        Raises:
            InterlockError: it is not so after some minutes.
        """
        end = time.monotonic() + _LONGEST_S
        rested = ""
        while True:
            news = await self.rounds.news()
            figures = await self.rounds.run(patience_s=PATIENCE_S)
            while moving := await self._moving():
                if time.monotonic() > end:
                    raise InterlockError(f"it does not come to rest: {moving}", todo="see the log of the workers")
            if figures.settled and rested == news:
                return figures
            rested = news if figures.settled else ""
            if time.monotonic() > end:
                raise InterlockError(f"the rounds do not come to rest: {figures}", todo="see why in `reconcile rounds`")

    async def _moving(self) -> str:
        """What goes on still. Looking takes a part of the time only, so that it leaves the processors to the work."""
        began = time.monotonic()
        moving = await self.moving()
        if moving:
            await asyncio.sleep(max(_LOOK_S, 9 * (time.monotonic() - began)))
        return moving

    async def moving(self) -> str:
        """What goes on by itself still, in words; nothing when only people are waited for."""
        standing = await self.standing()
        going = standing.filter(pl.col("state") == "withdrawing").height
        if going:
            return f"{going} matches are being taken back"
        asked = standing.filter((pl.col("state") == "asked") & pl.col("sure"))["case_id"].to_list()
        async with self.node.database.tenant(self.node.tenant) as connection:
            for state in _MOVING:
                wanted = {"state": state, "workflow": None, "before": None, "most": 1}
                if await LIST_CASES.all(connection, wanted):
                    return f"a case is {state}"
            for case_id in asked:  # what a person confirmed and is decided anew may be a person's again
                case = await FIND_CASE.one(connection, {"id": UUID(case_id)})
                if case is not None and case.wake_at is not None:
                    return "a match is tried again"
        return ""

    async def standing(self) -> pl.DataFrame:
        """The matches that are alive, by ``STANDING_SCHEMA``."""
        await self.rounds.project()
        async with self.node.database.tenant(self.node.tenant) as connection:
            return await read_columns(
                connection, STANDING_MATCHES, {"reconciliation": self.terms.name}, STANDING_SCHEMA
            )

    async def members(self) -> pl.DataFrame:
        """Which entries they hold, by ``MEMBER_SCHEMA``."""
        async with self.node.database.tenant(self.node.tenant) as connection:
            return await read_columns(connection, STANDING_MEMBERS, {"reconciliation": self.terms.name}, MEMBER_SCHEMA)

    async def entries(self) -> pl.DataFrame:
        """All entries in force, with their ``side``."""
        async with self.node.database.tenant(self.node.tenant) as connection:
            sides = [
                (await entries_in_force(connection, self.terms.name, side)).with_columns(side=pl.lit(side.value))
                for side in Side
            ]
        return pl.concat(sides)

    async def hold_against_books(self) -> BooksBalance:
        """Compare what we say is booked with the books' own word."""
        standing = await self.standing()
        rows = standing.filter(pl.col("state") == "booked").select(
            reference="key", currency="currency", expected="expected_minor", actual="actual_minor"
        )
        written_off = pl.DataFrame(await self._written_off(), schema=ROWS, orient="row")
        postings = read_postings(await asyncio.to_thread(self.books.read))
        return balance(pl.concat([rows, written_off]), postings, self.terms)

    async def _written_off(self) -> list[tuple[str, str, int, int]]:
        wanted = {
            "reconciliation": self.terms.name, "state": "written_off", "cause": None, "account": None, "due": False,
            "most": 10_000,
        }  # fmt: skip
        async with self.node.database.tenant(self.node.tenant) as connection:
            found = await LIST_BREAKS.all(connection, wanted)
        sides = [(one, one.side == Side.EXPECTED) for one in found]
        return [(one.key, one.currency, one.minor * mine, one.minor * (not mine)) for one, mine in sides]


def crew(tell: Tell, *, node: Node, count: int = WORKERS) -> Crew:
    """Worker processes as `interlock up` has them, to be entered; they read the settings of this folder.

    Args:
        tell: Is told when one has ended.
        node: Whose database they use.
        count: How many.
    """

    def ended(one: WorkerEnded) -> None:
        tell(f"worker {one.worker} ended with {one.status}; another is started")

    return Crew(count, {"database_url": node.url, "log_level": "error"}, ended)


def matches_with_members(standing: pl.DataFrame, members: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Matches with the ids of their entries on each side, for scoring.

    Args:
        standing: By ``STANDING_SCHEMA``.
        members: By ``MEMBER_SCHEMA``.
        entries: ``id`` and ``side`` of those in force.
    """
    sides = (
        members.join(entries.select("side", entry="id"), on="entry")
        .group_by("match")
        .agg(
            expected=pl.col("entry").filter(pl.col("side") == Side.EXPECTED.value),
            actual=pl.col("entry").filter(pl.col("side") == Side.ACTUAL.value),
        )
    )
    return standing.join(sides, left_on="id", right_on="match").select(
        "state",
        "currency",
        "expected",
        "actual",
        match="id",
        automatic=pl.col("sure") & (pl.col("word") == ""),
        minor=pl.max_horizontal(pl.col("expected_minor").abs(), pl.col("actual_minor").abs()),
    )
