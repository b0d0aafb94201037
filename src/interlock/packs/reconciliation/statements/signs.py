"""The signed amounts of a table's rows, by the convention that its dialect declares. Pure."""

from __future__ import annotations

import polars as pl

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.statements.amounts import minor_of_floats, minor_units, plain_amounts
from interlock.packs.reconciliation.statements.dialect import Dialect
from interlock.packs.reconciliation.statements.draft import DRAFT_SCHEMA, clean

AMOUNTS = ("amount", "credit", "debit")


def priced(rows: pl.DataFrame, dialect: Dialect, digits: int) -> pl.DataFrame:
    """Rows of one currency with their amounts as minor units.

    Args:
        rows: ``DRAFT_SCHEMA`` without ``amount`` and ``minor``; and the table's own columns of amounts and of the type,
            each with a ``_`` before its name.
        dialect: Which of the conventions holds, and how amounts are written.
        digits: How many decimals the currency has.

    Returns:
        By ``DRAFT_SCHEMA``.

    Raises:
        StatementUnreadable: amounts are of a type that cannot be exact.
    """
    units = {name: _units(rows, f"_{name}", dialect, digits) for name in AMOUNTS if f"_{name}" in rows.columns}
    if "credit" in units:
        made = _two_columns(rows, units["credit"], units["debit"])
    elif "_type" in rows.columns:
        made = _typed(rows, units["amount"], dialect)
    else:
        sign = -1 if dialect.inverted else 1
        made = rows.with_columns((units["amount"] * sign).alias("minor"), _shown("_amount").alias("amount"))
    return made.select(list(DRAFT_SCHEMA))


def _units(rows: pl.DataFrame, name: str, dialect: Dialect, digits: int) -> pl.Expr:
    column, dtype = pl.col(name), rows.schema[name]
    if dtype == pl.String():
        return minor_units(plain_amounts(column, decimal=dialect.decimal, thousands=dialect.thousands), digits)
    if dtype.is_float():
        if not dialect.float:
            raise StatementUnreadable(
                "amounts are floating point numbers, which are not exact",
                where=f"columns.{name[1:]}",
                todo="write them as text or decimals, or declare float: true if each stands for whole minor units",
            )
        return minor_of_floats(column.cast(pl.Float64), digits)
    if dtype.is_integer() or dtype.is_decimal() or dtype == pl.Null():
        return minor_units(column.cast(pl.String), digits)
    raise StatementUnreadable(
        f"amounts are of the type {dtype}, which is none", where=f"columns.{name[1:]}", todo="write them as decimals"
    )


def _shown(name: str) -> pl.Expr:
    return clean(pl.col(name).cast(pl.String))


def _two_columns(rows: pl.DataFrame, credit: pl.Expr, debit: pl.Expr) -> pl.DataFrame:
    """One of the two is filled; the other is empty or zero."""
    has = {name: _shown(f"_{name}") != "" for name in ("credit", "debit")}
    came = pl.when(has["credit"]).then(credit).otherwise(0)
    went = pl.when(has["debit"]).then(debit).otherwise(0)
    both = (came != 0) & (went != 0)
    signed = (came < 0) | (went < 0)
    minor = pl.when((has["credit"] | has["debit"]) & ~both & ~signed).then(came - went)
    shown = pl.concat_str(_shown("_credit"), pl.lit(" "), _shown("_debit")).str.strip_chars(" ")
    trouble = (
        pl.when(pl.col("rule").is_null() & both)
        .then(pl.lit("both credit and debit are filled"))
        .when(pl.col("rule").is_null() & signed)
        .then(pl.lit("the amount has a sign, and its column is its sign"))
    )
    return _told(rows, minor, shown, "amount", trouble)


def _typed(rows: pl.DataFrame, amount: pl.Expr, dialect: Dialect) -> pl.DataFrame:
    """An amount without a sign, and a type that says its direction."""
    kind = _shown("_type")
    comes, goes = kind.is_in(list(dialect.credits)), kind.is_in(list(dialect.debits))
    minor = pl.when(amount >= 0).then(pl.when(comes).then(amount).when(goes).then(-amount))
    unknown = pl.lit("its type '") + kind.str.slice(0, 40) + pl.lit("' says no direction")
    trouble = (
        pl.when(pl.col("rule").is_null() & ~comes & ~goes)
        .then(unknown)
        .when(pl.col("rule").is_null() & (amount < 0))
        .then(pl.lit("the amount has a sign, and its type is its sign"))
    )
    return _told(rows, minor, _shown("_amount"), "syntax", trouble)


def _told(rows: pl.DataFrame, minor: pl.Expr, shown: pl.Expr, rule: str, trouble: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(minor.alias("minor"), shown.alias("amount"), trouble.alias("_trouble")).with_columns(
        pl.when(pl.col("_trouble").is_not_null()).then(pl.lit(rule)).otherwise(pl.col("rule")).alias("rule"),
        pl.coalesce("_trouble", "what").alias("what"),
        pl.when(pl.col("_trouble").is_not_null())
        .then(pl.lit("ask who sent it which way the money went"))
        .otherwise(pl.col("todo"))
        .alias("todo"),
    )
