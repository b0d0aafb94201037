"""Merkle trees as in RFC 9162, section 2.1: what a proof proves.

Hashes are SHA-256, 32 bytes. Sizes count leaves; indexes count from 0.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from interlock_verify.refusal import Unproved

HASH_BYTES = 32
MOST_LEAVES = 1 << 63
"""No tree is larger, and so no proof of inclusion is longer than 63 hashes, and none of consistency than 64."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf (2.1.1): the zero byte tells it from that of a node."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children (2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the leaf of this hash stands at this index of the tree of this size and root (2.1.3.2).

    Raises:
        Unproved: The proof, the hashes beside its way up, the lowest first, does not prove that.
    """
    _check_lengths(leaf, root, *proof)
    if not 0 <= index < size <= MOST_LEAVES:
        raise Unproved(f"a tree of {size} leaves has no leaf {index}", "inclusion")
    found = leaf
    for left, beside in _climb(index, size - 1, proof, "inclusion"):
        found = node_hash(beside, found) if left else node_hash(found, beside)
    if found != root:
        raise Unproved(f"it is not leaf {index} of the signed tree: its hashes lead to another root", "inclusion")


def check_consistency(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that an earlier tree is the beginning of a later one: nothing was changed or taken away (2.1.4.2).

    Raises:
        Unproved: The proof, the hashes that both roots follow from, does not prove that.
    """
    _check_lengths(old_root, root, *proof)
    if not 0 <= old_size <= size <= MOST_LEAVES:
        raise Unproved(f"a tree of {size} leaves cannot follow one of {old_size}", "consistency")
    if old_size in (0, size):
        if proof:
            raise Unproved("its proof of consistency should be empty", "consistency")
        if old_root != (root if old_size == size else EMPTY_ROOT):
            raise Unproved(f"two different trees have {old_size} leaves", "consistency")
        return
    # a perfect tree is a node of the later one, and stands in no proof
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not hashes:
        raise Unproved("its proof of consistency is empty", "consistency")
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = found = hashes[0]
    for left, beside in _climb(at, last, hashes[1:], "consistency"):
        old_found = node_hash(beside, old_found) if left else old_found
        found = node_hash(beside, found) if left else node_hash(found, beside)
    if old_found != old_root or found != root:
        raise Unproved(
            f"the first {old_size} entries are not the ones that they were: the past was changed", "consistency"
        )


def _climb(at: int, last: int, proof: Sequence[bytes], rule: str) -> Iterator[tuple[bool, bytes]]:
    """The hashes beside the way from a node to the root, each with whether it stands on the left."""
    for beside in proof:
        if last == 0:
            raise Unproved(f"its proof of {rule} is too long", rule)
        left = bool(at & 1) or at == last
        yield left, beside
        while left and not at & 1 and at:  # the last node of an uneven level goes up without a neighbour
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise Unproved(f"its proof of {rule} is too short", rule)


def _check_lengths(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise Unproved(f"a hash does not have {HASH_BYTES} bytes", "form")
