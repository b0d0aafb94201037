"""Rules files, made for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

JsonObject = dict[str, Any]


def column(name: str, field: str | None = None) -> JsonObject:
    return {"id": name, "name": name.title(), "field": name if field is None else field}


def table_node(
    inputs: Sequence[JsonObject], outputs: Sequence[JsonObject], rows: Sequence[Mapping[str, str]], **more: Any
) -> JsonObject:
    columns = [str(one["id"]) for one in (*inputs, *outputs)]
    rules = [{**dict.fromkeys(columns, ""), **row} for row in rows]
    content = {"hitPolicy": "first", "inputs": list(inputs), "outputs": list(outputs), "rules": rules, **more}
    return {"id": "t", "name": "limits", "type": "decisionTableNode", "content": content}


def expression_node(texts: Mapping[str, str], **more: Any) -> JsonObject:
    expressions = [{"id": key, "key": key, "value": text} for key, text in texts.items()]
    return {"id": "x", "name": "sums", "type": "expressionNode", "content": {"expressions": expressions, **more}}


def document(
    nodes: Sequence[JsonObject],
    *,
    inputs: JsonObject | None = None,
    outputs: JsonObject | None = None,
    examples: Sequence[JsonObject] = (),
    **more: Any,
) -> JsonObject:
    chain = [
        {"id": "in", "name": "in", "type": "inputNode"},
        *nodes,
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    ids = [str(node["id"]) for node in chain]
    header = {
        "name": "limit",
        "version": "1",
        "owner": "owner@example.com",
        "description": "A limit.",
        "inputs": {"total": {"type": "decimal"}} if inputs is None else inputs,
        "outputs": {"out": {"type": "string"}} if outputs is None else outputs,
        "examples": list(examples),
        **more,
    }
    edges = [{"id": str(place), "sourceId": ids[place], "targetId": ids[place + 1]} for place in range(len(ids) - 1)]
    return {"interlock": header, "nodes": chain, "edges": edges}


def simple(*rows: tuple[str, str], inputs: JsonObject | None = None, outputs: JsonObject | None = None) -> JsonObject:
    """A table of one column on ``total`` (or the first input) and one output ``out``."""
    tested = next(iter(inputs)) if inputs else "total"
    cells = [{tested: cell, "out": output} for cell, output in rows]
    node = table_node([column(tested)], [column("out")], cells)
    return document([node], inputs=inputs, outputs=outputs)


def dump(content: Any) -> bytes:
    return json.dumps(content).encode()
