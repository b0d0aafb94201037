"""The file of flags: what it may say, who is given what, and that a mistake is named and changes nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import (
    FlagNotFoundError,
    OpenFeatureError,
    ParseError,
    TargetingKeyMissingError,
    TypeMismatchError,
)

from interlock.cases.flags.file_provider import LOOK_S, FileProvider
from interlock.cases.flags.flag_file import choose, read_flags
from interlock.errors import ConfigInvalid

NEW_READER = """\
flags:
  new-reader:
    variants: {on: true, off: false}
    defaultVariant: off
    targets:
      - {variant: on, workflow: receipts, caller: [ana, bo]}
    split: {on: 10, off: 90}
"""


def read(text: str, file: str = "flags.yaml") -> Any:
    return read_flags(text.encode(), file)


def test_targets_come_first_then_the_split() -> None:
    rule = read(NEW_READER)["new-reader"]
    told = {"workflow": "receipts", "targetingKey": "k"}
    assert choose("new-reader", rule, {**told, "caller": "bo"}) == ("on", "TARGETING_MATCH")
    assert choose("new-reader", rule, {**told, "caller": "cy"}).reason == "SPLIT"
    assert choose("new-reader", rule, {**told, "caller": ["bo"]}).reason == "SPLIT"


def test_a_split_gives_each_variant_its_share_and_each_key_the_same() -> None:
    rule = read(NEW_READER)["new-reader"]
    found = {key: choose("new-reader", rule, {"targetingKey": f"case-{key}"}).variant for key in range(10_000)}
    assert 900 < Counter(found.values())["on"] < 1100
    # as the share grows, keys only move to what grows
    more = read(NEW_READER.replace("on: 10, off: 90", "on: 25.5, off: 74.5"))["new-reader"]
    later = {key: choose("new-reader", more, {"targetingKey": f"case-{key}"}).variant for key in range(10_000)}
    assert all(later[key] == "on" for key, variant in found.items() if variant == "on")
    assert 2400 < Counter(later.values())["on"] < 2700
    # known values: another machine, or another version, must choose alike
    assert [key for key in range(60) if found[key] == "on"] == KNOWN
    # another flag is another draw
    other = {key: choose("other", rule, {"targetingKey": f"case-{key}"}).variant for key in range(10_000)}
    both = sum(found[key] == other[key] == "on" for key in found)
    assert 60 < both < 140


KNOWN = [8, 9, 13, 45, 52, 58]


def test_a_key_of_any_text_is_given_a_variant() -> None:
    rule = read(NEW_READER)["new-reader"]
    for key in ("", "\0", "\ud800", "ü" * 10_000):
        if key:
            assert choose("new-reader", rule, {"targetingKey": key}).variant in ("on", "off")


def test_json_and_yaml_say_the_same() -> None:
    told = {
        "flags": {
            "new-reader": {
                "variants": {"on": True, "off": False},
                "defaultVariant": "off",
                "targets": [{"variant": "on", "workflow": "receipts", "caller": ["ana", "bo"]}],
                "split": {"on": 10, "off": 90},
            }
        }
    }
    assert read(json.dumps(told), "flags.json") == read(NEW_READER)


FLAG = "flags: {a: {variants: {x: 1, y: 2}, defaultVariant: x%s}}"
BAD = [
    ("", "holds nothing"),
    ("- a", "holds a list"),
    ("flags: [a]", "no mapping"),
    ("flagz: {}", "did you mean"),
    ("flags: {a: 1}", "no mapping"),
    ("flags: {a: {variants: {}, defaultVariant: x}}", "no variants"),
    ("flags: {a: {variants: {x: null}, defaultVariant: x}}", "no variants"),
    ("flags: {a: {variants: {x: 1, y: text}, defaultVariant: x}}", "different types"),
    ("flags: {a: {variants: {x: true, y: 1}, defaultVariant: x}}", "different types"),
    ("flags: {a: {variants: {x: .nan}, defaultVariant: x}}", "no finite number"),
    ("flags: {a: {variants: {x: .inf}, defaultVariant: x}}", "no finite number"),
    ("flags: {a: {variants: {x: 1}, defaultVariant: z}}", "is no variant"),
    ("flags: {a: {variants: {x: 1}}}", "is no variant"),
    (FLAG % ", state: on", "is no state"),
    (FLAG % ", stat: ENABLED", "did you mean"),
    (FLAG % ", split: {x: 10, y: 80}", "add to 90"),
    (FLAG % ", split: {x: 110, y: -10}", "no percentage"),
    (FLAG % ", split: {x: true, y: 100}", "no percentage"),
    (FLAG % ", split: {x: 10, z: 90}", "is no variant"),
    (FLAG % ", split: 10", "no mapping"),
    (FLAG % ", splitBy: 1", "names no attribute"),
    (FLAG % ", targets: {variant: x}", "is no list"),
    (FLAG % ", targets: [{workflow: a}]", "is no variant"),
    (FLAG % ", targets: [{variant: y}]", "for everyone"),
    ("flags: &a {}", "anchor"),
    ("flags: {a: 1, a: 2}", "twice"),
    ("\ufeffflags: [", ""),
    ("flags: {" + "x" * 300_000, "bytes"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said or "broken" for _, said in BAD])
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read(text)
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ['{"flags": {"a": 1, "a": 2}}', "{", '{"flags": "\\ud800"}', "[" * 500])
def test_a_mistake_in_json_is_named(text: str) -> None:
    with pytest.raises(ConfigInvalid):
        read(text, "flags.json")


def test_numbers_are_read_as_yaml_says() -> None:
    flags = read("flags: {a: {variants: {a: 010, b: 0x10, c: 0o10, d: -7, e: 1.5}, defaultVariant: a}}")
    assert flags["a"].variants == {"a": 10, "b": 16, "c": 8, "d": -7, "e": 1.5}


# ----------------------------------------------------------------------------------------------------- the provider


class Ticks:
    """Seconds that a test turns on."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def on_off(*, on: bool) -> str:
    return f"flags: {{a: {{variants: {{on: true, off: false}}, defaultVariant: {'on' if on else 'off'}}}}}"


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def asked(provider: FileProvider, ticks: Ticks) -> bool | str:
    ticks.now += LOOK_S
    try:
        return provider.resolve_boolean_details("a", default_value=False).value
    except OpenFeatureError as cause:
        return type(cause).__name__


def test_a_change_counts_at_the_next_look(tmp_path: Path, ticks: Ticks) -> None:
    file = tmp_path / "flags.yaml"
    provider = FileProvider(file, ticks=ticks)
    assert asked(provider, ticks) == "FlagNotFoundError"
    file.write_text(on_off(on=True))
    assert provider._in_force() == ({}, "")  # pyright: ignore[reportPrivateUsage]
    assert asked(provider, ticks) is True
    file.write_text(on_off(on=False))
    assert asked(provider, ticks) is False
    times = file.stat()
    file.write_text(on_off(on=True) + " ")  # of another length, with the times of the one before
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert asked(provider, ticks) is True
    other = tmp_path / "other"
    other.write_text(on_off(on=False) + "  ")
    other.replace(file)
    assert asked(provider, ticks) is False


def test_a_mistake_leaves_what_was_read_before(tmp_path: Path, ticks: Ticks, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "flags.yaml"
    file.write_text(on_off(on=True))
    provider = FileProvider(file, ticks=ticks)
    assert asked(provider, ticks) is True
    file.write_text(on_off(on=False)[:-3])
    assert [asked(provider, ticks) for _ in range(3)] == [True] * 3
    assert len([one for one in caplog.records if "stays in force" in one.message]) == 1
    file.write_text(on_off(on=False))
    assert asked(provider, ticks) is False
    file.unlink()  # for a moment, as an editor does, and then for good
    assert [asked(provider, ticks) for _ in range(3)] == [False, "FlagNotFoundError", "FlagNotFoundError"]


def test_a_file_that_was_never_readable_is_told(tmp_path: Path, ticks: Ticks) -> None:
    file = tmp_path / "flags.yaml"
    file.write_text("flags: [")
    provider = FileProvider(file, ticks=ticks)
    with pytest.raises(ParseError):
        provider.resolve_boolean_details("a", default_value=True)
    file.write_text(on_off(on=True))
    assert asked(provider, ticks) is True
    folder = FileProvider(tmp_path)
    with pytest.raises(ParseError):
        folder.resolve_boolean_details("a", default_value=True)


def test_a_file_of_json_stands_in(tmp_path: Path, ticks: Ticks) -> None:
    (tmp_path / "flags.json").write_text(
        '{"flags": {"a": {"variants": {"on": true, "off": false}, "defaultVariant": "on"}}}'
    )
    assert asked(FileProvider(tmp_path / "flags.yaml", ticks=ticks), ticks) is True


def test_each_type_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / "flags.yaml"
    file.write_text(
        "flags:\n"
        "  b: {variants: {x: true}, defaultVariant: x}\n"
        "  s: {variants: {x: 'a'}, defaultVariant: x}\n"
        "  i: {variants: {x: 3}, defaultVariant: x}\n"
        "  f: {variants: {x: 0.5}, defaultVariant: x}\n"
        "  o: {variants: {x: {a: [1]}}, defaultVariant: x}\n"
        "  d: {variants: {x: true}, defaultVariant: x, state: DISABLED}\n"
        "  k: {variants: {x: true}, defaultVariant: x, split: {x: 100}, splitBy: customer}\n"
    )
    provider = FileProvider(file)
    assert provider.resolve_string_details("s", "").value == "a"
    assert provider.resolve_integer_details("i", 0).value == 3
    assert provider.resolve_float_details("i", 0.0).value == 3.0
    assert provider.resolve_float_details("f", 0.0).value == 0.5
    assert provider.resolve_object_details("o", {}).value == {"a": [1]}
    disabled = provider.resolve_boolean_details("d", default_value=False)
    assert (disabled.value, disabled.reason) == (False, "DISABLED")
    with pytest.raises(TypeMismatchError):
        provider.resolve_integer_details("b", 0)
    with pytest.raises(TypeMismatchError):
        provider.resolve_integer_details("f", 0)
    with pytest.raises(FlagNotFoundError):
        provider.resolve_integer_details("nothing", 0)
    with pytest.raises(TargetingKeyMissingError):
        provider.resolve_boolean_details("k", default_value=False, evaluation_context=EvaluationContext("key"))
    told = EvaluationContext("key", {"customer": "c-1"})
    assert provider.resolve_boolean_details("k", default_value=False, evaluation_context=told).value is True
