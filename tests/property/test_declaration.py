from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from interlock.cases.declaration import Declaration, read_declaration
from interlock.errors import DeclarationInvalid

LINES = (
    (Path(__file__).parents[2] / "src/interlock/packs/receipts/receipts.workflow.yaml")
    .read_text("utf-8")
    .splitlines(keepends=True)
)
scraps = st.sampled_from(
    [
        "",
        "~",
        "[]",
        "{}",
        "{a: b}",
        "[[person]]",
        "-1",
        ".nan",
        "0x10",
        "1e99",
        "9" * 40,
        "true",
        "'",
        "x@1",
        "0/s",
        "1d",
    ]
) | st.text(max_size=12)


@given(st.integers(0, len(LINES) - 1), scraps)
def test_whatever_stands_behind_a_key_the_file_is_read_or_refused(number: int, scrap: str) -> None:
    key, colon, _ = LINES[number].partition(":")
    text = "".join([*LINES[:number], f"{key}{colon} {scrap}\n", *LINES[number + 1 :]])
    try:
        assert isinstance(read_declaration(text.encode("utf-8", "replace"), "f.yaml"), Declaration)
    except DeclarationInvalid as refusal:
        places = [violation.where for violation in refusal.violations]
        wordless = [violation for violation in refusal.violations if not violation.what or not violation.rule]
    else:
        return
    assert places
    assert all(place.startswith("f.yaml:") for place in places)
    assert not wordless


@given(st.integers(0, len(LINES) - 1))
def test_without_any_one_line_the_file_is_read_or_refused(number: int) -> None:
    text = "".join(LINES[:number] + LINES[number + 1 :])
    try:
        assert isinstance(read_declaration(text.encode(), "f.yaml"), Declaration)
    except DeclarationInvalid:
        return
