"""What is wrong with a rules file, gathered, so that nobody mends it one fault at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from interlock.errors import Violation
from interlock.spelling import meant


@dataclass(slots=True)
class Faults:
    """Everything that is wrong with one file, in the order in which it was found.

    Attributes:
        file: The file's name.
        wrong: What was found.
    """

    file: str
    wrong: list[Violation] = field(default_factory=list[Violation])

    def add(self, where: str, what: str, rule: str, todo: str) -> None:
        """Note one thing; ``where`` is the place within the file."""
        place = f"{self.file}: {where}" if where else self.file
        self.wrong.append(Violation(where=place, what=what, rule=rule, todo=todo))

    def object(self, value: object, where: str) -> Mapping[str, Any] | None:
        """The value if it is an object; else None, noted."""
        if isinstance(value, dict):
            return cast("Mapping[str, Any]", value)
        self.add(where, f"it is {shown(value)}, not an object", "form", "write {...}")
        return None

    def objects(self, value: object, where: str) -> Sequence[Mapping[str, Any]]:
        """The objects in a list; whatever is none is noted."""
        if not isinstance(value, list):
            self.add(where, f"it is {shown(value)}, not a list", "form", "write [...]")
            return ()
        items = [self.object(item, f"{where}[{number}]") for number, item in enumerate(cast("list[object]", value))]
        return [item for item in items if item is not None]

    def text(self, value: object, where: str) -> str:
        """The value if it is text; else nothing, noted."""
        if isinstance(value, str):
            return value
        self.add(where, f"it is {shown(value)}, not text", "form", "write it in quotes")
        return ""

    def known(self, given: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
        """Note every key that is none of some."""
        known = tuple(keys)
        for key in sorted(given.keys() - set(known)):
            self.add(where, f"the key {key!r} is unknown", "unknown-key", meant(key, known))


def shown(value: object) -> str:
    """A value for an error's text."""
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
