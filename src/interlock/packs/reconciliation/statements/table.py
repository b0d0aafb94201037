"""A table of entries, its columns declared by a dialect, as statements: what CSV, Parquet and queries share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import polars as pl

from interlock.errors import MoneyInvalid, StatementUnreadable
from interlock.money import exponent
from interlock.packs.reconciliation.entry import Statement
from interlock.packs.reconciliation.statements.days import days_in
from interlock.packs.reconciliation.statements.dialect import ColumnRef, Dialect
from interlock.packs.reconciliation.statements.draft import LONGEST_ACCOUNT, TEXTS, Trouble, clean, settle
from interlock.packs.reconciliation.statements.signs import AMOUNTS, priced
from interlock.packs.reconciliation.statements.source import plain_word
from interlock.spelling import meant

_MOST_STATEMENTS = 10_000
_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date(1, 1, 2), date(9999, 12, 30)))


def placed(dialect: Dialect, names: tuple[str, ...], width: int) -> dict[str, tuple[int, ...]]:
    """Which columns hold which field, by position from 0.

    Args:
        dialect: What is declared.
        names: What the table calls its columns; empty: it does not.
        width: How many it has.

    Raises:
        StatementUnreadable: a declared column is not there, or there twice; every one is named.
    """
    wrong: list[str] = []
    found = {
        field: tuple(_place(ref, names, width, f"columns.{field}", wrong) for ref in dialect.of(field))
        for field in dialect.columns
    }
    if wrong:
        raise StatementUnreadable(
            "; ".join(wrong), where="header", todo=f"declare the columns as they are: {', '.join(names)[:400]}"
        )
    return found


def _place(ref: ColumnRef, names: tuple[str, ...], width: int, where: str, wrong: list[str]) -> int:
    if isinstance(ref, int):
        if ref > width:
            wrong.append(f"{where}: there is no column {ref}, only {width}")
        return ref - 1
    if names.count(ref) != 1:
        many = f"{names.count(ref)} columns are" if ref in names else "no column is"
        hint = "" if ref in names else f" ({meant(ref, (name for name in names if name))})"
        wrong.append(f"{where}: {many} called {ref[:60]!r}{hint}")
        return 0
    return names.index(ref)


def statements_of_table(
    frame: pl.DataFrame,
    dialect: Dialect,
    *,
    format: str,  # noqa: A002 - the name of the field
    broken: Mapping[int, Trouble],
    data: Callable[[int], bytes],
    account: str = "",
    currency: str = "",
) -> list[Statement]:
    """A statement for each account and currency of a table.

    Args:
        frame: ``line``, and a column of each declared field by its name: text; or what Parquet holds.
        dialect: How it is to be read.
        format: As ``Statement.format``.
        broken: Rows that are not in the frame, by their line.
        data: The bytes of a row by its line.
        account: The account, where neither dialect nor column says it.
        currency: The currency, where neither dialect nor column says it.

    Raises:
        StatementUnreadable: no account or no known currency is said; or far too many entries are broken.
    """
    drafts = _drafts(frame, dialect)
    fixed = {"account": plain_word(dialect.account or account), "currency": dialect.currency or currency}
    for field, value in fixed.items():
        column = frame[field].cast(pl.String) if field in frame.columns else pl.lit(value).alias(field)
        drafts = drafts.with_columns(column)
    drafts = drafts.with_columns(
        clean(pl.col("account")).str.replace_all(" ", "", literal=True), clean(pl.col("currency"))
    )
    groups = _groups(drafts, fixed)
    if not groups:
        raise StatementUnreadable(
            "no account and known currency are said for any entry",
            todo="declare account and currency, or the columns that hold them",
        )
    first = next(iter(groups))
    drafts = _strays(drafts, groups, first)
    if broken:
        drafts = pl.concat([drafts, _rows_of(broken, *first)], how="diagonal").sort("line")
    statements: list[Statement] = []
    for (own, money), group in _parted(drafts, groups):
        digits = exponent(money)
        settled = settle(priced(group, dialect, digits), account=own, currency=money, data=data)
        statements.append(
            Statement(
                format=format,
                account=own,
                currency=money,
                entries=settled.entries,
                broken=settled.broken,
                noted=settled.noted,
            )
        )
    return statements


def _parted(drafts: pl.DataFrame, groups: list[tuple[str, str]]) -> list[tuple[tuple[str, str], pl.DataFrame]]:
    if len(groups) == 1:
        return [(groups[0], drafts)]
    parts = drafts.partition_by("account", "currency", as_dict=True, maintain_order=True)
    return [(group, parts[group]) for group in groups if group in parts]


def _groups(drafts: pl.DataFrame, fixed: Mapping[str, str]) -> list[tuple[str, str]]:
    """The accounts and known currencies of the table, in its order."""
    found = drafts.select("account", "currency").unique(maintain_order=True)
    rows = [(str(own), str(money)) for own, money in found.iter_rows()]
    groups = [(own, money) for own, money in rows if own and len(own) <= LONGEST_ACCOUNT and _known(money)]
    if len(groups) > _MOST_STATEMENTS:
        raise StatementUnreadable(
            f"the table holds {len(groups):,} accounts, and at most {_MOST_STATEMENTS:,} are read",
            todo="see that the column of accounts is the right one",
        )
    if not groups and not rows and fixed["account"] and _known(fixed["currency"]):
        return [(fixed["account"], fixed["currency"])]
    return groups


def _strays(drafts: pl.DataFrame, groups: list[tuple[str, str]], first: tuple[str, str]) -> pl.DataFrame:
    """Rows without an account or a known currency are told, as broken, in the table's first statement."""
    known = pl.col("currency").is_in([money for _, money in groups])
    has = pl.col("account").str.len_chars().is_between(1, LONGEST_ACCOUNT)
    said = pl.lit("its currency is '") + pl.col("currency").str.slice(0, 20) + pl.lit("', which is none")
    new = pl.col("rule").is_null()
    return drafts.with_columns(
        pl.when(new & ~has).then(pl.lit("contract")).when(new & ~known).then(pl.lit("currency")).otherwise(
            pl.col("rule")).alias("rule"),
        pl.when(new & ~has).then(pl.lit("it has no account, or one too long")).when(new & ~known).then(said).otherwise(
            pl.col("what")).alias("what"),
        pl.when(new & (~has | ~known)).then(pl.lit("ask who sent it for account and currency")).otherwise(
            pl.col("todo")).alias("todo"),
        pl.when(has & known).then(pl.col("account")).otherwise(pl.lit(first[0])).alias("account"),
        pl.when(has & known).then(pl.col("currency")).otherwise(pl.lit(first[1])).alias("currency"),
    )  # fmt: skip


def _known(currency: str) -> bool:
    try:
        exponent(currency)
    except MoneyInvalid:
        return False
    return True


def _drafts(frame: pl.DataFrame, dialect: Dialect) -> pl.DataFrame:
    """The rows by ``DRAFT_SCHEMA`` but for the amounts, which wait in columns of their own for their currency."""
    has = set(frame.columns)
    exprs: list[pl.Expr] = [pl.col("line"), pl.format("row {}", pl.col("line")).alias("where")]
    for name, shown in (("booked_on", "booked"), ("value_on", "value")):
        exprs += _day(frame, name, shown, dialect)
    exprs += [
        (pl.col(name).cast(pl.String) if name in has else pl.lit(None, dtype=pl.String())).alias(name) for name in TEXTS
    ]
    exprs += [pl.lit(value=False).alias("reverses")]
    exprs += [pl.lit(None, dtype=pl.String()).alias(name) for name in ("rule", "what", "todo")]
    exprs += [pl.col(name).alias(f"_{name}") for name in (*AMOUNTS, "type") if name in has]
    return frame.select(exprs)


def _day(frame: pl.DataFrame, name: str, shown: str, dialect: Dialect) -> list[pl.Expr]:
    if name not in frame.columns:
        return [pl.lit("").alias(shown), pl.lit(None, dtype=pl.Date()).alias(name)]
    column, dtype = pl.col(name), frame.schema[name]
    if dtype == pl.Date() or isinstance(dtype, pl.Datetime):
        column = pl.when(has_year(frame[name])).then(column)
        return [column.dt.to_string("%Y-%m-%d").fill_null("").alias(shown), column.dt.date().alias(name)]
    return [column.fill_null("").alias(shown), days_in(column, dialect.dates).alias(name)]


def has_year(days: pl.Series) -> pl.Series:
    """Which days or moments lie in the years 1 to 9999: polars cannot write most others, and panics."""
    factor = {None: 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
    unit = days.dtype.time_unit if isinstance(days.dtype, pl.Datetime) else None
    # a day less at each end, as zones move moments; in whole days from the integer below, so that nothing runs over
    count = days.to_physical().cast(pl.Int64) // factor[unit]
    return count.is_between(_FIRST_DAY, _LAST_DAY)


def _rows_of(broken: Mapping[int, Trouble], account: str, currency: str) -> pl.DataFrame:
    """Rows that could not be split into cells."""
    lines = list(broken)
    told = {
        "line": pl.Series(lines, dtype=pl.Int64()),
        "where": pl.Series([f"row {line}" for line in lines], dtype=pl.String()),
        "rule": pl.Series([one.rule for one in broken.values()], dtype=pl.String()),
        "what": pl.Series([one.what for one in broken.values()], dtype=pl.String()),
        "todo": pl.Series([one.todo for one in broken.values()], dtype=pl.String()),
        "account": pl.Series([account] * len(lines), dtype=pl.String()),
        "currency": pl.Series([currency] * len(lines), dtype=pl.String()),
    }
    return pl.DataFrame(told)
