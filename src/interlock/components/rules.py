"""Rules that decide: a file of decision tables, loaded only if nothing in it could go wrong in silence.

INVARIANT: every row of a loaded file was fired by the engine, on an input that the loader found or on an example.
INVARIANT: amounts are exact from our JSON through the tables and back: strings in, decimals inside, strings out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

from interlock.components.checking import FieldType
from interlock.components.component import Answer, ComponentRef, FiredRule, Kind, Question
from interlock.components.engine import Decision, Evaluated, Fact
from interlock.components.facts import days_since, read_fact, write_value
from interlock.components.faults import Faults
from interlock.components.rules_file import Column, Row, RulesFile, Step, Table, read_rules_file
from interlock.components.rules_header import Example, Header, InputField, OutputField
from interlock.components.rules_lint import Probe, lint
from interlock.errors import ComponentFailed, RulesInvalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rules:
    """A loaded rules file: a component. ``load_rules`` makes one.

    Attributes:
        header: What the file says of itself: owner, description, inputs and outputs.
    """

    def __init__(self, file: RulesFile, digest: bytes) -> None:
        self.header: Header = file.header
        self._ref = ComponentRef(Kind.RULES, file.header.name, file.header.version)
        self._digest = digest
        self._tables = {f"s{place}": step for place, step in enumerate(file.steps) if isinstance(step, Table)}
        self._decision = Decision(_graph(file))

    @property
    def ref(self) -> ComponentRef:
        """``rules:NAME@VERSION``."""
        return self._ref

    @property
    def digest(self) -> bytes:
        """SHA-256 over the file's bytes."""
        return self._digest

    def answer(self, question: Question) -> Answer:
        """Run the tables.

        Raises:
            ComponentFailed: the input is not what the file declares, no row of a table fires, or a value cannot be
                computed exactly.
        """
        return self.run(read_facts(self.header.inputs, question))

    def run(self, facts: Mapping[str, Fact]) -> Answer:
        """Run the tables on facts that were read already, each under its declared name.

        Raises:
            ComponentFailed: as ``answer``.
        """
        evaluated = self._decision.evaluate(facts)
        fired = tuple(rule for key, table in self._tables.items() for rule in _fired(table, evaluated.trace.get(key)))
        return Answer(output=_output(self.header.outputs, evaluated), confidence=1.0, fired=fired)


def load_rules(data: bytes, file: str) -> Rules:
    """Read, check and prove a rules file (docs/reference/decision-tables.md).

    Args:
        data: Its bytes.
        file: Its name, for the places of what is wrong.

    Raises:
        RulesInvalid: everything that is wrong, by table, row and column.
    """
    faults = Faults(file)
    read = read_rules_file(data, faults)
    probes = lint(read, faults) if read is not None else ()
    rules = _ready(read, data, faults) if read is not None and not faults.wrong else None
    if rules is not None:
        _prove(rules, probes, faults)
    if rules is None or faults.wrong:
        raise RulesInvalid(
            f"{len(faults.wrong)} thing{'s' * (len(faults.wrong) > 1)} in this file would fail or never fire",
            tuple(faults.wrong),
            where=file,
            todo="mend each of them; docs/reference/decision-tables.md says what is meant",
        )
    return rules


def rules_digest(data: bytes) -> bytes:
    """SHA-256 over a rules file's bytes."""
    return hashlib.sha256(data).digest()


def read_facts(inputs: Mapping[str, InputField], question: Question) -> dict[str, Fact]:
    """The facts that a file declares, from a question; whatever else the input holds is left out.

    Raises:
        ComponentFailed: one is missing without a declared value for that, or not of its type.
    """
    facts: dict[str, Fact] = {}
    for name, declared in inputs.items():
        if declared.days_since:
            continue
        value = question.input.get(name)
        value = declared.if_missing if value is None else value
        if value is None:
            raise ComponentFailed(
                f"the input {name!r} is missing", where=f"/{name}", todo=f"send it, as {declared.type}"
            )
        facts[name] = read_fact(name, value, declared.type, declared.values)
    for name, declared in inputs.items():
        if declared.days_since:
            facts[name] = days_since(cast("str", facts[declared.days_since]), question.now)
    return facts


def _ready(file: RulesFile, data: bytes, faults: Faults) -> Rules | None:
    for name, declared in file.header.inputs.items():
        if declared.if_missing is not None:
            try:
                read_fact(name, declared.if_missing, declared.type, declared.values)
            except ComponentFailed as cause:
                faults.add(f"interlock.inputs.{name}, if_missing", cause.what, "type", cause.todo)
    if faults.wrong:
        return None
    try:
        return Rules(file, rules_digest(data))
    except ComponentFailed as cause:
        faults.add("", cause.what, "engine", "report this file: our reading and the engine's differ")
        return None


def _prove(rules: Rules, probes: Iterable[Probe], faults: Faults) -> None:
    """Fire every row once: by the input that was found for it, else by an example."""
    fired = _run_examples(rules, faults)
    for probe in probes:
        if (probe.table, probe.row) in fired:
            continue
        place = f"table {probe.table!r}, row {probe.row}"
        if probe.facts is None:
            faults.add(place, "no input is known that fires it", "unproven", "add an example that does")
            continue
        try:
            shown = _rows(rules.run(probe.facts))
        except ComponentFailed as cause:
            faults.add(place, f"for {_readable(probe.facts)} {cause.what}", "unproven", "add an example that fires it")
            continue
        fired |= shown
        if (probe.table, probe.row) not in shown:
            faults.add(
                place, f"it does not fire for {_readable(probe.facts)}", "unproven", "add an example that fires it"
            )


def _run_examples(rules: Rules, faults: Faults) -> set[tuple[str, int]]:
    fired: set[tuple[str, int]] = set()
    for number, example in enumerate(rules.header.examples, 1):
        place = f"example {number}{f' ({example.note})' * bool(example.note)}"
        try:
            answer = _answer_example(rules, example)
        except ComponentFailed as cause:
            faults.add(place, f"it fails: {cause.what}", "example", cause.todo or "mend the example or the table")
            continue
        fired |= _rows(answer)
        if answer.output != example.output:
            faults.add(
                place, f"it gives {answer.output}, not {example.output}", "example", "mend the example or the table"
            )
    return fired


def _answer_example(rules: Rules, example: Example) -> Answer:
    unknown = sorted(example.input.keys() - rules.header.inputs.keys())
    if unknown:
        raise ComponentFailed(f"its input {unknown[0]!r} is declared nowhere", todo="name a declared input")
    return rules.answer(Question(input=example.input, now=example.now or _EPOCH))


def _rows(answer: Answer) -> set[tuple[str, int]]:
    return {(rule.table, rule.row) for rule in answer.fired}


def _readable(facts: Mapping[str, Fact]) -> str:
    return ", ".join(f"{name} {fact}" for name, fact in facts.items())


def _fired(table: Table, trace: object) -> Sequence[FiredRule]:
    entries = cast("list[Mapping[str, Any] | None]", trace if isinstance(trace, list) else [trace])
    rules: list[FiredRule] = []
    for entry in entries:
        index = None if entry is None else entry.get("index")
        if not isinstance(index, int):
            raise ComponentFailed(
                f"no row of the table {table.name!r} fires",
                todo="add a last row of empty cells that sends it to a person",
            )
        row = table.rows[index]
        rules.append(FiredRule(table=table.name, row=row.number, cells=_cells(table, row), note=row.note))
    return rules


def _cells(table: Table, row: Row) -> dict[str, str]:
    return {column.title: row.cells[column.key] for column in (*table.inputs, *table.outputs)}


def _output(outputs: Mapping[str, OutputField], evaluated: Evaluated) -> dict[str, Any]:
    result = evaluated.result
    return {
        name: [_written(row, declared.columns) for row in result["rows"][name]]
        if declared.type is FieldType.ROWS
        else _value(name, declared, result)
        for name, declared in outputs.items()
    }


def _written(row: Mapping[str, Any], columns: Mapping[str, OutputField]) -> dict[str, Any]:
    return {name: _value(name, declared, row) for name, declared in columns.items()}


def _value(name: str, declared: OutputField, given: Mapping[str, Any]) -> str | int | bool:
    return write_value(
        name,
        given["values"].get(name),
        given["types"].get(name),
        declared.type,
        values=declared.values,
        places=declared.places,
    )


def _graph(file: RulesFile) -> dict[str, Any]:
    """The graph that runs: the chain made anew from what was checked, and a node that turns values into text."""
    steps = [_node(f"s{place}", step) for place, step in enumerate(file.steps)]
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        *steps,
        {"id": "text", "name": "text", "type": "expressionNode", "content": _as_text(file.header.outputs)},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    ids = [str(node["id"]) for node in nodes]
    edges = [
        {"id": f"e{place}", "sourceId": source, "targetId": target}
        for place, (source, target) in enumerate(pairwise(ids))
    ]
    return {"nodes": nodes, "edges": edges}


def _node(key: str, step: Step) -> dict[str, Any]:
    if not isinstance(step, Table):
        expressions = [{"id": name, "key": name, "value": text} for name, text in step.texts.items()]
        content: dict[str, Any] = {"expressions": expressions, "passThrough": step.passes}
        return {"id": key, "name": step.name, "type": "expressionNode", "content": content}
    # Columns get ids of our own: one that a file calls "_id" would be taken for the row's.
    ids = {column.key: f"c{place}" for place, column in enumerate((*step.inputs, *step.outputs))}
    content = {
        "hitPolicy": "collect" if step.collects_to else "first",
        "outputPath": step.collects_to or None,
        "passThrough": step.passes,
        "inputs": [_column(ids, column) for column in step.inputs],
        "outputs": [_column(ids, column) for column in step.outputs],
        "rules": [{ids[key]: text.strip() for key, text in row.cells.items()} for row in step.rows],
    }
    return {"id": key, "name": step.name, "type": "decisionTableNode", "content": content}


def _column(ids: Mapping[str, str], column: Column) -> dict[str, str]:
    return {"id": ids[column.key], "name": column.title, "field": column.field}


def _as_text(outputs: Mapping[str, OutputField]) -> dict[str, Any]:
    single = [name for name, declared in outputs.items() if declared.type is not FieldType.ROWS]
    rows = {name: declared.columns for name, declared in outputs.items() if declared.type is FieldType.ROWS}
    gathered = [f'"{name}": map({name}, {{{_pair(columns, "#.")}}})' for name, columns in rows.items()]
    expressions = [
        {"id": "values", "key": "values", "value": _object("string", single, "")},
        {"id": "types", "key": "types", "value": _object("type", single, "")},
    ]
    if gathered:
        expressions.append({"id": "rows", "key": "rows", "value": f"{{{', '.join(gathered)}}}"})
    return {"expressions": expressions, "passThrough": False}


def _pair(names: Iterable[str], prefix: str) -> str:
    listed = list(names)
    return f'"values": {_object("string", listed, prefix)}, "types": {_object("type", listed, prefix)}'


def _object(function: str, names: Iterable[str], prefix: str) -> str:
    return "{" + ", ".join(f'"{name}": {function}({prefix}{name})' for name in names) + "}"
