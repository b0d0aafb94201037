"""XML from outside as plain nodes, one part of a document at a time: lxml, hardened, and the only place that knows it.

No document type declaration is read, so there are no entities to grow and none to fetch; nothing is loaded from disk or
network; depth, names and single texts are bounded by libxml2 (its ``huge_tree`` stays off).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, cast

import msgspec

from interlock.errors import StatementUnreadable

# an extension module without type information: what comes out of it is given our own types at once
_etree: Any = import_module("lxml.etree")
_DEEPEST = 100
_MOST_NODES = 250_000


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One element.

    Attributes:
        name: Its name without the namespace.
        space: The namespace; empty if it has none.
        text: Its text without white space at the ends; empty if it has children.
        attributes: By their names.
        children: Its elements in order.
        line: Where it begins.
    """

    name: str
    space: str = ""
    text: str = ""
    attributes: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    children: tuple[Node, ...] = ()
    line: int = 0

    def all(self, *path: str) -> Iterator[Node]:
        """The nodes at a path below this one."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.all(*path[1:])

    def first(self, *path: str) -> Node | None:
        """The first of them."""
        return next(self.all(*path), None)

    def words(self, *path: str) -> str:
        """The text of the first of them; empty if there is none."""
        found = self.first(*path)
        return found.text if found else ""

    def any_words(self, *paths: tuple[str, ...]) -> str:
        """The first text that is not empty, over several paths."""
        return next((text for path in paths if (text := self.words(*path))), "")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An element that has been read, apart from its own parts that were handed out before.

    Attributes:
        node: The element.
        element: What its bytes are written from.
        opens: Whether the element has only begun: the node then has a name and a namespace alone.
    """

    node: Node
    element: Any = None
    opens: bool = False

    def data(self, longest: int) -> bytes:
        """The element as XML, at most so many bytes."""
        return bytes(_etree.tostring(self.element, encoding="utf-8", with_tail=False))[:longest]


def parts_of(data: bytes, cuts: Mapping[str, tuple[str, ...]]) -> Iterator[Part]:
    """The root as it opens, then each element of the given names as it ends; what was handed out is forgotten.

    A part's ``element`` lives only until the next one is asked for.

    Args:
        data: The document.
        cuts: Names of elements, without namespaces, and the names of those around each from the nearest on. An element
            that stands elsewhere, or in another namespace than what is around it, is none of them. One within another
            is no part of it any more.

    Raises:
        StatementUnreadable: the document is not well-formed, has a document type, or is nested too deeply.
    """
    try:
        yield from _parts(data, cuts)
    except _etree.XMLSyntaxError as cause:
        line, column = cast("tuple[int | None, int | None]", cause.position)
        raise StatementUnreadable(
            f"the file is no well-formed XML: {str(cause)[:200]}",
            where=f"line {line or 0}, column {column or 0}",
            todo="it may be cut off or mixed up on its way: ask who sent it for the file again",
        ) from cause


def _parts(data: bytes, cuts: Mapping[str, tuple[str, ...]]) -> Iterator[Part]:
    events = _etree.iterparse(
        io.BytesIO(data),
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    held: list[int] = []  # for each open element, how many were in memory when it began
    count = 0
    for event, element in events:
        if event == "start":
            if not held:
                yield Part(node=_root(element), opens=True)
            held.append(count)
            count += 1
            _bound(len(held), count, element)
            continue
        before = held.pop()
        if isinstance(element.tag, str) and _is_cut(element, cuts):
            yield Part(node=_node(element), element=element)
            parent = element.getparent()
            element.clear(keep_tail=False)
            if parent is not None:
                parent.remove(element)
            count = before


def _is_cut(element: Any, cuts: Mapping[str, tuple[str, ...]]) -> bool:
    space, name = _names(element)
    around = cuts.get(name)
    if around is None:
        return False
    above = [_names(one) for one in element.iterancestors()] if around else []
    # the outermost of the names once alone: a whole document may be repeated within what a bank adds
    return above[: len(around)] == [(space, one) for one in around] and not any(
        one in around for _, one in above[len(around) :]
    )


def _root(element: Any) -> Node:
    if cast("str", element.getroottree().docinfo.doctype):
        raise StatementUnreadable(
            "the file declares a document type, which a statement never has",
            todo="it may be an attack: ask who sent it before you do anything with it",
        )
    space, name = _names(element)
    return Node(name=name, space=space, line=_line(element))


def _bound(depth: int, count: int, element: Any) -> None:
    if depth > _DEEPEST or count > _MOST_NODES:
        what = f"nested more than {_DEEPEST} deep" if depth > _DEEPEST else f"of more than {_MOST_NODES:,} parts in one"
        raise StatementUnreadable(
            f"the file is {what}", where=f"line {_line(element)}", todo="no statement is: see where it comes from"
        )


def _node(element: Any) -> Node:
    space, name = _names(element)
    children = tuple(_node(child) for child in element if isinstance(child.tag, str))
    text = "" if children else cast("str", element.text or "").strip()
    attributes = {str(key).rpartition("}")[2]: str(value) for key, value in element.attrib.items()}
    return Node(name=name, space=space, text=text, attributes=attributes, children=children, line=_line(element))


def _names(element: Any) -> tuple[str, str]:
    space, _, name = cast("str", element.tag).rpartition("}")
    return space.removeprefix("{"), name


def _line(element: Any) -> int:
    return int(element.sourceline or 0)
