"""A rules file as the rule engine runs it: a graph made anew from what was checked, and what comes out of it. Pure.

The engine is the judge of our own program (``rules_program``), and answers in its place where that one does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from interlock.components.checking import FieldType
from interlock.components.component import Answer, FiredRule
from interlock.components.engine import Decision, Evaluated, Fact
from interlock.components.facts import write_value
from interlock.components.rules_file import Column, RulesFile, Step, Table
from interlock.components.rules_header import OutputField
from interlock.components.table_program import fired_rule, no_row


class RulesGraph:
    """A rules file in the engine, ready to run; threads may share it.

    Args:
        file: The file, linted.

    Raises:
        ComponentFailed: the engine refuses it.
    """

    def __init__(self, file: RulesFile) -> None:
        self._outputs = file.header.outputs
        self._tables = {f"s{place}": step for place, step in enumerate(file.steps) if isinstance(step, Table)}
        self._decision = Decision(_graph(file))

    def run(self, facts: Mapping[str, Fact]) -> Answer:
        """Run the tables on facts that were read already, each under its declared name.

        Raises:
            ComponentFailed: no row of a table fires, or a value cannot be computed exactly.
        """
        evaluated = self._decision.evaluate(facts)
        fired = tuple(rule for key, table in self._tables.items() for rule in _fired(table, evaluated.trace.get(key)))
        return Answer(output=_output(self._outputs, evaluated), confidence=1.0, fired=fired)


def _fired(table: Table, trace: object) -> Sequence[FiredRule]:
    entries = cast("list[Mapping[str, Any] | None]", trace if isinstance(trace, list) else [trace])
    rules: list[FiredRule] = []
    for entry in entries:
        index = None if entry is None else entry.get("index")
        if not isinstance(index, int):
            raise no_row(table.name)
        rules.append(fired_rule(table, table.rows[index]))
    return rules


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
