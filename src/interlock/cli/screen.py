"""Where an answer goes: to people as tables and lines, to programs as JSON; errors to standard error."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from interlock.errors import InterlockError, ManyRefused
from interlock.privacy.token import hide, hide_in

_UNSEEN_WIDTH = 1000
"""Columns where no terminal limits them: a row stays on one line, for grep."""
_GAP = 2
_FOLDED = 24
"""Columns that a cell which is no id needs at least, on a narrow terminal."""


def safe(text: object) -> str:
    """A value as text that does nothing to a terminal: what came from outside may hold control characters.

    Personal data stand as ``(personal)``.
    """
    return "".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in hide_in(str(text)))


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else _UNSEEN_WIDTH
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width, soft_wrap=False)


class Screen:
    """One command's answer.

    Args:
        as_json: Whether a program reads it.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)

    @property
    def live(self) -> bool:
        """Whether progress may be drawn: a person watches standard error, and no program reads the answer."""
        return not self.as_json and self.err.is_terminal

    def document(self, value: Any) -> None:
        """Print one JSON document on a line of its own. Personal data stand as ``(personal)``."""
        self.encoded(msgspec.json.encode(value, enc_hook=str))

    def encoded(self, document: bytes) -> None:
        """Print one JSON document that is encoded already, also to people; tokens that are left in it are hidden."""
        sys.stdout.write(f"{hide(document).decode()}\n")
        sys.stdout.flush()

    def line(self, text: object = "", *, style: str | None = None) -> None:
        """Print a line for people; nothing when a program reads."""
        if not self.as_json:
            self.out.print(safe(text), style=style, soft_wrap=True)

    def lines(self, texts: Iterable[object]) -> None:
        """Print lines for people."""
        for text in texts:
            self.line(text)

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Print names and values beside each other, without those that are None or empty."""
        grid = Table.grid(padding=(0, 2))
        for name, value in facts:
            if value is not None and value != "":
                grid.add_row(safe(name), safe(value))
        if not self.as_json:
            self._draw(grid)

    def table(
        self, heads: Sequence[str], rows: Iterable[Sequence[object]], *, none: str, stacked: bool = False
    ) -> None:
        """Print a table for people, or the sentence that says that it would be empty.

        Args:
            heads: Of its columns.
            rows: Its cells.
            none: What to say where there is no row.
            stacked: What a terminal gets that is too narrow for all columns: each row as its first cell with the named
                others below it; else the first columns whole, and which are missing.
        """
        cells = [["" if value is None else safe(value) for value in row] for row in rows]
        if self.as_json:
            return
        if not cells:
            self.line(none)
            return
        shown = _columns_that_fit([list(column) for column in zip(heads, *cells, strict=True)], self.out.width)
        if stacked and shown < len(heads):
            self.lines(line for row in cells for line in _stack(heads, row, self.out.width))
            return
        self._draw(make_table(heads[:shown], (row[:shown] for row in cells)))
        if shown < len(heads):
            self.line(f"A wider terminal also shows: {', '.join(heads[shown:])}. So does --json.", style="dim")

    def _draw(self, table: Table) -> None:
        """Print a table; where no terminal shows it, without the spaces that fill its last column."""
        if self.out.is_terminal:
            self.out.print(table)
            return
        with self.out.capture() as captured:
            self.out.print(table)
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        sys.stdout.flush()

    def note(self, text: object) -> None:
        """Say something that is not the answer, on standard error."""
        self.err.print(safe(text), soft_wrap=True)


def minute(moment: datetime | None) -> str:
    """A time in UTC for lists, to the minute; nothing for None."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def _columns_that_fit(columns: Sequence[Sequence[str]], width: int) -> int:
    """How many columns, from the left, have room: the first as wide as it is, the others folded at most."""
    used = 0
    for place, column in enumerate(columns):
        natural = max(cell_len(line) for cell in column for line in cell.split("\n"))
        used += natural if place == 0 else _GAP + min(natural, _FOLDED)
        if used > width:
            return max(place, 1)
    return len(columns)


def _stack(heads: Sequence[str], row: Sequence[str], width: int) -> Iterable[str]:
    """A row on lines of its own: its first cell, which may be copied, and the others that hold something."""
    named = "; ".join(f"{head}: {cell}" for head, cell in zip(heads[1:], row[1:], strict=True) if cell)
    return [row[0], *textwrap.wrap(named, max(width, 20), initial_indent="  ", subsequent_indent="  ")]


def make_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table without lines; the first column is never cut, since ids are copied from it."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for place, head in enumerate(heads):
        table.add_column(head, no_wrap=place == 0, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else safe(value) for value in row))
    return table


def tell_error(cause: InterlockError) -> None:
    """Say what is wrong, where, and what to do, on standard error."""
    lines = [f"error: {cause.what}"]
    if cause.where:
        lines.append(f"  where: {cause.where}")
    if isinstance(cause, ManyRefused):
        lines += [f"  - {violation}" for violation in cause.violations]
    if cause.todo:
        lines.append(f"  to do: {cause.todo}")
    sys.stderr.write(f"{safe(chr(10).join(lines))}\n")
