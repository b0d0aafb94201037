from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, cast

import pytest

from interlock_verify.merkle import EMPTY_ROOT, MOST_LEAVES, check_consistency, check_inclusion, leaf_hash
from interlock_verify.refusal import Unproved


def proved(case: dict[str, Any]) -> bool:
    """Whether the verifier is satisfied with a case of transparency-dev/merkle."""
    proof = [b64decode(one) for one in cast("list[str]", case["proof"] or [])]
    try:
        if "leafIdx" in case:
            leaf, root = b64decode(case["leafHash"] or ""), b64decode(case["root"] or "")
            check_inclusion(leaf, case["leafIdx"], case["treeSize"], root, proof)
        else:
            roots = b64decode(case["root1"] or ""), b64decode(case["root2"] or "")
            check_consistency(case["size1"], case["size2"], *roots, proof)
    except Unproved:
        return False
    return True


def test_every_vector_verifies_or_is_refused_as_its_file_says(shared_data: Path) -> None:
    cases = [json.loads(file.read_text()) for file in sorted((shared_data / "merkle").rglob("*.json"))]
    assert [case["desc"] for case in cases if proved(case) is case["wantErr"]] == []
    assert len(cases) == 96
    assert {case["wantErr"] for case in cases if "leafIdx" in case} == {True, False}
    assert {case["wantErr"] for case in cases if "size1" in case} == {True, False}


def test_an_empty_tree_is_the_beginning_of_every_other() -> None:
    root = leaf_hash(b"one")
    check_consistency(0, 1, EMPTY_ROOT, root, [])
    check_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    with pytest.raises(Unproved, match="two different trees have 0"):
        check_consistency(0, 1, root, root, [])
    with pytest.raises(Unproved, match="should be empty"):
        check_consistency(0, 1, EMPTY_ROOT, root, [root])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 1), (1, 1), (5, 2), (0, MOST_LEAVES + 1), (0, -1)])
def test_an_index_outside_of_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(Unproved, match=f"a tree of {size} leaves has no leaf {index}"):
        check_inclusion(EMPTY_ROOT, index, size, EMPTY_ROOT, [])


@pytest.mark.parametrize(("old", "size"), [(2, 1), (-1, 1), (1, MOST_LEAVES + 1)])
def test_a_tree_that_shrinks_follows_nothing(old: int, size: int) -> None:
    with pytest.raises(Unproved, match="cannot follow"):
        check_consistency(old, size, EMPTY_ROOT, EMPTY_ROOT, [EMPTY_ROOT])


def test_hashes_of_another_length_are_refused() -> None:
    one = leaf_hash(b"one")
    with pytest.raises(Unproved, match="32 bytes"):
        check_inclusion(one, 0, 1, one + b"\x00", [])
    with pytest.raises(Unproved, match="32 bytes"):
        check_inclusion(one, 0, 2, one, [b""])
    with pytest.raises(Unproved, match="32 bytes"):
        check_consistency(1, 2, b"", one, [one])


def test_the_largest_tree_takes_no_longer_than_its_proof() -> None:
    one = leaf_hash(b"one")
    with pytest.raises(Unproved, match="another root"):
        check_inclusion(one, MOST_LEAVES - 1, MOST_LEAVES, one, [one] * 63)
    with pytest.raises(Unproved, match="too long"):
        check_inclusion(one, MOST_LEAVES - 1, MOST_LEAVES, one, [one] * 64)
    with pytest.raises(Unproved, match="too short"):
        check_consistency(MOST_LEAVES - 1, MOST_LEAVES, one, one, [one] * 63)
