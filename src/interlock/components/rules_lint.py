"""What the engine would pass over in silence, found before a table is used. Pure.

Every cell and output must parse, name what is known, and be of the type that its column needs. A cell must have a value
that fulfils it, each of its alternatives must add one, and a row must be left an input by the rows above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interlock.components.checking import Checker, FieldType, Scope, Shape, constant, either, is_date
from interlock.components.engine import Fact
from interlock.components.faults import Faults
from interlock.components.regions import Box, Values, empty, example, full, intersection, left_over, union, values_of
from interlock.components.rules_file import Column, Expressions, Row, RulesFile, Table
from interlock.components.rules_header import Header, OutputField, input_shapes
from interlock.components.syntax import Parser
from interlock.components.tree import Binary, Call, Choice, Current, Misread, Node, Not, walk
from interlock.spelling import meant


@dataclass(frozen=True, slots=True)
class Probe:
    """A row, and an input that must fire it.

    Attributes:
        table: The table's name.
        row: The row's number, from 1.
        facts: The input; None where only an example can show one.
    """

    table: str
    row: int
    facts: Mapping[str, Fact] | None


@dataclass(slots=True)
class _Progress:
    """What is known at one node of the chain: its variables, and which of them are still as they were sent."""

    scope: dict[str, Shape]
    untouched: set[str]

    def advance(self, given: Mapping[str, Shape], *, passes: bool) -> None:
        self.scope = {**(self.scope if passes else {}), **given}
        self.untouched = {name for name in self.untouched if name in self.scope and name not in given}


def lint(file: RulesFile, faults: Faults) -> tuple[Probe, ...]:
    """Check every text of a file; an input for each row, as far as one can be found by looking at the tables alone."""
    inputs = input_shapes(file.header)
    progress = _Progress(dict(inputs), set(inputs))
    probes: list[Probe] = []
    for step in file.steps:
        before = len(faults.wrong)
        if isinstance(step, Table):
            found, given = _table(step, progress, file.header, faults)
            probes += found
        else:
            given = _expressions(step, progress.scope, faults)
        progress.advance(given, passes=step.passes)
        if len(faults.wrong) > before:
            # What follows would only be told once more that a name is unknown.
            return ()
    _outputs(file.header.outputs, progress.scope, faults)
    return tuple(probes)


def _expressions(step: Expressions, scope: Scope, faults: Faults) -> dict[str, Shape]:
    given: dict[str, Shape] = {}
    for key, text in step.texts.items():
        try:
            given[key] = Checker(scope).shape(Parser(text).expression())
        except Misread as cause:
            _note(faults, f"node {step.name!r}, {key!r}", text, cause)
    return given


def _outputs(outputs: Mapping[str, OutputField], scope: Scope, faults: Faults) -> None:
    for name, declared in outputs.items():
        where, shape = f"interlock.outputs.{name}", scope.get(name)
        if shape is None:
            faults.add(where, "no node gives it", "output", meant(name, scope))
        elif shape.type is FieldType.ROWS and declared.type is FieldType.ROWS:
            _outputs(declared.columns, dict(shape.columns), faults)
        else:
            _note_misfit(faults, where, name, shape, declared)


def _note_misfit(faults: Faults, where: str, text: str, shape: Shape, declared: OutputField) -> None:
    try:
        _fits(shape, declared, None)
    except Misread as cause:
        _note(faults, where, text, cause)


def _note(faults: Faults, where: str, text: str, cause: Misread) -> None:
    faults.add(where, f"{text[:200]!r}: {cause.what} (character {cause.at + 1})", "expression", cause.todo)


def _table(
    table: Table, progress: _Progress, header: Header, faults: Faults
) -> tuple[Sequence[Probe], dict[str, Shape]]:
    before = len(faults.wrong)
    cells = [_row_values(table, row, progress.scope, faults) for row in table.rows]
    shapes = _output_shapes(table, progress.scope, header, faults)
    given = {table.collects_to: Shape(FieldType.ROWS, columns=tuple(shapes.items()))} if table.collects_to else shapes
    if len(faults.wrong) > before:
        return (), given
    return _probes(table, cells, progress, input_shapes(header), faults), given


@dataclass(frozen=True, slots=True)
class _RowValues:
    """The values that a row's cells ask for; ``is_exact`` unless a cell asks for something else as well."""

    box: Box
    is_exact: bool


def _row_values(table: Table, row: Row, scope: Scope, faults: Faults) -> _RowValues:
    box: dict[str, Values] = {}
    is_exact = True
    for column in table.inputs:
        text = row.cells.get(column.key, "")
        if not text.strip():
            continue
        try:
            values = _cell(text, column, scope)
        except Misread as cause:
            _note(faults, f"table {table.name!r}, row {row.number}, column {column.title!r}", text, cause)
            continue
        if values is None:
            is_exact = False
        else:
            box[column.field] = intersection(box.get(column.field, full(scope[column.field])), values)
    return _RowValues(box, is_exact)


def _cell(text: str, column: Column, scope: Scope) -> Values | None:
    """The values that a cell lets through; None if it also asks for something else."""
    if text.strip() == "-":
        raise Misread("a dash is never fulfilled", 0, "leave the cell empty for any value")
    if not column.field:
        node = Parser(text).expression()
        if Checker(scope, total=True).shape(node).type is not FieldType.BOOLEAN:
            raise Misread("this is no condition", node.at, "a column without a field holds conditions: total > 100")
        return None
    shape = scope.get(column.field)
    if shape is None or shape.listed or shape.type is FieldType.ROWS:
        raise Misread(f"the column tests {column.field!r}, which is no single value", 0, meant(column.field, scope))
    tests = Parser(text, unary=True).cell()
    if len(tests) > 1:
        _refuse_tangled(tests)
    checker = Checker(scope, current=shape, total=True)
    alternatives = [_alternative(test, checker, shape) for test in tests]
    known = [values for values in alternatives if values is not None]
    whole = empty(shape)
    for test, values in zip(tests, alternatives, strict=True):
        if values is not None and not intersection(values, whole.complement()):
            raise Misread("this adds nothing to what stands before it", test.at, "remove it, or mend its bounds")
        whole = whole if values is None else union(whole, values)
    return whole if len(known) == len(tests) else None


def _alternative(test: Node, checker: Checker, shape: Shape) -> Values | None:
    given = checker.shape(test)
    if not any(isinstance(part, Current) for part in walk(test)):
        raise Misread("this does not ask about the column's value", test.at, "use $, or a column without a field")
    if given != Shape(FieldType.BOOLEAN):
        raise Misread("this is no condition", test.at, "write > 100, [1..5] or 'a', 'b'")
    _refuse_bare(test)
    values = values_of(test, shape)
    if values is not None and not values:
        raise Misread(f"no {shape} fulfils this", test.at, "mend its bounds")
    return values


def _refuse_tangled(tests: Sequence[Node]) -> None:
    """Refuse what the engine reads otherwise beside a comma: it takes ``> 4, < 3 and > 1`` for ``(> 4, < 3) and > 1``.

    ``and`` and the comma are joined from left to right, so only what stands first may be joined by ``and``; in
    parentheses neither ``and`` nor ``or`` is read at all.
    """
    first, *others = tests
    while isinstance(first, Binary) and first.operator == "and":
        others.append(first.right)
        first = first.left
    for part in (part for node in (first, *others) for part in walk(node)):
        if isinstance(part, Binary) and part.operator in ("and", "or"):
            raise Misread(
                f"{part.operator} stands after a comma, or in parentheses beside one",
                part.at,
                "write first what is joined by and, or a row for each alternative",
            )


def _refuse_bare(node: Node) -> None:
    """Refuse a true or false that stands alone in a cell: the engine compares it with the column's value.

    So ``$`` would hold for false as well, and ``> 1 and vip`` for no number.
    """
    match node:
        case Not():
            _refuse_bare(node.operand)
        case Binary(operator="and" | "or"):
            _refuse_bare(node.left)
            _refuse_bare(node.right)
        case Choice():
            _refuse_bare(node.then)
            _refuse_bare(node.otherwise)
        case Binary() | Call():
            return
        case _:
            raise Misread("this is compared with the column's value", node.at, "write what it is: $ == true")


def _output_shapes(table: Table, scope: Scope, header: Header, faults: Faults) -> dict[str, Shape]:
    declared = header.outputs
    if table.collects_to:
        rows = declared.get(table.collects_to)
        declared = rows.columns if rows is not None else {}
    shapes: dict[str, Shape] = {}
    for row in table.rows:
        for column in table.outputs:
            text = row.cells.get(column.key, "")
            try:
                shape = _output_cell(text, scope, declared.get(column.field))
                before = shapes.get(column.field)
                shapes[column.field] = shape if before is None else either(before, shape, 0)
            except Misread as cause:
                _note(faults, f"table {table.name!r}, row {row.number}, column {column.title!r}", text, cause)
    return shapes


def _output_cell(text: str, scope: Scope, declared: OutputField | None) -> Shape:
    if not text.strip():
        raise Misread("the output is empty", 0, "write a value; text stands in quotes, '' for none")
    node = Parser(text).expression()
    shape = Checker(scope, total=True).shape(node)
    if shape.listed or shape.type is FieldType.ROWS:
        raise Misread(f"it gives {shape}", node.at, "give a single value")
    if declared is not None:
        _fits(shape, declared, node)
    return shape


def _fits(shape: Shape, declared: OutputField, node: Node | None) -> None:
    """Hold a shape, and the literal that has it, against what is declared."""
    at = 0 if node is None else node.at
    number = None if node is None else constant(node)
    is_number = declared.type in (FieldType.DECIMAL, FieldType.INTEGER)
    is_text_date = declared.type is FieldType.DATE and shape == Shape(FieldType.STRING, values=shape.values)
    if shape.listed or not (shape.is_number if is_number else shape.type is declared.type or is_text_date):
        raise Misread(f"it gives {shape}, and {declared.type} is declared", at, "mend the value or the declaration")
    if declared.type is FieldType.INTEGER and number is not None and number != number.to_integral_value():
        raise Misread(f"{number} is no whole number, and integer is declared", at, "declare decimal, or round it")
    if number is not None and declared.places is not None and round(number, declared.places) != number:
        raise Misread(f"{number} has more than {declared.places} decimals", at, "round it, or declare more places")
    for text in sorted(shape.values or ()):
        if declared.values and text not in declared.values:
            raise Misread(f"{text!r} is none of the declared values", at, meant(text, declared.values))
        if is_text_date and not is_date(text):
            raise Misread(f"{text!r} is no date", at, "write year, month, day: '2026-01-31'")


def _probes(
    table: Table, rows: Sequence[_RowValues], progress: _Progress, inputs: Scope, faults: Faults
) -> Sequence[Probe]:
    """An input for each row that is left one by the rows above it; a row that is left none is a fault."""
    probes: list[Probe] = []
    above: list[tuple[int, Box]] = []
    for row, values in zip(table.rows, rows, strict=True):
        place = f"table {table.name!r}, row {row.number}"
        if not all(values.box.values()):
            faults.add(
                place, "two columns test the same field for values that exclude each other", "unreachable", "mend"
            )
            continue
        left = left_over(values.box, [] if table.collects_to else [box for _, box in above], progress.scope)
        if left == ():
            _note_unreachable(faults, place, values.box, above, progress.scope)
            continue
        facts = None
        if left and values.is_exact and set(values.box) <= progress.untouched:
            facts = example(left[0], inputs)
        probes.append(Probe(table.name, row.number, facts))
        if values.is_exact:
            above.append((row.number, values.box))
    return probes


def _note_unreachable(faults: Faults, place: str, box: Box, above: Sequence[tuple[int, Box]], scope: Scope) -> None:
    alone = next((number for number, other in above if left_over(box, [other], scope) == ()), None)
    who = "the rows above it together answer" if alone is None else f"row {alone} answers"
    faults.add(place, f"it never fires: {who} whatever it asks for", "unreachable", "move it up, or remove it")
