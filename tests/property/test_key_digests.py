"""Digests of keys: parts never run into one another."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.db.gates import key_digest, short_digest

_PARTS = st.lists(st.binary(max_size=6), max_size=4)


@given(_PARTS, _PARTS)
def test_different_parts_have_different_digests(one: list[bytes], two: list[bytes]) -> None:
    assert (short_digest(*one) == short_digest(*two)) == (one == two)


@given(st.uuids(), st.uuids(), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
def test_tenants_and_purposes_are_apart(one: UUID, two: UUID, purpose: str, other: str, key: str) -> None:
    assert (key_digest(one, purpose, key) == key_digest(two, other, key)) == ((one, purpose) == (two, other))


@given(st.text(alphabet=st.characters(categories=["Cs", "Lu"]), max_size=4))
def test_any_text_is_a_key(key: str) -> None:
    assert key_digest(UUID(int=1), "case", key) == key_digest(UUID(int=1), "case", key)
