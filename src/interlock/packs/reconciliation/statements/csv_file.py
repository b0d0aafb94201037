"""Entries in a CSV file, by a declared dialect."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.entry import Statement
from interlock.packs.reconciliation.statements.csv_cells import Cells, cells_of
from interlock.packs.reconciliation.statements.dialect import Dialect, check_dialect
from interlock.packs.reconciliation.statements.draft import LONGEST_DATA, Trouble
from interlock.packs.reconciliation.statements.source import decoded, marked_encoding
from interlock.packs.reconciliation.statements.table import placed, statements_of_table

_LOST = "\ufffd"
_JOINER = " "


def read_csv(
    data: bytes,
    dialect: Dialect,
    *,
    format: str = "csv",  # noqa: A002 - the name of the field
    account: str = "",
    currency: str = "",
    is_exact: bool = False,
) -> list[Statement]:
    """The entries of a CSV file, a statement for each account and currency.

    Args:
        data: The file.
        dialect: How it is written.
        format: What the statements say that they come from.
        account: The account, where neither dialect nor column says it.
        currency: The currency, where neither dialect nor column says it.
        is_exact: Whether a server wrote it, which never errs with quotes.

    Raises:
        ConfigInvalid: the dialect says too little, or something twice.
        StatementUnreadable: the header does not fit the dialect; the text is of another encoding; no account or known
            currency is said; far too many rows are broken.
    """
    check_dialect(dialect)
    text, is_lossy = _text(data, dialect)
    cells = cells_of(text, dialect, is_exact=is_exact)
    places = placed(dialect, cells.names, cells.frame.width - 1)
    broken = dict(cells.broken)
    frame = cells.frame
    if is_lossy:
        frame = _without_lost(cells, broken, dialect)
    return statements_of_table(
        _fields(frame, places),
        dialect,
        format=format,
        broken=broken,
        data=_raw(cells, dialect),
        account=account,
        currency=currency,
    )


def _text(data: bytes, dialect: Dialect) -> tuple[str, bool]:
    """The text; and whether it holds replacements for bytes that are not of the encoding."""
    marked = marked_encoding(data)
    declared = dialect.encoding.lower().replace("_", "-").removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    if marked and marked.replace("-", "") != declared.replace("-", ""):
        raise StatementUnreadable(
            f"its mark says that it is {marked}, and the dialect says {dialect.encoding}",
            where="encoding",
            todo=f"declare {marked}",
        )
    try:
        return decoded(data, dialect.encoding), False
    except StatementUnreadable:
        if marked.startswith(("utf-16", "utf-32")) or declared.startswith(("utf-16", "utf-32")):
            raise
        text = data.decode(dialect.encoding, "replace").removeprefix("\ufeff")
        if _LOST in text.partition("\n")[0]:
            raise
        return text, True


def _without_lost(cells: Cells, broken: dict[int, Trouble], dialect: Dialect) -> pl.DataFrame:
    """The rows without those that hold bytes which are not of the encoding; these join the broken ones."""
    lost = cells.lines.str.contains(_LOST, literal=True).arg_true() + 1
    for line in lost.to_list():
        broken[int(line)] = Trouble(
            "encoding",
            f"the row holds bytes that are not {dialect.encoding}",
            "declare the encoding in which the file is written",
        )
    return cells.frame.filter(~pl.col("line").is_in(list(broken)))


def _fields(frame: pl.DataFrame, places: dict[str, tuple[int, ...]]) -> pl.DataFrame:
    cells = {field: [pl.col(str(place)) for place in found] for field, found in places.items()}
    return frame.select(
        "line",
        *(
            pl.concat_str(some, separator=_JOINER, ignore_nulls=True).alias(field)
            if len(some) > 1
            else some[0].alias(field)
            for field, some in cells.items()
        ),
    )


def _raw(cells: Cells, dialect: Dialect) -> Callable[[int], bytes]:
    return lambda line: str(cells.lines[line - 1]).encode(dialect.encoding, "replace")[:LONGEST_DATA]
