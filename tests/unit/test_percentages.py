"""Percentages are written in one style."""

from __future__ import annotations

import re
from pathlib import Path

from interlock.percentages import percent

ROOT = Path(__file__).parents[2]
_PACKED = re.compile(r":[0-9.]*%\}")
"""A share formatted without the space."""
_CARDS = "packs"
"""Cards of models are files of their own, whose bytes are compared with what is in the repository."""


def test_percentages_have_a_space_everywhere() -> None:
    assert [percent(0.1254), percent(1, 0), percent(0.00123, 2)] == ["12.5 %", "100 %", "0.12 %"]
    source = ROOT / "src" / "interlock"
    packed = [
        f"{file.relative_to(source)}: {line.strip()}"
        for file in sorted(source.rglob("*.py"))
        if file.relative_to(source).parts[0] != _CARDS
        for line in file.read_text(encoding="utf-8").splitlines()
        if _PACKED.search(line)
    ]
    assert packed == []
