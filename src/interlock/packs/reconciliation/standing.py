"""What a statement's own figures say, and what is unusual about it among others of its account. Pure."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from uuid import UUID

import msgspec
import polars as pl

from interlock.money import LARGEST_MINOR, Money, exponent
from interlock.packs.reconciliation.entry import Broken, Statement
from interlock.packs.reconciliation.statements import StatementFinding
from interlock.packs.reconciliation.store import Stated, StatementRow, SumInForce

HOLDING = frozenset({"balance", "count", "credit", "debit", "net"})
"""Findings that a statement's figures do not add up."""
TIMES = 10
"""By how many times a statement is larger than usual before that is told."""
_LEAST = 3
"""Statements of an account before anything about it is usual."""
_DAY = timedelta(days=1)
_canonical = msgspec.json.Encoder(order="sorted")
_LONGEST_NUMBER = 18
_FRIDAY = 4
_WEEKEND = 2


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What is noticed about a statement among the others of its account; nothing is held back for it.

    Attributes:
        statement: The statement.
        rule: ``balance-gap``, ``day-gap``, ``number-gap``, ``many-entries``, ``much-money``, ``sum-gap``.
        what: In a sentence, with the figures.
    """

    statement: UUID
    rule: str
    what: str


def stated_of(statement: Statement) -> bytes:
    """What a statement says of itself beside its entries, as canonical JSON."""
    return _canonical.encode(
        Stated(opening=statement.opening, closing=statement.closing, totals=statement.totals, noted=statement.noted)
    )


def statement_of(row: StatementRow, entries: pl.DataFrame, broken: tuple[Broken, ...] = ()) -> Statement:
    """A stored statement as it was read, with its good entries, so that it can be held to its figures again."""
    stated = msgspec.json.decode(row.stated, type=Stated)
    return Statement(
        format=row.format, account=row.account, currency=row.currency, number=row.number, made_at=row.made_at,
        first_day=row.first_day, last_day=row.last_day, opening=stated.opening, closing=stated.closing,
        totals=stated.totals, entries=entries, broken=broken, noted=stated.noted,
    )  # fmt: skip


def sums_of(entries: pl.DataFrame) -> tuple[Decimal, Decimal]:
    """What comes in and what goes out, in minor units, neither negative; exact, however large."""
    minor = entries["minor"].cast(pl.Int128)
    return Decimal(int(minor.filter(minor > 0).sum())), Decimal(-int(minor.filter(minor < 0).sum()))


def days_of(statement: Statement) -> tuple[date | None, date | None]:
    """The first and the last day of a statement or of its entries; none of what a query gives, which is of all days."""
    if statement.format == "sql":
        return None, None
    booked = statement.entries["booked_on"]
    days = (statement.first_day, statement.last_day, booked.min(), booked.max())
    known = [one for one in days if isinstance(one, date)]
    return (min(known), max(known)) if known else (None, None)


def holds(findings: Iterable[StatementFinding]) -> bool:
    """Whether a statement is held back until a person accepts it: its figures do not add up."""
    return any(one.rule in HOLDING for one in findings)


def encode_findings(findings: Sequence[StatementFinding]) -> bytes:
    """Findings as they are stored."""
    return _canonical.encode(
        [msgspec.structs.replace(one, minor=None) if abs(one.minor or 0) > LARGEST_MINOR else one for one in findings]
    )


def decode_findings(stored: bytes) -> tuple[StatementFinding, ...]:
    """Findings as they were stored."""
    return msgspec.json.decode(stored, type=tuple[StatementFinding, ...])


def amount_text(minor: Decimal, currency: str) -> str:
    """An amount of any size in words: ``1234.50 EUR``."""
    return f"{minor.scaleb(-exponent(currency)):f} {currency}"


def remarks(rows: Sequence[StatementRow], sums: Iterable[SumInForce] = ()) -> list[Remark]:
    """What is unusual about statements in force: gaps between them, and sizes that their accounts never had.

    A function of the rows, not of their order. A statement is compared with all of its account, later ones too.

    Args:
        rows: Statements of one reconciliation, in any state.
        sums: What the entries of each account make that its statements with balances state.
    """
    made: dict[tuple[str, str, str], Decimal] = {(one.side, one.account, one.currency): one.minor for one in sums}
    accounts: dict[tuple[str, str, str], list[StatementRow]] = defaultdict(list)
    for row in rows:
        if row.state == "in_force":
            accounts[row.side, row.account, row.currency].append(row)
    found: list[Remark] = []
    for account, mine in sorted(accounts.items()):
        mine.sort(key=lambda one: (str(one.first_day or one.last_day or ""), one.number, one.id))
        for before, after in itertools.pairwise(mine):
            found.extend(_between(before, after))
        found.extend(_sizes(mine))
        if account in made:
            found.extend(_sum(mine, made[account]))
    return found


def _between(before: StatementRow, after: StatementRow) -> Iterator[Remark]:
    if before.first_day is None or before.last_day is None or after.first_day is None:
        return
    if after.first_day <= before.last_day and after.first_day != before.last_day:
        return  # they overlap: neither begins where the other ends
    if before.closing_minor is not None and after.opening_minor not in (None, before.closing_minor):
        closing = Money.of_minor(before.closing_minor, before.currency)
        opening = Money.of_minor(after.opening_minor or 0, after.currency)
        what = f"it opens with {opening}, and the one before, up to {before.last_day}, closed with {closing}"
        yield Remark(statement=after.id, rule="balance-gap", what=what)
    if before.last_day < date.max and _misses_working_days(before.last_day + _DAY, after.first_day):
        what = f"nothing covers the days from {before.last_day + _DAY} to {after.first_day - _DAY}"
        yield Remark(statement=after.id, rule="day-gap", what=what)
    numbers = (before.number, after.number)
    if all(one.isascii() and one.isdigit() and len(one) < _LONGEST_NUMBER for one in numbers):
        missing = int(after.number) - int(before.number) - 1
        if missing > 0:
            what = f"it is number {after.number}, and the one before has {before.number}: {missing} are missing"
            yield Remark(statement=after.id, rule="number-gap", what=what)


def _sum(rows: Iterable[StatementRow], made: Decimal) -> Iterator[Remark]:
    """Entries in force make what lies between the first balance and the last, if one chain of balances joins these."""
    both = [one for one in rows if one.opening_minor is not None and one.closing_minor is not None]
    opening, closing = ({getattr(one, name) for one in both} for name in ("opening_minor", "closing_minor"))
    first, last = opening - closing, closing - opening
    if len(first) != 1 or len(last) != 1:
        return
    begins, ends = first.pop(), last.pop()
    off = made - (ends - begins)
    if off:
        final = next(one for one in both if one.closing_minor == ends)
        what = (
            f"the entries that count make {amount_text(made, final.currency)}, and the balances of the account's"
            f" statements {amount_text(Decimal(ends - begins), final.currency)}: {amount_text(off, final.currency)} off"
        )
        yield Remark(statement=final.id, rule="sum-gap", what=what)


def _misses_working_days(first: date, until: date) -> bool:
    """Whether a working day lies from the one to before the other: banks tell nothing of weekends."""
    days = (until - first).days
    return days > _WEEKEND or any((first + at * _DAY).weekday() <= _FRIDAY for at in range(days))


def _sizes(rows: Sequence[StatementRow]) -> Iterator[Remark]:
    if len(rows) <= _LEAST:
        return
    # with the statement itself among them: of more than three, one alone moves no median by much
    usual = median(one.entries for one in rows)
    money = median(one.credit_minor + one.debit_minor for one in rows)
    for row in rows:
        if usual and row.entries >= TIMES * usual:
            what = f"it has {row.entries:,} entries, and the account's others {usual:g} as a rule"
            yield Remark(statement=row.id, rule="many-entries", what=what)
        moved = row.credit_minor + row.debit_minor
        if money and moved >= TIMES * money:
            usually = amount_text(Decimal(int(money)), row.currency)
            what = f"it moves {amount_text(moved, row.currency)}, and the account's others {usually} as a rule"
            yield Remark(statement=row.id, rule="much-money", what=what)
