"""Whatever a server or a model sends, each parser gives a value or its own error, and spans are what they say."""

from __future__ import annotations

import json
from typing import Any, cast

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from interlock.components.llm.chat import Completion, Unreadable, read_completion, read_refusal, read_usage
from interlock.components.llm.reading import NoObject, object_text, read_object
from interlock.components.llm.schema import answer_schema
from interlock.components.llm.spans import logprobs_of, value_spans
from interlock.components.llm.template import read_template
from interlock.usage import Usage

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=16
)
names = st.sampled_from(
    ["choices", "message", "content", "refusal", "finish_reason", "logprobs", "token", "logprob", "bytes", "usage",
     "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens", "error", "model"]
)  # fmt: skip
shaped = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=24
)


def _bodies(value: Any) -> bytes:
    return json.dumps(value).encode()


@given(shaped.map(_bodies) | shaped.map(lambda one: _bodies({"choices": [{"message": one}]})) | st.binary(max_size=60))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    assert isinstance(read_usage(body), Usage | None)
    assert read_refusal(body).isprintable()
    try:
        found = read_completion(body)
    except Unreadable:
        return
    assert isinstance(found, Completion)
    if found.usage is not None:
        assert 0 <= found.usage.cached_input <= found.usage.input
        assert 0 <= found.usage.reasoning <= found.usage.output


@given(values.map(json.dumps) | st.text(max_size=40) | st.text('{}[]",:truefalsn0123456789.eE+-\\u ', max_size=40))
def test_any_text_is_an_object_or_is_not(content: str) -> None:
    try:
        found = read_object(object_text(content))
    except NoObject:
        return
    assert found == json.loads(object_text(content))


def _leaves(value: Any) -> list[Any]:
    if not value or not isinstance(value, dict | list):
        return [value]
    parts = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
    return [leaf for part in parts for leaf in _leaves(part)]


@given(st.dictionaries(text, values, min_size=1, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_every_value_has_its_span(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    written = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    spans = value_spans(written)
    expected = [(name, leaf) for name, item in value.items() for leaf in _leaves(item)]
    assert len(spans) == len(expected)
    end = 0
    for span, (name, leaf) in zip(spans, expected, strict=True):
        assert end <= span.start < span.end
        end = span.end
        assert span.field == name
        piece = written[span.start : span.end]
        if isinstance(leaf, str):
            assert json.loads(b'"' + piece) == leaf
        elif leaf in ([], {}) and not isinstance(leaf, bool | int | float):
            assert piece in (b"]", b"}")
        else:
            assert json.loads(piece) == leaf


@given(st.dictionaries(text, values, min_size=1, max_size=4), st.lists(st.integers(1, 5), min_size=1, max_size=200))
def test_each_token_counts_for_the_values_that_it_wrote(value: dict[str, Any], sizes: list[int]) -> None:
    written = json.dumps(value).encode()
    ends: list[int] = []
    while not ends or ends[-1] < len(written):
        ends.append((ends[-1] if ends else 0) + sizes[len(ends) % len(sizes)])
    tokens = [(end, -float(place)) for place, end in enumerate(ends)]
    found = logprobs_of(value_spans(written), tokens)
    for field, scores in found.items():
        wanted: list[float] = []
        for span in (one for one in value_spans(written) if one.field == field):
            starts = [0, *ends]
            wanted += [-float(place) for place, end in enumerate(ends) if starts[place] < span.end and end > span.start]
        assert scores == wanted


@given(st.text("{}input.ab?% \n", max_size=60))
def test_any_prompt_is_read_and_its_text_is_kept(source: str) -> None:
    template, wrong = read_template(source, "user.md")
    assert len(template.texts) == len(template.places) + 1
    assert sum(map(len, template.texts)) <= len(source)
    if not template.places:
        assert template.texts == (source,)
        assert bool(wrong) == ("{{" in source or "{%" in source)


fields = st.sampled_from(["a", "b", "properties", "type", "pattern", "items"])
leaf = st.sampled_from(
    [
        {"type": "string", "maxLength": 3, "not": {"type": "string", "pattern": "\\u0000"}},
        {"type": ["string", "null"], "enum": ["x", None]},
        {"type": "string", "pattern": "^(?=x)x$", "format": "interlock:/a"},
        {"type": "integer", "minimum": 0, "multipleOf": 2},
        {"type": "boolean"},
    ]
)


def _object(of: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "t",
        "type": "object",
        "additionalProperties": False,
        "properties": of,
        "required": list(of)[:1],
    }


schemas = st.recursive(
    leaf,
    lambda inner: (
        st.dictionaries(fields, inner, min_size=1, max_size=3).map(_object)
        | inner.map(lambda one: {"type": "array", "items": one, "uniqueItems": True, "maxItems": 3})
    ),
    max_leaves=8,
)
_KNOWN = {
    "type", "description", "enum", "properties", "required", "additionalProperties", "items", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "pattern",
}  # fmt: skip


def _all_keywords(schema: dict[str, Any]) -> set[str]:
    found = set(schema)
    for inner in schema.get("properties", {}).values():
        found |= _all_keywords(inner)
    return found | (_all_keywords(schema["items"]) if "items" in schema else set())


@given(st.dictionaries(fields, schemas, min_size=1, max_size=4).map(_object), values)
def test_what_is_sent_is_looser_than_the_contract_and_plain(schema: dict[str, Any], value: Any) -> None:
    sent = answer_schema(schema)
    assert _all_keywords(sent) <= _KNOWN
    assert sent["required"] == list(schema["properties"])
    full = {**schema, "required": list(schema["properties"])}
    if jsonschema_rs.is_valid(full, value):
        assert jsonschema_rs.is_valid(sent, value)
