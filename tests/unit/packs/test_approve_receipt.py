from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.components.component import ComponentRef
from interlock.components.component import Question as Asked
from interlock.components.registry import load_component
from interlock.components.rules import Rules
from interlock.errors import ComponentFailed

SMALL: dict[str, Any] = {
    "total": "31.00",
    "currency": "MYR",
    "fields_missing": 0,
    "duplicate": "none",
    "findings": 0,
    "age_days": 12,
    "company_known": True,
    "company": "Kedai Buku Maju",
}


@pytest.fixture(scope="module")
def table() -> Rules:
    spec = importlib.util.find_spec("interlock.packs.receipts")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    roots = [Path(place) for place in spec.submodule_search_locations]
    rules = load_component(ComponentRef.parse("rules:approve-receipt@1"), roots)
    assert isinstance(rules, Rules)
    return rules


def ask(table: Rules, **changes: Any) -> dict[str, Any]:
    return table.answer(Asked(input=SMALL | changes, now=datetime(2026, 3, 1, tzinfo=UTC))).output


@pytest.mark.parametrize(
    ("changes", "reason", "approved", "refer"),
    [
        ({}, "within_policy", True, False),
        ({"total": "99.99"}, "within_policy", True, False),
        ({"total": "100.00"}, "needs_person", False, True),
        ({"total": "4999.99"}, "needs_person", False, True),
        ({"total": "5000.00"}, "over_limit", False, True),
        ({"total": "0.00"}, "total_not_positive", False, True),
        ({"total": None}, "total_not_positive", False, True),
        ({"currency": "SGD"}, "other_currency", False, True),
        ({"currency": None}, "other_currency", False, True),
        ({"fields_missing": 1}, "fields_missing", False, True),
        ({"duplicate": "exact"}, "duplicate", False, False),
        ({"duplicate": "near"}, "near_duplicate", False, True),
        ({"age_days": -1}, "future_date", False, True),
        ({"age_days": None}, "future_date", False, True),
        ({"age_days": 90}, "within_policy", True, False),
        ({"age_days": 91}, "late", False, True),
        ({"age_days": 180}, "late", False, True),
        ({"age_days": 181}, "too_old", False, False),
        ({"findings": 2}, "findings", False, True),
        ({"company": ""}, "company_unread", False, True),
        ({"company_known": False}, "within_policy", True, False),
        ({"company_known": False, "total": "50.00"}, "within_policy", True, False),
        ({"company_known": False, "total": "50.01"}, "unknown_company", False, True),
        ({"company_known": None, "total": "50.01"}, "unknown_company", False, True),
        ({"duplicate": "exact", "total": "9000.00"}, "duplicate", False, False),
        ({"fields_missing": 3, "duplicate": "exact"}, "fields_missing", False, True),
    ],
)
def test_decides_as_the_policy_says(
    table: Rules,
    changes: dict[str, Any],
    reason: str,
    approved: bool,  # noqa: FBT001 - a table of expectations
    refer: bool,  # noqa: FBT001 - the same
) -> None:
    output = ask(table, **changes)
    assert (output["reason"], output["approved"], output["refer"]) == (reason, approved, refer)
    assert output["note"]


@pytest.mark.parametrize("missing", ["fields_missing", "duplicate", "findings"])
def test_what_guards_the_money_is_never_taken_as_given(table: Rules, missing: str) -> None:
    with pytest.raises(ComponentFailed, match=f"'{missing}' is missing"):
        ask(table, **{missing: None})


def test_every_row_says_why_it_stands_there_and_has_an_example(table: Rules) -> None:
    fired = [
        table.answer(Asked(input=example.input, now=datetime(2026, 3, 1, tzinfo=UTC))).fired[0]
        for example in table.header.examples
    ]
    assert {rule.row for rule in fired} == set(range(1, 15))
    assert all(rule.note for rule in fired)
    assert table.header.owner == "payables@example.com"
