"""Counting in memory: what a record adds, and what a wrong clock must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.contracts import Contract, parse_contract
from interlock.levels.tally import Plan, Tally

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = """\
apiVersion: v3.1.0
kind: DataContract
id: reading
name: reading
version: 1.2.0
status: active
team: {{members: [{{username: o@example.com, role: owner}}]}}
slaProperties: [{levels}]
schema:
  - name: reading
    logicalType: object
    properties:
      - {{name: at, logicalType: timestamp}}
      - {{name: day, logicalType: date}}
      - {{name: part, logicalType: object, properties: [{{name: note, logicalType: string}}]}}
"""


def contract(*levels: str) -> Contract:
    return parse_contract(FILE.format(levels=", ".join(f"{{{one}}}" for one in levels)).encode(), "reading.odcs.yaml")


LATENCY = "property: latency, value: 1, unit: h, element: reading.at"
DAYS = "property: latency, value: 1, unit: d, element: day"
FILLED = "property: completeness, value: 90, unit: percent, element: part.note"
ALSO = "property: completeness, value: 90, unit: percent, element: at"


@pytest.fixture
def count() -> Callable[..., dict[str, Any]]:
    def counted(levels: tuple[str, ...], *records: dict[str, Any]) -> dict[str, Any]:
        tally = Tally(Plan(contract(*levels)), NOW)
        for record in records:
            tally.note(record)
        return {"": tally.records, **tally.by_element()}

    return counted


def test_records_and_given_fields_are_counted(count: Callable[..., dict[str, Any]]) -> None:
    found = count((FILLED,), {"part": {"note": ""}}, {"part": {"note": None}}, {"part": None}, {})
    assert found == {"": 4, "/part/note": (1, None)}


def test_the_newest_moment_counts_whatever_its_offset_and_order(count: Callable[..., dict[str, Any]]) -> None:
    records = [
        {"at": "2026-03-01T11:00:00Z"},
        {"at": "2026-03-01T12:30:00+01:00"},
        {"at": "2026-03-01T11:59:59.5+01:00"},
        {"at": None},
    ]
    assert count((LATENCY, ALSO), *records)["/at"] == (3, datetime(2026, 3, 1, 11, 30, tzinfo=UTC))


def test_a_moment_in_the_future_says_nothing(count: Callable[..., dict[str, Any]]) -> None:
    found = count((LATENCY,), {"at": "2026-03-01T12:06:00Z"}, {"at": "9999-12-31T23:59:59Z"})
    assert found["/at"] == (0, None)
    assert count((LATENCY,), {"at": "2026-03-01T12:04:00Z"})["/at"][1] == datetime(2026, 3, 1, 12, 4, tzinfo=UTC)


def test_a_day_is_as_old_as_its_end(count: Callable[..., dict[str, Any]]) -> None:
    assert count((DAYS,), {"day": "2026-02-28"})["/day"][1] == datetime(2026, 3, 1, tzinfo=UTC)
    assert count((DAYS,), {"day": "2026-03-02"})["/day"][1] == datetime(2026, 3, 3, tzinfo=UTC)
    assert count((DAYS,), {"day": "2026-03-03"})["/day"][1] is None
    assert count((DAYS,), {"day": "9999-12-31"})["/day"][1] is None


def test_two_tallies_join() -> None:
    plan = Plan(contract(LATENCY, FILLED))
    one, other = Tally(plan, NOW), Tally(plan, NOW)
    one.note({"at": "2026-03-01T10:00:00Z"})
    other.note({"at": "2026-03-01T11:00:00Z", "part": {"note": "x"}})
    other.refused = 3
    one.join(other)
    assert (one.records, one.refused) == (2, 3)
    assert one.by_element() == {"/part/note": (1, None), "/at": (0, datetime(2026, 3, 1, 11, tzinfo=UTC))}


def test_a_contract_without_levels_is_not_counted() -> None:
    assert not Plan(contract()).measured
    assert Plan(contract(LATENCY)).line == "reading@1"
