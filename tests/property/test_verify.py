"""The verifier against trees, signatures and bundles that nobody thought of."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Iterator
from copy import deepcopy
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.unit.verify.a_log import Log, Signer, canonical, check, lines, mth, path, proof, trust

from interlock_verify import ed25519
from interlock_verify.check import check_bundle
from interlock_verify.history import check_history
from interlock_verify.merkle import check_consistency, check_inclusion, leaf_hash
from interlock_verify.note import read_note
from interlock_verify.refusal import Unproved, Unreadable

LEAVES = st.lists(st.binary(max_size=4), min_size=1, max_size=40)
ORDER = 2**252 + 27742317777372353535851937790883648493


def flipped(data: bytes, bit: int) -> bytes:
    """The same with one bit changed."""
    at, one = divmod(bit, 8)
    return data[:at] + bytes([data[at] ^ 1 << one]) + data[at + 1 :]


@given(LEAVES, st.data())
def test_every_leaf_of_every_tree_is_proved_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    size, root, way, leaf = len(leaves), mth(leaves), path(index, leaves), leaf_hash(leaves[index])
    check_inclusion(leaf, index, size, root, way)
    parts = [leaf, root, *way]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    for bad in (
        (parts[0], index, size, parts[1], parts[2:]),
        (leaf, index, size, root, [*way, root]),
        (leaf, index, size, root, way[1:] if way else [leaf]),
        (leaf, data.draw(st.integers(-2, size + 2).filter(lambda other: other != index)), size, root, way),
    ):
        if bad[1] != index and 0 <= bad[1] < size and leaves[bad[1]] == leaves[index] and path(bad[1], leaves) == way:
            continue  # the same leaf twice, side by side
        with pytest.raises(Unproved):
            check_inclusion(*bad)


@given(LEAVES, st.data())
def test_every_beginning_of_every_tree_is_proved_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    roots, hashes = (mth(leaves[:old]), mth(leaves)), proof(old, leaves)
    check_consistency(old, len(leaves), *roots, hashes)
    parts = [*roots, *hashes]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(Unproved):
        check_consistency(old, len(leaves), parts[0], parts[1], parts[2:])
    with pytest.raises(Unproved):
        check_consistency(old, len(leaves), *roots, [*hashes, roots[0]])
    with pytest.raises(Unproved):
        check_consistency(old, len(leaves), *roots, hashes[:-1] if hashes else [roots[0]])
    rewritten = [b"another", *leaves[1:]]
    assume(rewritten != leaves)
    with pytest.raises(Unproved):
        check_consistency(old, len(leaves), roots[0], mth(rewritten), proof(old, rewritten))


def agreed(key: bytes, text: bytes, signature: bytes) -> bool:
    """What OpenSSL says."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 64 * 8 - 1))
@settings(max_examples=60)
def test_signatures_are_judged_as_openssl_judges_them(seed: bytes, text: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(text)
    assert ed25519.verify(key, text, signature)
    assert not ed25519.verify(key, text + b"\x00", signature)
    assert not ed25519.verify(key, text, flipped(signature, bit))
    other = flipped(key, bit % 256)
    assert ed25519.verify(other, text, signature) is agreed(other, text, signature) is False
    s = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519.verify(key, text, signature[:32] + s.to_bytes(32, "little"))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
@settings(max_examples=60)
@example(bytes(32), bytes(64))  # a key of small order, which OpenSSL lets pass: it signs every fourth text or so
def test_any_bytes_are_judged_as_openssl_does_or_more_strictly(key: bytes, signature: bytes) -> None:
    judged = agreed(key, b"text", signature) and ed25519.is_key(key)
    assert ed25519.verify(key, b"text", signature) is judged


LOG = Log().grow(6)
CHANGE = LOG.note(5, f"next-key {Signer(2)}", signers=[Signer(1), Signer(2)])
NEWER = Log([Signer(2)], LOG.leaves, LOG.records)
WHOLE = NEWER.bundle(1, 4, earlier=3, rotations=(CHANGE,))
WHOLE["earlier"]["checkpoint"] = LOG.note(3)
FORMS = (canonical(WHOLE).encode(), lines(WHOLE))
BITS = 8 * min(map(len, FORMS))


def refused(bundle: dict[str, Any] | bytes) -> str:
    """What is first said against a bundle, in words that can be printed; empty where it verifies."""
    try:
        findings = check(bundle)
    except Unreadable as unreadable:
        said = str(unreadable)
    else:
        said = str(findings.failures[0]) if findings.wrong else ""
    assert said.isprintable()
    return said


def test_what_is_changed_below_is_good() -> None:
    assert [refused(one) for one in FORMS] == ["", ""]


@given(st.sampled_from(FORMS), st.integers(0, BITS - 1))
@settings(max_examples=300)
def test_every_bit_of_a_bundle_matters(form: bytes, bit: int) -> None:
    assert refused(flipped(form, bit))


@given(st.data())
@settings(max_examples=100)
def test_no_part_of_a_bundle_can_be_taken_from_another_place(data: st.DataObject) -> None:
    """Any two texts of a bundle exchanged: no attacker gains by moving what was signed elsewhere."""
    bundle = deepcopy(WHOLE)
    held = [(holder, key) for holder, key in places(bundle) if isinstance(holder[key], str)]
    (one, this), (two, that) = (data.draw(st.sampled_from(held)) for _ in range(2))
    assume(one[this] != two[that])
    one[this], two[that] = two[that], one[this]
    assert refused(bundle)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in JSON: its container and its key."""
    if isinstance(value, dict):
        inner: list[tuple[Any, Any]] = list(cast("dict[Any, Any]", value).items())
    else:
        inner = list(enumerate(cast("list[Any]", value))) if isinstance(value, list) else []
    for key, one in inner:
        yield cast("Any", value), key
        yield from places(one)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)


@given(st.data(), JSON)
@settings(max_examples=120)
def test_whatever_stands_in_a_bundle_is_refused_in_words(data: st.DataObject, value: Any) -> None:
    bundle = deepcopy(WHOLE)
    holder, key = data.draw(st.sampled_from(list(places(bundle))))
    assume(holder[key] != value)
    assume(key not in {"earlier", "rotations", "record"} or value is not None)  # these may be left out
    assume(holder is not bundle or key not in {"entries", "rotations"} or value != [])
    holder[key] = value
    for form in (canonical(bundle).encode("utf-8", "surrogatepass"), json.dumps(bundle).encode()):
        assert refused(form)


@given(st.binary(max_size=200) | JSON.map(json.dumps).map(str.encode))
@example(b"\n\n\xe2\x80\x94 a AAAAAAA=\n")
def test_whatever_is_given_as_bundle_note_or_history_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Unreadable):
        check_bundle(BytesIO(data), trust())
    text = data.decode("utf-8", "replace")
    for read in (read_note, trust().open, trust().follow):
        with pytest.raises((Unreadable, Unproved)):
            read(text)


@given(st.binary(max_size=100) | JSON.map(json.dumps).map(str.encode))
@settings(max_examples=60)
def test_whatever_stands_in_a_history_is_told(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "history-of-anything.jsonl"
    file.write_bytes(data)
    history = check_history(file, trust())
    assert history.findings.wrong == history.checkpoints
    assert bool(history.checkpoints + history.unfinished) is bool(data)


@given(st.integers(0, 2**33), st.integers(0, 2**20))
@settings(max_examples=20)
def test_a_leaf_is_never_taken_for_a_node(left: int, right: int) -> None:
    """The second preimage that RFC 9162 guards against: the bytes of a node, presented as a leaf's."""
    leaves = [str(left).encode(), str(right).encode()]
    inner = leaf_hash(leaves[0]) + leaf_hash(leaves[1])
    with pytest.raises(Unproved):
        check_inclusion(leaf_hash(inner), 0, 1, mth(leaves), [])
    assert sha256(b"\x01" + inner).digest() == mth(leaves)


def test_the_text_of_a_leaf_is_hashed_as_it_stands() -> None:
    """Not as somebody would write the same JSON: `1.0` for `1`, another order, or a space."""
    bundle = deepcopy(WHOLE)
    bundle["entries"][0]["leaf"] = json.dumps(json.loads(bundle["entries"][0]["leaf"]))
    assert [one.rule for one in check(bundle).failures] == ["inclusion"]
    assert len(b64decode(bundle["entries"][0]["proof"][0])) == 32
