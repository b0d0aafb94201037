"""JSON documents that a command is given: on the line itself, in a file, or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

from interlock.contracts import read_json
from interlock.errors import MalformedJson, NotFound


class Document(NamedTuple):
    """A document as it came, and read."""

    data: bytes
    value: Any


def read_document(text: str, option: str) -> Document:
    """Read ``{...}``, ``@FILE`` or ``@-``.

    Args:
        text: What was given.
        option: The option that it was given to, for the place of what is wrong.

    Raises:
        MalformedJson: it is not the JSON that we accept.
        NotFound: there is no such file, or it cannot be read.
    """
    data = _bytes_of(text, option)
    try:
        return Document(data, read_json(data))
    except MalformedJson as cause:
        raise MalformedJson(cause.what, where=f"{option}: {cause.where}".rstrip(": "), todo=cause.todo) from cause


def _bytes_of(text: str, option: str) -> bytes:
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    if text == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as cause:
        raise NotFound(
            f"{text[1:]} cannot be read: {cause.strerror or cause}", where=option, todo="give @ and the name of a file"
        ) from cause
