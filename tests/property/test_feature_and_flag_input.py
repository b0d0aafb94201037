"""Whatever comes from outside for features and flags is taken exactly or refused in words; nothing else is raised."""

from __future__ import annotations

import json
import math
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.cases.flags.flag import FlagType
from interlock.cases.flags.flag import unfit as unfit_flag
from interlock.cases.flags.flag_file import NoKey, choose, read_flags
from interlock.contracts import canonical, read_json
from interlock.decisions.features.feature import Feature, FeatureRef, OutputType, plain, unfit
from interlock.decisions.features.load import read_line
from interlock.errors import ConfigInvalid, Refused, Violation

texts = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(["\0", "\ud800", "1.50", "2026-01-31", "-0"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.decimals() | st.dates()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def no_violations(_contract: str, _value: Any) -> tuple[Violation, ...]:
    return ()


@given(values, st.sampled_from(OutputType))
def test_a_value_of_a_type_is_kept_exactly(value: Any, output: OutputType) -> None:
    value = plain(value)
    if unfit(output, value):
        return
    data = canonical(value)
    assert read_json(data) == value
    assert type(read_json(data)) is type(value)
    if output is OutputType.DECIMAL:
        assert Decimal(value).is_finite()


@given(
    st.dictionaries(st.sampled_from(["entity", "value", "event_at", "more"]) | texts, values),
    st.sampled_from(OutputType),
)
def test_a_line_is_taken_exactly_or_refused(line: dict[str, Any], output: OutputType) -> None:
    feature = Feature(ref=FeatureRef("f", 1), output=output, entity=("e",))
    try:
        entity, event_at, data = read_line(feature, line, no_violations)
    except Refused as cause:
        str(cause).encode()
        return
    assert 0 < len(entity) <= 500
    assert event_at.tzinfo is UTC
    assert read_json(data) == line["value"]


@given(texts | st.from_regex(r"[a-z-]{1,5}@[0-9]{1,12}", fullmatch=True))
def test_a_reference_is_read_as_it_is_written(text: str) -> None:
    try:
        assert str(FeatureRef.parse(text)) == text
    except Refused as cause:
        str(cause).encode()


@given(values, st.sampled_from(FlagType))
def test_a_flag_s_value_is_kept_exactly_or_not_taken(value: Any, kind: FlagType) -> None:
    wrong = unfit_flag(kind, value)
    wrong.encode()
    if not wrong:
        assert read_json(canonical(value)) == value
        assert not isinstance(value, float) or math.isfinite(value)


words = st.sampled_from(
    ["flags", "variants", "defaultVariant", "targets", "split", "splitBy", "state", "on", "off", "ENABLED", "variant"]
)
documents = st.recursive(
    scalars.filter(lambda one: not isinstance(one, Decimal)) | words | st.integers(0, 100),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5),
    max_leaves=20,
)


@given(documents, texts)
def test_a_file_of_flags_gives_flags_or_says_what_is_wrong(document: Any, key: str) -> None:
    _evaluated(json.dumps({"flags": {"a": document}}, default=str).encode("utf-8", "surrogatepass"), "flags.json", key)


@given(st.binary(max_size=200) | st.from_regex(rb"flags:\n( [a-z]: \{variants: \{[a-z]: [0-9.x]+\}[,:a-z ]*\}\n)*"))
def test_bytes_that_are_no_file_of_flags_are_refused(data: bytes) -> None:
    for file in ("flags.json", "flags.yaml"):
        _evaluated(data, file, "k")


def _evaluated(data: bytes, file: str, key: str) -> None:
    try:
        flags = read_flags(data, file)
    except ConfigInvalid as cause:
        str(cause).encode("utf-8", "replace")
        return
    for name, rule in flags.items():
        try:
            assert choose(name, rule, {"targetingKey": key}).variant in rule.variants
        except NoKey:
            assert rule.split


@pytest.mark.parametrize("text", ["1e999999", "-1e-999999", "sNaN", "Infinity"])
def test_a_decimal_beyond_any_amount_is_no_text_of_a_million_digits(text: str) -> None:
    assert unfit(OutputType.DECIMAL, plain(Decimal(text)))
