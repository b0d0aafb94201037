"""Checkpoints: what is signed of the tree. Pure.

Source: C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint): three lines, the origin of the log, the number of leaves, the
root in base64, in a signed note.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

from interlock.errors import Refused
from interlock.ledger.note import read_note

_ROOT_BYTES = 32
_FEWEST_LINES = 3
_LARGEST = 2**63
_NEXT_KEY = "next-key "


class Checkpoint(NamedTuple):
    """A tree of one size.

    Attributes:
        origin: Which log.
        size: How many leaves.
        root: Its root, 32 bytes.
        next_key: While one key takes the place of another, the one that will sign alone, so that whoever trusts the
            old one can trust it: the extension line ``next-key``. Empty: none.
    """

    origin: str
    size: int
    root: bytes
    next_key: str = ""

    @property
    def text(self) -> str:
        """The text that is signed."""
        extension = f"{_NEXT_KEY}{self.next_key}\n" if self.next_key else ""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{extension}"


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that a note's text holds; further lines are extensions, of which ``next-key`` is known.

    Raises:
        Refused: it is none; what is wrong is named.
    """
    lines = text.split("\n")
    if len(lines) <= _FEWEST_LINES or lines[-1]:
        raise Refused("a checkpoint has three lines: origin, size, root", todo="take it as it was published")
    origin, size, encoded = lines[:_FEWEST_LINES]
    if not origin:
        raise Refused("the checkpoint names no log")
    if not (size.isascii() and size.isdecimal()) or (len(size) > 1 and size[0] == "0") or int(size[:20]) >= _LARGEST:
        raise Refused(f"{size[:40]!r} is no size of a tree")
    try:
        root = base64.b64decode(encoded, validate=True)
    except ValueError as cause:
        raise Refused("the root is no base64") from cause
    if len(root) != _ROOT_BYTES or base64.b64encode(root).decode() != encoded:
        raise Refused("the root is not 32 bytes")
    named = [line.removeprefix(_NEXT_KEY) for line in lines[_FEWEST_LINES:] if line.startswith(_NEXT_KEY)]
    if len(named) > 1:
        raise Refused("the checkpoint names two next keys")
    return Checkpoint(origin, int(size), root, *named)


def checkpoint_of(note: str) -> Checkpoint:
    """The checkpoint that a signed note holds; no signature is verified.

    Raises:
        Refused: it is no signed note, or holds no checkpoint.
    """
    return read_checkpoint(read_note(note).text)
