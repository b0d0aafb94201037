"""Reads a table of a connector's settings, so that everything that is wrong in it is named at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from interlock.errors import Refused
from interlock.setting_forms import Problems
from interlock.spelling import meant

T = TypeVar("T")


class Table:
    """One table under reading; what is wrong goes to the problems, and a blank stands in for it.

    Args:
        values: The table.
        where: Its place.
        problems: Gathers.
    """

    def __init__(self, values: Mapping[str, object], where: str, problems: Problems) -> None:
        self.values = values
        self.where = where
        self.problems = problems

    @classmethod
    def of(cls, value: object, where: str, known: tuple[str, ...], problems: Problems) -> Table | None:
        """A table whose keys are all known; None if it is no table at all."""
        if not isinstance(value, Mapping):
            problems.add(where, "is no table", f"write [{where}]")
            return None
        values = cast("Mapping[str, object]", value)
        for key in values:
            if key not in known:
                problems.add(f"{where}.{key}", "there is no such setting", meant(key, known))
        return cls(values, where, problems)

    def add(self, key: str, what: str, todo: str) -> None:
        """Note what is wrong about a key."""
        self.problems.add(f"{self.where}.{key}", what, todo)

    def read(self, key: str, form: Callable[[object], T], default: T, *, required: str = "") -> T:
        """A value by its form, the default where it is absent; ``required`` is what to do about that."""
        if key not in self.values:
            if required:
                self.add(key, "is missing", required)
            return default
        try:
            return form(self.values[key])
        except Refused as cause:
            self.add(key, cause.what, cause.todo)
            return default

    def inner(self, key: str, known: tuple[str, ...]) -> Table | None:
        """The table under a key; None if there is none."""
        if key not in self.values:
            return None
        return Table.of(self.values[key], f"{self.where}.{key}", known, self.problems)


def text_of(value: object) -> str:
    """A text that is not empty.

    Raises:
        Refused: it is anything else.
    """
    if not isinstance(value, str) or not value:
        raise Refused(f"{value!r} is no text", todo="write it in quotes")
    return value
