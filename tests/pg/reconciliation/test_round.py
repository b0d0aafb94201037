"""Rounds: what should be is made so, whatever came first, and every booking stands once."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.reconciliation.matched import SURE, UNSURE, Matching, matching, statement, terms_named

from interlock.errors import NotFound, Refused, StateConflict
from interlock.guards.stops import resume, stop
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.packs.reconciliation.entry import Side, Statement
from interlock.packs.reconciliation.rounds.turn import taking_turn
from interlock.packs.reconciliation.rounds.withdraw import confirm_match, refuse_match
from interlock.sim import SimulatedBooks

Admin = psycopg.Connection[tuple[Any, ...]]
EXPECTED = statement("e", ("A", SURE, 1000), ("B", SURE, 500), ("C", SURE, 99))
ACTUAL = statement("a", ("A", "", 970), ("B", "", 200), ("B", "", 300))
SCOPE = "workflow:reconciliation"
NO = Answer(resolution=Resolution.REJECT, reason_code="other_payment", note="they paid another invoice")

YES = Answer(resolution=Resolution.CHANGE, reason_code="same", output={"verdict": "same"})


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    """Books for all tests of this file; each posts on accounts of its own."""
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


def shown(on: Matching) -> dict[str, str]:
    """What the books say, which must balance."""
    assert on.books.summary().unbalanced == ()
    return on.balances()


async def test_what_belongs_together_is_decided_and_booked_once(database_url: str, books: SimulatedBooks) -> None:
    async with matching(database_url, books, name="once") as on:
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, ACTUAL)
        first = await on.run()
        matches = await on.settle()
        again = await on.run()
    assert (first.proposed.automatic, first.target) == (2, 2)
    assert (again.proposed.decided, again.withdrawn, again.kept, again.settled) == (0, 0, 2, True)
    assert sorted((one.form, one.state, one.actual_minor) for one in matches) == [
        ("1:1", "booked", 970),
        ("1:n", "booked", 500),
    ]
    assert shown(on) == {"expected EUR": "-15.00", "actual EUR": "14.70", "fees EUR": "0.30"}


async def test_currencies_of_no_and_of_three_decimals_are_booked_beside_each_other(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="many") as on:
        for currency in ("EUR", "JPY", "KWD"):
            await on.take(Side.EXPECTED, statement("e", ("A", SURE, -12345), currency=currency))
            await on.take(Side.ACTUAL, statement("a", ("A", "", -12300), currency=currency))
        assert {one.state for one in await on.settle()} == {"booked"}
    assert shown(on) == {
        "expected EUR": "123.45", "actual EUR": "-123.00", "fees EUR": "-0.45",
        "expected JPY": "12345", "actual JPY": "-12300", "fees JPY": "-45",
        "expected KWD": "12.345", "actual KWD": "-12.300", "fees KWD": "-0.045",
    }  # fmt: skip


async def test_a_doubtful_match_is_a_persons_and_a_no_holds_for_ever(database_url: str, books: SimulatedBooks) -> None:
    async with matching(database_url, books, name="no") as on:
        await on.take(Side.EXPECTED, statement("e", ("A", UNSURE, 1000), ("B", UNSURE, 700)))
        await on.take(Side.ACTUAL, statement("a", ("A", "", 1000), ("B", "", 700)))
        assert (await on.run()).proposed.review == 2
        yes, no = sorted(await on.on.wait_for_reviews(2), key=lambda one: one.exposure_minor or 0)
        await on.on.approve(yes)
        await on.on.resolve(no, NO, who="ines")
        refused, booked = sorted(await on.settle(), key=lambda one: one.state, reverse=True)
        later = await on.run()
    assert (booked.state, booked.word, booked.by_person, booked.expected_minor) == ("booked", "yes", "rosa", 700)
    assert (refused.state, refused.word, refused.by_person, refused.why) == ("refused", "no", "ines", NO.note)
    assert (later.target, later.proposed.decided) == (1, 0)
    assert shown(on) == {"expected EUR": "-7.00", "actual EUR": "7.00"}


async def test_a_person_breaks_a_booked_match_and_confirms_another(
    database_url: str, books: SimulatedBooks, admin: Admin
) -> None:
    async with matching(database_url, books, name="undo") as on:
        node = on.on.node
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, ACTUAL)
        wrong, right = sorted(await on.settle(), key=lambda one: one.expected_minor)
        with pytest.raises(Refused):
            await refuse_match(node.database, node.writer, node.tenant, wrong.id, who="ana", why=" ")
        with pytest.raises(NotFound):
            await refuse_match(node.database, node.writer, node.tenant, node.tenant, who="ana", why="wrong")
        await refuse_match(node.database, node.writer, node.tenant, wrong.id, who="ana", why="two other payers")
        with pytest.raises(StateConflict):
            await refuse_match(node.database, node.writer, node.tenant, wrong.id, who="ana", why="again")
        await confirm_match(node.database, node.writer, node.tenant, right.id, who="ana", why="I asked them")
        found = {one.id: one for one in await on.settle()}
    assert (found[wrong.id].state, found[wrong.id].word) == ("withdrawn", "no")
    assert (found[right.id].state, found[right.id].word, found[right.id].by_person) == ("booked", "yes", "ana")
    assert len(found) == 2
    told = {
        kind: (subject, body)
        for kind, subject, body in admin.execute(
            "select kind, subject, convert_from(body, 'utf8')::json from ledger_entry "
            "where kind in ('match.refused', 'match.confirmed', 'reconciliation.round_ended') order by id desc"
        )
    }
    assert told["match.refused"] == (wrong.id, {"who": "ana", "why": "two other payers"})
    assert told["match.confirmed"] == (right.id, {"who": "ana", "why": "I asked them"})
    ended = told["reconciliation.round_ended"][1]
    assert (ended["reconciliation"], ended["automatic"], ended["scorer"]) == ("undo", 2, "onnx:match-scorer@1")
    assert shown(on) == {"expected EUR": "-10.00", "actual EUR": "9.70", "fees EUR": "0.30"}


OLD = statement("a", ("A", "", 970), ("X", "", 500))
NEW = statement("a", ("A", "", 940), ("B", "", 500), made=1)
FINAL = {"expected EUR": "-15.00", "actual EUR": "14.40", "fees EUR": "0.60"}


async def test_whatever_comes_first_the_corrected_statement_counts(database_url: str, books: SimulatedBooks) -> None:
    parts: list[tuple[Side, Statement]] = [(Side.EXPECTED, EXPECTED), (Side.ACTUAL, OLD), (Side.ACTUAL, NEW)]

    async def come(on: Matching, order: tuple[int, ...]) -> list[int]:
        for place in order:
            await on.take(*parts[place])
            await on.settle()
        await on.take(*parts[order[0]])
        return sorted(one.actual_minor for one in await on.settle() if one.state == "booked")

    orders = list(itertools.permutations(range(3)))
    async with matching(database_url, books) as on:
        them = [Matching(on.on, terms_named(f"order{''.join(map(str, order))}"), books) for order in orders]
        assert await asyncio.gather(*map(come, them, orders)) == [[500, 940]] * 6
        assert [shown(one) for one in them] == [FINAL] * 6


async def test_a_match_that_has_become_doubtful_is_taken_back_and_asked_of_a_person(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="doubt") as on:
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, ACTUAL)
        await on.settle()
        on.solve = on.doubting
        await on.settle()
        states = sorted((one.state, one.sure) for one in await on.matches())
        assert len(await on.on.reviews()) == 2
    assert states == [("asked", False), ("asked", False), ("withdrawn", True), ("withdrawn", True)]
    assert shown(on) == {}


async def test_one_round_at_a_time(database_url: str, books: SimulatedBooks) -> None:
    async with matching(database_url, books, name="two") as on:
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, ACTUAL)
        async with taking_turn(on.on.node.url, on.on.node.tenant, "two"):
            with pytest.raises(StateConflict, match="is under way in another process"):
                await on.run()
        ended = await asyncio.gather(*(on.run() for _ in range(4)), return_exceptions=True)
        assert not [one for one in ended if isinstance(one, BaseException) and not isinstance(one, StateConflict)]
        assert len(await on.settle()) == 2
    assert shown(on) == {"expected EUR": "-15.00", "actual EUR": "14.70", "fees EUR": "0.30"}


async def test_a_stop_sends_matches_to_people_and_books_nothing_meanwhile(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="stop") as on:
        node = on.on.node
        await on.take(Side.EXPECTED, EXPECTED)
        await on.take(Side.ACTUAL, ACTUAL)
        held = await stop(node.database, node.writer, node.tenant, scope=SCOPE, who="ana", why="look")
        assert (await on.run()).proposed.review == 2
        for review in await on.on.wait_for_reviews(2):
            await on.on.resolve(review, YES)  # the scorer was not asked, so there is nothing to approve
        await asyncio.sleep(0.2)
        assert shown(on) == {}
        await resume(node.writer, node.tenant, held.stop.id, who="ana", why="looked")
        assert {one.state for one in await on.settle()} == {"booked"}
    assert shown(on) == {"expected EUR": "-15.00", "actual EUR": "14.70", "fees EUR": "0.30"}


async def test_a_full_queue_leaves_the_rest_to_later_rounds(database_url: str, books: SimulatedBooks) -> None:
    rows = [(f"R{number}", UNSURE, 100 + number) for number in range(5)]
    async with matching(database_url, books, name="full", capacity=3) as on:
        await on.take(Side.EXPECTED, statement("e", *rows))
        await on.take(Side.ACTUAL, statement("a", *((reference, "", minor) for reference, _, minor in rows)))
        first = await on.run()
        assert (first.proposed.review, first.proposed.held, first.settled) == (3, 2, False)
        assert "reviews wait in the queue reconciliation" in first.proposed.why
        for _ in range(2):
            for review in await on.on.reviews():
                await on.on.approve(review)
            await on.run()
        for review in await on.on.reviews():
            await on.on.approve(review)
        assert [one.state for one in await on.settle()] == ["booked"] * 5
    assert shown(on) == {"expected EUR": "-5.10", "actual EUR": "5.10"}
