"""What differs between two versions of some rules, table by table, row by row, in words that a person reads. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interlock.components.rules_file import Column, Expressions, Row, RulesFile, Step, Table

_Cells = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        what: What it is about, as ``row 3``.
        before: What stood there; empty: it is new.
        after: What stands there now; empty: it is gone.
    """

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TableChanges:
    """What differs in one table, or group of names; nothing is listed of what is as it was."""

    name: str
    changes: tuple[Change, ...]


def changes_of(old: RulesFile, new: RulesFile) -> tuple[TableChanges, ...]:
    """What differs, in the order of the new version; what is gone comes last, then inputs and outputs.

    A row is the same if it tests and gives the same. Of rows that differ in the same place, the columns that differ
    are named. A row that stands elsewhere now has moved, which matters where the first that holds counts.
    """
    before = {step.name: step for step in old.steps}
    after = {step.name: step for step in new.steps}
    found = [(name, tuple(_step(before.get(name), step))) for name, step in after.items()]
    found += [(name, tuple(_step(step, None))) for name, step in before.items() if name not in after]
    order = [name for name in before if name in after], [name for name in after if name in before]
    if order[0] != order[1]:
        found.append(("Order of the tables", (Change("they run", ", ".join(order[0]), ", ".join(order[1])),)))
    for title, one, other in (
        ("Inputs", old.header.inputs, new.header.inputs),
        ("Outputs", old.header.outputs, new.header.outputs),
    ):
        told = [{name: str(field.type) for name, field in fields.items()} for fields in (one, other)]
        found.append((title, tuple(_names(told[0], told[1]))))
    return tuple(TableChanges(name, changes) for name, changes in found if changes)


def _step(old: Step | None, new: Step | None) -> Iterator[Change]:
    if isinstance(old, Table) and isinstance(new, Table):
        yield from _table(old, new)
    elif isinstance(old, Expressions) and isinstance(new, Expressions):
        yield from _names(old.texts, new.texts)
        yield from _passes(old, new)
    else:
        yield from _whole(old, "before") if old else ()
        yield from _whole(new, "after") if new else ()


def _whole(step: Step, side: str) -> Iterator[Change]:
    if isinstance(step, Table):
        told = [(f"row {row.number}", _in_words(step, row)) for row in step.rows]
    else:
        told = list(step.texts.items())
    for what, text in told:
        yield Change(what, text, "") if side == "before" else Change(what, "", text)


def _table(old: Table, new: Table) -> Iterator[Change]:
    if bool(old.collects_to) != bool(new.collects_to):
        yield Change("which rows count", _counts(old), _counts(new))
    yield from _passes(old, new)
    ours, theirs = [_cells(old, row) for row in old.rows], [_cells(new, row) for row in new.rows]
    gone: list[int] = []
    come: list[int] = []
    pairs: list[tuple[int, int]] = []
    for _, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if ours[a:b] == theirs[c:d]:
            continue
        if b - a == d - c:  # as many in the same place: each is another now
            pairs += zip(range(a, b), range(c, d), strict=True)
        else:
            gone += range(a, b)
            come += range(c, d)
    for place, now in pairs:
        yield from _row(old, old.rows[place], new, new.rows[now])
    for place in gone:
        moved = next((now for now in come if theirs[now] == ours[place]), None)
        if moved is None:
            yield Change(f"row {old.rows[place].number}", _in_words(old, old.rows[place]), "")
        else:
            come.remove(moved)
            was, text = old.rows[place], _in_words(old, old.rows[place])
            yield Change("a row that moved", f"row {was.number}: {text}", f"row {new.rows[moved].number}: {text}")
    for now in come:
        yield Change(f"row {new.rows[now].number}", "", _in_words(new, new.rows[now]))


def _row(old: Table, was: Row, new: Table, now: Row) -> Iterator[Change]:
    """The columns in which two rows differ."""
    ours, theirs = dict(_cells(old, was)), dict(_cells(new, now))
    place = f"row {now.number}" if was.number == now.number else f"row {was.number}, which is row {now.number} now"
    for name in dict.fromkeys((*ours, *theirs)):
        one, other = ours.get(name, ""), theirs.get(name, "")
        if one != other:
            yield Change(f"{place}: {name}", one or "any", other or "any")


def _names(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Change(name, old.get(name, ""), new.get(name, ""))


def _passes(old: Step, new: Step) -> Iterator[Change]:
    said = {True: "goes on beside what it gives", False: "ends here"}
    if old.passes != new.passes:
        yield Change("its input", said[old.passes], said[new.passes])


def _counts(table: Table) -> str:
    return "every row that holds" if table.collects_to else "the first row that holds"


def _cells(table: Table, row: Row) -> _Cells:
    """A row's cells that say something, by what a reader calls their columns."""
    return tuple(
        (f"{says} {column.title or column.field}", text)
        for says, columns in (("if", table.inputs), ("then", table.outputs))
        for column, text in _texts(columns, row)
    )


def _texts(columns: Sequence[Column], row: Row) -> Iterator[tuple[Column, str]]:
    for column in columns:
        text = row.cells.get(column.key, "").strip()
        if text:
            yield column, text


def _in_words(table: Table, row: Row) -> str:
    """``if amount <= 100 and country "MY", then approved true``."""
    tests = [f"{column.title or column.field} {text}" for column, text in _texts(table.inputs, row)]
    gives = [f"{column.title or column.field} {text}" for column, text in _texts(table.outputs, row)]
    return f"if {' and '.join(tests) or 'anything'}, then {', '.join(gives) or 'nothing'}"
