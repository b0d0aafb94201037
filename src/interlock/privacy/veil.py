"""A record with tokens in the place of its personal values, and the hiding of the same values wherever else they stand.

What a component puts out, what a check finds, the reason for a route, the text of an error: each may repeat a value of
the record that it is about. ``Veil.mask`` puts the value's token there. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, cast
from uuid import UUID

from interlock.contracts import Field, Shape
from interlock.contracts.mark import Mark, Personal
from interlock.contracts.shown import Path, pointer
from interlock.privacy.token import HIDDEN, MARKER, TOKEN, key_id_of, keys_in

SHORTEST = 3
"""Characters of a value below which it is found in a text too often by chance to be hidden there."""
_SURELY = 8
"""From so many characters on, a value that is no single word of letters is taken for itself wherever it stands."""
_DIGITS = 6
"""Digits of a number below which it is left in what another system answers: it may be a status, or a count."""
_MOST = 10**30
"""No number beyond is looked for."""
_CUT = 200
"""From so many characters on, a text of somebody's words may have been cut, and its end may be part of a value."""

_PLAIN = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)


class _Hidden(NamedTuple):
    """What is looked for: a text, the same in small letters, its token, and whether it is taken for itself anywhere."""

    text: str
    small: str
    token: str
    sure: bool


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
        self._sorted: list[_Hidden] | None = None

    def note(self, place: str, value: object, token: str) -> None:
        """Remember that a token stands for a value."""
        self.given.append((place, value))
        self._sorted = None
        for text in _texts(value):
            self._texts.setdefault(text, token)
            for form in _escaped(text):
                self._texts.setdefault(form, token)
            if (number := _number(text)) is not None:
                self._numbers.setdefault(number, token)
                for form in (f"{number.normalize():f}", f"{number:,f}", f"{number:.0f}", f"{number:,.0f}"):
                    if len(form) >= SHORTEST:
                        self._texts.setdefault(form, token)

    def join(self, other: Veil) -> None:
        """Hide what another veil hides, too."""
        self.given += other.given
        self._sorted = None
        self._texts = {**other._texts, **self._texts}
        self._numbers = {**other._numbers, **self._numbers}

    @property
    def hides(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._texts)

    def mask(self, value: Any) -> Any:
        """A JSON value in which each text and number that repeats a personal value has its token there; a copy.

        Names of fields stay, unless they hold a value that cannot be a name, such as an address.
        """
        return _masked(value, self._searched, self._number_of) if self._texts else value

    def mask_answer(self, value: Any) -> Any:
        """The same of what another system answered, which the workflow's code may go on with.

        Numbers are left below six digits, and in any other spelling than the value's own.
        """
        return _masked(value, self._searched, self._long_number_of) if self._texts else value

    def mask_output(self, record: Field, value: Any) -> Any:
        """The same of an output: only where its contract leaves the text free, so that it stays what it says.

        Left as they are: names of fields, values from a list, numbers, amounts, booleans and times; and values without
        any letter of fewer than eight characters. A value that is one word is hidden where it is spelled as it was: the
        word grant is not somebody called Grant.
        """
        return self._output(record, value) if self._texts else value

    def mask_text(self, text: str) -> str:
        """A text without personal values, and without the beginning of one at an end where it may have been cut."""
        if not self._texts:
            return text
        masked = _masked_text(text, self._searched)
        return masked if len(text) < _CUT else _without_beginning(masked, self._searched)

    def mask_name(self, text: str) -> str:
        """A name, of a field or of a table, without what can be no name."""
        return _masked_text(text, [one for one in self._searched if one.sure]) if self._texts else text

    def keys(self) -> frozenset[UUID]:
        """The keys of the tokens."""
        return keys_in("".join(self._texts.values()).encode())

    def repeats(self, text: str) -> bool:
        """Whether a text holds a value that tells who it is about; for idempotency keys."""
        lower = text.lower()
        return any(_is_telling(one.lower()) and one.lower() in lower for one in self._texts)

    @property
    def texts(self) -> Iterable[str]:
        """The texts that are hidden."""
        return self._texts

    @property
    def _searched(self) -> list[_Hidden]:
        if self._sorted is None:
            hidden = (_Hidden(text, _small(text), token, _is_sure(text)) for text, token in self._texts.items())
            self._sorted = sorted(hidden, key=lambda one: -len(one.small))
        return self._sorted

    def _number_of(self, value: float) -> str | None:
        return self._numbers.get(Decimal(str(value)))

    def _long_number_of(self, value: float) -> str | None:
        text = str(value)
        return self._texts.get(text) if sum(map(str.isdigit, text)) >= _DIGITS else None

    def _output(self, field: Field, value: Any) -> Any:
        if isinstance(value, str):
            if field.shape is not Shape.STRING or field.choices:
                return value
            strict = bool(field.pattern or field.text_format)
            found = [one for one in self._searched if one.sure or (_is_telling(one.text) and not strict)]
            return _masked_text(value, found, as_spelled=True)
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            known = {one.name: one for one in field.fields}
            return {name: self._output(known[name], one) if name in known else one for name, one in fields.items()}
        if isinstance(value, list) and field.item is not None:
            return [self._output(field.item, one) for one in cast("list[Any]", value)]
        return cast("Any", value)


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


def _escaped(text: str) -> Iterator[str]:
    """The same as it stands in JSON, where that is different."""
    if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        for ascii_only in (True, False):
            form = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            if form != text:
                yield form


def _small(text: str) -> str:
    """A text in small letters, of the same length."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(one.lower()[:1] for one in text)


def _is_sure(text: str) -> bool:
    return len(text) >= _SURELY and not text.isalpha()


def _is_telling(text: str) -> bool:
    return len(text) >= _SURELY or any(character.isalpha() for character in text)


def _number(text: str) -> Decimal | None:
    """The number that a text is, if it is a plain one."""
    try:
        return Decimal(text) if _PLAIN.fullmatch(text) else None
    except InvalidOperation:
        return None


def without_strange_tokens(value: Any, keys: frozenset[UUID]) -> Any:
    """A JSON value from outside without tokens of others: whoever has one must not have it opened by us.

    Args:
        value: JSON, or a text.
        keys: The keys whose tokens stay.
    """
    if isinstance(value, str):
        if MARKER not in value:
            return value
        return TOKEN.sub(lambda found: found[0] if key_id_of(found[1]) in keys else HIDDEN, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {without_strange_tokens(key, keys): without_strange_tokens(one, keys) for key, one in items}
    if isinstance(value, (list, tuple)):
        return [without_strange_tokens(one, keys) for one in cast("Iterable[Any]", value)]
    return value


def _masked(value: Any, found: list[_Hidden], number_of: Callable[[float], str | None]) -> Any:
    if isinstance(value, str):
        return _masked_text(value, found)
    if isinstance(value, Mapping):
        sure = [one for one in found if one.sure]
        items = cast("Mapping[Any, Any]", value).items()
        return {
            _masked_text(key, sure) if isinstance(key, str) else key: _masked(one, found, number_of)
            for key, one in items
        }
    if isinstance(value, (list, tuple)):
        return [_masked(one, found, number_of) for one in cast("Iterable[Any]", value)]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -_MOST < value < _MOST:
        return number_of(value) or value
    return value


def _masked_text(text: str, found: list[_Hidden], *, as_spelled: bool = False) -> str:
    """The text with each value's token in its place, whatever the case of its letters; tokens themselves are left.

    A short value, or one that is a single word, is found as a word of its own only; ``as_spelled``: such a word only in
    its own spelling, too.
    """
    small = _small(text)
    for one in found:
        exact = as_spelled and not one.sure and one.text.isalpha()
        value, looked_in = (one.text, text) if exact else (one.small, small)
        if value not in looked_in:
            continue
        parts: list[str] = []
        start = 0
        while (at := looked_in.find(value, start)) >= 0:
            end = at + len(value)
            begins = text.rfind(MARKER, 0, at)
            ends = text.find("}", begins) if begins >= 0 else -1
            if begins >= 0 and ends >= at:  # within a token that stands there already
                parts.append(text[start : ends + 1])
                start = ends + 1
            elif one.sure or (_parted(text, at) and _parted(text, end)):
                parts += [text[start:at], one.token]
                start = end
            else:
                parts.append(text[start : at + 1])
                start = at + 1
        text = "".join((*parts, text[start:]))
        small = _small(text)
    return text


def _parted(text: str, at: int) -> bool:
    """Whether a word ends, and another begins, before a place; a number beside a letter is a word of its own."""
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalnum() and after.isalnum()) or before.isdigit() != after.isdigit()


def _without_beginning(text: str, found: list[_Hidden]) -> str:
    """A text that may have been cut, with a token where it ends with the beginning of a value."""
    small = _small(text)
    for one in found:
        for length in range(min(len(one.small), len(small)), SHORTEST - 1, -1):
            if small.endswith(one.small[:length]) and MARKER not in text[text.rfind("{") :]:
                return text[:-length] + one.token
    return text
