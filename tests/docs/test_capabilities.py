"""The table of capabilities names every one of them once, and only places and tests that exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.docs.pages import ROOT, exists

PAGE = ROOT / "docs" / "capabilities.md"
SOURCE = ROOT / "src" / "interlock"
COUNTS = {
    "EX": 13, "DC": 9, "OB": 7, "GV": 10, "HO": 6, "DO": 11, "AG": 8,
    "RE": 4, "RD": 6, "SE": 4, "OP": 2, "WP": 6, "UX": 5,
}  # fmt: skip
"""How many capabilities each part of the specification has."""
_TICKED = re.compile(r"`([^`]+)`")


class Row(NamedTuple):
    """One capability as the table has it."""

    id: str
    what: str
    where: str
    test: str
    state: str


def rows() -> list[Row]:
    """Every row that begins with an id."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if re.match(r"\| [A-Z]{2}\d+ ", line)]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def test_every_capability_is_there_once_in_order() -> None:
    given = [row.id for row in rows()]
    assert given == [f"{part}{number}" for part, count in _in_order(given).items() for number in range(1, count + 1)]


def _in_order(given: list[str]) -> dict[str, int]:
    """The parts in the order of the page; every one of them must be there."""
    parts = list(dict.fromkeys(one.rstrip("0123456789") for one in given))
    assert sorted(parts) == sorted(COUNTS)
    return {part: COUNTS[part] for part in parts}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_what_a_row_names_exists(row: Row) -> None:
    missing = [place for place in _TICKED.findall(row.where) if not (SOURCE / place).exists()]
    missing += [test for test in _TICKED.findall(row.test) if not exists(test)]
    assert not missing


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_what_is_not_open_has_a_place_and_a_test(row: Row) -> None:
    state, _, limits = row.state.partition(": ")
    assert state in {"done", "first form", "open"}
    if state != "open":
        assert _TICKED.search(row.where)
        assert _TICKED.search(row.test)
    assert bool(limits) or state != "first form", "a first form says what is missing"


def test_a_test_that_is_gone_is_noticed() -> None:
    assert exists("tests/docs/test_capabilities.py::test_a_test_that_is_gone_is_noticed")
    assert not exists("tests/docs/test_capabilities.py::test_that_is_gone")
    assert not exists("tests/docs/test_that_is_gone.py")
