"""A decision table as a point's policy: it makes routes stricter, never looser, and is on record."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_decide import PERSON, Says, approve, reasons, with_components
from tests.pg.stage import declared, stage

from interlock.components.checking import FieldType
from interlock.components.component import ComponentRef, Kind
from interlock.components.facts import read_fact
from interlock.decisions.asked import Asked
from interlock.decisions.condition import compile_condition
from interlock.decisions.decision import Decision, Route
from interlock.decisions.policy import check_policy, written_confidence
from interlock.errors import Refused
from interlock.money import Money

YES = {"approved": True, "reason": "within_policy"}


def table(*, route: dict[str, Any] | None = None, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Reject from 500 on, a person from 100 on or below 0.9; everything else goes by itself."""
    rows = [
        {"_id": "a", "e": ">= 500", "c": "", "r": "'reject'", "w": "'far_too_much'"},
        {"_id": "b", "e": ">= 100", "c": "", "r": "'review'", "w": "'much'"},
        {"_id": "c", "e": "", "c": "< 0.9", "r": "'review'", "w": "'unsure'"},
        {"_id": "d", "e": "", "c": "", "r": "'automatic'", "w": "'fine'"},
    ]
    routes = route or {"type": "string", "values": ["automatic", "review", "reject"], "description": "The route."}
    return {
        "interlock": {
            "name": "policy",
            "version": "1",
            "owner": "risk@example.com",
            "description": "By which route a claim goes.",
            "inputs": inputs
            or {
                "exposure": {"type": "decimal", "description": "What is at stake."},
                "confidence": {"type": "decimal", "description": "How sure the component is."},
            },
            "outputs": {
                "route": routes,
                "reason": {
                    "type": "string",
                    "values": ["far_too_much", "much", "unsure", "fine"],
                    "description": "Why.",
                },
            },
            "examples": [],
        },
        "contentType": "application/vnd.gorules.decision",
        "nodes": [
            {"id": "in", "name": "in", "type": "inputNode", "position": {"x": 0, "y": 0}},
            {
                "id": "t",
                "name": "routes",
                "type": "decisionTableNode",
                "position": {"x": 1, "y": 0},
                "content": {
                    "hitPolicy": "first",
                    "inputs": [
                        {"id": "e", "name": "Exposure", "field": next(iter(inputs or {"exposure": 0}))},
                        {"id": "c", "name": "Confidence", "field": "confidence"},
                    ],
                    "outputs": [
                        {"id": "r", "name": "Route", "field": "route"},
                        {"id": "w", "name": "Why", "field": "reason"},
                    ],
                    "rules": rows,
                },
            },
            {"id": "out", "name": "out", "type": "outputNode", "position": {"x": 2, "y": 0}},
        ],
        "edges": [
            {"id": "1", "sourceId": "in", "targetId": "t", "type": "edge"},
            {"id": "2", "sourceId": "t", "targetId": "out", "type": "edge"},
        ],
    }


def write(folder: Path, document: dict[str, Any]) -> None:
    """Put the table where the workflow's library finds it."""
    (folder / "components").mkdir(exist_ok=True)
    (folder / "components" / "policy@1.rules.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("exposure", "confidence", "route", "row"),
    [
        ("20.00", 0.95, Route.AUTOMATIC, 4),
        ("100.00", 0.95, Route.REVIEW, 2),
        ("500.00", 0.95, Route.REJECT, 1),
        ("20.00", 0.85, Route.REVIEW, 3),
    ],
)
async def test_the_table_says_the_route_and_the_row_is_on_record(
    database_url: str, tmp_path: Path, exposure: str, confidence: float, route: Route, row: int
) -> None:
    write(tmp_path, table())
    point = "    sure_from: 0.5\n    policy: rules:policy@1\n    exposure: input.amount EUR\n"
    flow = declared(approve, tmp_path, point=point)
    answering = with_components(flow, Says("model", confidence))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await on.node.tools.decider.decide(
            Asked(
                tenant=on.node.tenant,
                workflow="approve",
                point=answering,
                declaration=flow.declaration.digest,
                library=flow.library,
                key="k",
                value={"customer": "Ana", "amount": exposure, "days_since_purchase": 3},
            )
        )
    assert isinstance(decision, Decision)
    assert decision.route is route
    policy = msgspec.json.decode(decision.evidence)["policy"]
    assert (policy["rules"], policy["fired"][0]["row"]) == ("rules:policy@1", row)
    assert policy["digest"] == flow.library.component(ComponentRef(Kind.RULES, "policy", "1")).digest.hex()
    if route is not Route.AUTOMATIC:
        assert reasons(decision) == ["rule"]
        assert f"{policy['reason']}, by routes row {row}" in decision.why[0].what


async def test_a_policy_that_cannot_be_run_demands_a_person(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, table())
    flow = declared(approve, tmp_path, point="    sure_from: 0.5\n    policy: rules:policy@1\n")
    answering = with_components(flow, Says("model", 1.0))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await on.node.tools.decider.decide(
            Asked(
                tenant=on.node.tenant,
                workflow="approve",
                point=answering,  # nobody says what is at stake
                declaration=flow.declaration.digest,
                library=flow.library,
                key="k",
                value={"customer": "Ana", "amount": "20.00", "days_since_purchase": 3},
            )
        )
    assert isinstance(decision, Decision)
    assert decision.route is Route.REVIEW
    assert "cannot be run: the input 'exposure' is missing" in decision.why[0].what


async def test_less_than_nothing_at_stake_is_no_small_amount(database_url: str, tmp_path: Path) -> None:
    """Fifty thousand below zero is less than a hundred: without bands, too, no bound of a table is to let it pass."""
    write(tmp_path, table())
    point = "    sure_from: 0.5\n    policy: rules:policy@1\n"
    flow = declared(approve, tmp_path, point=point)
    answering = msgspec.structs.replace(
        with_components(flow, Says("model", 1.0)), review=(compile_condition("exposure >= 100 EUR"),)
    )
    async with stage(database_url, [flow], workers=0) as on:
        decision = await on.node.tools.decider.decide(
            Asked(
                tenant=on.node.tenant,
                workflow="approve",
                point=answering,
                declaration=flow.declaration.digest,
                library=flow.library,
                key="k",
                value={"customer": "Ana", "amount": "20.00", "days_since_purchase": 3},
                exposure=Money("-50000.00", "EUR"),
            )
        )
    assert isinstance(decision, Decision)
    assert decision.route is Route.REVIEW
    assert reasons(decision)[0] == "below_zero"
    said = " ".join(one.what for one in decision.why)
    assert "exposure >= 100 EUR cannot be evaluated" in said
    assert "rules:policy@1 cannot be run: the exposure -50000.00 EUR is below zero" in said


async def test_a_policy_never_makes_a_route_looser(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, table())
    point = '    sure_from: 0.5\n    policy: rules:policy@1\n    review: ["exposure >= 10 EUR"]\n'
    flow = declared(approve, tmp_path, point=point)
    answering = with_components(flow, Says("model", 1.0))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await on.node.tools.decider.decide(
            Asked(
                tenant=on.node.tenant,
                workflow="approve",
                point=answering,
                declaration=flow.declaration.digest,
                library=flow.library,
                key="k",
                value={"customer": "Ana", "amount": "20.00", "days_since_purchase": 3},
                exposure=Money("20.00", "EUR"),
            )
        )
    assert isinstance(decision, Decision)
    assert decision.route is Route.REVIEW


DECIMAL = {"type": "decimal", "description": "A number."}
FOUR = {"type": "string", "values": ["automatic", "yes", "review", "reject"], "description": "Four routes."}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"route": FOUR}, "must be a string with values among"),
        ({"inputs": {"weight": DECIMAL, "confidence": DECIMAL}}, "'weight' stands neither"),
    ],
)
def test_what_cannot_be_a_policy_is_refused_at_load(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    write(tmp_path, table(**changed))
    flow = declared(approve, tmp_path)
    point = msgspec.structs.replace(
        flow.declaration.decisions["approve"], policy=ComponentRef(Kind.RULES, "policy", "1"), steps=(PERSON,)
    )
    with pytest.raises(Refused, match=why):
        check_policy(flow.library, point)


@pytest.mark.parametrize(
    ("confidence", "written"),
    [
        (0.95, "0.95"),
        (1.0, "1.0"),
        (0.0, "0.0"),
        (1, "1.0"),
        (float(np.float32(0.9731234)), "0.973123371"),
        (np.float64(0.25), "0.25"),
        (0.9000000009999999, "0.900000000"),
        (1 - 2**-53, "0.999999999"),
        (5e-324, "0.000000000"),
        (1e-9, "0.000000001"),
        (1.23e-05, "0.000012300"),
    ],
)
def test_a_table_reads_every_confidence_and_none_as_more_than_it_is(confidence: float, written: str) -> None:
    assert written_confidence(confidence) == written
    assert Decimal(written) <= Decimal(repr(float(confidence)))


@given(st.floats(0, 1))
def test_no_confidence_is_written_up_nor_off_by_a_billionth(confidence: float) -> None:
    read = read_fact("confidence", written_confidence(confidence), FieldType.DECIMAL)
    assert isinstance(read, Decimal)
    assert 0 <= Decimal(repr(confidence)) - read < Decimal("1e-9")


@pytest.mark.parametrize(
    ("confidence", "route"),
    [
        (1 / (1 + 2.718281828**-4), Route.AUTOMATIC),
        (float(np.float32(0.9731234)), Route.AUTOMATIC),
        (0.9 - 2**-53, Route.REVIEW),
    ],
)
async def test_a_table_judges_the_confidence_of_a_model(
    database_url: str, tmp_path: Path, confidence: float, route: Route
) -> None:
    """Sixteen digits, as a model gives them; the last stays below 0.9, which is what the table asks for."""
    write(tmp_path, table())
    point = "    sure_from: 0.5\n    policy: rules:policy@1\n    exposure: input.amount EUR\n"
    flow = declared(approve, tmp_path, point=point)
    answering = with_components(flow, Says("model", confidence))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await on.node.tools.decider.decide(
            Asked(
                tenant=on.node.tenant,
                workflow="approve",
                point=answering,
                declaration=flow.declaration.digest,
                library=flow.library,
                key="k",
                value={"customer": "Ana", "amount": "20.00", "days_since_purchase": 3},
            )
        )
    assert isinstance(decision, Decision)
    assert decision.route is route, decision.why
    assert "fired" in msgspec.json.decode(decision.evidence)["policy"]
