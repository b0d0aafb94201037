"""The Merkle tree of RFC 9162, section 2.1: which subtrees a proof is made of. Pure.

The roots of perfect subtrees are stored, (level, index) that of the leaves from index * 2^level on; every hash that a
proof needs is folded from a few of them, for every size that the tree has ever had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LEAF = b"\x00"
NODE = b"\x01"
EMPTY = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""


@dataclass(frozen=True, slots=True)
class Node:
    """A perfect subtree: that of the leaves ``index * 2**level`` to ``(index + 1) * 2**level - 1``."""

    level: int
    index: int


class Span(NamedTuple):
    """The leaves from ``start`` on, before ``end``. INVARIANT: a subtree of some tree of RFC 9162."""

    start: int
    end: int


Hashes = Callable[[Node], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash above two subtrees."""
    return hashlib.sha256(NODE + left + right).digest()


def perfect_parts(span: Span) -> list[Node]:
    """The perfect subtrees that a subtree is made of, from left to right: the larger first."""
    parts: list[Node] = []
    start, left = span.start, span.end - span.start
    while left:
        level = left.bit_length() - 1
        parts.append(Node(level, start >> level))
        start += 1 << level
        left -= 1 << level
    return parts


def root_of(span: Span, hashes: Hashes) -> bytes:
    """The root of a subtree from its perfect parts; of no leaves, ``EMPTY``."""
    parts = perfect_parts(span)
    if not parts:
        return EMPTY
    root = hashes(parts[-1])
    for part in reversed(parts[:-1]):
        root = node_hash(hashes(part), root)
    return root


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees whose roots prove a leaf, from the leaf upward (RFC 9162, 2.1.3.1).

    Args:
        index: Of the leaf, from 0.
        size: How many leaves the tree has.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(earlier: int, size: int) -> list[Span]:
    """The subtrees whose roots prove that a tree begins with an earlier one (RFC 9162, 2.1.4.1).

    Args:
        earlier: How many leaves the earlier tree has, at least 1.
        size: How many the later one has.

    Raises:
        ValueError: the earlier tree is empty or the larger one: neither can be proved.
    """
    if not 0 < earlier <= size:
        raise ValueError(f"no proof leads from {earlier} leaves to {size}")
    spans: list[Span] = []
    start, end, whole = 0, size, True
    while end > earlier:
        middle = start + _split(end - start)
        if earlier <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start, whole = middle, False
    if not whole:
        spans.append(Span(start, end))
    return spans[::-1]


def needed(spans: Sequence[Span]) -> list[Node]:
    """Every stored subtree that these roots are folded from, each once."""
    return list(dict.fromkeys(part for span in spans for part in perfect_parts(span)))


def _split(leaves: int) -> int:
    """The largest power of two below a number of leaves: where their tree parts into left and right."""
    return 1 << (leaves - 1).bit_length() - 1
