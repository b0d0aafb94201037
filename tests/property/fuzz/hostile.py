"""What nobody sends who means well: samples that are right, spoiled in every way that has broken a parser before."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.errors import InterlockError, ManyRefused

PATIENCE_S = 5.0
"""Processor time that no reading of a few kilobytes may take, on a machine that is busy otherwise."""

PIECES: tuple[bytes, ...] = (
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x80\xae",
    b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"\x85", b"\xe2\x80\xa8", b"\r", b"\n", b"\r\n", b"\t", b"\x1b[2J",
    b"NaN", b"-Infinity", b"1e999999999", b"-0", b"0x1F", b"0o777", b"1_000", b".inf", b".nan", b"1" * 5000,
    b"9" * 400 + b".5", b"1e-400", b"18446744073709551616", b"-9223372036854775809", b"0.1e+400",
    b"&a [*a]", b"*a", b"<<: {a: 1}", b"!!python/object/apply:os.system [id]", b"!!binary aGk=", b"%YAML 1.1\n---\n",
    b"---\n", b"...\n", b"? [a]\n: b", b"|\n  a", b">-\n  a", b"2026-02-30", b"9999-99-99", b"\xd9\xa1\xd9\xa2",
    b"[" * 300, b"{" * 300, b"(" * 300, b"- " * 300, b"[" * 4000, b'{"a":' * 900, b'"' * 9, b"'" * 9, b"`",
    b"${HOME}", b"{{7*7}}", b"{0.__class__}", b"%s%n", b"../../etc/passwd", b"file:///etc/passwd", b"' or 1=1 --",
    b"; drop table decision; --", b"=cmd|' /C calc'!A0", b"__import__('os')", b"a" * 9000, b"\xc3\xa9" * 900,
    b",", b",,", b"|", b";", b":", b"#", b"@", b"@@", b" ", b"",
)  # fmt: skip
"""Bytes that are something else to some reader."""

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**18, 2**63, -(2**63) - 1, 2**64, 10**63, 0.5, -0.0, 1e308, 5e-324, "", " ", "\0",
    "\ud800", "\ufeff", "NaN", "Infinity", "1e999999", "-1", "0", "1.50", "12.30 MYR", "1e3 MYR", "2026-02-30",
    "2026-01-31", "9999-12-31T23:59:60Z", "env:HOME", "\u202e", "a" * 5000, "[" * 400, "(" * 400, "é" * 300,
    "(a+)+$", "(?P<a>.{0,65535}){9}", "input.", "input.x >= 1", "x" * 201, "../x", "rules:a@1", "person", "1/0",
    [], {}, [[]], [None], {"": None}, {"a": {}}, [[[[[[[[]]]]]]]], {"$ref": "#"}, [0] * 300,
    {f"k{n}": n for n in range(300)},
)  # fmt: skip
"""Values that stand where something else is due."""


@dataclass(frozen=True)
class Reader:
    """One parser of outside input.

    Attributes:
        name: What it reads.
        read: Reads bytes; gives anything, or raises what it declares.
        samples: What it takes.
        declared: What it may raise.
        trees: Whether its samples are JSON whose values are replaced, too.
    """

    name: str
    read: Callable[[bytes], object]
    samples: Sequence[bytes]
    declared: tuple[type[Exception], ...]
    trees: bool = False


def hostile(reader: Reader) -> st.SearchStrategy[bytes]:
    """Spoiled samples, and bytes that never were any."""
    steps = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1 << 20), st.integers(0, 1 << 20)), max_size=4)
    spoiled = st.builds(_spoiled, st.sampled_from(reader.samples), steps)
    raw = st.binary(max_size=80) | st.sampled_from(PIECES) | st.text(st.characters(codec=None), max_size=40).map(_utf8)
    if not reader.trees:
        return spoiled | raw
    trees = [json.loads(sample) for sample in reader.samples]
    grafts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1 << 20), st.sampled_from(SCALARS)), max_size=3)
    return spoiled | st.builds(_grafted, st.sampled_from(trees), grafts) | raw


def check(reader: Reader, data: bytes) -> None:
    """See that reading ends soon, and with a value or with what the reader declares, in words."""
    began = time.thread_time()
    try:
        reader.read(data)
    except reader.declared as cause:
        _look(cause)
    took = time.thread_time() - began
    assert took < PATIENCE_S, f"{reader.name} took {took:.1f} s for {len(data):,} bytes"


def fuzz(reader: Reader, examples: int) -> None:
    """Check a reader with so many spoiled inputs, the same at each run."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(hostile(reader))
    def attempt(data: bytes) -> None:
        check(reader, data)

    attempt()


def _look(cause: Exception) -> None:
    text = str(cause)
    assert text
    assert len(text) < 2_000_000, f"{len(text):,} characters to say what is wrong"
    if isinstance(cause, InterlockError):
        assert cause.what
        assert len(cause.what) < 3000, cause.what[:300]
    if isinstance(cause, ManyRefused):
        assert cause.violations, cause
        assert all(one.what and one.rule for one in cause.violations)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _spoiled(sample: bytes, steps: Sequence[tuple[int, int, int]]) -> bytes:
    data = sample
    for way, one, other in steps:
        size = len(data)
        at = one % (size + 1)
        to = min(size, at + other % 40)
        match way:
            case 0:
                data = data[:at]
            case 1 if size:
                data = data[: at % size] + bytes([data[at % size] ^ (1 << other % 8)]) + data[at % size + 1 :]
            case 2:
                data = data[:at] + data[to:]
            case 3:
                data = data[:to] + data[at:]
            case 4 | 5 | 6:
                data = data[:at] + PIECES[other % len(PIECES)] + data[at:]
            case 7:
                data = data[:at] + PIECES[other % len(PIECES)] + data[to:]
            case 8:
                lines = data.split(b"\n")
                lines.insert(one % len(lines), lines[other % len(lines)])
                data = b"\n".join(lines)
            case _:
                data = data.replace(b": ", b": " + PIECES[other % len(PIECES)], 1 + one % 3)
    return data


def _grafted(tree: Any, grafts: Sequence[tuple[int, int, Any]]) -> bytes:
    """A tree of JSON with other values, other names, or without some."""
    root: Any = json.loads(json.dumps(tree))
    for way, where, graft in grafts:
        value = copy.deepcopy(graft)  # what stands in two places could come to hold itself
        places = _places(root)
        if not places:
            return _dumped(value)
        holder, step = places[where % len(places)]
        if way == 0:
            del holder[step]
        elif way == 1 and isinstance(holder, dict):
            names = cast("dict[str, Any]", holder)
            names[str(value)[:300]] = names.pop(step)
        elif way == 2 and isinstance(holder[step], dict):
            holder[step]["unknown"] = value
        else:
            holder[step] = value
    return _dumped(root)


def _places(root: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    level: list[Any] = [root]
    while level:
        here = level.pop()
        if isinstance(here, dict):
            found += [(here, name) for name in cast("dict[str, Any]", here)]
            level += cast("dict[str, Any]", here).values()
        elif isinstance(here, list):
            items = cast("list[Any]", here)
            found += [(items, place) for place in range(len(items))]
            level += items
    return found


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
