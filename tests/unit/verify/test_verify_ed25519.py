from __future__ import annotations

import pytest

from interlock_verify.ed25519 import is_key, verify

ORDER = 2**252 + 27742317777372353535851937790883648493

# RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]
# every encoding of a point of small order, as C2SP/CCTV ed25519/README.md lists them
SMALL = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)


@pytest.mark.parametrize(("key", "text", "signature"), VECTORS, ids=["1", "2", "3"])
def test_the_vectors_of_the_rfc(key: str, text: str, signature: str) -> None:
    public, signed, made = bytes.fromhex(key), bytes.fromhex(text), bytes.fromhex(signature)
    assert is_key(public)
    assert verify(public, signed, made)
    assert not verify(public, signed + b"\x00", made)
    assert not verify(bytes.fromhex(VECTORS[0][0] if text else VECTORS[1][0]), signed, made)


def test_a_signature_is_written_in_one_way_only() -> None:
    key, text, signature = (bytes.fromhex(one) for one in VECTORS[2])
    s = int.from_bytes(signature[32:], "little")
    assert not verify(key, text, signature[:32] + (s + ORDER).to_bytes(32, "little"))  # the same equation holds
    assert not verify(key, text, signature + b"\x00")
    assert not verify(key, text, signature[:63])
    assert not verify(key, text, b"")


@pytest.mark.parametrize("key", SMALL)
def test_a_key_of_small_order_signs_nothing(key: str) -> None:
    assert not is_key(bytes.fromhex(key))
    identity_with_zero = bytes.fromhex(SMALL[4]) + bytes(32)  # R = 0 and S = 0 hold for every text under the key 0
    assert not verify(bytes.fromhex(key), b"any text", identity_with_zero)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), b"\x02" + bytes(31), b"\xff" * 32])
def test_what_is_no_point_is_no_key(key: bytes) -> None:
    assert not is_key(key)
    assert not verify(key, b"text", bytes(64))
