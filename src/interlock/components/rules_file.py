"""A rules file as it stands on disk: JDM (https://docs.gorules.io) plus an ``interlock`` section. Pure.

Only what we understand is read: a chain of tables and expression nodes from one input to one output. Whatever else the
file holds is refused, since the engine would pass over it in silence or run it as code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.components.faults import Faults, shown
from interlock.components.rules_header import Header, read_header, usable_name

LARGEST_FILE = 1024 * 1024
"""Bytes."""
MOST_ROWS = 500
MOST_COLUMNS = 50


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        key: Its id in the file, under which rows hold its cells.
        title: What a reader sees.
        field: The variable that it tests or sets; empty for a column of free conditions.
    """

    key: str
    title: str
    field: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the text of each cell by the column's key, and its description."""

    number: int
    cells: Mapping[str, str]
    note: str


@dataclass(frozen=True, slots=True)
class Table:
    """A decision table.

    Attributes:
        name: Its name.
        inputs: The columns that test.
        outputs: The columns that answer.
        rows: In order.
        collects_to: With hit policy collect, the name under which the rows are gathered; empty for hit policy first.
        passes: Whether its input goes on beside its output.
    """

    name: str
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    rows: tuple[Row, ...]
    collects_to: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Expressions:
    """An expression node: texts by the name that each sets, and whether its input goes on."""

    name: str
    texts: Mapping[str, str]
    passes: bool


Step = Table | Expressions


@dataclass(frozen=True, slots=True)
class RulesFile:
    """What a file says; nothing of it has been checked beyond its form."""

    header: Header
    steps: tuple[Step, ...]


def read_rules_file(data: bytes, faults: Faults) -> RulesFile | None:
    """Read the form of a file; None if it cannot be gone on with, the faults saying why."""
    content = _json(data, faults)
    if content is None:
        return None
    faults.known(content, ("interlock", "nodes", "edges", "contentType", "name"), "the file")
    header = read_header(content.get("interlock"), faults)
    steps = _steps(content, faults)
    if header is None or faults.wrong:
        return None
    return RulesFile(header, tuple(steps))


def _json(data: bytes, faults: Faults) -> Mapping[str, Any] | None:
    if len(data) > LARGEST_FILE:
        faults.add("", f"the file has {len(data):,} bytes", "too-large", f"at most {LARGEST_FILE:,} are read")
        return None

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in {key for key in keys if keys.count(key) > 1}:
            faults.add("", f"the key {key!r} stands twice in one object", "duplicate-key", "keep one of them")
        return dict(pairs)

    try:
        content: object = json.loads(data.decode("utf-8"), object_pairs_hook=unique)
        # Half a surrogate pair, written as an escape, would fail only when the engine is given the text.
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as cause:
        faults.add("", f"the file is no JSON: {cause}", "syntax", "mend it at that place")
        return None
    return faults.object(content, "the file")


def _steps(content: Mapping[str, Any], faults: Faults) -> Sequence[Step]:
    nodes = faults.objects(content.get("nodes"), "nodes")
    edges = faults.objects(content.get("edges"), "edges")
    chain = _chain(nodes, edges, faults)
    steps: list[Step] = []
    for node in chain:
        step = _step(node, faults)
        if step is not None and any(step.name == other.name for other in steps):
            faults.add(f"node {step.name!r}", "two nodes have this name", "name", "give each its own")
        if step is not None:
            steps.append(step)
    return steps


def _chain(
    nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], faults: Faults
) -> Sequence[Mapping[str, Any]]:
    """The nodes between input and output, in order; there is one way through all of them."""
    by_id = {str(node.get("id")): node for node in nodes}
    following = {str(edge.get("sourceId")): str(edge.get("targetId")) for edge in edges}
    kinds = [str(node.get("type")) for node in nodes]
    allowed = ("inputNode", "outputNode", "decisionTableNode", "expressionNode")
    others = sorted(set(kinds) - set(allowed))
    for kind in others:
        faults.add(
            "nodes", f"a node of type {kind[:60]!r}", "node-type", f"only {', '.join(allowed)} are run, and no code"
        )
    if others:
        return ()
    starts = [key for key, node in by_id.items() if node.get("type") == "inputNode"]
    path = [starts[0]] if starts else []
    while path and path[-1] in following and following[path[-1]] in by_id and len(path) <= len(nodes):
        path.append(following[path[-1]])
    is_chain = (
        kinds.count("inputNode") == kinds.count("outputNode") == 1
        and len(path) == len(by_id) == len(nodes) == len(edges) + 1
        and by_id[path[-1]].get("type") == "outputNode"
    )
    if not is_chain:
        faults.add(
            "edges",
            "the nodes are no single chain from one input to one output",
            "chain",
            "connect each node to one next node; passThrough carries values past a node",
        )
        return ()
    ends = (by_id[path[0]], by_id[path[-1]])
    for end in ends:
        if any((faults.object(end.get("content") or {}, "nodes") or {}).values()):
            faults.add(f"node {end.get('name')!r}", "a schema in the node", "content", "declare it under interlock")
    return [by_id[key] for key in path[1:-1]]


def _step(node: Mapping[str, Any], faults: Faults) -> Step | None:
    name = faults.text(node.get("name"), "nodes") or str(node.get("id"))
    where = f"node {name!r}"
    content = faults.object(node.get("content"), where)
    if content is None:
        return None
    harmless = {"inputField": (None, ""), "executionMode": (None, "single"), "outputPath": (None, "")}
    if node.get("type") == "decisionTableNode" and _collects(content):
        del harmless["outputPath"]
    for key, accepted in harmless.items():
        if content.get(key) not in accepted:
            faults.add(where, f"{key} is {content.get(key)!r}", "content", f"remove {key}")
    if node.get("type") == "expressionNode":
        return _expressions(name, content, faults)
    return _table(name, content, faults)


def _collects(content: Mapping[str, Any]) -> bool:
    return content.get("hitPolicy") == "collect"


def _passes(content: Mapping[str, Any], where: str, faults: Faults) -> bool:
    passes = content.get("passThrough", False)
    if not isinstance(passes, bool):
        faults.add(where, f"passThrough is {shown(passes)}", "content", "write true or false")
    return passes is True


def _expressions(name: str, content: Mapping[str, Any], faults: Faults) -> Expressions:
    where = f"node {name!r}"
    faults.known(content, ("expressions", "passThrough", "inputField", "outputPath", "executionMode"), where)
    texts: dict[str, str] = {}
    for entry in faults.objects(content.get("expressions"), where):
        key = faults.text(entry.get("key"), where)
        usable_name(key, where, faults)
        if key in texts:
            faults.add(where, f"{key!r} is set twice", "duplicate-key", "keep one of them")
        texts[key] = faults.text(entry.get("value"), f"{where}, {key!r}")
    return Expressions(name, texts, _passes(content, where, faults))


def _table(name: str, content: Mapping[str, Any], faults: Faults) -> Table:
    where = f"table {name!r}"
    keys = ("hitPolicy", "inputs", "outputs", "rules", "passThrough", "inputField", "outputPath", "executionMode")
    faults.known(content, keys, where)
    collects_to = ""
    if _collects(content):
        collects_to = faults.text(content.get("outputPath"), f"{where}, outputPath of a table that collects")
        usable_name(collects_to, f"{where}, outputPath", faults)
    elif content.get("hitPolicy") != "first":
        faults.add(where, f"hitPolicy is {content.get('hitPolicy')!r}", "content", "write first or collect")
    inputs = _columns(content.get("inputs"), f"{where}, inputs", faults)
    outputs = _columns(content.get("outputs"), f"{where}, outputs", faults)
    for column in outputs:
        usable_name(column.field, f"{where}, outputs, column {column.title!r}", faults)
    _unique(inputs, outputs, where, faults)
    columns = [*inputs, *outputs]
    given = faults.objects(content.get("rules"), f"{where}, rules")
    rows = [_row(number, row, columns, where, faults) for number, row in enumerate(given[:MOST_ROWS], 1)]
    if not 0 < len(given) <= MOST_ROWS or not outputs or len(columns) > MOST_COLUMNS:
        faults.add(
            where,
            f"it has {len(given)} rows and {len(columns)} columns, {len(outputs)} of them outputs",
            "size",
            f"1 to {MOST_ROWS} rows and 1 to {MOST_COLUMNS} columns, one of them an output",
        )
    return Table(name, inputs, outputs, tuple(rows), collects_to, _passes(content, where, faults))


def _columns(value: object, where: str, faults: Faults) -> tuple[Column, ...]:
    found: list[Column] = []
    for given in faults.objects(value, where):
        faults.known(given, ("id", "name", "field", "type"), where)
        key, name = faults.text(given.get("id"), where), str(given.get("name") or "")
        variable = faults.text(given.get("field") or "", where).strip()
        found.append(Column(key, name or variable or key, variable))
    return tuple(found)


def _unique(inputs: Sequence[Column], outputs: Sequence[Column], where: str, faults: Faults) -> None:
    columns = [*inputs, *outputs]
    seen = {
        "id": [column.key for column in columns],
        "title": [column.title for column in columns],
        "output field": [column.field for column in outputs],
    }
    for what, names in seen.items():
        for name in sorted({name for name in names if names.count(name) > 1}):
            faults.add(where, f"two columns have the {what} {name!r}", "duplicate-column", "give each its own")


def _row(number: int, given: Mapping[str, Any], columns: Sequence[Column], where: str, faults: Faults) -> Row:
    place = f"{where}, row {number}"
    faults.known(given, ("_id", "_description", *(column.key for column in columns)), place)
    cells: dict[str, str] = {}
    for column in columns:
        if column.key not in given:
            faults.add(f"{place}, column {column.title!r}", "the cell is missing", "cell", 'write "" for any value')
        else:
            cells[column.key] = faults.text(given[column.key], f"{place}, column {column.title!r}")
    return Row(number, cells, faults.text(given.get("_description", ""), f"{place}, _description").strip())
