"""A whole rules file as one program of our own, for the speed of the decision path. Pure.

It computes what the rule engine computes, to the digit; ``rules`` lets the engine judge it when the file is loaded. A
program never guesses: whatever it does not compute for sure raises ``AskEngine``, and the engine answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Any

from interlock.components.arithmetic import Beyond
from interlock.components.checking import FieldType
from interlock.components.compiled import Run, Slots, compiled
from interlock.components.component import Answer, FiredRule
from interlock.components.engine import Fact
from interlock.components.facts import days_since, fact_reader, fact_writer, missing_fact, read_fact
from interlock.components.rules_file import Expressions, RulesFile, Table
from interlock.components.rules_header import InputField, OutputField
from interlock.components.syntax import Parser
from interlock.components.table_program import TableProgram, no_row
from interlock.errors import ComponentFailed

_Write = Callable[[Any], Any]
_Set = tuple[tuple[int, Run], ...]


_UNSURE = (Beyond, DecimalException, UnicodeEncodeError)


class AskEngine(Exception):
    """This evaluation is the engine's."""


class RulesProgram:
    """A rules file that was checked, ready to run; threads may share it.

    Args:
        file: The file.

    Raises:
        Beyond: something in it is not computed here.
    """

    def __init__(self, file: RulesFile) -> None:
        header = file.header
        scope = {name: slot for slot, name in enumerate(header.inputs)}
        self._names = tuple(scope)
        self._reads = tuple(
            (slot, name, fact_reader(name, declared.type, declared.values), _default(name, declared))
            for slot, (name, declared) in enumerate(header.inputs.items())
            if not declared.days_since
        )
        self._days = tuple(
            (scope[name], scope[declared.days_since]) for name, declared in header.inputs.items() if declared.days_since
        )
        self._inputs = header.inputs
        self._steps: list[TableProgram | _Set] = []
        self._size = len(scope)
        for step in file.steps:
            given = self._table(step, scope) if isinstance(step, Table) else self._expressions(step, scope)
            if step.passes:
                self._keep_equals(scope, given)
            scope = {**(scope if step.passes else {}), **given}
        self._writes = tuple((name, scope[name], _writer(name, declared)) for name, declared in header.outputs.items())
        self._blank: Slots = [None] * self._size
        self._last = self._steps[-1] if self._steps and not _gathers(header.outputs) else None
        self._written = self._constant_outputs()

    def answer(self, given: Mapping[str, Any], now: datetime) -> Answer:
        """The answer to an input.

        Raises:
            ComponentFailed: the input is not what the file declares, or an output is not.
            AskEngine: the engine must be asked.
        """
        slots = self._blank.copy()
        try:
            for slot, name, read, default in self._reads:
                value = given.get(name)
                if value is not None:
                    slots[slot] = read(value)
                elif default is not None:
                    slots[slot] = default
                else:
                    raise missing_fact(name, self._inputs[name].type)
            for slot, source in self._days:
                slots[slot] = days_since(slots[source], now)
            return self._run(slots)
        except _UNSURE:
            raise AskEngine from None

    def run(self, facts: Mapping[str, Fact]) -> Answer:
        """The answer to facts that were read already, each under its declared name.

        Raises:
            ComponentFailed: an output is not what the file declares.
            AskEngine: the engine must be asked.
        """
        slots = self._blank.copy()
        slots[: len(self._names)] = [facts[name] for name in self._names]
        try:
            return self._run(slots)
        except _UNSURE:
            raise AskEngine from None

    def _run(self, slots: Slots) -> Answer:
        fired: tuple[FiredRule, ...] = ()
        place: int | None = None
        for step in self._steps:
            if isinstance(step, tuple):
                for slot, run in step:
                    slots[slot] = run(slots)
            elif step.collects:
                fired += step.collect(slots)
            else:
                place = step.first(slots)
                if place is None and step is self._last:
                    raise no_row(step.name)
                if place is None:
                    # What the later nodes make of this, and how it is told, is the engine's.
                    raise AskEngine
                fired += step.rows[place].fired
        written = self._written[place] if self._written and place is not None else None
        output = {name: write(slots[slot]) for name, slot, write in self._writes} if written is None else written.copy()
        return Answer(output=output, confidence=1.0, fired=fired)

    def _table(self, table: Table, scope: Mapping[str, int]) -> dict[str, int]:
        self._steps.append(TableProgram(table, scope, self._size))
        names = [table.collects_to] if table.collects_to else [column.field for column in table.outputs]
        return self._place(names)

    def _expressions(self, step: Expressions, scope: Mapping[str, int]) -> dict[str, int]:
        runs = [compiled(Parser(text).expression(), scope) for text in step.texts.values()]
        given = self._place(list(step.texts))
        self._steps.append(tuple(zip(given.values(), runs, strict=True)))
        return given

    def _keep_equals(self, before: Mapping[str, int], given: Mapping[str, int]) -> None:
        """Let a number that is set anew to what it was keep its decimals, as in the engine: ``1.00`` over ``1``."""
        kept = [(slot, _kept(before[name], slot)) for name, slot in given.items() if name in before]
        if kept:
            self._steps.append(tuple(kept))

    def _place(self, names: list[str]) -> dict[str, int]:
        """A slot for each name; a later variable of the same name has another one."""
        given = {name: self._size + place for place, name in enumerate(names)}
        self._size += len(names)
        return given

    def _constant_outputs(self) -> tuple[dict[str, Any] | None, ...]:
        """For each row of the last table the whole output, where nothing in it depends on the input."""
        last = self._steps[-1] if self._steps else None
        if not isinstance(last, TableProgram) or last.collects:
            return ()
        return tuple(self._constant_output(last, place) for place in range(len(last.rows)))

    def _constant_output(self, table: TableProgram, place: int) -> dict[str, Any] | None:
        values = table.constants(place)
        if any(slot not in values for _, slot, _ in self._writes):
            return None
        try:
            return {name: write(values[slot]) for name, slot, write in self._writes}
        except ComponentFailed:
            # The row can only fail, and says so each time that it fires.
            return None


def _gathers(outputs: Mapping[str, OutputField]) -> bool:
    return any(declared.type is FieldType.ROWS for declared in outputs.values())


def _kept(before: int, after: int) -> Run:
    def run(slots: Slots) -> Any:
        old, new = slots[before], slots[after]
        if isinstance(new, list):
            raise Beyond
        return old if isinstance(old, Decimal) and isinstance(new, Decimal) and old == new else new

    return run


def _default(name: str, declared: InputField) -> Fact | None:
    if declared.if_missing is None:
        return None
    return read_fact(name, declared.if_missing, declared.type, declared.values)


def _writer(name: str, declared: OutputField) -> _Write:
    if declared.type is not FieldType.ROWS:
        return fact_writer(name, declared.type, values=declared.values, places=declared.places)
    columns = [(column, _writer(column, inner)) for column, inner in declared.columns.items()]

    def write(rows: Any) -> list[dict[str, Any]]:
        return [{column: inner(row[column]) for column, inner in columns} for row in rows]

    return write
