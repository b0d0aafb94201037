"""Closing: tied to the cent, refused while something is not done, signed once, corrected only by what comes after."""

from __future__ import annotations

import hashlib
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

from interlock.clock import Clock
from interlock.decisions.proof import prove
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.keys import make_key
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.packs.reconciliation.closing.close import Closed, Period, Reported, close, leaf_of, report_on
from interlock.packs.reconciliation.closing.document import FLOWS, document
from interlock.packs.reconciliation.closing.outside import Held, accounts_of, hold_against
from interlock.packs.reconciliation.closing.report import Line
from interlock.packs.reconciliation.closing.store import LIST_CLOSES, POSTED, CloseRow
from interlock.packs.reconciliation.entry import Balance, Side, Statement
from interlock.packs.reconciliation.in_force import recall_statement
from interlock.sim import SimulatedBooks

Admin = psycopg.Connection[tuple[Any, ...]]
DAY = date(2026, 3, 2)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    """Books for all tests of this file."""
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


def on_day(one: Statement, day: date, opening: int | None = None) -> Statement:
    """The same statement of another day, with balances."""
    moved = one.entries.with_columns(booked_on=pl.lit(day), value_on=pl.lit(day))
    begins = Balance(minor=opening, on=day) if opening is not None else None
    ends = Balance(minor=opening + int(moved["minor"].sum()), on=day) if opening is not None else None
    return msgspec.structs.replace(one, entries=moved, first_day=day, last_day=day, opening=begins, closing=ends)


def period(on: Matching, day: date = DAY) -> Period:
    return Period(on.terms.name, ACCOUNT, day)


async def reported(on: Matching, day: date = DAY) -> Reported:
    return await report_on(on.on.node.database, on.on.node.tenant, period(on, day))


async def signed(on: Matching, day: date = DAY, **more: Any) -> Closed:
    return await close(on.on.node, period(on, day), who="ines", why="looked at all", **more)


def flows(lines: tuple[Line, ...], side: str) -> dict[str, int]:
    """What moved on a side, without what is zero."""
    (line,) = [one for one in lines if one.side == side]
    return {name: getattr(line, name).minor for name in FLOWS if getattr(line, name).minor}


async def test_an_account_is_closed_once_all_is_done_or_carried_over_by_name_and_sealed(
    database_url: str, books: SimulatedBooks, tmp_path: Path
) -> None:
    async with matching(database_url, books, name="closing") as on:
        first = await first_close(on)
        with pytest.raises(StateConflict, match="is closed until 2026-03-02 already, by ines"):
            await signed(on, carry_over=["match"])
        (row,) = await listed(on)
        assert hashlib.sha256(row.report).digest() == row.digest == first.digest
        assert msgspec.json.decode(row.report) == document(first.report)
        assert [one.kind for one in first.report.carried_over] == ["match"]
        node = on.on.node
        assert await leaf_of(node.database, node.tenant, first.entry, patience_s=0) is None
        async with Sealer(database_url, Clock(), LedgerTerms((make_key("x.example/log"),), tmp_path / "published")):
            leaf = await leaf_of(node.database, node.tenant, first.entry, patience_s=20)
        (proved,) = (await prove(node.database, node.tenant, first.id)).entries
    assert leaf == proved.index
    assert first.digest.hex() in proved.leaf


async def first_close(on: Matching) -> Closed:
    """Close a day on which a match waits for a person, after each way to be refused."""
    await on.take(Side.EXPECTED, on_day(statement("e", ("A", SURE, 1000), ("B", UNSURE, 700), ("C", SURE, 50)), DAY))
    await on.take(Side.ACTUAL, on_day(statement("a", ("A", "", 970), ("B", "", 700)), DAY, opening=5000))
    with pytest.raises(Refused, match="no round has looked at any entry yet"):
        await signed(on)
    await on.settle()
    found = await reported(on)
    assert await apart_from_books(on) == []
    assert flows(found.report.lines, "expected") == {"received": 1750, "matched": 1000, "closing": 750}
    assert flows(found.report.lines, "actual") == {"received": 1670, "matched": 970, "closing": 700}
    assert [(one.total, one.moved, one.fees) for one in found.report.differences] == [(-30, -30, -30)]
    assert [(one.opening, one.closing, one.moved) for one in found.report.balances if one.side == "actual"] == [
        (5000, 6670, 1670)
    ]
    assert [one.kind for one in found.unready] == ["match"]
    with pytest.raises(Refused, match=r"1 of the period are not done: match .* is asked"):
        await signed(on)
    with pytest.raises(Refused, match="nothing that is open"):
        await signed(on, carry_over=["break", "everything"])
    with pytest.raises(NotFound, match=f"no statement of {on.terms.name} is of the account 'X'"):
        await close(on.on.node, Period(on.terms.name, "X", DAY), who="ines", why="w")
    with pytest.raises(Refused, match="is not over yet"):
        await signed(on, datetime.now(UTC).date())
    with pytest.raises(Refused, match="is not closed"):
        await signed(on, carry_over=["match"], reopen=True)
    return await signed(on, carry_over=["match"])


async def test_what_comes_later_for_a_closed_day_is_a_correction_in_the_next_report(
    database_url: str, books: SimulatedBooks, admin: Admin
) -> None:
    next_day = DAY + timedelta(days=1)
    async with matching(database_url, books, name="correcting") as on:
        first = await first_close(on)
        await on.take(Side.ACTUAL, on_day(statement("a2", ("C", "", 50)), DAY))
        await on.take(Side.ACTUAL, on_day(statement("a", ("A", "", 940), ("B", "", 700), made=1), DAY, opening=5000))
        (review,) = await on.on.wait_for_reviews()
        await on.on.approve(review)
        await on.settle()
        assert (await listed(on))[0].digest == first.digest
        found = await reported(on, next_day)
        assert flows(found.report.lines, "expected") == {"opening": 750, "matched": 750}
        assert flows(found.report.lines, "actual") == {
            "opening": 700, "late": 990, "gone": 970, "undone": 970, "matched": 1690,
        }  # fmt: skip
        assert found.report.follows == first.digest.hex()
        assert found.report.holds
        assert [(one.before, one.moved, one.total) for one in found.report.differences] == [(-30, -30, -60)]
        again = await signed(on, reopen=True)
        assert flows(again.report.lines, "actual") == {"received": 1690, "matched": 1690}
        await signed(on, next_day)
        with pytest.raises(StateConflict, match="is closed until 2026-03-03"):
            await signed(on, reopen=True)
        states = [(one.until.day, one.state) for one in await listed(on)]
        assert sorted(states) == [(2, "closed"), (2, "reopened"), (3, "closed")]
    told = admin.execute("select kind, subject, body from ledger_entry where kind like 'reconciliation.%'").fetchall()
    assert [kind for kind, _, _ in told].count("reconciliation.closed") == 3
    assert [subject for kind, subject, _ in told if kind == "reconciliation.reopened"] == [first.id]
    assert all(ACCOUNT.encode() not in body for _, _, body in told)


async def apart_from_books(on: Matching) -> list[Held]:
    """The accounts on which the books say something else than our rows."""
    async with on.on.node.database.tenant(on.on.node.tenant) as connection:
        posted = await POSTED.all(connection, {"reconciliation": on.terms.name})
    theirs = [msgspec.to_builtins(one) for one in on.books.accounts()]
    found = hold_against([(on.terms, posted)], theirs, accounts_of(on.terms).values())
    assert len(found) == 3
    return [one for one in found if one.ours != one.theirs]


async def listed(on: Matching) -> list[CloseRow]:
    asked = {"reconciliation": on.terms.name, "account": ACCOUNT, "most": 10}
    async with on.on.node.database.tenant(on.on.node.tenant) as connection:
        return await LIST_CLOSES.all(connection, asked)


async def test_what_is_paid_after_the_day_is_open_on_it_and_statements_that_do_not_follow_are_named(
    database_url: str, books: SimulatedBooks
) -> None:
    after = DAY + timedelta(days=4)
    async with matching(database_url, books, name="after") as on:
        await on.take(Side.EXPECTED, on_day(statement("e", ("A", SURE, 1000)), DAY))
        await on.take(Side.ACTUAL, on_day(statement("a1", ("X", "", 5)), DAY, opening=0))
        await on.take(Side.ACTUAL, on_day(statement("a2", ("A", "", 1000)), after, opening=9))
        assert [one.state for one in await on.settle()] == ["booked"]
        found = await reported(on)
        assert flows(found.report.lines, "expected") == {"received": 1000, "closing": 1000}
        (line,) = [one for one in found.report.lines if one.side == "expected"]
        assert [(part.why, part.age) for part in line.open] == [("matched-later", "up to 7 days")]
        await signed(on)
        found = await reported(on, after)
        assert flows(found.report.lines, "expected") == {"opening": 1000, "matched": 1000}
        assert flows(found.report.lines, "actual") == {"opening": 5, "received": 1000, "matched": 1000, "closing": 5}
        assert [one.what for one in found.unready if one.kind == "balance"] == [
            "statement a2 begins 0.04 EUR from where the statements of the last close ended"
        ]
        await recall_statement(
            on.on.node.database, on.on.node.tenant, on.taken[-1].statements[0].id, who="ana", why="w"
        )
        found = await reported(on, after)
        assert found.report.holds, [check.what for check in found.report.checks if not check.holds]
        assert flows(found.report.lines, "expected") == {"opening": 1000, "closing": 1000}
        (line,) = [one for one in found.report.lines if one.side == "expected"]
        assert [part.why for part in line.open] == ["match-withdrawing"]
        assert [one.kind for one in found.unready] == ["round"]
