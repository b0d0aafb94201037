"""What reconciliation is about: statements, the entries that they state, and both as tables. Pure types.

An entry is one amount that one side knows of. The ``expected`` side is what the books await (invoices, orders, payments
sent); the ``actual`` side is what a bank or a provider reports. Both have the same form, so that nothing in matching
knows which file an amount came from. Amounts are signed whole minor units as the account's owner sees them: money that
comes in is positive on both sides.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec
import polars as pl


class Side(StrEnum):
    """Who knows of an entry."""

    EXPECTED = "expected"
    ACTUAL = "actual"


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """A balance as a statement states it.

    Attributes:
        minor: Signed, in minor units of the statement's currency.
        on: The day that it stands for.
    """

    minor: int
    on: date | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement says of all its entries together; None where it does not say it.

    Attributes:
        count: How many.
        credit: The sum of those that come in, in minor units; not negative.
        debit: The sum of those that go out, in minor units; not negative.
        net: The signed sum.
    """

    count: int | None = None
    credit: int | None = None
    debit: int | None = None
    net: int | None = None


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that cannot be used. Its statement goes on without it, and says so.

    Attributes:
        line: Its number among the statement's entries, from 1, as for the good ones.
        where: Where it stands in the file: ``line 17``, ``/Document/BkToCstmrStmt/Stmt[1]/Ntry[3]``.
        what: What is wrong, in a sentence.
        todo: What to do about it.
        rule: For counting: ``amount``, ``date``, ``currency``, ``contract``, ``syntax``, ``encoding``, ``correction``.
        data: The entry as it came: the bytes of its part of the file, at most 64 KiB of them.
    """

    line: int
    where: str
    what: str
    todo: str
    rule: str
    data: bytes


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader saw in a statement that belongs into none of its entries: what it left out, what it could not read.

    Attributes:
        rule: For counting: ``pending`` (not booked yet), ``zero`` (moves no money), ``balance`` (it states one that
            cannot be read), ``totals`` (the same).
        what: In a sentence.
        count: How many entries it is about; 0: none.
    """

    rule: str
    what: str
    count: int = 0


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of one account in one currency, or a table of entries that has no frame of its own.

    Attributes:
        format: ``camt.053.001.02``, ``mt940``, ``ofx``, ``csv``, ``parquet``, ``sql``.
        account: IBAN, or bank and number, as the file has it, without spaces.
        currency: ISO 4217; one statement, one currency.
        number: The statement's own number or id; empty where it has none.
        made_at: When the bank made it, UTC; None where the file does not say. A later one of the same number corrects.
        first_day: The first day that it covers.
        last_day: The last day that it covers.
        opening: The balance before its entries.
        closing: The balance after them.
        totals: What it says of its entries together.
        entries: The good ones, by ``ENTRY_SCHEMA``.
        broken: The others.
        noted: What its reader left out or could not read.
    """

    format: str
    account: str
    currency: str
    number: str = ""
    made_at: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None
    opening: Balance | None = None
    closing: Balance | None = None
    totals: Totals = Totals()
    entries: pl.DataFrame
    broken: tuple[Broken, ...] = ()
    noted: tuple[Noted, ...] = ()


ENTRY_SCHEMA: dict[str, pl.DataType] = {
    "line": pl.Int64(),  # its number in the statement, from 1, the broken ones counted too
    "where": pl.String(),  # where it stands in the file
    "minor": pl.Int64(),  # signed minor units; positive: money comes in
    "booked_on": pl.Date(),  # never null
    "value_on": pl.Date(),  # never null: where the file has none, the day of booking
    "memo": pl.String(),  # what it says for people, its lines joined by one space; "" if nothing
    "counterparty": pl.String(),  # the other party's name; "" if unknown
    "counterparty_account": pl.String(),  # its IBAN or number, without spaces; "" if unknown
    "reference": pl.String(),  # identifiers of the payment, joined by one space: end-to-end id, customer's reference
    "bank_reference": pl.String(),  # by which the bank itself tells it from all others of the account; "" if none
    "code": pl.String(),  # the kind of transaction, in the bank's code: NTRF, PMNT-RCDT-ESCT, CREDIT
    "reverses": pl.Boolean(),  # whether it is marked as taking an earlier one back
}
"""The columns of ``Statement.entries``.

No nulls, no ``minor`` of 0; texts without control characters and half surrogates, at most 1,000 characters.
"""
