"""What a person refused a part of goes to a person; what stands of several is in the solver's sight."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.reconciliation.matched import SURE, by_reference, matching, statement

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.rounds.solving import Solved, Words
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.sim import SimulatedBooks


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    """Books for this file."""
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


async def test_what_contradicts_a_no_is_asked_and_what_stands_is_told_the_solver(
    database_url: str, books: SimulatedBooks
) -> None:
    stood: list[int] = []

    def doubting_pairs(
        expected: pl.DataFrame, actual: pl.DataFrame, terms: ReconciliationTerms, words: Words
    ) -> Solved:
        stood.append(len(words.standing))
        found = by_reference(expected, actual, terms, words).matches
        return Solved(found.with_columns(contradicts=pl.col("form") == "1:1"))

    async with matching(database_url, books, name="no") as on:
        on.solve = doubting_pairs
        await on.take(Side.EXPECTED, statement("e", ("A", SURE, 1000), ("B", SURE, 500)))
        await on.take(Side.ACTUAL, statement("a", ("A", "", 1000), ("B", "", 200), ("B", "", 300)))
        first = await on.run()
        await on.run()
        states = {one.form: (one.state, one.sure) for one in await on.matches()}
    assert (first.proposed.automatic, first.proposed.review) == (1, 1)
    assert states["1:1"] == ("asked", False)
    assert states["1:n"][1]
    assert (stood[0], stood[-1]) == (0, 1)
