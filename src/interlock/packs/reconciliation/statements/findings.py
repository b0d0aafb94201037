"""Whether a statement adds up by its own numbers. Pure.

A finding does not stop a statement: its entries are what they are. It says what a person has to ask the bank about.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec
import polars as pl

from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.packs.reconciliation.entry import Statement

_FAR = timedelta(days=366)
_MOST_NAMED = 20


class StatementFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about a statement that does not fit.

    Attributes:
        rule: For counting: ``balance``, ``count``, ``credit``, ``debit``, ``net``, ``period``, ``repeated``, ``far``,
            ``broken``; and those of ``Noted``.
        what: In a sentence, with its numbers.
        todo: What to do about it.
        minor: By how much it is off, in minor units, found minus stated; None where it is no matter of money.
    """

    rule: str
    what: str
    todo: str
    minor: int | None = None


def findings_of(statement: Statement) -> tuple[StatementFinding, ...]:
    """What does not fit in a statement: balances, totals, days, references used twice, and what was left out.

    Args:
        statement: As a reader gives it. A finding of money says so if broken entries may explain it.
    """
    return (
        *_broken(statement),
        *_noted(statement),
        *_balances(statement),
        *_totals(statement),
        *_days(statement),
        *_repeated(statement),
    )


def _broken(statement: Statement) -> Iterator[StatementFinding]:
    if statement.broken:
        what = f"{len(statement.broken):,} of its entries are broken and wait in quarantine"
        yield StatementFinding(rule="broken", what=what, todo="look at each of them, and ask the bank")


def _noted(statement: Statement) -> Iterator[StatementFinding]:
    for one in statement.noted:
        todo = "nothing, unless you expected them" if one.count else "compare it with the bank's own paper"
        yield StatementFinding(rule=one.rule, what=one.what, todo=todo)


def _balances(statement: Statement) -> Iterator[StatementFinding]:
    opening, closing = statement.opening, statement.closing
    if opening is None or closing is None:
        return
    net = _sum(statement.entries["minor"])
    off = opening.minor + net - closing.minor
    if off:
        what = (
            f"{_shown(opening.minor, statement)} before and entries of {_shown(net, statement)} make "
            f"{_shown(opening.minor + net, statement)}, and it states {_shown(closing.minor, statement)}: "
            f"{_shown(off, statement)} off"
        )
        yield _of_money("balance", what, off, statement)


def _totals(statement: Statement) -> Iterator[StatementFinding]:
    minor = statement.entries["minor"]
    stated = statement.totals
    found = {
        "credit": (_sum(minor.filter(minor > 0)), stated.credit),
        "debit": (-_sum(minor.filter(minor < 0)), stated.debit),
        "net": (_sum(minor), stated.net),
    }
    for rule, (ours, theirs) in found.items():
        if theirs is not None and ours != theirs:
            what = (
                f"its {rule} entries make {_shown(ours, statement)}, and it states {_shown(theirs, statement)}: "
                f"{_shown(ours - theirs, statement)} off"
            )
            yield _of_money(rule, what, ours - theirs, statement)
    if stated.count is not None:
        told = statement.entries.height + len(statement.broken)
        zeros = sum(one.count for one in statement.noted if one.rule == "zero")
        pending = sum(one.count for one in statement.noted if one.rule == "pending")
        # banks differ in whether entries that are not booked are counted
        if stated.count not in {told + zeros, told + zeros + pending}:
            what = f"it holds {told + zeros:,} entries, and states {stated.count:,}"
            yield StatementFinding(rule="count", what=what, todo="ask the bank for the whole statement")


def _days(statement: Statement) -> Iterator[StatementFinding]:
    entries = statement.entries
    first, last = statement.first_day, statement.last_day
    if first and statement.opening and statement.opening.on:
        first = min(first, statement.opening.on)  # of some banks the first day, of others the last one before
    outside = pl.lit(value=False)
    if first:
        outside |= pl.col("booked_on") < first
    if last:
        outside |= pl.col("booked_on") > last
    out = entries.filter(outside)
    if out.height:
        what = f"{_lines(out)} booked outside its days, {_day(first)} to {_day(last)}"
        yield StatementFinding(rule="period", what=what, todo="see whether the statement is the right one")
    far = entries.filter((pl.col("value_on") - pl.col("booked_on")).abs() > _FAR)
    if far.height:
        what = f"{_lines(far)} with a value day more than a year from the day of booking"
        yield StatementFinding(rule="far", what=what, todo="ask the bank whether the year is right")


def _repeated(statement: Statement) -> Iterator[StatementFinding]:
    named = statement.entries.filter(pl.col("bank_reference") != "")
    twice = named.filter(pl.col("bank_reference").is_duplicated())
    if twice.height:
        what = f"{_lines(twice)} with a bank reference that another one has too"
        yield StatementFinding(rule="repeated", what=what, todo="see whether the bank reported an entry twice")


def _of_money(rule: str, what: str, off: int, statement: Statement) -> StatementFinding:
    if statement.broken:
        what = f"{what}; unexplained, as {len(statement.broken):,} broken entries are not in it"
    return StatementFinding(rule=rule, what=what, todo="ask the bank for the whole statement", minor=off)


def _sum(minor: pl.Series) -> int:
    """A sum that cannot run over 64 bits unseen."""
    return int(minor.cast(pl.Int128).sum() or 0)


def _shown(minor: int, statement: Statement) -> str:
    try:
        return str(Money.of_minor(minor, statement.currency))
    except MoneyInvalid:  # beyond what an amount may be
        return f"{minor} minor units of {statement.currency}"


def _lines(entries: pl.DataFrame) -> str:
    lines = ", ".join(str(line) for line in entries["line"].head(_MOST_NAMED).to_list())
    more = f" and {entries.height - _MOST_NAMED:,} more" if entries.height > _MOST_NAMED else ""
    return f"entry {lines} is" if entries.height == 1 else f"entries {lines}{more} are"


def _day(day: date | None) -> str:
    return day.isoformat() if day else "..."
