"""What is unusual about a statement among others of its account, and the digest by which an entry is known."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import polars as pl
import pytest

from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Balance, Side, Statement, Totals
from interlock.packs.reconciliation.identity import TOLD, entry_ids, with_identity
from interlock.packs.reconciliation.standing import (
    amount_text,
    decode_findings,
    encode_findings,
    holds,
    remarks,
    stated_of,
    statement_of,
    sums_of,
)
from interlock.packs.reconciliation.statements import findings_of
from interlock.packs.reconciliation.store import StatementRow, SumInForce

MONDAY = date(2026, 3, 2)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
LARGEST = 10**18


def row(at: int, first: int, last: int, **other: object) -> StatementRow:
    given = StatementRow(
        id=UUID(int=at), file=UUID(int=0), reconciliation="bank", side=Side.ACTUAL, source="s", format="mt940",
        account="1", currency="EUR", number=str(at), made_at=None, precedence=None, content=UUID(int=at),
        first_day=MONDAY + timedelta(days=first), last_day=MONDAY + timedelta(days=last), opening_minor=100,
        closing_minor=100, stated=b"{}", entries=5, broken=0, credit_minor=Decimal(1000), debit_minor=Decimal(0),
        state="in_force", corrected_by=None, findings=b"[]", why="", received_at=NOW, changed_at=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(given, **other)


def told(*rows: StatementRow) -> list[tuple[int, str]]:
    return [(one.statement.int, one.rule) for one in remarks(rows)]


DAILY = [row(at, at, at) for at in range(5)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (DAILY, []),
        ([row(1, 0, 4), row(2, 7, 11)], []),  # a weekend is no gap
        ([row(1, 0, 4), row(2, 8, 11)], [(2, "day-gap")]),
        ([row(1, 0, 3), row(2, 7, 11)], [(2, "day-gap")]),
        ([row(1, 0, 4), row(3, 5, 6)], [(3, "number-gap")]),
        ([row(1, 0, 4, number="2026/1"), row(3, 5, 6, number="2026/3")], []),
        ([row(1, 0, 4), row(2, 5, 6, opening_minor=99)], [(2, "balance-gap")]),
        ([row(1, 0, 4), row(2, 5, 6, opening_minor=None)], []),
        ([row(1, 0, 4), row(2, 3, 6, opening_minor=7)], []),  # they overlap
        ([row(1, 0, 4), row(2, 5, 6, opening_minor=7, account="2")], []),
        ([row(1, 0, 4), row(2, 5, 6, opening_minor=7, state="held")], []),
        ([row(1, 0, 4), row(2, 5, 6, opening_minor=7, currency="USD")], []),
        ([*DAILY, row(5, 5, 5, entries=50)], [(5, "many-entries")]),
        ([*DAILY, row(5, 5, 5, debit_minor=Decimal(9000))], [(5, "much-money")]),
        ([*DAILY[:2], row(2, 2, 2, entries=50)], []),  # of three nothing is usual
    ],
)
def test_what_is_unusual_is_told(rows: list[StatementRow], said: list[tuple[int, str]]) -> None:
    assert told(*rows) == said
    shuffled = random.Random(7).sample(rows, len(rows))
    assert told(*shuffled) == said


def statement(*minor: int, reference: str = "", memo: str = "m") -> Statement:
    values = {"value_on": MONDAY, "booked_on": MONDAY, "memo": memo, "bank_reference": reference, "reverses": False}
    texts = dict.fromkeys(("where", "counterparty", "counterparty_account", "reference", "code"), "")
    rows = [{"line": at, "minor": one, **values, **texts} for at, one in enumerate(minor, 1)]
    return Statement(
        format="t", account="1", currency="JPY", opening=Balance(minor=0, on=MONDAY), closing=Balance(minor=3),
        totals=Totals(count=2), entries=pl.DataFrame(rows, schema=ENTRY_SCHEMA),
    )  # fmt: skip


def test_sums_and_findings_beyond_64_bits_are_kept() -> None:
    given = statement(*[LARGEST] * 30, -1)
    assert sums_of(given.entries) == (Decimal(30 * LARGEST), Decimal(1))
    assert amount_text(Decimal(30 * LARGEST), "JPY") == f"{30 * LARGEST} JPY"
    assert amount_text(Decimal(12345), "KWD") == "12.345 KWD"
    found = findings_of(given)
    assert holds(found)
    assert [one.rule for one in decode_findings(encode_findings(found))] == [one.rule for one in found]
    assert sums_of(pl.DataFrame(schema=ENTRY_SCHEMA)) == (Decimal(0), Decimal(0))
    assert not holds(findings_of(statement(1, 2)))


def test_what_counts_is_held_against_the_balances_of_the_chain() -> None:
    rows = [row(1, 0, 0, closing_minor=150), row(2, 1, 1, opening_minor=150, closing_minor=175)]

    def said(minor: int, *given: StatementRow) -> list[tuple[int, str]]:
        made = SumInForce(side=Side.ACTUAL, account="1", currency="EUR", minor=Decimal(minor))
        return [(one.statement.int, one.rule) for one in remarks(given, [made]) if one.rule == "sum-gap"]

    assert said(75, *rows) == []
    assert said(50, *rows) == [(2, "sum-gap")]
    whole = row(3, 0, 1, closing_minor=175, number="W")
    assert said(75, *rows, whole) == []
    assert said(100, *rows, whole) == [(3, "sum-gap")]
    # no one chain joins them: what is missing between them is told by itself
    assert said(1, rows[0], row(4, 1, 1, opening_minor=999, closing_minor=5, number="x")) == []


def test_a_stored_statement_is_held_to_the_same_figures() -> None:
    given = statement(1, 5)
    stored = row(1, 0, 0, currency="JPY", stated=stated_of(given), first_day=None, last_day=None, number="")
    again = statement_of(stored, given.entries)
    assert (again.opening, again.closing, again.totals) == (given.opening, given.closing, given.totals)
    assert findings_of(again) == findings_of(given)


def test_an_identity_is_what_an_entry_is() -> None:
    def of(given: Statement, side: Side = Side.ACTUAL) -> list[str]:
        return with_identity(given, side)["identity"].to_list()

    assert len(set(of(statement(1, 1, 2)))) == 3
    assert of(statement(1, 1, 2))[0] == of(statement(1))[0]
    assert set(of(statement(1, 1))) == set(of(statement(2, 1, 1))) - set(of(statement(2)))
    assert of(statement(1)) != of(statement(1), Side.EXPECTED)
    assert of(statement(1)) != of(statement(1, memo="n"))
    assert of(statement(1, reference="R")) == of(statement(1, reference="R", memo="n"))
    assert of(statement(1, reference="R")) != of(statement(2, reference="R"))
    for name in ("account", "currency"):
        assert of(statement(1)) != of(msgspec.structs.replace(statement(1), **{name: "2"}))
    # what stands in one field is never taken for what stands in the next
    frame = statement(1)
    one = frame.entries.with_columns(memo=pl.lit("a"), counterparty=pl.lit("b"))
    other = frame.entries.with_columns(memo=pl.lit("ab"), counterparty=pl.lit(""))
    assert of(msgspec.structs.replace(frame, entries=one)) != of(msgspec.structs.replace(frame, entries=other))
    assert set(TOLD) | {"line", "where", "minor"} == set(ENTRY_SCHEMA)
    digests = with_identity(statement(1), Side.ACTUAL)["identity"]
    assert entry_ids(digests, UUID(int=1), "a").to_list() != entry_ids(digests, UUID(int=1), "b").to_list()
    assert entry_ids(digests, UUID(int=1), "a").to_list() != entry_ids(digests, UUID(int=2), "a").to_list()
    assert of(statement()) == []


def test_identities_do_not_depend_on_the_slice_that_they_are_made_in(monkeypatch: pytest.MonkeyPatch) -> None:
    given = statement(*range(1, 30))
    whole = with_identity(given, Side.ACTUAL)
    monkeypatch.setattr("interlock.packs.reconciliation.identity._SLICE", 4)
    assert with_identity(given, Side.ACTUAL).equals(whole)


def test_a_statement_up_to_the_end_of_time_leaves_no_day_out() -> None:
    last = date.max
    assert list(remarks([row(1, 0, 0, last_day=last), row(2, 0, 0, first_day=last, last_day=last)])) == []
