"""Tokens: the same for the same, opened only under their key, never a sign of what they hold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.contracts import canonical
from interlock.errors import ConfigInvalid
from interlock.privacy.keys import KeyUnusable, MasterKey, Secret, about_key, written
from interlock.privacy.token import TOKEN, Opened, SubjectKey, TokenUnusable, hide, key_id_of, keys_in

TENANT, OTHER = UUID(int=1), UUID(int=2)
KEY = SubjectKey(UUID(int=7), TENANT, b"k" * 32)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def opened(token: str, key: SubjectKey = KEY) -> Opened:
    found = TOKEN.fullmatch(token)
    assert found
    assert key_id_of(found[1]) == UUID(int=7)
    return key.open(found[2])


@given(json_values)
def test_a_token_gives_its_value_back_and_is_the_same_for_the_same(value: Any) -> None:
    try:
        wanted = canonical(value)
    except Exception:  # noqa: BLE001 - no JSON that is stored: half of a surrogate pair
        return
    token = KEY.token("/a", ("audit",), value)
    assert token == KEY.token("/a", ("audit",), value)
    found = opened(token)
    assert (found.place, found.purposes) == ("/a", ("audit",))
    assert canonical(found.value) == wanted


def test_place_purposes_value_and_key_all_count() -> None:
    tokens = {
        KEY.token("/a", ("audit",), "x"),
        KEY.token("/b", ("audit",), "x"),
        KEY.token("/a", ("payment",), "x"),
        KEY.token("/a", ("audit",), "y"),
        SubjectKey(UUID(int=7), TENANT, b"l" * 32).token("/a", ("audit",), "x"),
    }
    assert len(tokens) == 5


def test_lengths_are_padded() -> None:
    assert len(KEY.token("/a", ("audit",), "x")) == len(KEY.token("/a", ("audit",), "x" * 8))


def test_another_tenant_another_key_or_one_changed_character_opens_nothing() -> None:
    token = KEY.token("/a", ("audit",), "Ada")
    for key in (SubjectKey(UUID(int=7), OTHER, b"k" * 32), SubjectKey(UUID(int=7), TENANT, b"l" * 32)):
        with pytest.raises(TokenUnusable):
            opened(token, key)
    changed = token[:-3] + ("A" if token[-3] != "A" else "B") + token[-2:]
    with pytest.raises(TokenUnusable):
        opened(changed)


def test_what_is_shown_holds_no_token_and_what_is_stored_names_its_keys() -> None:
    token = KEY.token("/a", ("audit",), "Ada").encode()
    data = b'{"a":"' + token + b'","b":"Dear ' + token + b'!"}'
    assert hide(data) == b'{"a":"(personal)","b":"Dear (personal)!"}'
    assert keys_in(data) == {UUID(int=7)}
    assert keys_in(b"{}") == frozenset()


def test_a_wrapped_key_is_bound_to_tenant_subject_and_id() -> None:
    master = MasterKey.parse(written(b"m" * 32))
    key_id, subject = UUID(int=7), b"s" * 32
    wrapped = master.for_tenant(TENANT).wrap(b"d" * 32, about=about_key(key_id, subject), nonce=b"n" * 12)
    assert b"d" * 8 not in wrapped
    assert master.for_tenant(TENANT).unwrap(wrapped, about=about_key(key_id, subject)) == b"d" * 32
    for tenant_key, about in (
        (master.for_tenant(OTHER), about_key(key_id, subject)),
        (master.for_tenant(TENANT), about_key(UUID(int=8), subject)),
        (master.for_tenant(TENANT), about_key(key_id, b"t" * 32)),
        (MasterKey(b"x" * 32).for_tenant(TENANT), about_key(key_id, subject)),
    ):
        with pytest.raises(KeyUnusable):
            tenant_key.unwrap(wrapped, about=about)


@pytest.mark.parametrize("text", ["", "short", written(b"m" * 31), "ü" * 44, "m" * 32])
def test_what_is_no_master_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        MasterKey.parse(text)
    assert "is not 32 bytes in Base64" in caught.value.what


def test_digests_of_a_tenant_tell_fields_apart() -> None:
    secret = Secret(b"s" * 32)
    assert secret.value("/a", b'"x"') != secret.value("/b", b'"x"')
    assert secret.value("/a", b'"x"') != secret.subject(b'"x"')
    assert secret.subject(b'"x"') != Secret(b"t" * 32).subject(b'"x"')
