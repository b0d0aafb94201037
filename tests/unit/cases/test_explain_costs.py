"""A case's story tells what asking each component cost, where it cost anything."""

from __future__ import annotations

from decimal import Decimal

import pytest

from interlock.cases import explain
from interlock.decisions.decision import Became, ComponentAsked
from interlock.usage import Usage


@pytest.mark.parametrize(
    ("cost", "usage", "became", "end"),
    [
        ("0", None, Became.ANSWERED, "sure enough."),
        ("0.01230", Usage(input=90, output=7), Became.UNSURE, "It cost 0.0123 USD for 90 tokens in and 7 out."),
        ("0.5", None, Became.LATE, "late: slow. It cost 0.5 USD."),
    ],
)  # fmt: skip
def test_what_an_asking_cost_is_told(cost: str, usage: Usage | None, became: Became, end: str) -> None:
    asked = ComponentAsked(
        component="llm:a@1", digest="", propensity="1", became=became, why="slow", needed=0.5, cost=Decimal(cost),
        usage=usage,
    )  # fmt: skip
    assert explain._asked(asked).endswith(end)  # pyright: ignore[reportPrivateUsage]
