"""A bundle: a signed checkpoint, and entries with the proofs that they are in it.

Either one JSON document, or JSON lines: the document without its entries first, then one entry a line, so that any
number of them is read in constant memory. What is not of that form is ``Unreadable``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from interlock_verify.merkle import HASH_BYTES
from interlock_verify.note import exact_base64
from interlock_verify.refusal import Unreadable
from interlock_verify.strict_json import a_count, a_list, a_text, an_object, read_json, utf8

FORMAT = "interlock-bundle-1"
MOST_DOCUMENT = 64 << 20
MOST_LINE = 16 << 20
MOST_HASHES = 64
MOST_ROTATIONS = 10_000
MOST_ENTRIES = 5_000_000
_HEADER = ("format", "origin", "checkpoint")
_HEADER_MORE = ("earlier", "rotations")


@dataclass(frozen=True)
class Earlier:
    """An earlier checkpoint, and the proof that the log has only grown since."""

    checkpoint: str
    consistency: tuple[bytes, ...]


@dataclass(frozen=True)
class Header:
    """The log, the signed checkpoint, an earlier one that it follows, and changes of the key, oldest first."""

    origin: str
    checkpoint: str
    earlier: Earlier | None
    rotations: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """Where an entry is said to stand, its leaf's exact text, its proof, its record's exact text if it is shown."""

    index: int
    leaf: str
    proof: tuple[bytes, ...]
    record: str | None


Place = tuple[str, object]
"""Where an entry should stand, and the JSON that stands there; an ``Unreadable`` where it is none."""


def read_bundle(stream: BinaryIO) -> tuple[Header, Iterator[Place]]:
    """A bundle's header, and its entries as they are read."""
    first = stream.readline(MOST_DOCUMENT + 1)
    if len(first) > MOST_DOCUMENT:
        raise Unreadable(f"a document of more than {MOST_DOCUMENT >> 20} MiB: write it as JSON lines")
    try:
        value = read_json(utf8(first))
    except Unreadable:
        rest = stream.read(MOST_DOCUMENT + 1 - len(first))
        if not rest.strip():
            raise
        if len(first) + len(rest) > MOST_DOCUMENT:
            raise Unreadable(f"a document of more than {MOST_DOCUMENT >> 20} MiB: write it as JSON lines") from None
        value = read_json(utf8(first + rest))
    if not isinstance(value, dict):
        raise Unreadable("a bundle is an object")
    if value.get("format") != FORMAT:
        raise Unreadable(f"this is no bundle of the format {FORMAT!r}")
    if "entries" not in value:
        return _header(an_object(value, "the bundle", _HEADER, _HEADER_MORE)), _lines(stream)
    header = _header(an_object(value, "the bundle", (*_HEADER, "entries"), _HEADER_MORE))
    entries = a_list(value["entries"], "the list of entries", MOST_ENTRIES)
    if stream.read(MOST_DOCUMENT).strip():  # the document ended with its first line
        raise Unreadable("something follows the document")
    return header, ((f"entries[{number}]", one) for number, one in enumerate(entries))


def read_entry(value: object) -> Entry:
    """The entry that stands at a place."""
    if isinstance(value, Unreadable):
        raise value
    held = an_object(value, "the entry", ("index", "leaf", "proof"), ("record",))
    record = held.get("record")
    return Entry(
        index=a_count(held["index"], "the entry's index"),
        leaf=a_text(held["leaf"], "the entry's leaf"),
        proof=_hashes(held["proof"], "the entry's proof"),
        record=None if record is None else a_text(record, "the entry's record"),
    )


def _header(held: dict[str, object]) -> Header:
    earlier = held.get("earlier")
    proved = None
    if earlier is not None:
        parts = an_object(earlier, "`earlier`", ("checkpoint", "consistency"))
        proved = Earlier(
            a_text(parts["checkpoint"], "the earlier checkpoint"),
            _hashes(parts["consistency"], "the proof of consistency"),
        )
    changes = held.get("rotations")
    rotations = [] if changes is None else a_list(changes, "the list of rotations", MOST_ROTATIONS)
    return Header(
        origin=a_text(held["origin"], "the origin"),
        checkpoint=a_text(held["checkpoint"], "the checkpoint"),
        earlier=proved,
        rotations=tuple(a_text(one, "a rotation") for one in rotations),
    )


def _hashes(value: object, what: str) -> tuple[bytes, ...]:
    hashes = tuple(exact_base64(a_text(one, what)) for one in a_list(value, what, MOST_HASHES))
    if any(len(one) != HASH_BYTES for one in hashes):
        raise Unreadable(f"{what} holds a hash that is not {HASH_BYTES} bytes")
    return hashes


def _lines(stream: BinaryIO) -> Iterator[Place]:
    number = 1
    while line := stream.readline(MOST_LINE + 1):
        number += 1
        if len(line) > MOST_LINE:
            yield (f"line {number}", Unreadable(f"longer than {MOST_LINE >> 20} MiB; the rest was not read"))
            return
        try:
            value: object = read_json(utf8(line))
        except Unreadable as refused:
            value = refused
        yield (f"line {number}", value)
