"""What a point states of its autonomy is held against its contracts when its workflow is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import AUTONOMY
from tests.pg.decisions.test_cascades import approve
from tests.pg.stage import declared

from interlock.errors import DeclarationInvalid


def test_what_stands_in_the_contracts_is_taken(tmp_path: Path) -> None:
    point = AUTONOMY.replace("from: every", "from: every, fields: [approved]")
    flow = declared(approve, tmp_path, point=f"{point}      segment: output.reason\n")
    assert flow.declaration.decisions["approve"].autonomy is not None


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("exposure: input.amount", "exposure: input.amont", "the money at stake stands nowhere"),
        ("from: every", "from: every, fields: [aproved]", "has no aproved"),
        ("wrong:", "segment: input.days\n      wrong:", "segment: refund-request@1.0.0 has no days"),
        ("wrong:", "segment: input.amount\n      wrong:", "input.amount is decimal, which tells nothing apart"),
        ("wrong:", "segment: output.reason.code\n      wrong:", "has no reason.code"),
    ],
)
def test_what_stands_in_no_contract_is_named(tmp_path: Path, written: str, instead: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        declared(approve, tmp_path, point=AUTONOMY.replace(written, instead, 1))
    assert said in "; ".join(f"{one.what}" for one in refused.value.violations)
