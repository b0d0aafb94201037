"""Prompts with places for data: ``{{input.note}}``. There is no logic in them, and nothing else is replaced. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from interlock.components.llm.fence import fence
from interlock.errors import ComponentFailed, Violation

_PLACE = re.compile(r"\{\{ *input((?:\.[A-Za-z_][A-Za-z0-9_-]{0,62}){0,16})(\??) *\}\}")
_OPENS = re.compile(r"\{\{|\{%")


class Place(msgspec.Struct, frozen=True):
    """A place in a prompt where a part of the input goes, fenced.

    Attributes:
        path: The fields from the input down to it; empty for the whole input.
        optional: Whether it may be absent, which is then written as ``null``.
        line: On which line of the file it stands, from 1.
    """

    path: tuple[str, ...]
    optional: bool
    line: int

    @property
    def label(self) -> str:
        """What the model and a message call it: ``input.note``."""
        return ".".join(("input", *self.path))


class Template(msgspec.Struct, frozen=True):
    """A prompt: texts, and the places between them.

    Attributes:
        texts: One more than there are places.
        places: In the order of the file.
    """

    texts: tuple[str, ...]
    places: tuple[Place, ...]

    def render(self, value: Mapping[str, Any]) -> str:
        """The prompt for one input; each place holds the value at its path, fenced.

        Raises:
            ComponentFailed: the input has no such field, or what stands there is no JSON value.
        """
        parts = [self.texts[0]]
        for place, text in zip(self.places, self.texts[1:], strict=True):
            try:
                fenced = fence(place.label, _at(value, place))
            except ValueError as cause:
                raise ComponentFailed(f"the prompt cannot hold it: {cause}", where=place.label) from cause
            # A fence has lines of its own, wherever its place stands.
            before = "" if not parts[-1] or parts[-1].endswith("\n") else "\n"
            after = "" if not text or text.startswith("\n") else "\n"
            parts += [before, fenced, after, text]
        return "".join(parts)


def read_template(text: str, file: str) -> tuple[Template, tuple[Violation, ...]]:
    """Read a prompt; everything that looks like a place and is none is told.

    Args:
        text: The prompt.
        file: Its name, for the places of what is wrong.
    """
    texts: list[str] = []
    places: list[Place] = []
    end = 0
    for found in _PLACE.finditer(text):
        path = tuple(cast("str", found[1]).split(".")[1:])
        texts.append(text[end : found.start()])
        places.append(Place(path, found[2] == "?", text.count("\n", 0, found.start()) + 1))
        end = found.end()
    texts.append(text[end:])
    wrong: list[Violation] = []
    covered = {found.start() for found in _PLACE.finditer(text)}
    for opened in _OPENS.finditer(text):
        if opened.start() not in covered:
            line = text.count("\n", 0, opened.start()) + 1
            shown = text[opened.start() : opened.start() + 40].partition("\n")[0]
            todo = "write {{input}}, {{input.FIELD}} or, for a field that may be absent, {{input.FIELD?}}"
            wrong.append(Violation(where=f"{file}:{line}", what=f"{shown!r} is no place", rule="template", todo=todo))
    return Template(tuple(texts), tuple(places)), tuple(wrong)


def _at(value: Mapping[str, Any], place: Place) -> Any:
    found: Any = value
    for step in place.path:
        if found is None and place.optional:
            return None
        if not isinstance(found, Mapping) or (step not in found and not place.optional):
            raise ComponentFailed(
                f"the input has no {place.label}, which its prompt asks for",
                where=place.label,
                todo=f"send it, or write {{{{{place.label}?}}}} in the prompt if it may be absent",
            )
        found = cast("Mapping[str, Any]", found).get(step)
    return found
