from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.plain_yaml import DEEPEST, LARGEST_FILE, Kind, Mapping, Scalar, Sequence, parse_yaml


def rules(text: str | bytes) -> list[tuple[str, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    return [(violation.where, violation.rule) for violation in parse_yaml(data, "f.yaml")[1]]


def test_values_keep_their_line_and_their_text() -> None:
    root, wrong = parse_yaml(b"a: 0.10\n# why\nb:\n  - x\n  - {c: 'y'}\n", "f.yaml")
    assert wrong == ()
    assert root.get("a") == Scalar(text="0.10", kind=Kind.NUMBER, line=1)
    listed = root.get("b")
    assert isinstance(listed, Sequence)
    assert listed.items[0] == Scalar(text="x", kind=Kind.TEXT, line=4)
    inner = listed.items[1]
    assert isinstance(inner, Mapping)
    assert inner.get("c") == Scalar(text="y", kind=Kind.TEXT, line=5)
    assert inner.get("d") is None


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("12", Kind.INTEGER),
        ("0x1F", Kind.INTEGER),
        ("-1.5e3", Kind.NUMBER),
        (".inf", Kind.NUMBER),
        ("true", Kind.BOOLEAN),
        ("~", Kind.NULL),
        ("", Kind.NULL),
        ("yes", Kind.TEXT),
        ("12:30", Kind.TEXT),
        ("50 MYR", Kind.TEXT),
        ("'12'", Kind.TEXT),
        ('"true"', Kind.TEXT),
        ("''", Kind.TEXT),
    ],
)
def test_kinds_are_those_of_yaml_1_2(written: str, kind: Kind) -> None:
    value = parse_yaml(f"a: {written}\n".encode(), "f.yaml")[0].get("a")
    assert isinstance(value, Scalar)
    assert value.kind is kind


@pytest.mark.parametrize(
    ("text", "where", "rule"),
    [
        ("a: &x 1\n", "f.yaml:1", "anchor"),
        ("a: 1\nb: !!str 2\n", "f.yaml:2", "tag"),
        ("a: 1\n? [b]\n: 2\n", "f.yaml:2", "key"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3", "duplicate-key"),
        ("a:\n  <<: {b: 1}\n", "f.yaml:2", "merge"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2", "documents"),
        ("%YAML 1.1\n---\na: 1\n", "f.yaml:2", "directive"),
        ("a: 1\nb: [1\n", "f.yaml:3", "syntax"),
        ("a: 1\nb: c: d\n", "f.yaml:2", "syntax"),
        ("a: 1\nb: \x00\n", "f.yaml:2", "syntax"),
        ("- a\n", "f.yaml:1", "not-a-mapping"),
        ("text\n", "f.yaml:1", "not-a-mapping"),
        ("", "f.yaml:1", "not-a-mapping"),
        ("# nothing\n", "f.yaml:1", "not-a-mapping"),
    ],
)
def test_what_does_not_read_as_it_is_is_refused(text: str, where: str, rule: str) -> None:
    assert rules(text) == [(where, rule)]


def test_an_alias_is_refused_where_it_is_used() -> None:
    assert rules("a: &x 1\nb: *x\n") == [("f.yaml:1", "anchor"), ("f.yaml:2", "alias")]


def test_a_duplicate_says_where_the_first_one_is() -> None:
    (wrong,) = parse_yaml(b"a: 1\nb: 2\na: 3\n", "f.yaml")[1]
    assert "first on line 1" in wrong.what


def test_bytes_that_are_not_utf8() -> None:
    assert rules(b"a: 1\nb: \xff\n") == [("f.yaml:2", "encoding")]


def test_size_and_depth_are_bounded() -> None:
    assert rules("a: " + "x" * LARGEST_FILE) == [("f.yaml:1", "too-large")]
    assert rules("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)) == []
    deep = 2_000
    assert rules("a: " + "[" * deep + "]" * deep) == [("f.yaml:1", "too-deep")]


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{},&*!%'\"#\n ?|>~<", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    root, wrong = parse_yaml(data, "f.yaml")
    assert isinstance(root, Mapping)
    assert all(violation.where.startswith("f.yaml:") and violation.what for violation in wrong)


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 50_000, "[{" * 60_000 + "\n"])
def test_a_file_of_open_brackets_is_refused_at_once(text: str) -> None:
    """The parser would take minutes over it, holding up the whole process."""
    began = time.process_time()
    _, wrong = parse_yaml(text.encode(), "f.yaml")
    assert time.process_time() - began < 1
    assert [(one.where, one.rule) for one in wrong] == [("f.yaml:1", "too-deep")]


def test_brackets_in_texts_may_stand_open() -> None:
    text = "".join(f'a{n}: "^["\n' for n in range(200))
    assert parse_yaml(text.encode(), "f.yaml")[1] == ()
