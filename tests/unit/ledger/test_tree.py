"""The tree's subtrees, against a tree that is computed by the definition in RFC 9162, 2.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.ledger.audit import Growing
from interlock.ledger.tree import (
    EMPTY,
    Node,
    Span,
    consistency_spans,
    inclusion_spans,
    leaf_hash,
    needed,
    node_hash,
    root_of,
)

MOST = 70
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]


def mth(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash by its definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(mth(leaves[:split]), mth(leaves[split:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D_n) by its definition."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path(index, leaves[:split]), mth(leaves[split:])]
    return [*path(index - split, leaves[split:]), mth(leaves[:split])]


def subproof(earlier: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D_n, b) by its definition."""
    if earlier == len(leaves):
        return [] if whole else [mth(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if earlier <= split:
        return [*subproof(earlier, leaves[:split], whole=whole), mth(leaves[split:])]
    return [*subproof(earlier - split, leaves[split:], whole=False), mth(leaves[:split])]


def stored(size: int) -> dict[Node, bytes]:
    """What is stored of a tree: its perfect subtrees."""
    found = {Node(0, place): LEAVES[place] for place in range(size)}
    level = 1
    while size >> level:
        for place in range(size >> level):
            below = Node(level - 1, 2 * place), Node(level - 1, 2 * place + 1)
            found[Node(level, place)] = node_hash(found[below[0]], found[below[1]])
        level += 1
    return found


ALL = stored(MOST)


@given(st.integers(0, MOST))
def test_a_root_is_that_of_the_definition(size: int) -> None:
    assert root_of(Span(0, size), ALL.__getitem__) == mth(LEAVES[:size])


@given(st.integers(1, MOST).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_an_inclusion_proof_is_that_of_the_definition(drawn: tuple[int, int]) -> None:
    index, size = drawn
    spans = inclusion_spans(index, size)
    assert [root_of(span, ALL.__getitem__) for span in spans] == path(index, LEAVES[:size])
    assert all(node.index + 1 << node.level <= size for node in needed(spans))


@given(st.integers(1, MOST).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size))))
def test_a_consistency_proof_is_that_of_the_definition(drawn: tuple[int, int]) -> None:
    earlier, size = drawn
    spans = consistency_spans(earlier, size)
    assert [root_of(span, ALL.__getitem__) for span in spans] == subproof(earlier, LEAVES[:size], whole=True)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_spans(index, size)


@pytest.mark.parametrize(("earlier", "size"), [(0, 3), (4, 3), (-1, 3)])
def test_a_tree_that_is_no_beginning_has_no_proof(earlier: int, size: int) -> None:
    with pytest.raises(ValueError, match="no proof leads"):
        consistency_spans(earlier, size)


def test_a_growing_tree_completes_every_stored_subtree_once_and_keeps_the_root() -> None:
    tree, completed = Growing(), dict[Node, bytes]()
    assert tree.root == EMPTY
    for leaf in LEAVES:
        for level, node in enumerate(tree.add(leaf), 1):
            completed[Node(level, (tree.size >> level) - 1)] = node
        assert tree.root == mth(LEAVES[: tree.size])
    assert completed == {node: found for node, found in ALL.items() if node.level}
