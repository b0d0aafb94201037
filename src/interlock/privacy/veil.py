"""A record with tokens in the place of its personal values, and the hiding of the same values wherever else they stand.

What a component puts out, what a check finds, the reason for a route, the text of an error: each may repeat a value of
the record that it is about. ``Veil.mask`` puts the value's token there. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from interlock.contracts.mark import Mark, Personal
from interlock.contracts.shown import Path, pointer
from interlock.privacy.token import MARKER

SHORTEST = 3
"""Characters of a value below which it is found in a text too often by chance to be hidden there."""
_SURELY = 8
"""From so many characters on, a value without letters is taken for itself, too, where it stands in an output."""

_PLAIN = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)

Making = Callable[[str, tuple[str, ...], object], str]
"""Makes a token of a place, purposes and a value: ``SubjectKey.token``."""


class Veil:
    """The personal values of one record, and the tokens that stand for them.

    Attributes:
        given: The places that were protected, each with its clear value; for finding.
    """

    def __init__(self) -> None:
        self.given: list[tuple[str, object]] = []
        self._texts: dict[str, str] = {}
        self._numbers: dict[Decimal, str] = {}

    def note(self, place: str, value: object, token: str) -> None:
        """Remember that a token stands for a value."""
        self.given.append((place, value))
        for text in _texts(value):
            self._texts.setdefault(text, token)
            if (number := _number(text)) is not None:
                self._numbers.setdefault(number, token)
                for form in (f"{number.normalize():f}", f"{number:,f}", f"{number:.0f}"):
                    if len(form) >= SHORTEST:
                        self._texts.setdefault(form, token)

    def join(self, other: Veil) -> None:
        """Hide what another veil hides, too."""
        self.given += other.given
        self._texts = {**other._texts, **self._texts}
        self._numbers = {**other._numbers, **self._numbers}

    @property
    def hides(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._texts)

    def mask(self, value: Any, *, numbers: bool = True) -> Any:
        """A JSON value in which each text that repeats a personal value has its token there; a copy.

        Args:
            value: Anything that JSON holds.
            numbers: Whether short values without any letter are hidden, too, such as 5200; not in outputs, where the
                same digits may well mean something else, and are computed with.
        """
        if not self._texts:
            return value
        if not numbers:
            return _masked(value, [one for one in self._searched if _is_telling(one[0])], {})
        return _masked(value, self._searched, self._numbers)

    def mask_text(self, text: str) -> str:
        """A text without personal values."""
        return _masked_text(text, self._searched) if self._texts else text

    def repeats(self, text: str) -> bool:
        """Whether a text holds a value that tells who it is about; for idempotency keys."""
        lower = text.lower()
        return any(_is_telling(one.lower()) and one.lower() in lower for one in self._texts)

    @property
    def texts(self) -> Iterable[str]:
        """The texts that are hidden."""
        return self._texts

    @property
    def _searched(self) -> list[tuple[str, str]]:
        return sorted(((text.lower(), token) for text, token in self._texts.items()), key=lambda one: -len(one[0]))


def veiled(personal: Personal, value: Mapping[str, Any], make: Making, veil: Veil) -> dict[str, Any]:
    """A record with tokens; what is not of the marked form stays as it is, so a record that is not valid may be given.

    Args:
        personal: What is marked.
        value: The record; it is not changed.
        make: Makes the tokens.
        veil: Takes what they stand for.
    """
    record: Any = dict(value)
    for path, mark in personal.fields:
        record = _put(record, path, 0, mark, make, veil)
    return record


def _put(here: Any, path: Path, depth: int, mark: Mark, make: Making, veil: Veil) -> Any:
    """The value with the field behind a path replaced; containers on the way are copied."""
    if depth == len(path):
        return here if here is None else _token(here, pointer(path), mark, make, veil)
    step = path[depth]
    if step == "*" and isinstance(here, list):
        return [_put(one, path, depth + 1, mark, make, veil) for one in cast("list[Any]", here)]
    if step != "*" and isinstance(here, dict) and step in here:
        fields = cast("dict[Any, Any]", here)
        return {**fields, step: _put(fields[step], path, depth + 1, mark, make, veil)}
    return cast("Any", here)


def _token(value: object, place: str, mark: Mark, make: Making, veil: Veil) -> str:
    token = make(place, mark.purposes, value)
    veil.note(place, value, token)
    return token


def value_at(value: object, path: Path) -> Any:
    """What stands at a path without arrays; None if nothing does."""
    for step in path:
        if not isinstance(value, dict):
            return None
        value = cast("dict[Any, object]", value).get(step)
    return value


def tokens_of(value: object) -> Iterator[str]:
    """The texts of a value that hold a token."""
    if isinstance(value, str):
        if MARKER in value:
            yield value
    elif isinstance(value, Mapping):
        for one in cast("Mapping[object, object]", value).values():
            yield from tokens_of(one)
    elif isinstance(value, (list, tuple)):
        for one in cast("Iterable[object]", value):
            yield from tokens_of(one)


def replaced(value: Any, instead: Callable[[str], Any]) -> Any:
    """A copy of a value in which each text that holds a token is replaced."""
    if isinstance(value, str):
        return instead(value) if MARKER in value else value
    if isinstance(value, Mapping):
        return {key: replaced(one, instead) for key, one in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [replaced(one, instead) for one in cast("Iterable[Any]", value)]
    return value


def _texts(value: object) -> Iterator[str]:
    """How a value may stand in a text: each of its parts that is long enough to be told from others."""
    if isinstance(value, str):
        texts = {value, value.strip()}
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        texts = {str(value)}
    else:
        texts = set[str]()
        if isinstance(value, dict):
            value = list(cast("dict[str, object]", value).values())
        if isinstance(value, list):
            for one in cast("list[object]", value):
                yield from _texts(one)
    yield from (text for text in texts if len(text) >= SHORTEST)


def _is_telling(text: str) -> bool:
    return len(text) >= _SURELY or any(character.isalpha() for character in text)


def _number(text: str) -> Decimal | None:
    """The number that a text is, if it is a plain one."""
    try:
        return Decimal(text) if _PLAIN.fullmatch(text) else None
    except InvalidOperation:
        return None


def _masked(value: Any, found: list[tuple[str, str]], numbers: Mapping[Decimal, str]) -> Any:
    if isinstance(value, str):
        return _masked_text(value, found)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {_masked(key, found, {}): _masked(one, found, numbers) for key, one in items}
    if isinstance(value, (list, tuple)):
        return [_masked(one, found, numbers) for one in cast("Iterable[Any]", value)]
    if numbers and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return numbers.get(Decimal(str(value)), value)
    return value


def _masked_text(text: str, found: list[tuple[str, str]]) -> str:
    """The text with each value's token in its place, whatever the case of its letters; tokens themselves are left."""
    for value, token in found:
        lower = text.lower()
        if value not in lower:
            continue
        if len(lower) != len(text):  # a letter whose small form is longer: then places differ, and the whole text goes
            return token
        parts: list[str] = []
        start = 0
        while (at := lower.find(value, start)) >= 0:
            begins = text.rfind(MARKER, 0, at)
            ends = text.find("}", begins) if begins >= 0 else -1
            if begins >= 0 and ends >= at:  # within a token that stands there already
                parts.append(text[start : ends + 1])
                start = ends + 1
                continue
            parts += [text[start:at], token]
            start = at + len(value)
        text = "".join((*parts, text[start:]))
    return text
