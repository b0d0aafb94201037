"""Breaks: opened for what nothing explains, asked of people by cause, written off once, taken back by a later match."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.reconciliation.matched import ACCOUNT, SURE, UNSURE, Matching, matching, statement
from tests.pg.undoing import open_exceptions

from interlock.cases.cancel import recall_case
from interlock.cases.resolve import Member, Way, resolve_exception, resolve_group
from interlock.cases.store import CaseState
from interlock.errors import ContractViolated
from interlock.oversight.exception import CaseException, grouped
from interlock.oversight.store import LIST_EXCEPTION_GROUPS
from interlock.packs.reconciliation.breaks.store import COUNT_BREAKS, LIST_BREAKS, LIST_OPEN, BreakRow
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Side, Statement
from interlock.sim import SimulatedBooks

LATER = date(2026, 3, 31)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    """Books for all tests of this file; each posts on accounts of its own."""
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


def up_to(day: date, number: str, currency: str = "EUR") -> Statement:
    """A statement without entries that covers the days up to this one."""
    return Statement(
        format="test", account=ACCOUNT, currency=currency, number=number, made_at=datetime(2026, 5, 1, tzinfo=UTC),
        first_day=day, last_day=day, entries=pl.DataFrame(schema=ENTRY_SCHEMA),
    )  # fmt: skip


async def breaks(on: Matching, **wanted: Any) -> list[BreakRow]:
    asked = {"reconciliation": on.terms.name, "state": None, "cause": None, "account": None, "due": False, "most": 100}
    async with on.on.node.database.tenant(on.on.node.tenant) as connection:
        return await LIST_BREAKS.all(connection, asked | wanted)


async def say(on: Matching, one: CaseException, value: dict[str, Any], *, who: str = "rosa") -> None:
    node = on.on.node
    await resolve_exception(
        node.database, node.writer, node.tenant, one.id, Way.ANSWER, who=who, why="looked", value=value,
        registry=node.registry,
    )  # fmt: skip


async def asked(on: Matching, number: int = 1) -> list[CaseException]:
    """The exceptions of so many breaks, once their cases ask."""
    for one in await breaks(on):
        await on.on.until(one.case_id, CaseState.EXCEPTION)
    found = await open_exceptions(on.on)
    assert len(found) == number
    return sorted(found, key=lambda one: one.exposure_minor or 0)


async def test_what_nothing_explains_is_asked_for_by_cause_and_settled_singly_or_as_a_group(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="breaks") as on:
        await on.take(Side.EXPECTED, statement("e", ("A", SURE, 1000), ("B", SURE, 300), ("C", SURE, 40000)))
        assert (await on.run()).breaks.waiting == 3
        await on.take(Side.ACTUAL, statement("a", ("A", "", 1000)), up_to(LATER, "later"))
        figures = await on.run()
        assert (figures.breaks.opened, figures.breaks.waiting, figures.target) == (2, 0, 1)
        small, large = await asked(on, 2)
        assert (small.kind, str(small.exposure), str(large.exposure)) == ("break-missing", "3.00 EUR", "400.00 EUR")
        assert small.what.startswith("3.00 EUR from Corvina Lines of 2026-03-02 is expected on")
        async with on.on.node.database.tenant(on.on.node.tenant) as connection:
            (group,) = grouped(await LIST_EXCEPTION_GROUPS.all(connection, {"most": 10}))
            every = {"reconciliation": "breaks", "due": False, "cause": None, "state": None, "account": None}
            counted = await COUNT_BREAKS.all(connection, every)
            for wanted in ({"cause": "fee"}, {"account": "nobody's"}, {"state": "withdrawn"}):
                assert not await COUNT_BREAKS.all(connection, {**every, **wanted})
        assert (group.members, [str(one) for one in group.exposures]) == (2, ["403.00 EUR"])
        assert [(one.cause, one.breaks, int(one.minor)) for one in counted] == [("missing", 2, 40300)]
        with pytest.raises(ContractViolated, match="settlement@1"):
            await say(on, small, {"settle": "forget", "reason": "x"})
        members = await wait_all(on, group.fingerprint)
        assert [member.refused for member in members] == [None, None]
        small, large = await asked(on, 2)
        assert "It was to wait until 2026-03-03, as rosa said" in small.what
        await say(on, small, {"settle": "write_off", "reason": "not worth the letter"})
        await say(on, large, {"settle": "accept", "reason": "paid in kind"})
        for one in await breaks(on):
            await on.on.until(one.case_id, CaseState.DONE)
        again = await on.run()
        assert (again.breaks.kept, again.breaks.opened, again.breaks.withdrawn) == (2, 0, 0)
        found = {row.minor: row.state for row in await breaks(on)}
    assert found == {300: "written_off", 40000: "accepted"}
    assert on.balances() == {
        "actual EUR": "10.00", "expected EUR": "-13.00", "write-offs EUR": "3.00",
    }  # fmt: skip
    assert on.books.summary().unbalanced == ()


async def wait_all(on: Matching, fingerprint: Any) -> tuple[Member, ...]:
    node = on.on.node
    value = {"settle": "wait", "until": "2026-03-03", "reason": "they said so"}
    return await resolve_group(
        node.database, node.writer, node.tenant, fingerprint, Way.ANSWER, who="rosa", why="called", value=value,
        registry=node.registry,
    )  # fmt: skip


async def test_above_the_limit_two_people_stand_for_a_write_off(database_url: str, books: SimulatedBooks) -> None:
    async with matching(database_url, books, name="two") as on:
        await on.take(Side.EXPECTED, statement("e", ("C", SURE, 40000)))
        await on.take(Side.ACTUAL, up_to(LATER, "later"))
        await on.run()
        (one,) = await asked(on)
        await say(on, one, {"settle": "write_off", "reason": "bankrupt"})
        (review,) = await on.on.wait_for_reviews()
        assert review.asked.input["asked_by"] == "rosa"
        await on.on.approve(review, who="rosa")
        (one,) = await asked(on)
        assert one.what.startswith("rosa asked for the write-off and approved it; somebody else has to.")
        assert "write-offs EUR" not in on.balances()
        await say(on, one, {"settle": "write_off", "reason": "bankrupt"})
        (review,) = await on.on.wait_for_reviews()
        await on.on.approve(review, who="ines")
        (found,) = await breaks(on)
        await on.on.until(found.case_id, CaseState.DONE)
    assert on.balances()["write-offs EUR"] == "400.00"


async def test_a_later_match_takes_a_break_back_wherever_it_stands_and_first_undoes_its_write_off(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="later") as on:
        await on.take(Side.EXPECTED, statement("e", ("B", SURE, 300), ("C", SURE, 500)))
        await on.take(Side.ACTUAL, up_to(LATER, "later"))
        await on.run()
        small, _ = await asked(on, 2)
        await say(on, small, {"settle": "write_off", "reason": "small"})
        written, _ = sorted(await breaks(on), key=lambda one: one.minor)
        await on.on.until(written.case_id, CaseState.DONE)
        await on.take(Side.ACTUAL, statement("a", ("B", "", 300), ("C", "", 500)))
        matches = await on.settle()
        gone = await breaks(on, state="withdrawn")
        assert {one.state for one in matches} == {"booked"}
        assert sorted(one.minor for one in gone) == [300, 500]
        assert "a match takes the entry now" in gone[0].why
        assert await breaks(on) == []
        assert await open_exceptions(on.on) == []
        record = await on.on.record(written.case_id)
        assert on.balances() == {"expected EUR": "-8.00", "actual EUR": "8.00"}
        # what matched them is corrected away: the same is known of them again, and each is a break once more
        await on.take(Side.ACTUAL, statement("a", ("Z", "", -1), made=1))
        await on.settle()
        again = sorted((one.minor, one.key.rpartition("/")[2]) for one in await breaks(on))
        assert again == [(300, "1"), (500, "1")]
    assert [(one.name, one.state) for one in record.actions] == [("write_off", "undone"), ("unwrite_off", "done")]
    assert on.balances() == {}


async def test_a_doubt_reopens_nothing_that_a_person_settled_until_somebody_takes_that_back(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="settled") as on:
        node = on.on.node
        await on.take(Side.EXPECTED, statement("e", ("B", UNSURE, 300)), up_to(LATER, "later"))
        await on.take(Side.ACTUAL, up_to(LATER, "later"))
        await on.run()
        (one,) = await asked(on)
        await say(on, one, {"settle": "write_off", "reason": "small"})
        (settled,) = await breaks(on)
        await on.on.until(settled.case_id, CaseState.DONE)
        await on.take(Side.ACTUAL, statement("a", ("B", "", 300)))
        figures = await on.run()
        assert (figures.breaks.doubted, figures.breaks.withdrawn, figures.proposed.review) == (1, 0, 0)
        assert sorted((row.side, row.state) for row in await breaks(on)) == [
            ("actual", "open"), ("expected", "written_off"),
        ]  # fmt: skip
        assert (await on.run()).settled
        assert on.balances() == {"expected EUR": "-3.00", "write-offs EUR": "3.00"}
        await recall_case(node.database, node.writer, node.tenant, settled.case_id, who="rosa", why="it came")
        await on.on.until(settled.case_id, CaseState.CANCELLED)
        await on.run()
        (review,) = await on.on.wait_for_reviews()
        await on.on.approve(review)
        (match,) = await on.settle()
        assert (match.state, await breaks(on)) == ("booked", [])
    assert on.balances() == {"expected EUR": "-3.00", "actual EUR": "3.00"}


async def test_a_break_that_is_young_waits_is_reminded_of_and_then_asks(
    database_url: str, books: SimulatedBooks
) -> None:
    """Its value day is so that the reminder is past and the escalation a day ahead."""
    today = datetime.now(UTC).date()
    async with matching(database_url, books, name="young") as on:
        young = statement("e", ("A", SURE, 1000))
        days = pl.lit(today - timedelta(days=on.terms.escalate_days - 1))
        moved = young.entries.with_columns(value_on=days, booked_on=days)
        await on.take(Side.EXPECTED, msgspec.structs.replace(young, entries=moved, first_day=today, last_day=today))
        await on.take(Side.ACTUAL, up_to(today + timedelta(days=30), "later"))
        await on.run()
        (one,) = await breaks(on)
        case = await on.on.until(one.case_id, CaseState.WAITING)
        (due,) = await breaks(on, due=True)
        assert due.reminded_at is not None
        assert (case.waiting_for or "").startswith("the other side; an exception on ")
        assert case.wake_at == datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC)


async def test_an_entry_whose_other_side_stays_out_is_listed_and_asked_about_by_the_calendar(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="silent") as on:
        await on.take(Side.EXPECTED, statement("e", ("A", SURE, 100000)))
        await on.take(Side.ACTUAL, up_to(date(2026, 3, 1), "last"))
        rounds = on.rounds()
        assert (await rounds.run()).breaks.waiting == 1  # what came in today is given time
        async with on.on.node.database.tenant(on.on.node.tenant) as connection:
            (listed,) = await LIST_OPEN.all(connection, {"reconciliation": "silent", "account": None, "most": 9})
        assert (listed.minor, listed.why, listed.known_until) == (100000, "waiting", date(2026, 3, 1))
        async with await psycopg.AsyncConnection.connect(database_url) as owner:
            await owner.execute("update interlock.recon_entry set received_at = received_at - interval '3 days'")
        figures = await on.run()
        assert (figures.breaks.opened, figures.breaks.waiting) == (1, 0)
        (one,) = await asked(on)
        assert one.kind == "break-uncovered"
        assert "The other side's statements end on 2026-03-01" in one.what
        await on.take(Side.ACTUAL, statement("a", ("A", "", 100000)))
        await on.settle()
        assert await breaks(on) == []
    assert on.balances() == {"actual EUR": "1000.00", "expected EUR": "-1000.00"}


async def test_what_is_known_of_an_open_break_changes_and_another_takes_its_place(
    database_url: str, books: SimulatedBooks
) -> None:
    async with matching(database_url, books, name="facts") as on:
        await on.take(Side.EXPECTED, statement("e", ("B", SURE, 300)))
        await on.take(Side.ACTUAL, up_to(LATER, "later"))
        await on.run()
        (first,) = await breaks(on)
        await on.take(Side.EXPECTED, up_to(LATER, "expected later"))
        other = statement("a", ("B2", "", 200))
        await on.take(Side.ACTUAL, other)
        await on.run()
        both = {one.minor: one for one in await breaks(on)}
        await on.settle()
        causes = {one.minor: one.cause for one in await breaks(on)}
        gone = await breaks(on, state="withdrawn")
    assert first.cause == "missing"
    assert both.keys() == {300, 200}
    assert causes == {300: "wrong-amount", 200: "wrong-amount"}
    assert [one.id for one in gone] == [first.id]
