"""YAML that reads as it is: every value keeps its line and the text that was written.

A small part of YAML 1.2: one document of mappings, sequences and scalars. Anchors, aliases, tags, directives, merge
keys and duplicate keys are refused, since with them the value that takes effect stands elsewhere than where the reader
looks. Pure: bytes in, a tree and what is wrong with it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, cast

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from interlock.errors import Violation

LARGEST_FILE = 256 * 1024
"""Bytes. A declaration that is longer is no longer read by anyone."""
DEEPEST = 16
"""Levels of mappings and sequences within each other."""
_MOST_OPEN = 300
"""Brackets that may stand open at once, those in texts too: the parser's time grows with the third power of it."""


class Kind(StrEnum):
    """What a scalar is, by the core schema of YAML 1.2 (section 10.3.2)."""

    TEXT = "text"
    NULL = "nothing"
    BOOLEAN = "true or false"
    INTEGER = "a whole number"
    NUMBER = "a number"


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """One value.

    Attributes:
        text: The characters as they were written, without quotes; a number is not yet turned into one, so it is exact.
        kind: What it is; anything quoted is text.
        line: Where it stands, from 1.
    """

    text: str
    kind: Kind
    line: int


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """A list.

    Attributes:
        items: Its values in order.
        line: Where it starts, from 1.
    """

    items: tuple[Node, ...]
    line: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a mapping and its value.

    Attributes:
        key: The key; always a scalar.
        value: The value.
    """

    key: Scalar
    value: Node


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Keys and values in the order of the file; no key stands twice.

    Attributes:
        entries: In order.
        line: Where it starts, from 1.
    """

    entries: tuple[Entry, ...]
    line: int

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        return next((entry.value for entry in self.entries if entry.key.text == key), None)


Node = Scalar | Sequence | Mapping


def describe(node: Node) -> str:
    """What a node is, for an error's text: ``a list``, ``a mapping``, or the scalar as it was written."""
    if isinstance(node, Scalar):
        return "nothing" if node.kind is Kind.NULL else repr(node.text[:60])
    return "a list" if isinstance(node, Sequence) else "a mapping"


def parse_yaml(data: bytes, file: str) -> tuple[Mapping, tuple[Violation, ...]]:
    """Read one document whose root is a mapping.

    Args:
        data: The file's bytes.
        file: Its name, for the places of what is wrong.

    Returns:
        The root and everything that is wrong; where anything is, the root is what could be read.
    """
    if len(data) > LARGEST_FILE:
        wrong = _wrong(file, 1, f"the file has {len(data):,} bytes", "too-large", f"at most {LARGEST_FILE:,} are read")
        return Mapping(entries=(), line=1), (wrong,)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        line = data[: cause.start].count(b"\n") + 1
        wrong = _wrong(file, line, f"byte 0x{data[cause.start]:02x} is not UTF-8", "encoding", "save the file as UTF-8")
        return Mapping(entries=(), line=1), (wrong,)
    if place := _too_many_open(text):
        line = text.count("\n", 0, place) + 1
        wrong = _wrong(
            file, line, f"more than {_MOST_OPEN} brackets stand open here", "too-deep", "close or remove them"
        )
        return Mapping(entries=(), line=1), (wrong,)
    builder = _Builder(file)
    try:
        root = builder.document(_events(text))
    except YAMLError as cause:
        builder.wrong.append(_unreadable(file, text, cause))
        root = None
    if isinstance(root, Mapping):
        return root, tuple(builder.wrong)
    if not builder.wrong:
        what = f"the file holds {'nothing' if root is None else describe(root)}, not keys and values"
        builder.wrong.append(_wrong(file, 1, what, "not-a-mapping", 'start with a key, as in "workflow: NAME"'))
    return Mapping(entries=(), line=1), tuple(builder.wrong)


def _too_many_open(text: str) -> int:
    """The place of the first bracket of which too many stand open at once; 0 if there is none."""
    still_open = 0
    for found in _BRACKET.finditer(text):
        still_open = still_open + 1 if found[0] in "[{" else max(0, still_open - 1)
        if still_open > _MOST_OPEN:
            return found.start()
    return 0


_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
"""What escapes in quotes can write and no text of the database can hold; the same stands at the door of JSON."""
_BRACKET = re.compile(r"[\[\]{}]")


class _Builder:
    """Makes the tree from the parser's events, noting what is refused."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.wrong: list[Violation] = []

    def document(self, events: Iterator[Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._document_start(event, another=root is not None)
            elif isinstance(event, (AliasEvent, ScalarEvent, MappingStartEvent, SequenceStartEvent)):
                node = self._node(event, events, 1)
                root = node if root is None else root
        return root

    def _document_start(self, event: DocumentStartEvent, *, another: bool) -> None:
        if another:
            self._refuse(event, "a second document starts here", "documents", "keep one document a file")
        if cast("object", event.version) or cast("object", event.tags):
            self._refuse(event, "the file has a directive", "directive", "remove the line that starts with %")

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        line = _line(event)
        if isinstance(event, AliasEvent):
            self._refuse(
                event, f"*{getattr(event, 'anchor', '')} is an alias", "alias", "write the value out where it is used"
            )
            return Scalar(text="", kind=Kind.NULL, line=line)
        if getattr(event, "anchor", None):
            self._refuse(event, f"&{getattr(event, 'anchor', '')} is an anchor", "anchor", "remove it")
        if getattr(event, "tag", None):
            self._refuse(event, f"{getattr(event, 'tag', '')} is a tag", "tag", "remove it; the key says what is meant")
        if isinstance(event, ScalarEvent):
            text = cast("str", event.value)
            plain = cast("tuple[bool, bool]", event.implicit)[0]
            if _UNSTORABLE.search(text):
                self._refuse(event, f"{text[:60]!r} holds NUL or half a surrogate pair", "characters", "remove it")
                text = _UNSTORABLE.sub("\ufffd", text)
            return Scalar(text=text, kind=_kind(text) if plain else Kind.TEXT, line=line)
        if depth > DEEPEST:
            self._refuse(event, f"nested more than {DEEPEST} deep", "too-deep", "flatten it")
            _skip(events)
            return Scalar(text="", kind=Kind.NULL, line=line)
        if isinstance(event, SequenceStartEvent):
            return Sequence(items=tuple(self._items(events, depth)), line=line)
        return Mapping(entries=tuple(self._entries(events, depth)), line=line)

    def _items(self, events: Iterator[Event], depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, SequenceEndEvent):
                return
            yield self._node(event, events, depth + 1)

    def _entries(self, events: Iterator[Event], depth: int) -> Iterator[Entry]:
        first: dict[str, int] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                return
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                self._refuse(event, f"{describe(key)} stands as a key", "key", "a key is one word")
            elif key.text in first:
                what = f"{key.text[:60]!r} stands twice; first on line {first[key.text]}"
                self._refuse(event, what, "duplicate-key", "keep one of them")
            elif key.text == "<<":
                self._refuse(event, "<< merges another mapping", "merge", "write the keys out")
            else:
                first[key.text] = key.line
                if isinstance(value, Scalar) and value.kind is Kind.NULL:
                    # The parser places what is not there where it gave up looking: on a later line.
                    value = msgspec.structs.replace(value, line=key.line)
                yield Entry(key=key, value=value)

    def _refuse(self, event: Event, what: str, rule: str, todo: str) -> None:
        self.wrong.append(_wrong(self.file, _line(event), what, rule, todo))


def _events(text: str) -> Iterator[Event]:
    library = cast("Any", YAML(typ="safe", pure=True))
    return cast("Iterator[Event]", library.parse(text))


def _skip(events: Iterator[Event]) -> None:
    depth = 1
    while depth:
        event = next(events)
        depth += isinstance(event, (MappingStartEvent, SequenceStartEvent))
        depth -= isinstance(event, (MappingEndEvent, SequenceEndEvent))


def _line(event: Event) -> int:
    return cast("int", getattr(getattr(event, "start_mark", None), "line", 0)) + 1


def _wrong(file: str, line: int, what: str, rule: str, todo: str) -> Violation:
    return Violation(where=f"{file}:{line}", what=what, rule=rule, todo=todo)


def _unreadable(file: str, text: str, cause: YAMLError) -> Violation:
    if isinstance(cause, MarkedYAMLError):
        mark, what = cast("object", cause.problem_mark), cast("str | None", cause.problem)
        line = cast("int", getattr(mark, "line", 0)) + 1
        return _wrong(file, line, what or "the file is not YAML", "syntax", "look at this line and the one before")
    # What is left is the reader's complaint about a character; it tells the place only by the character's number.
    place = cast("int", getattr(cause, "position", 0))
    what = f"character U+{ord(text[place]):04X} may not stand in a file" if place < len(text) else "unreadable"
    return _wrong(file, text.count("\n", 0, place) + 1, what, "syntax", "remove it")


_KINDS = (
    (Kind.NULL, re.compile(r"(null|Null|NULL|~|)\Z")),
    (Kind.BOOLEAN, re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")),
    (Kind.INTEGER, re.compile(r"([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")),
    (
        Kind.NUMBER,
        re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"),
    ),
)


def _kind(text: str) -> Kind:
    return next((kind for kind, form in _KINDS if form.match(text)), Kind.TEXT)
