"""Entries in a Parquet file, its columns declared by a dialect."""

from __future__ import annotations

import io

import polars as pl

from interlock.contracts.canonical import canonical
from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.entry import Statement
from interlock.packs.reconciliation.statements.dialect import Dialect, check_dialect
from interlock.packs.reconciliation.statements.source import LARGEST
from interlock.packs.reconciliation.statements.table import has_year, placed, statements_of_table

_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, MemoryError)
"""What polars says of a file that is damaged; some damage its reader does not expect at all, and panics."""
MOST_ROWS = 20_000_000
_DAYS = frozenset({"booked_on", "value_on"})
_AMOUNTS = frozenset({"amount", "credit", "debit"})


def read_parquet(data: bytes, dialect: Dialect, *, account: str = "", currency: str = "") -> list[Statement]:
    """The entries of a Parquet file, a statement for each account and currency.

    Amounts are decimals, whole numbers or text; floating point numbers only where the dialect says so. Days are days,
    moments (their day as written) or text in the dialect's form.

    Args:
        data: The file.
        dialect: Which columns hold what.
        account: The account, where neither dialect nor column says it.
        currency: The currency, where neither dialect nor column says it.

    Raises:
        ConfigInvalid: the dialect says too little, or something twice.
        StatementUnreadable: it is no Parquet that can be read; a declared column is not there or of an odd type; no
            account or known currency is said; far too many rows are broken.
    """
    check_dialect(dialect)
    try:
        schema = pl.read_parquet_schema(io.BytesIO(data))
        places = placed(dialect, tuple(schema), len(schema))
        names = list(schema)
        wanted = {field: [names[place] for place in found] for field, found in places.items()}
        _check_types(wanted, dict(schema))
        columns = sorted({name for some in wanted.values() for name in some})
        frame = pl.read_parquet(io.BytesIO(data), columns=columns, n_rows=MOST_ROWS + 1)
        _bound(frame)
    except _UNREADABLE as cause:
        raise StatementUnreadable(
            f"the file is no Parquet that can be read: {str(cause)[:200]}", todo="write it again, or name another"
        ) from cause
    table = frame.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64()).alias("line"),
        *(_field(some).alias(field) for field, some in wanted.items()),
    )
    try:
        return statements_of_table(
            table, dialect, format="parquet", broken={}, data=lambda line: _row(frame, line), account=account,
            currency=currency,
        )  # fmt: skip
    except pl.exceptions.PanicException as cause:  # no Exception: it would end the process that reads
        raise StatementUnreadable(
            f"the file holds values that cannot be read: {str(cause)[:200]}", todo="write them as text"
        ) from cause


def _bound(frame: pl.DataFrame) -> None:
    """Refuse what a small file says is huge: the same row, or the same long text, a billion times."""
    size = sum(_text_bytes(frame[name]) for name in frame.columns)
    if frame.height > MOST_ROWS or size > 2 * LARGEST:
        raise StatementUnreadable(
            f"the file holds more than {MOST_ROWS:,} rows, or {2 * LARGEST:,} bytes of text",
            todo="have it sent in pieces",
        )


def _text_bytes(column: pl.Series) -> int:
    """How many bytes a column's texts have, each counted where it stands; without writing any of them out."""
    if isinstance(column.dtype, pl.Categorical):
        counted = column.value_counts(name="_times")
        return sum(len(str(text).encode()) * int(times) for text, times in counted.iter_rows() if text is not None)
    return int(column.str.len_bytes().cast(pl.Int64).sum() or 0) if column.dtype == pl.String() else 0


def _check_types(wanted: dict[str, list[str]], schema: dict[str, pl.DataType]) -> None:
    for field, names in wanted.items():
        for name in names:
            dtype = schema[name]
            if field in _DAYS:
                good = dtype in (pl.Date(), pl.String()) or isinstance(dtype, pl.Datetime)
            elif field in _AMOUNTS:
                good = dtype.is_numeric() or dtype in (pl.String(), pl.Null())
            else:
                good = dtype.is_integer() or dtype in (pl.String(), pl.Null()) or isinstance(dtype, pl.Categorical)
            if not good:
                raise StatementUnreadable(
                    f"the column {name[:60]!r} is {dtype}, which is no {field}",
                    where=f"columns.{field}",
                    todo="write it in another type, as text at the least",
                )


def _field(names: list[str]) -> pl.Expr:
    if len(names) == 1:
        return pl.col(names[0])
    return pl.concat_str([pl.col(name).cast(pl.String) for name in names], separator=" ", ignore_nulls=True)


def _row(frame: pl.DataFrame, line: int) -> bytes:
    """A row as JSON, each value as text; a day that has no year in writing as the number that it is stored as."""
    row = frame.slice(line - 1, 1).with_columns(
        column.to_physical() for column in frame.slice(line - 1, 1) if column.dtype.is_temporal() and not _shows(column)
    )
    return canonical({name: None if value is None else str(value) for name, value in row.row(0, named=True).items()})


def _shows(column: pl.Series) -> bool:
    return column.null_count() > 0 or bool(has_year(column).all())
