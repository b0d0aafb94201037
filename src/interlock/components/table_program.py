"""One decision table, made ready once: its rows indexed, its constant answers written out before anyone asks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.components.compiled import Run, Scope, Slots, compiled, fixed, is_fixed
from interlock.components.component import FiredRule
from interlock.components.row_index import ColumnTest, Lookup, RowSet, asks_literals_only, literals, row_lookup
from interlock.components.rules_file import Column, Row, Table
from interlock.components.syntax import Parser
from interlock.components.tree import Binary, Node
from interlock.errors import ComponentFailed


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """A row that has been read.

    Attributes:
        fired: What is told of it when it fires; shared by all answers, so nobody may change it.
        tests: What is left to ask where the index cannot tell.
        values: What each output is, in order; none if ``runs`` computes them.
        runs: The functions that compute the outputs; None if all are constant.
    """

    fired: tuple[FiredRule, ...]
    tests: tuple[Run, ...]
    values: tuple[Any, ...]
    runs: tuple[Run, ...] | None


class TableProgram:
    """A table that was checked, ready to run; threads may share it.

    Args:
        table: The table.
        scope: Where each variable before it lies.
        first_slot: Where its outputs go: one slot for each in order, or one for all rows that it collects.

    Raises:
        Beyond: a cell holds what is not computed here.
    """

    def __init__(self, table: Table, scope: Scope, first_slot: int) -> None:
        self._lookups, tests = _columns(table, scope)
        self.rows = tuple(_row(table, row, scope, tests[place]) for place, row in enumerate(table.rows))
        self._all: RowSet = (1 << len(self.rows)) - 1
        self._is_tested = any(row.tests for row in self.rows)
        self._slot = first_slot
        self._end = first_slot + len(table.outputs)
        self._fields = tuple(column.field for column in table.outputs)
        self.name = table.name
        self.collects = bool(table.collects_to)

    def first(self, slots: Slots) -> int | None:
        """The place of the first row that fits, its outputs set; None if none does.

        Raises:
            Beyond, decimal.DecimalException: the engine must be asked.
        """
        fitting = self._all
        for slot, lookup in self._lookups:
            fitting &= lookup(slots[slot])
        if self._is_tested:
            fitting = self._tested(fitting, slots)
        if not fitting:
            return None
        place = (fitting & -fitting).bit_length() - 1
        row = self.rows[place]
        slots[self._slot : self._end] = row.values if row.runs is None else [run(slots) for run in row.runs]
        return place

    def collect(self, slots: Slots) -> tuple[FiredRule, ...]:
        """All rows that fit, gathered in one slot.

        Raises:
            Beyond, decimal.DecimalException: the engine must be asked.
        """
        fitting = self._all
        for slot, lookup in self._lookups:
            fitting &= lookup(slots[slot])
        fired: tuple[FiredRule, ...] = ()
        gathered: list[Mapping[str, Any]] = []
        while fitting:
            lowest = fitting & -fitting
            fitting ^= lowest
            row = self.rows[lowest.bit_length() - 1]
            if all(test(slots) for test in row.tests):
                values = row.values if row.runs is None else [run(slots) for run in row.runs]
                gathered.append(dict(zip(self._fields, values, strict=True)))
                fired += row.fired
        slots[self._slot] = gathered
        return fired

    def constants(self, place: int) -> Mapping[int, Any]:
        """By slot the outputs of a row, if all of them are constant."""
        return dict(enumerate(self.rows[place].values, self._slot))

    def _tested(self, fitting: RowSet, slots: Slots) -> RowSet:
        """The first row of some that also passes its own tests."""
        while fitting:
            lowest = fitting & -fitting
            if all(test(slots) for test in self.rows[lowest.bit_length() - 1].tests):
                return lowest
            fitting ^= lowest
        return 0


def _columns(table: Table, scope: Scope) -> tuple[Sequence[tuple[int, Lookup]], Sequence[tuple[Run, ...]]]:
    """The columns that can be looked up, with their slots; and for each row the tests that cannot."""
    lookups: list[tuple[int, Lookup]] = []
    tests: list[tuple[Run, ...]] = [() for _ in table.rows]
    for column in table.inputs:
        texts = [row.cells[column.key].strip() for row in table.rows]
        if not any(texts):
            continue
        lookup = _lookup(column, texts)
        if lookup is not None:
            lookups.append((scope[column.field], lookup))
            continue
        for place, text in enumerate(texts):
            if text:
                tests[place] += (compiled(_cell(column, text), scope, scope.get(column.field)),)
    return lookups, tests


def _lookup(column: Column, texts: Sequence[str]) -> Lookup | None:
    if not column.field:
        return None
    nodes = {text: _cell(column, text) for text in texts if text}
    if not all(map(asks_literals_only, nodes.values())):
        return None
    places = {text: place for place, text in enumerate(nodes)}
    test = ColumnTest(
        by_row={row: places[text] for row, text in enumerate(texts) if text},
        tests=[_on_value(compiled(node, {}, current=0)) for node in nodes.values()],
        literals=frozenset(literal for node in nodes.values() for literal in literals(node)),
    )
    return row_lookup(test, len(texts))


def _on_value(run: Run) -> Callable[[Any], bool]:
    return lambda value: run([value])


def _cell(column: Column, text: str) -> Node:
    """A cell as one condition: its alternatives joined by ``or``."""
    if not column.field:
        return Parser(text).expression()
    node, *others = Parser(text, unary=True).cell()
    for other in others:
        node = Binary(other.at, "or", node, other)
    return node


def _row(table: Table, row: Row, scope: Scope, tests: tuple[Run, ...]) -> ReadyRow:
    nodes = [Parser(row.cells[column.key]).expression() for column in table.outputs]
    is_constant = all(map(is_fixed, nodes))
    return ReadyRow(
        fired=(fired_rule(table, row),),
        tests=tests,
        values=tuple(map(fixed, nodes)) if is_constant else (),
        runs=None if is_constant else tuple(compiled(node, scope) for node in nodes),
    )


def no_row(name: str) -> ComponentFailed:
    """The error of a table of which no row fires."""
    return ComponentFailed(
        f"no row of the table {name!r} fires", todo="add a last row of empty cells that sends it to a person"
    )


def fired_rule(table: Table, row: Row) -> FiredRule:
    """What is told of a row that fired: the texts of its cells by column."""
    cells = {column.title: row.cells[column.key] for column in (*table.inputs, *table.outputs)}
    return FiredRule(table=table.name, row=row.number, cells=cells, note=row.note)
