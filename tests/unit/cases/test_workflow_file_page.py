from __future__ import annotations

from pathlib import Path

from interlock.cases.declaration import KEYS, read_declaration

PAGE = (Path(__file__).parents[3] / "docs/reference/workflow-file.md").read_text("utf-8")


def test_every_key_of_the_file_is_documented() -> None:
    missing = [
        f"{section}.{key}".lstrip(".")
        for section, keys in KEYS.items()
        for key in keys
        if f"| `{f'{section}.{key}'.lstrip('.')}` |" not in PAGE
    ]
    assert not missing


def test_no_key_is_documented_that_is_not_there() -> None:
    known = {f"{section}.{key}".lstrip(".") for section, keys in KEYS.items() for key in keys}
    written = {line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")}
    assert written == known


def test_the_example_is_a_declaration() -> None:
    example = PAGE.partition("```yaml\n")[2].partition("```")[0]
    assert read_declaration(example.encode(), "example").workflow == "receipts"
