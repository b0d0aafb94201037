"""What tests of rounds share: books to post in, entries to hand in, and a solver that a test can steer.

The solver matches by equal references; an expected entry's code says how probable its match is. So a test says what the
whole should be, and looks at what rounds make of it; the real solver has tests of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from tests.pg.stage import Stage, stage

from interlock.cases.registry import Registered, register
from interlock.connector_settings import ConnectorSettings
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Side, Statement
from interlock.packs.reconciliation.intake import Intake, Source, Taken
from interlock.packs.reconciliation.rounds.round import Figures, Rounds
from interlock.packs.reconciliation.rounds.solving import Members, Solve, Solved, Words
from interlock.packs.reconciliation.rounds.store import LAST_ROUNDS, LIST_MATCHES, Match
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.packs.reconciliation.workflow import reconciliation
from interlock.sim import SimulatedBooks

ACCOUNT = "DE02120300000000202051"
SURE, UNSURE = "0.999", "0.7"
_FOUND: dict[str, pl.DataType] = {
    "form": pl.String(),
    "currency": pl.String(),
    "expected": pl.List(pl.String()),
    "actual": pl.List(pl.String()),
    "expected_minor": pl.Int64(),
    "actual_minor": pl.Int64(),
    "probability": pl.Float64(),
    "margin": pl.Float64(),
    "features": pl.List(pl.Float32()),
    "explained": pl.String(),
    "reasons": pl.String(),
}


def books_settings(url: str) -> ConnectorSettings:
    """The connector of the simulated books."""
    pending = {"field": "state", "is": "pending"}
    book = {
        "method": "POST",
        "path": "/journals",
        "body": {
            "reference": "{reference}",
            "date": "{date}",
            "currency": "{currency}",
            "lines": "{lines}",
            "amount": "{amount.amount}",
        },
        "refused": [409],
        "look_up": {
            "path": "/journals?key={key}",
            "pending": pending,
            "done": {"field": "state", "is": ["posted", "reversed"]},
            "match": {"reference": "reference", "amount": "amount", "currency": "currency"},
        },
    }
    unbook = {
        "method": "POST",
        "path": "/journals/{undoes.response.id}/reversal",
        "refused": [409],
        "look_up": {
            "path": "/journals?key={key}",
            "pending": pending,
            "done": {"field": "state", "is": "posted"},
            "match": {"reverses": "{undoes.response.id}"},
        },
    }
    return ConnectorSettings(
        name="books",
        url=url,
        simulated=True,
        honours_keys=True,
        key_retention=timedelta(days=1),
        can_look_up=True,
        max_request_life=timedelta(seconds=1),
        operations={"book": book, "unbook": unbook, "write_off": book, "unwrite_off": unbook},
    )


def statement(number: str, *rows: tuple[str, str, int], made: int = 0, currency: str = "EUR") -> Statement:
    """A statement: of each entry its reference, probability and minor units; ``made`` orders corrections."""
    day = date(2026, 3, 2)
    entries = pl.DataFrame(
        [
            {
                "line": line,
                "where": f"line {line}",
                "minor": minor,
                "booked_on": day,
                "value_on": day,
                "memo": f"payment {reference}",
                "counterparty": "Corvina Lines",
                "counterparty_account": "",
                "reference": reference,
                "bank_reference": "",
                "code": code,
                "reverses": False,
            }
            for line, (reference, code, minor) in enumerate(rows, 1)
        ],
        schema=ENTRY_SCHEMA,
    )
    return Statement(
        format="test",
        account=ACCOUNT,
        currency=currency,
        number=number,
        made_at=datetime(2026, 4, 1, tzinfo=UTC) + timedelta(hours=made),
        first_day=day,
        last_day=day,
        entries=entries,
    )


def by_reference(expected: pl.DataFrame, actual: pl.DataFrame, terms: ReconciliationTerms, words: Words) -> Solved:
    """Match entries whose references are equal; of several on one side all are one match. Pure."""
    assert terms.name
    found: list[dict[str, Any]] = []
    mine = expected.group_by("reference", "currency").agg(
        pl.col("identity").sort(), pl.col("minor").sum(), pl.col("code").min()
    )
    theirs = actual.group_by("reference", "currency").agg(pl.col("identity").sort(), pl.col("minor").sum())
    for row in mine.join(theirs, on=["reference", "currency"], suffix="_actual").iter_rows(named=True):
        members: Members = frozenset(row["identity"]), frozenset(row["identity_actual"])
        if members in words.refused:
            continue
        difference = row["minor"] - row["minor_actual"]
        sizes = "".join("1" if len(side) == 1 else "n" for side in members)
        found.append(
            {
                "form": {"11": "1:1", "1n": "1:n", "n1": "n:1", "nn": "n:m"}[sizes],
                "currency": row["currency"],
                "expected": row["identity"],
                "actual": row["identity_actual"],
                "expected_minor": row["minor"],
                "actual_minor": row["minor_actual"],
                "probability": float(row["code"]),
                "margin": 1.0,
                "features": [float(row["code"])],
                "explained": "fee" if difference else "none",
                "reasons": f"both sides say {row['reference']}",
            }
        )
    return Solved(pl.DataFrame(found, schema=_FOUND))


@dataclass
class Matching:
    """A stage with one reconciliation on it."""

    on: Stage
    terms: ReconciliationTerms
    books: SimulatedBooks
    taken: list[Taken] = field(default_factory=list[Taken])
    solve: Solve = by_reference

    async def take(self, side: Side, *statements: Statement) -> None:
        """Hand statements in, as one file each."""
        node = self.on.node
        intake = Intake(database=node.database, tenant=node.tenant, reconciliation=self.terms.name, who="test")
        for one in statements:
            shown = f"{side}{one.number}{one.made_at}{one.currency}{one.entries.rows()}"
            digest = hashlib.sha256(shown.encode()).digest()
            source = Source(name="test", side=side)
            self.taken.append(await intake.take_statements(source, one.number, [one], digest=digest, size=len(shown)))

    def rounds(self) -> Rounds:
        """Rounds of a process that has just begun."""
        return Rounds(self.on.node, self.terms, solve=self.solve)

    @staticmethod
    def doubting(expected: pl.DataFrame, actual: pl.DataFrame, terms: ReconciliationTerms, words: Words) -> Solved:
        """The same matches, none of them sure."""
        found = by_reference(expected, actual, terms, words)
        return Solved(
            found.matches.with_columns(probability=pl.lit(0.7), features=pl.lit([0.7], pl.List(pl.Float32())))
        )

    async def run(self, patience_s: float = 15.0) -> Figures:
        """One round, of a process that has just begun."""
        return await self.rounds().run(patience_s=patience_s)

    async def settle(self) -> list[Match]:
        """Run rounds until what is, is what should be, and every case has ended or waits for a person."""
        while True:
            await self.run()
            await self.quiet()
            if (await self.run()).settled:
                return await self.matches()

    async def quiet(self) -> None:
        """Wait until no case of a match has anything left to do."""
        for match in await self.matches():
            if match.case_id and match.state != "withdrawn":
                case = await self.on.record(match.case_id)
                if not case.reviews or all(review.state == "resolved" for review in case.reviews):
                    await self.on.until(match.case_id)

    async def matches(self, *states: str) -> list[Match]:
        """The matches as they stand, oldest first."""
        asked = {"reconciliation": self.terms.name, "state": None, "before": None, "most": 10_000}
        async with self.on.node.database.tenant(self.on.node.tenant) as connection:
            found = await LIST_MATCHES.all(connection, asked)
        return [one for one in reversed(found) if not states or one.state in states]

    async def count_rounds(self) -> int:
        """How many rounds there were."""
        asked = {"reconciliation": self.terms.name, "most": 1000}
        async with self.on.node.database.tenant(self.on.node.tenant) as connection:
            return len(await LAST_ROUNDS.all(connection, asked))

    def balances(self) -> dict[str, str]:
        """The balances of this reconciliation's accounts in the books, other than zero."""
        mine = f"{self.terms.name}:"
        found = {
            f"{one.account} {one.currency}": one.balance
            for one in self.books.accounts()
            if one.account.startswith(mine)
        }
        return {account.removeprefix(mine): balance for account, balance in found.items() if balance.strip("-0.")}


def terms_named(name: str, **changed: Any) -> ReconciliationTerms:
    """Terms whose accounts in the books are this reconciliation's own."""
    return ReconciliationTerms(
        name=name,
        clearing_expected=f"{name}:expected",
        clearing_actual=f"{name}:actual",
        fees_account=f"{name}:fees",
        differences_account=f"{name}:differences",
        write_offs_account=f"{name}:write-offs",
        **changed,
    )


def steered() -> Registered:
    """The pack's workflow, whose scorer gives back the one feature that it is given."""
    return register(reconciliation, (Path(__file__).parent,))


@asynccontextmanager
async def matching(
    url: str, books: SimulatedBooks, *, workers: int = 1, name: str = "bank", capacity: int = 0
) -> AsyncGenerator[Matching]:
    """A node that carries the pack's workflow, with workers, on the books.

    Args:
        url: The database.
        books: The books.
        workers: How many.
        name: The reconciliation, and the accounts in the books.
        capacity: How many reviews may wait, where that is not as the pack's file says.
    """
    registered = steered()
    if capacity:
        point = registered.declaration.decisions["match"]
        queue = msgspec.structs.replace(point.queue, capacity=capacity)
        points = {**registered.declaration.decisions, "match": msgspec.structs.replace(point, queue=queue)}
        declaration = msgspec.structs.replace(registered.declaration, decisions=points)
        registered = replace(registered, declaration=declaration)
    async with stage(url, [registered], connectors=[books_settings(books.url)], workers=workers) as on:
        yield Matching(on, terms_named(name), books)
