"""From what a reader found of each entry to good entries and broken ones: the one way for every format. Pure.

A reader hands in a frame with one row for each entry that it found. Here amounts, days and texts are judged, the
contract is held against what is left, and each entry ends among the good ones or, with the reason, the broken ones.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import polars as pl

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Broken, Noted
from interlock.packs.reconciliation.statements.amounts import amount_trouble
from interlock.packs.reconciliation.statements.held import against_contract

TEXTS = ("memo", "counterparty", "counterparty_account", "reference", "bank_reference", "code")
MOST_BROKEN = 10_000
"""So many broken entries of one statement are named; with more, the file as a whole is of another form."""
LONGEST_MEMO = 1_000
LONGEST_DATA = 65_536
LONGEST_ACCOUNT = 100

DRAFT_SCHEMA: dict[str, pl.DataType] = {
    "line": pl.Int64(),
    "where": pl.String(),
    "amount": pl.String(),  # as it was found, to be shown
    "minor": pl.Int64(),  # null: it is none
    "booked": pl.String(),  # as it was found; "" if it was not given
    "booked_on": pl.Date(),
    "value": pl.String(),  # the same
    "value_on": pl.Date(),
    **{name: pl.String() for name in TEXTS},  # null: not given
    "reverses": pl.Boolean(),
    "rule": pl.String(),  # what the reader itself found wrong; null: nothing
    "what": pl.String(),
    "todo": pl.String(),
}
"""The columns of a frame of drafts."""


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong with one entry.

    Attributes:
        rule: For counting, as ``Broken.rule``.
        what: In a sentence.
        todo: What to do about it.
    """

    rule: str
    what: str
    todo: str


class Settled(msgspec.Struct, frozen=True):
    """What became of the drafts of one statement.

    Attributes:
        entries: The good ones, by ``ENTRY_SCHEMA``.
        broken: The others.
        noted: What was left out.
    """

    entries: pl.DataFrame
    broken: tuple[Broken, ...]
    noted: tuple[Noted, ...]


def settle(drafts: pl.DataFrame, *, account: str, currency: str, data: Callable[[int], bytes]) -> Settled:
    """Judge the drafts of one statement.

    Args:
        drafts: By ``DRAFT_SCHEMA``.
        account: The statement's account.
        currency: The statement's currency, a known one.
        data: The bytes of an entry by its line.

    Raises:
        StatementUnreadable: more entries are broken than are named one by one.
    """
    drafts = _cleaned(drafts)
    wrong = drafts.select(_wrong().alias("wrong"))["wrong"]
    zero = (drafts["minor"] == 0).fill_null(value=False) & ~wrong
    good = drafts.filter(~wrong & ~zero).select(list(ENTRY_SCHEMA))
    broken = _named(drafts.filter(wrong), currency, data)
    good, refused = against_contract(good, account=account, currency=currency)
    _bound(len(broken) + len(refused), drafts.height)
    broken += [
        Broken(line=line, where=where, what=what, todo="see the contract entry@1", rule="contract", data=data(line))
        for line, where, what in refused
    ]
    broken.sort(key=lambda one: one.line)
    noted = ()
    if zeros := int(zero.sum()):
        noted = (Noted(rule="zero", what=f"{zeros:,} of its entries move no money and were left out", count=zeros),)
    return Settled(good, tuple(broken), noted)


def clean(texts: pl.Expr) -> pl.Expr:
    """Texts with each run of white space and control characters as one space, and none at the ends."""
    return texts.fill_null("").str.replace_all(r"[\s\p{Cc}\u{FEFF}]+", " ").str.strip_chars(" ")


def cleaned_texts() -> list[pl.Expr]:
    """The texts of an entry as every reader has them, under their names."""
    exprs = [clean(pl.col(name)).alias(name) for name in TEXTS]
    exprs[0] = clean(pl.col("memo")).str.slice(0, LONGEST_MEMO).str.strip_chars_end(" ").alias("memo")
    exprs[2] = clean(pl.col("counterparty_account")).str.replace_all(" ", "", literal=True).alias(
        "counterparty_account"
    )  # fmt: skip
    return exprs


def _cleaned(drafts: pl.DataFrame) -> pl.DataFrame:
    exprs = cleaned_texts()
    given = [clean(pl.col(name)).alias(name) for name in ("amount", "booked", "value")]
    drafts = drafts.with_columns(*exprs, *given, pl.col("reverses").fill_null(value=False))
    # an entry with one day only has it for both
    return drafts.with_columns(
        pl.when(pl.col("booked") == "").then(pl.col("value_on")).otherwise(pl.col("booked_on")).alias("booked_on"),
        pl.when(pl.col("value") == "").then(pl.col("booked_on")).otherwise(pl.col("value_on")).alias("value_on"),
    )


def _wrong() -> pl.Expr:
    missing = [pl.col(name).is_null() for name in ("minor", "booked_on", "value_on")]
    return pl.any_horizontal(pl.col("rule").is_not_null(), *missing)


def _named(wrong: pl.DataFrame, currency: str, data: Callable[[int], bytes]) -> list[Broken]:
    _bound(wrong.height, wrong.height)
    named: list[Broken] = []
    for row in wrong.iter_rows(named=True):
        trouble = _trouble(row, currency)
        named.append(
            Broken(
                line=row["line"],
                where=row["where"],
                what=trouble.what,
                todo=trouble.todo,
                rule=trouble.rule,
                data=data(row["line"])[:LONGEST_DATA],
            )
        )
    return named


def _trouble(row: dict[str, Any], currency: str) -> Trouble:
    if row["rule"] is not None:
        return Trouble(row["rule"], row["what"], row["todo"])
    if row["minor"] is None:
        return Trouble("amount", *amount_trouble(row["amount"], currency))
    for name, on in (("booked", "booked_on"), ("value", "value_on")):
        text, day = row[name], row[on]
        if text and not isinstance(day, date):
            label = "day of booking" if name == "booked" else "value day"
            return Trouble("date", f"the {label} {text[:60]!r} is no day", "see that the file's form of dates is right")
    return Trouble("date", "it has no day", "ask who sent it for the day")


def _bound(broken: int, of: int) -> None:
    if broken > MOST_BROKEN:
        raise StatementUnreadable(
            f"more than {MOST_BROKEN:,} entries are broken, of {of:,} that were looked at",
            todo="the file is not of the form as which it is read: see its format and dialect",
        )
