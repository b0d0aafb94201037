"""Whether an idempotency key names a person, of whom only data are known that break their contract. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from interlock.contracts import Contract, Field, Shape
from interlock.privacy.veil import SHORTEST, Veil

_QUOTED = re.compile(r'"([^"\\]{1,1000})"')
_WORDS = re.compile(r"""[^\s"',;<>(){}\[\]\\]{1,1000}""")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def names_person(key: str, veil: Veil) -> bool:
    """Whether a key repeats a personal value: anywhere within it, or, of a short value without letters, as a word."""
    return veil.repeats(key) or any(_stands(key, text) for text in veil.texts)


def names_doubtful(key: str, contract: Contract, value: object, came: bytes) -> bool:
    """The same of data that break their contract: whatever in them may be personal counts as if it were.

    Args:
        key: The idempotency key.
        contract: What they were held against.
        value: What came, read; None where it cannot be: then each of its texts counts.
        came: What came.
    """
    if not key:
        return False
    veil = Veil()
    doubtful = (found for text in texts_of(came) for found in _QUOTED.findall(text)) if value is None else None
    for one in doubtful if doubtful is not None else _doubtful(contract.record, value):
        veil.note("", one, "")
    return names_person(key, veil)


def texts_of(data: bytes) -> tuple[str, ...]:
    """What bytes may say, however they are encoded: UTF-8, with the escapes of JSON, or UTF-16."""
    text = data.decode("utf-8", "replace")
    forms = [text]
    if "\\u" in text:
        said = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        forms.append(said.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if b"\0" in data:
        forms += [data.decode("utf-16-le", "replace"), data.decode("utf-16-be", "replace")]
    return tuple(forms)


def _stands(key: str, text: str) -> bool:
    return len(text) >= SHORTEST and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", key, re.IGNORECASE) is not None


def _doubtful(field: Field | None, value: object) -> Iterator[object]:
    """What is marked, unknown to the contract, or not of the form that it asks for."""
    if field is None or field.mark.personal:
        yield value
    elif isinstance(value, dict) and field.shape is Shape.OBJECT:
        for name, one in cast("dict[str, object]", value).items():
            yield from _doubtful(field.child(name), one)
    elif isinstance(value, list) and field.shape is Shape.ARRAY:
        for one in cast("list[object]", value):
            yield from _doubtful(field.item, one)
    elif isinstance(value, (dict, list)) or field.shape in (Shape.OBJECT, Shape.ARRAY):
        yield value


def words_of(text: str) -> set[str]:
    """What in a text may be a subject's value: what stands between quotes, and each word, also without its scheme."""
    words = set(_QUOTED.findall(text))
    for word in _WORDS.findall(text):
        words |= {word, *word.split(":"), *word.split("=")}
    return {one.strip() for one in words} - {""}


def forms_of(value: str) -> tuple[str | int, ...]:
    """How records may have the value that somebody types: as a text, and, of a whole number, as a number."""
    digits = value.removeprefix("-")
    is_whole = digits.isascii() and digits.isdecimal() and str(int(value)) == value
    return (value, int(value)) if is_whole else (value,)
