from __future__ import annotations

import hashlib
from uuid import UUID

import pytest

from interlock.errors import Refused
from interlock.lineage.influence import amount
from interlock.lineage.source import read_source

LONG = "x" * 300


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("contract:receipt@1.2.0", "contract", "receipt@1.2.0"),
        ("component:rules:approve@2", "component", "rules:approve@2"),
        ("feature:vendor-spend@2", "feature", "vendor_spend@2"),
        ("row:march/q1/17", "row", "march/q1/17"),
        ("event:/shop a b", "event", "/shop a b"),
        (f"event:/shop {LONG}", "event", f"<sha256> {hashlib.sha256(f'/shop {LONG}'.encode()).hexdigest()}"),
        (f"input:sha256:{'AB' * 32}", "input", "ab" * 32),
        ("code:01a1fca5-cee5-7122-a91a-434b87eef366", "code", "01a1fca5cee57122a91a434b87eef366"),
    ],
)
def test_a_source_is_counted_under_one_name_however_it_is_written(text: str, kind: str, name: str) -> None:
    found = read_source(text)
    assert (found.kind, found.name, found.shown) == (kind, name, text)


def test_what_a_feature_says_of_a_person_is_found_by_a_hash() -> None:
    found = read_source("feature:spend@2/Ana")
    assert found.kind == "entity"
    assert "Ana" not in found.name


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("receipt@1", "names no source"),
        ("contracts:receipt@1", "contract"),
        ("contract:", "names no source"),
        ("row:march", "is no row"),
        ("row:march/0", "is no row"),
        ("row:march/" + "9" * 40, "is no row"),
        ("event:/shop", "is no event"),
        ("feature:spend", "is no feature"),
        ("publication:1", "is no publication"),
        ("digest:abc", "is no hash"),
        ("caller:a\0b", "no name that could be on record"),
        ("caller:\ud800", "no name that could be on record"),
        ("caller:" + "x" * 20_000, "no name that could be on record"),
        ("\ud800:x", "names no source"),
    ],
)
def test_what_is_no_source_is_refused_with_what_to_write(text: str, what: str) -> None:
    with pytest.raises(Refused) as refused:
        read_source(text)
    assert what in str(refused.value)
    assert refused.value.todo
    str(refused.value).encode()


def test_two_tenants_never_share_a_source() -> None:
    source = read_source("caller:shop")
    assert source.digest(UUID(int=1)) != source.digest(UUID(int=2))


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(5, "MYR", "0.05 MYR"), (-5, "MYR", "-0.05 MYR"), (1, "JPY", "1 JPY"), (10**24, "KWD", f"{10**21}.000 KWD")],
)
def test_sums_are_exact_however_large(minor: int, currency: str, text: str) -> None:
    assert amount(minor, currency) == text
