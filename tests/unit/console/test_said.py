"""What pages say of actions and amounts: what holds an action up, and amounts as people read them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from interlock.cases.declaration import load_declaration
from interlock.console.item.outcome import Standing, choices_of
from interlock.console.render import grouped
from interlock.console.workflow_words import in_words
from interlock.money import Money

REFUNDS = Path(__file__).parents[3] / "examples/refunds/refunds.workflow.yaml"


@pytest.mark.parametrize(
    ("stopped", "holds"),
    [
        ("everything", True), ("action:refunds.pay", True), ("connector:payments", True), ("agent:till", True),
        ("point:refund_orders.approve", True), ("workflow:another", False), ("agent:another", False),
    ],
)  # fmt: skip
def test_a_choice_says_which_stop_holds_what_follows(stopped: str, holds: bool) -> None:  # noqa: FBT001 - a case
    standing = Standing(
        choices={"approve": "the case goes on", "reject": "nothing is paid"}, has_proposal=True,
        exposure=Money("120.00", "EUR"), point="approve", hold=timedelta(0), seats_left=1, reasons={},
        stops=[stopped], bears=["point:refund_orders.approve", "agent:till"],
    )  # fmt: skip
    approve, reject = choices_of(standing, load_declaration(REFUNDS))
    assert (f"It is stopped now ({stopped})" in approve.then[-1]) is holds
    assert not any("stopped" in one for one in reject.then)


def test_amounts_are_grouped_in_thousands() -> None:
    assert grouped("20000.00 EUR") == "20,000.00 EUR"
    assert grouped("12000 JPY") == "12,000 JPY"
    assert grouped("20 an hour") == "20 an hour"
    (pay,) = (one for one in in_words(load_declaration(REFUNDS)) if one.name == "pay")
    assert "20,000.00 EUR a day" in dict(pay.lines)["limits"]
