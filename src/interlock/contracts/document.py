"""A contract's file as plain values, each of which knows its line. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from interlock.contracts.shown import Path, shown
from interlock.errors import Violation
from interlock.plain_yaml import Kind, Mapping, Node, Scalar, Sequence, parse_yaml

_LONGEST_NUMBER = 64
_LARGEST_EXPONENT = 400


class Document:
    """The values of a file, and what is wrong with it so far.

    Numbers with a point are Decimals, as they were written; days are text.

    Attributes:
        file: Its name, for messages.
        value: The root.
        wrong: What is wrong; loading goes on as far as it can, so that everything is told at once.
    """

    def __init__(self, data: bytes, file: str) -> None:
        root, unreadable = parse_yaml(data, file)
        self.file = file
        self.wrong: list[Violation] = list(unreadable)
        self._lines: dict[Path, int] = {(): 1}
        self.value: dict[str, Any] = self._mapping(root, ())

    def line(self, path: Path) -> int:
        """The line of the value at a path, or of what stands nearest above it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def refuse(self, path: Path, what: str, rule: str, todo: str = "") -> None:
        """Note what is wrong at a place."""
        violation = Violation(where=f"{self.file}:{self.line(path)}", what=what, rule=rule, todo=todo)
        if violation not in self.wrong:
            self.wrong.append(violation)

    def _mapping(self, node: Mapping, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for entry in node.entries:
            below = (*path, entry.key.text)
            self._lines[below] = entry.key.line
            values[entry.key.text] = self._plain(entry.value, below)
        return values

    def _plain(self, node: Node, path: Path) -> Any:
        if isinstance(node, Mapping):
            return self._mapping(node, path)
        if isinstance(node, Sequence):
            for place, item in enumerate(node.items):
                self._lines[*path, place] = item.line
            return [self._plain(item, (*path, place)) for place, item in enumerate(node.items)]
        return self._scalar(node, path)

    def _scalar(self, node: Scalar, path: Path) -> str | int | bool | Decimal | None:
        if node.kind is Kind.NULL:
            return None
        if node.kind is Kind.BOOLEAN:
            return node.text.lower() == "true"
        if node.kind is Kind.TEXT:
            return node.text
        number = _number(node)
        if number is None:
            self.refuse(path, f"{shown(node.text)} is no number that can be held", "number", "write a finite number")
        return number


def _number(node: Scalar) -> int | Decimal | None:
    if len(node.text) > _LONGEST_NUMBER:
        return None
    if node.kind is Kind.INTEGER:
        return int(node.text, 0) if node.text[:2] in ("0o", "0x") else int(node.text)
    if not any(character.isdigit() for character in node.text):
        return None  # .inf and .nan
    number = Decimal(node.text)
    return number if abs(number.adjusted()) <= _LARGEST_EXPONENT else None
