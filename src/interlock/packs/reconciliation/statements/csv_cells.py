"""A CSV text as columns of cells, by RFC 4180: broken rows apart, and no Python object for a good one. Pure.

Lines are split and judged as columns. A row is one line unless a quote that it opens is still open at its end; only
those rows are looked at one by one. No line within a cell is ever a row: else who writes a memo would write entries. A
quote that is never closed, or closed where no cell ends, costs its own line, and not the rest of the file.
"""

from __future__ import annotations

import io
import re

import msgspec
import polars as pl

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.statements.dialect import Dialect
from interlock.packs.reconciliation.statements.draft import Trouble
from interlock.packs.reconciliation.statements.source import one_line_end

_MOST_LINES = 100
"""So many lines one row of a file may have: more are rather a quote that was not closed than a text."""
_WRONG = "a quote stands where none may stand, or is never closed"
_LONG = f"it has more than {_MOST_LINES} lines up to where its quote is closed"
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class Cells(msgspec.Struct, frozen=True):
    """A table of text.

    Attributes:
        names: What the header calls the columns; empty without a header.
        frame: The good rows: ``line`` (its number among the rows, from 1), ``0``, ``1``, ... with their cells as text.
        broken: The other rows: their number, and what is wrong with each.
        lines: Every row as it came, by its number minus 1.
    """

    names: tuple[str, ...]
    frame: pl.DataFrame
    broken: dict[int, Trouble]
    lines: pl.Series


def cells_of(text: str, dialect: Dialect, *, is_exact: bool = False) -> Cells:
    """Split a text into cells.

    Args:
        text: The file.
        dialect: How it is written.
        is_exact: Whether its writer is known never to err with quotes: a row then has as many lines as it has.

    Raises:
        StatementUnreadable: it has no header, or no column; or its quotes are wrong though it is exact.
    """
    lines = pl.Series("row", [one_line_end(text)]).str.split("\n").explode(empty_as_null=True)
    lines = lines.slice(dialect.skip)
    lines = lines.filter(lines.str.strip_chars(" \t") != "")
    rows, open_rows = _rows(lines, dialect, most_lines=lines.len() if is_exact else _MOST_LINES)
    if is_exact and open_rows:
        raise StatementUnreadable(f"row {min(open_rows)}: {_WRONG}", todo="try again")
    if not rows.len():
        raise StatementUnreadable("the file has no rows", todo="see the dialect: how many lines it says to skip")
    names: tuple[str, ...] = ()
    if dialect.header:
        if 0 in open_rows:
            raise StatementUnreadable("the header's quotes are wrong", where="header", todo="see delimiter and quote")
        names = _header(str(rows[0]), dialect)
        rows, open_rows = rows.slice(1), {place - 1: what for place, what in open_rows.items()}
    width = len(names) or _usual_width(rows, dialect)
    return _split(names, rows, open_rows, width, dialect)


def _rows(lines: pl.Series, dialect: Dialect, *, most_lines: int) -> tuple[pl.Series, dict[int, str]]:
    """Lines put together to rows where quotes enclose line breaks; and what is wrong with rows, by their places."""
    if not dialect.quote:
        return lines, {}
    good = lines.str.contains(_grammar(dialect))
    if bool(good.all()):
        return lines, {}
    whole, opens = re.compile(_grammar(dialect)), re.compile(_opening(dialect))
    texts: dict[int, str] = {}
    gone: set[int] = set()
    wrong: dict[int, str] = {}
    for found in (~good).arg_true().to_list():
        place = int(found)
        if place in gone:
            continue
        taken = _joined(lines, place, whole, opens, dialect.quote)
        if taken is None:
            wrong[place] = _WRONG
            continue
        texts[place], end = taken
        gone.update(range(place + 1, end))
        if end - place > most_lines:
            wrong[place] = _LONG
    kept = pl.Series([place not in gone for place in range(lines.len())], dtype=pl.Boolean())
    if texts:
        places = pl.Series(list(texts), dtype=pl.UInt32())
        lines = lines.scatter(places, pl.Series(list(texts.values()), dtype=pl.String()))
    moved = kept.cast(pl.Int64).cum_sum() - 1
    return lines.filter(kept), {int(moved[place]): what for place, what in wrong.items()}


def _joined(
    lines: pl.Series, place: int, whole: re.Pattern[str], opens: re.Pattern[str], quote: str
) -> tuple[str, int] | None:
    """The row that begins in a line whose quote stays open, and the line after it; None if it never ends."""
    text = str(lines[place])
    if not opens.search(text):
        return None
    parts = [text]
    # each search ends at the next line with an odd number of quotes, where the next one begins: all together are linear
    for end in range(place + 1, lines.len()):
        line = str(lines[end])
        parts.append(line)
        if line.count(quote) % 2:
            # the lines of one cell are joined by a space, as in any text of an entry
            row = " ".join(parts)
            return (row, end + 1) if whole.search(row) else None
    return None


def _grammar(dialect: Dialect) -> str:
    cell = _cell(dialect)
    return f"^{cell}(?:{re.escape(dialect.delimiter)}{cell})*$"


def _opening(dialect: Dialect) -> str:
    cell, quote = _cell(dialect), re.escape(dialect.quote)
    return f"^(?:{cell}{re.escape(dialect.delimiter)})*{quote}[^{quote}]*(?:{quote}{quote}[^{quote}]*)*$"


def _cell(dialect: Dialect) -> str:
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    return f"(?:{quote}[^{quote}]*(?:{quote}{quote}[^{quote}]*)*{quote}|[^{quote}{delimiter}]*)"


def _header(row: str, dialect: Dialect) -> tuple[str, ...]:
    read = _read(pl.Series([row]), _width(row, dialect), dialect)
    return tuple("" if name is None else str(name).strip() for name in read.row(0))


def _width(row: str, dialect: Dialect) -> int:
    return int(_counts(pl.Series([row]), dialect)[0])


def _usual_width(rows: pl.Series, dialect: Dialect) -> int:
    """How many cells most rows have; the fewest where several numbers are as frequent."""
    return int(_counts(rows, dialect).mode().sort()[0]) if rows.len() else 0


def _counts(rows: pl.Series, dialect: Dialect) -> pl.Series:
    """How many cells each row has."""
    bare = rows
    if dialect.quote:
        quote = re.escape(dialect.quote)
        bare = rows.str.replace_all(f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}", "")
    return bare.str.count_matches(dialect.delimiter, literal=True) + 1


def _split(names: tuple[str, ...], rows: pl.Series, wrong: dict[int, str], width: int, dialect: Dialect) -> Cells:
    counts = _counts(rows, dialect)
    broken = {
        place + 1: Trouble("syntax", what, "double the quotes within cells") for place, what in sorted(wrong.items())
    }
    uneven = (counts != width).arg_true().to_list()
    for place in uneven:
        if place not in wrong:
            what = f"the row has {int(counts[place])} cells, and {'the header' if names else 'most rows'} {width}"
            broken[place + 1] = Trouble("syntax", what, "quote cells that hold delimiters, quotes or line breaks")
    numbers = pl.Series("line", range(1, rows.len() + 1), dtype=pl.Int64())
    if broken:
        bad = numbers.is_in(list(broken))
        good, numbers = rows.filter(~bad), numbers.filter(~bad)
    else:
        good = rows
    frame = _read(good, width, dialect)
    return Cells(names, frame.insert_column(0, numbers), broken, rows)


def _read(rows: pl.Series, width: int, dialect: Dialect) -> pl.DataFrame:
    """Rows without line breaks, each with the same number of cells, as columns."""
    schema = {str(place): pl.String() for place in range(width)}
    if not rows.len():
        return pl.DataFrame(schema=schema)
    text = str(rows.str.join("\n").item())
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            has_header=False,
            separator=dialect.delimiter,
            quote_char=dialect.quote or None,
            schema=schema,
            infer_schema=False,
            low_memory=True,
        )
    except _UNREADABLE as cause:
        raise StatementUnreadable(
            f"the table cannot be read: {str(cause)[:200]}", todo="see that delimiter and quote are right"
        ) from cause
    if frame.height != rows.len():
        raise StatementUnreadable(
            f"of {rows.len():,} rows only {frame.height:,} could be told apart",
            todo="see that delimiter and quote are right",
        )
    return frame
