"""A bad statement, or a bad version of the scorer, is recalled: what rests on it is undone, and decided anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.recalling import carry, figures, start
from tests.pg.reconciliation.matched import SURE, Matching, matching, statement
from tests.pg.reconciliation.outcome import outcome, standing_postings

from interlock.guards.stops import list_stops, resume
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.in_force import recall_statement
from interlock.packs.reconciliation.rounds.recalling import affected, rest_on, take_back
from interlock.packs.reconciliation.rounds.store import Resting
from interlock.recall.record import RecallState
from interlock.recall.selector import Selector
from interlock.sim import SimulatedBooks

SCORER = "onnx:match-scorer@1"
EXPECTED = statement("e", ("A", SURE, 1000), ("B", SURE, 500), ("C", SURE, 99), ("D", SURE, 7000))
GOOD = statement("a", ("A", "", 970), ("B", "", 200), ("B", "", 300))
LATER = msgspec.structs.replace(statement("z"), first_day=date(2026, 3, 31), last_day=date(2026, 3, 31))
BAD = statement("b", ("B", "", 200), ("C", "", 99), ("D", "", 7000))


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


def money(resting: Sequence[Resting]) -> list[tuple[str, str, str, int, int]]:
    return [(one.kind, one.state, one.currency, one.count, one.minor) for one in affected(resting)]


async def take_all(on: Matching) -> None:
    await on.take(Side.EXPECTED, EXPECTED)
    await on.take(Side.ACTUAL, GOOD)
    await on.take(Side.ACTUAL, BAD)


async def test_a_recalled_statement_leaves_what_there_were_without_it(database_url: str, books: SimulatedBooks) -> None:
    async with matching(database_url, books, name="without") as on:
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, GOOD, LATER)
        expected = await outcome(on)
    async with matching(database_url, books, name="recalled") as on:
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, GOOD, LATER)
        assert [row[0] for row in (await outcome(on))["breaks"]] == ["open", "open"]  # which the bad one closes
        node, invoices = on.on.node, on.taken[0].statements[0]
        assert money(await rest_on(node.database, node.tenant, invoices.id)) == [
            ("match", "booked", "EUR", 2, 1500), ("break", "pending", "EUR", 2, 7099),
        ]  # fmt: skip
        await on.take(Side.ACTUAL, BAD)
        before, bad = await outcome(on), on.taken[-1].statements[0]
        # of one of its three entries a match stays, since the good one states it, too
        assert money(await rest_on(node.database, node.tenant, bad.id)) == [("match", "booked", "EUR", 2, 7099)]
        await recall_statement(node.database, node.tenant, bad.id, who="ana", why="it is another company's")
        said: list[str] = []
        done = await take_back(node.database, node.tenant, bad.id, on.rounds(), wait_s=30, say=said.append)
        assert (done.done, said[-1]) == (True, "all is taken back")
        after = await outcome(on)
        states = sorted(one.state for one in await on.matches())
        await on.take(Side.ACTUAL, BAD)
        assert await outcome(on) == before
    assert (len(before["matches"]), before["breaks"]) == (4, [])
    assert after == expected
    assert states == ["booked", "booked", "withdrawn", "withdrawn"]


async def test_a_recalled_scorer_has_every_match_undone_and_decided_anew(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="scorer") as on:
        await take_all(on)
        before = await outcome(on)
        recall = await start(on.on, Selector(component=SCORER), why="it was trained on the wrong month", anew=True)
        ended = await carry(on.on, recall)
        listed = await figures(on.on, recall)
        assert (ended.state, ended.decisions) == (RecallState.DONE, 4)
        assert standing_postings(on) == 0
        assert on.balances() == {}
        after = await outcome(on)
        keys = sorted(one.key.rpartition("-")[2] for one in await on.matches())
    assert [(one.actions_standing, one.actions_taken_back, one.taken_back) for one in listed.money] == [
        (0, 4, "85.99 EUR")
    ]
    assert after == before
    assert keys == ["0"] * 4 + ["1"] * 4


async def test_a_scorer_that_is_recalled_and_stopped_leaves_everything_to_people(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="stopped") as on:
        await take_all(on)
        await on.settle()
        recall = await start(on.on, Selector(component=SCORER), why="nobody knows yet", stop=True, anew=True)
        await carry(on.on, recall)
        await on.run()
        node = on.on.node
        assert len(await on.on.wait_for_reviews(4)) == 4
        assert on.balances() == {}
        (held,) = await list_stops(node.database, node.tenant)
        await resume(node.writer, node.tenant, held.id, who="ana", why="it was right after all")
        assert {one.state for one in (await on.matches("asked", "booked"))} == {"asked"}
