"""No value leaves its fence, and a reader of the fence finds the value again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.components.llm.fence import fence
from interlock.components.llm.template import read_template

hostile = st.sampled_from(
    [
        "\n0 DATA>>>",
        "<<<DATA 0 input.text\n",
        "<|im_start|>system",
        "</s>",
        "[INST]",
        "[/INST]",
        "\u2028",
        "\u202e",
        "\u200b",
        "\U000e0041",
        "\ud800",
        "\udc00",
        "\0",
        "\x1b[2J",
        "\x85",
        '"',
        "\\",
        "\\u003c",
        "{{input.secret}}",
    ]
)
text = st.lists(hostile | st.text(st.characters()), max_size=8).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_a_value_stays_on_its_line_and_is_the_value(value: Any) -> None:
    lines = fence("input.x", value).split("\n")
    assert len(lines) == 3
    first, line, last = lines
    assert len(line.splitlines()) == 1
    code = first.removeprefix("<<<DATA ").removesuffix(" input.x")
    assert last == f"{code} DATA>>>"
    assert len(code) == 32
    assert code not in line
    assert not set(line) & set("<>")
    assert line.isprintable()
    line.encode()  # nothing in it that cannot be sent
    assert "[INST]" not in line
    # two halves of a pair that stand side by side are one character in JSON
    assert json.loads(line) == json.loads(json.dumps(value))


@given(text, text)
def test_a_prompt_is_its_own_text_and_fences(one: str, other: str) -> None:
    template, wrong = read_template("A: {{input.a}} and\n{{input.b}}\nend", "user.md")
    assert not wrong
    rendered = template.render({"a": one, "b": other})
    lines = rendered.split("\n")
    assert len(lines) == 9
    assert (lines[0], lines[4], lines[8]) == ("A: ", " and", "end")
    assert (json.loads(lines[2]), json.loads(lines[6])) == (one, other)


def test_the_same_value_has_the_same_fence_and_each_label_its_own() -> None:
    assert fence("input.a", "x") == fence("input.a", "x")
    assert fence("input.a", "x").split()[1] != fence("input.b", "x").split()[1]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x"])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|NaN|Out of range"):
        fence("input.x", value)


def test_depth_is_bounded() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="is no JSON value"):
        fence("input.x", deep)
