"""Rows of a table as outcomes: cells are text, and what was true stands in columns of its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.contracts import Field, Shape, read_json
from interlock.errors import Refused

TRUTH = "truth."
"""Before the name of a field, in the name of the column that says what was true of it."""
_YES = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def row_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as ``read_line`` reads it: empty cells are left out, ``truth.total`` is a field of the truth.

    Raises:
        Refused: a cell cannot be read.
    """
    line: dict[str, Any] = {}
    truth: dict[str, Any] = {}
    for name, cell in row.items():
        if cell is None or cell == "":
            continue
        if name.startswith(TRUTH):
            truth[name.removeprefix(TRUTH)] = cell
        else:
            line[name] = cell
    right = line.get("right")
    if isinstance(right, str) or (isinstance(right, int) and not isinstance(right, bool)):
        line["right"] = _YES.get(str(right).strip().lower(), right)
    if isinstance(line.get("truth"), str):
        line["truth"] = read_json(line["truth"].encode())
    if truth and "truth" in line:
        raise Refused("it says what was true in two ways", where="/truth", todo="keep the column truth, or truth.FIELD")
    return {**line, "truth": truth} if truth else line


def typed(truth: Mapping[str, Any], record: Field | None) -> dict[str, Any]:
    """A truth whose cells are text as the output's record means them; what it cannot mean is left, to be refused."""
    return {name: _meant(cell, record.child(name) if record else None) for name, cell in truth.items()}


def _meant(cell: Any, field: Field | None) -> Any:
    if not isinstance(cell, str) or field is None:
        return cell
    match field.shape:
        case Shape.BOOLEAN:
            return _YES.get(cell.strip().lower(), cell)
        case Shape.INTEGER | Shape.NUMBER | Shape.OBJECT | Shape.ARRAY:
            try:
                return read_json(cell.encode())
            except Refused:
                return cell
        case _:
            return cell
