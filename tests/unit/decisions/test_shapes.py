"""What stands at a path of a condition, as the contracts say; and that the decision path asks them."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import REFUNDS

from interlock.cases.declaration import load_declaration
from interlock.contracts.contract import Shape
from interlock.decisions.features.feature import Feature, FeatureRef, OutputType
from interlock.decisions.library import Library
from interlock.decisions.shapes import shape_of

POINT = msgspec.structs.replace(
    load_declaration(REFUNDS / "refunds.workflow.yaml").decisions["approve"],
    features=(
        Feature(ref=FeatureRef("last-amount", 1), output=OutputType.DECIMAL, function="m:f"),
        Feature(ref=FeatureRef("before", 1), output="refund-request@1", function="m:f"),
    ),
)
LIBRARY = Library((REFUNDS,))


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("input.amount", Shape.DECIMAL),
        ("input.customer", Shape.STRING),
        ("input.last_amount", Shape.DECIMAL),
        ("input.last_amount.more", None),
        ("input.before.amount", Shape.DECIMAL),
        ("input.before", Shape.OBJECT),
        ("input.nothing", None),
        ("input.amount.more", None),
        ("output.approved", Shape.BOOLEAN),
    ],
)
def test_contracts_and_features_say_what_stands_there(path: str, shape: Shape | None) -> None:
    assert shape_of(LIBRARY, POINT, tuple(path.split("."))) is shape


def test_without_a_contract_that_can_be_used_nothing_is_known() -> None:
    for one in (msgspec.structs.replace(POINT, input=""), msgspec.structs.replace(POINT, input="lost@1")):
        assert shape_of(LIBRARY, one, ("input", "amount")) is None
