"""Two versions over recorded decisions: what differs, by which route, with which money; nothing in it raises."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.publications.versions import refund_rules
from tests.pg.stage import REFUNDS

from interlock.cases.declaration import load_declaration
from interlock.components.component import ComponentRef, Kind
from interlock.components.rules import Rules, load_rules
from interlock.decisions.decision import Route
from interlock.decisions.point import DecisionPoint
from interlock.decisions.rules_diff import FAILS, ROUTE, Comparison, Recorded

POINT = load_declaration(REFUNDS / "refunds.workflow.yaml").decisions["approve"]
OLD = load_rules(refund_rules("1.1"), "old")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def version(number: str, **changes: Any) -> Rules:
    return load_rules(refund_rules(number, **changes), "new")


def recorded(number: int = 1, value: dict[str, Any] | None = None, **more: Any) -> Recorded:
    """A decision as it was recorded by the old version."""
    given_ = value if value is not None else {"customer": "Ana", "amount": "20.00", "days_since_purchase": 10}
    fields: dict[str, Any] = {
        "id": UUID(int=number),
        "input": json.dumps(given_).encode(),
        "output": b'{"approved":true,"reason":"within_policy"}',
        "component": "rules:approve-refund@1.1",
        "component_digest": OLD.digest,
        "confidence": 1.0,
        "attempts": b'[{"component":"rules:approve-refund@1.1","digest":"","propensity":"1","became":"answered"}]',
        "findings": b"[]",
        "evidence": b"{}",
        "exposure_minor": 2000,
        "currency": "EUR",
        "route": Route.AUTOMATIC,
        "decided_at": NOW,
    }
    return Recorded(**(fields | more))


def compare(new: Rules, *rows: Recorded, point: DecisionPoint = POINT, old: Rules = OLD) -> Comparison:
    comparison = Comparison(point, old, new)
    for row in rows:
        comparison.add(row)
    return comparison


def test_the_same_version_changes_nothing() -> None:
    result = compare(OLD, recorded(1), recorded(2)).result()
    assert (result.compared, result.changed, result.unlike_record, result.tallies) == (2, 0, 0, ())
    assert result.money_compared == ("40.00 EUR",)


def test_a_change_is_counted_by_field_and_value_with_its_money() -> None:
    rows = [
        recorded(1),
        recorded(2, {"customer": "B", "amount": "7.00", "days_since_purchase": 1}, exposure_minor=700),
        recorded(3, exposure_minor=None, currency=None),
        recorded(4, exposure_minor=5, currency="JPY"),
    ]
    result = compare(version("1.2", days=5), *rows).result()
    assert (result.compared, result.changed, result.without_amount) == (4, 3, 1)
    assert result.money == ("20.00 EUR", "5 JPY")
    assert {(one.field, one.before, one.after, one.decisions) for one in result.tallies} == {
        ("approved", "true", "false", 3), ("reason", "within_policy", "too_late", 3),
    }  # fmt: skip
    assert [one.decision for one in result.examples] == [UUID(int=1), UUID(int=3), UUID(int=4)]
    assert (result.examples[0].old.rows, result.examples[0].new.rows) == (("refund row 3",), ("refund row 1",))


def test_a_route_that_would_follow_is_a_change_of_its_own() -> None:
    """The new version needs what the record does not hold: it gives no answer, and a person would decide."""
    needs = json.loads(refund_rules("1.2"))
    needs["interlock"]["inputs"]["mood"] = {"type": "string"}
    for example in needs["interlock"]["examples"]:
        example["input"]["mood"] = "good"
    result = compare(load_rules(json.dumps(needs).encode(), "new"), recorded(1)).result()
    kinds = {(one.field, one.before, one.after) for one in result.tallies}
    assert (ROUTE, "automatic", "review") in kinds
    assert ("approved", "true", FAILS) in kinds
    assert "'mood' is missing" in result.examples[0].new.fails


def test_features_stand_in_the_input_as_the_decision_saw_them() -> None:
    evidence = json.dumps({"features": {"days_since_purchase": {"version": 1, "value": 40}}}).encode()
    row = recorded(1, {"customer": "A", "amount": "1.00"}, evidence=evidence)
    result = compare(version("1.2", days=50), row).result()
    assert (result.changed, result.examples[0].old.output) == (1, {"approved": False, "reason": "too_late"})


def test_the_time_is_that_of_the_decision() -> None:
    dated = json.loads(refund_rules("1.2"))
    header = dated["interlock"]
    header["inputs"] = {
        "amount": {"type": "decimal"},
        "bought": {"type": "date"},
        "days_since_purchase": {"type": "integer", "days_since": "bought"},
    }
    header["examples"] = [
        {"input": {"amount": "1", "bought": "2026-10-30"}, "now": "2026-11-01T00:00:00Z",
         "output": {"approved": True, "reason": "within_policy"}},
    ]  # fmt: skip
    rules = load_rules(json.dumps(dated).encode(), "new")
    row = recorded(1, {"amount": "1.00", "bought": "2026-10-30", "days_since_purchase": 99})
    example = compare(rules, row).result().examples
    assert example[0].new.output == {"approved": True, "reason": "within_policy"}


def test_decisions_in_which_no_such_rules_were_asked_are_passed_over() -> None:
    other = b'[{"component":"rules:approve-refund-more@1","digest":"","propensity":"1","became":"answered"}]'
    result = compare(version("1.2", days=1), recorded(1, attempts=other), recorded(2, attempts=b"[]")).result()
    assert result.compared == 0


def test_a_decision_that_is_on_record_otherwise_is_counted() -> None:
    row = recorded(1, output=b'{"approved":false,"reason":"too_late"}')
    assert compare(OLD, row).result().unlike_record == 1


def policy(number: str, limit: str, demands: str = "review") -> Rules:
    """A policy that demands something above an amount."""
    document = json.loads(refund_rules(number, name="refund-policy"))
    header = document["interlock"]
    header["inputs"] = {"exposure": {"type": "decimal", "if_missing": "0"}, "confidence": {"type": "decimal"}}
    header["outputs"] = {"route": {"type": "string", "values": ["automatic", "review", "reject"]}}
    header["examples"] = [
        {"input": {"exposure": "1", "confidence": "1"}, "output": {"route": "automatic"}},
    ]
    table = document["nodes"][1]["content"]
    table["inputs"] = [{"id": "e", "name": "Exposure", "field": "exposure"}]
    table["outputs"] = [{"id": "r", "name": "Route", "field": "route"}]
    table["rules"] = [{"e": f"> {limit}", "r": f"'{demands}'"}, {"e": "", "r": "'automatic'"}]
    return load_rules(json.dumps(document).encode(), "policy")


JUDGED = msgspec.structs.replace(
    POINT, policy=ComponentRef(Kind.RULES, "refund-policy", "1"), sure_from=0.9, review=(), reject=()
)


def test_a_policy_is_compared_on_what_it_judged() -> None:
    old, new = policy("1", "100"), policy("1.1", "10")
    result = compare(new, recorded(1), recorded(2, exposure_minor=500), point=JUDGED, old=old).result()
    assert (result.compared, result.changed, result.money) == (2, 1, ("20.00 EUR",))
    assert (ROUTE, "automatic", "review") in {(one.field, one.before, one.after) for one in result.tallies}


@pytest.mark.parametrize("demands", ["review", "reject"])
def test_a_policy_that_is_made_looser_lets_through_what_it_held(demands: str) -> None:
    """The recorded route holds what the policy of then demanded: it is no floor of the new one."""
    old, new = policy("1", "10", demands), policy("1.1", "100", demands)
    row = recorded(1, route=Route(demands))
    result = compare(new, row, point=JUDGED, old=old).result()
    assert (ROUTE, demands, "automatic") in {(one.field, one.before, one.after) for one in result.tallies}
    assert result.money == ("20.00 EUR",)


@pytest.mark.parametrize(
    "held",
    [
        {"confidence": 0.5},
        {"confidence": None},
        {"exposure_minor": 20_000},
        {"findings": b'[{"code":"odd","severity":"review","what":"odd"}]'},
    ],
)
def test_what_the_file_itself_holds_stays_held_by_a_looser_policy(held: dict[str, Any]) -> None:
    point = msgspec.structs.replace(JUDGED, review=POINT.review)
    old, new = policy("1", "10"), policy("1.1", "1000")
    row = recorded(1, None, **{"route": Route.REVIEW, **held})
    (example,) = compare(new, row, point=point, old=old).result().examples
    assert (example.old.route, example.new.route) == (Route.REVIEW, Route.REVIEW)
    assert example.new.output == {"route": "automatic"}


def test_kinds_of_changes_are_bounded_and_sums_are_exact() -> None:
    """However many values there are, memory does not grow; no cent is lost."""
    document = json.loads(refund_rules("1.2"))
    document["interlock"]["outputs"]["share"] = {"type": "decimal", "places": 2}
    table = document["nodes"][1]["content"]
    table["outputs"].append({"id": "share", "name": "Share", "field": "share"})
    for row in table["rules"]:
        row["share"] = "amount"
    document["interlock"]["examples"] = [
        {"input": {"amount": "20.00", "days_since_purchase": 1},
         "output": {"approved": True, "reason": "within_policy", "share": "20.00"}},
    ]  # fmt: skip
    rules = load_rules(json.dumps(document).encode(), "new")
    comparison = Comparison(POINT, OLD, rules)
    most = 3000
    for number in range(most):
        value = {"amount": f"{number}.00", "days_since_purchase": 1}
        comparison.add(recorded(number, value, exposure_minor=1_234_567_890_123_456_789))
    result = comparison.result()
    assert result.changed == most
    assert len(result.tallies) < 300
    assert sum(one.decisions for one in result.tallies if one.field == "share") == most
    assert result.money == (f"{Decimal(1234567890123456789 * most).scaleb(-2):f} EUR",)
    assert len(result.examples) == 5


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["20.00", "-0.00", "1e5", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(amount=JSON, days=JSON)
@pytest.mark.parametrize("minor", [None, 0, 2**62])
def test_whatever_was_recorded_is_compared_without_an_error(minor: int | None, amount: Any, days: Any) -> None:
    try:
        data = msgspec.json.encode({"amount": amount, "days_since_purchase": days})
    except UnicodeEncodeError:
        return
    row = recorded(1, input=data, exposure_minor=minor, currency="EUR" if minor is not None else None)
    result = compare(version_cached(), row).result()
    assert result.compared == 1


_NEW = version("1.2", days=5)


def version_cached() -> Rules:
    return _NEW
