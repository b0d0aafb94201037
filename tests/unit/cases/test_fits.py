"""Which versions a decision point can use, and every reason why not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.publications.versions import RULES, refund_rules
from tests.pg.stage import REFUNDS

from interlock.cases.case import Case
from interlock.cases.fits import check_fits
from interlock.cases.registry import Registry, register
from interlock.cases.workflow import workflow
from interlock.components.rules import load_rules
from interlock.errors import RulesInvalid

TENANT = UUID(int=1)


@workflow("refunds", version="1.0.0", file=REFUNDS / "refunds.workflow.yaml")
async def refunds(case: Case) -> str:
    """Decide one refund."""
    return str((await case.decide("approve", case.input)).by)


REGISTRY = Registry([register(refunds)])


def changed(**header: Any) -> bytes:
    """The rules of refunds, with parts of their header and their examples changed."""
    document = json.loads(RULES)
    document["interlock"] |= header
    return json.dumps(document).encode()


def test_a_version_that_keeps_the_contracts_fits() -> None:
    (fit,) = check_fits(REGISTRY, TENANT, load_rules(refund_rules("1.1"), "x"))
    assert (fit.point, fit.wrong) == ("refunds.approve", ())


def test_another_line_concerns_nobody() -> None:
    assert check_fits(REGISTRY, TENANT, load_rules(refund_rules("2.0"), "x")) == ()
    assert check_fits(REGISTRY, TENANT, load_rules(refund_rules("1.1", name="approve-refunds"), "x")) == ()


def reasons(data: bytes) -> str:
    with pytest.raises(RulesInvalid) as caught:
        check_fits(REGISTRY, TENANT, load_rules(data, "x"))
    assert all(one.where == "refunds.approve" for one in caught.value.violations)
    return "\n".join(one.what for one in caught.value.violations)


def test_outputs_that_the_contract_does_not_name_or_have_are_told() -> None:
    document = json.loads(RULES)
    table = document["nodes"][1]["content"]
    table["outputs"][0] |= {"field": "allowed"}
    outputs = document["interlock"]["outputs"]
    outputs["allowed"] = outputs.pop("approved")
    for example in document["interlock"]["examples"]:
        example["output"]["allowed"] = example["output"].pop("approved")
    told = reasons(json.dumps(document).encode())
    assert "names no field 'allowed'" in told
    assert "demands 'approved'" in told
    assert "the output of example 1 breaks refund-decision@1.0.0" in told


def test_an_output_of_another_type_is_told() -> None:
    document = json.loads(RULES)
    document["interlock"]["outputs"]["approved"] = {"type": "string"}
    for row in document["nodes"][1]["content"]["rules"]:
        row["approved"] = f"'{row['approved']}'"
    for example in document["interlock"]["examples"]:
        example["output"]["approved"] = str(example["output"]["approved"]).lower()
    assert "puts out 'approved' as string" in reasons(json.dumps(document).encode())


def test_an_output_that_an_example_gives_and_the_contract_forbids_is_told() -> None:
    assert "breaks refund-decision" in reasons(refund_rules("1.1", reason="Not A Code"))


def test_an_input_of_another_type_or_from_nowhere_is_told() -> None:
    inputs = json.loads(RULES)["interlock"]["inputs"]
    examples = [
        {"input": {"amount": "20.00", "days_since_purchase": 30, "mood": "good"},
         "output": {"approved": True, "reason": "within_policy"}},
    ]  # fmt: skip
    assert "has no field 'mood'" in reasons(changed(inputs={**inputs, "mood": {"type": "string"}}, examples=examples))
    kind = {**inputs, "customer": {"type": "integer", "if_missing": 1}}
    assert "takes 'customer' as integer" in reasons(changed(inputs=kind))


def test_an_input_from_nowhere_with_a_value_for_that_fits() -> None:
    inputs = json.loads(RULES)["interlock"]["inputs"]
    data = changed(inputs={**inputs, "mood": {"type": "string", "if_missing": "unknown"}})
    (fit,) = check_fits(REGISTRY, TENANT, load_rules(data, "x"))
    assert fit.wrong == ()
