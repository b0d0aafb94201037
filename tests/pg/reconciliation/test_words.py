"""What people say of matches, and statements that go and come: all is heard whatever clocks say; no word is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.reconciliation.matched import SURE, UNSURE, by_reference, matching, statement

from interlock.cases.cancel import recall_case
from interlock.cases.store import CaseState
from interlock.db.database import Database
from interlock.errors import StateConflict
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.in_force import recall_statement
from interlock.packs.reconciliation.rounds import withdraw
from interlock.packs.reconciliation.rounds.solving import Solved, Words
from interlock.packs.reconciliation.rounds.store import Match
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.sim import SimulatedBooks


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    """Books for all tests of this file; each posts on accounts of its own."""
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


async def test_a_recall_is_news_to_a_running_process_whatever_the_clock_says(
    database_url: str, books: SimulatedBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with matching(database_url, books, name="slow") as on:
        await on.take(Side.EXPECTED, statement("e", ("A", SURE, 1000), ("B", SURE, 5)))
        await on.take(Side.ACTUAL, statement("a", ("A", "", 1000)))
        await on.take(Side.ACTUAL, statement("b", ("B", "", 5)))
        rounds, database = on.rounds(), on.on.node.database
        await rounds.run(patience_s=5)
        await on.quiet()
        before = await rounds.news()
        assert await rounds.news() == before
        now = database.clock.now
        with monkeypatch.context() as slow:
            slow.setattr(database.clock, "now", lambda: now() - timedelta(minutes=1))
            recalled = on.taken[1].statements[0].id
            await recall_statement(database, on.on.node.tenant, recalled, who="ana", why="not ours")
        assert (await rounds.run(patience_s=15)).withdrawn == 1
    assert on.balances() == {"expected EUR": "-0.05", "actual EUR": "0.05"}


async def test_a_yes_outlives_a_statement_that_goes_and_comes_back_but_not_a_person_who_takes_it_back(
    database_url: str, books: SimulatedBooks
) -> None:
    heard: list[set[str]] = []

    def listening(expected: pl.DataFrame, actual: pl.DataFrame, terms: ReconciliationTerms, words: Words) -> Solved:
        told = dict(expected.select("identity", "reference").iter_rows())
        heard.append({told[identity] for mine, _ in words.confirmed for identity in mine})
        return by_reference(expected, actual, terms, words)

    async with matching(database_url, books, name="yes") as on:
        node = on.on.node
        on.solve = listening
        await on.take(Side.EXPECTED, statement("e", ("A", UNSURE, 1000), ("B", UNSURE, 700)))
        await on.take(Side.ACTUAL, statement("a", ("A", "", 1000), ("B", "", 700)))
        await on.run()
        for review in await on.on.wait_for_reviews(2):
            await on.on.approve(review)
        taken_back = min(await on.settle(), key=lambda one: one.expected_minor)
        assert heard[-1] == {"A", "B"}
        assert taken_back.case_id
        await recall_case(node.database, node.writer, node.tenant, taken_back.case_id, who="ana", why="it was not")
        await on.on.until(taken_back.case_id, CaseState.CANCELLED)
        await on.take(Side.ACTUAL, statement("a", ("B", "", 700), made=1))  # a correction without A
        await on.settle()
        assert heard[-1] == set()
        assert on.balances() == {}
        await recall_statement(node.database, node.tenant, on.taken[-1].statements[0].id, who="ana", why="wrong")
        await on.run()
    assert heard[-1] == {"A"}


async def test_what_is_being_taken_back_is_not_confirmed(
    database_url: str, books: SimulatedBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the word a round begins to take the match back."""
    async with matching(database_url, books, name="late") as on:
        node, look = on.on.node, withdraw.find_match
        await on.take(Side.EXPECTED, statement("e", ("A", SURE, 1000)))
        await on.take(Side.ACTUAL, statement("a", ("A", "", 1000)))
        (one,) = await on.settle()

        async def slowly(database: Database, tenant: UUID, match: UUID) -> Match:
            found = await look(database, tenant, match)
            assert found.case_id
            await withdraw.Withdrawer(node.writer, tenant, "round").withdraw(found.id, found.case_id, "better")
            return found

        monkeypatch.setattr(withdraw, "find_match", slowly)
        with pytest.raises(StateConflict):
            await withdraw.confirm_match(node.database, node.writer, node.tenant, one.id, who="ana", why="I asked them")
        (row,) = await on.matches()
    assert (row.state, row.word) == ("withdrawing", "")
