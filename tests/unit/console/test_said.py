"""What pages say of actions and amounts: what holds an action up, and amounts as people read them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.cases.declaration import load_declaration, read_declaration
from interlock.console.item.outcome import Standing, choices_of, together
from interlock.console.render import grouped
from interlock.console.workflow_words import in_words
from interlock.decisions.point_digest import point_digest
from interlock.errors import DeclarationInvalid
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
        proposal={"approved": True},
        choices={"approve": "the case goes on", "reject": "nothing is paid"}, has_proposal=True,
        exposure=Money("120.00", "EUR"), point="approve", hold=timedelta(0), seats_left=1, reasons={},
        stops=[stopped], bears=["point:refund_orders.approve", "agent:till"],
    )  # fmt: skip
    approve, reject = choices_of(standing, load_declaration(REFUNDS))
    assert (f"It is stopped now ({stopped})" in approve.then[-1]) is holds
    assert not any("stopped" in one for one in reject.then)


@pytest.mark.parametrize(
    ("output", "effect", "amount"),
    [
        ({"approved": False}, ": no pay (the proposal says: Approved: no)", None),
        ({"approved": True}, ": pay 120.00 EUR follows (the proposal says: Approved: yes)", Money("120.00", "EUR")),
        ({"other": 1}, " (the proposal says: Other: 1)", Money("120.00", "EUR")),
    ],
)
def test_approving_says_what_follows_of_this_proposal(
    output: dict[str, Any], effect: str, amount: Money | None
) -> None:
    standing = Standing(
        choices={"approve": "it holds", "change": "yours holds"}, has_proposal=True, exposure=Money("120.00", "EUR"),
        point="approve", hold=timedelta(0), seats_left=1, reasons={}, proposal=output,
    )  # fmt: skip
    approve, change = choices_of(standing, load_declaration(REFUNDS))
    assert (approve.effect, approve.amount) == (effect, amount)
    assert ("pay does not follow" in approve.then[-1]) is (amount is None)
    assert change.then[-1] == "pay follows if, as you change it, output.approved == true."


def test_approving_many_says_of_how_many_an_action_follows_and_how_much() -> None:
    point, ten = load_declaration(REFUNDS).decisions["approve"], Money("10.00", "EUR")
    lot = [({"approved": True}, ten), ({"approved": True}, ten), ({"approved": False}, ten)]
    assert together(point, lot) == "pay follows of 2 of 3: 20.00 EUR."
    assert together(point, lot[2:]) == "pay follows of 0 of 1."


def test_an_action_that_is_said_to_follow_is_declared_and_a_certificate_stays_as_it_was() -> None:
    text = REFUNDS.read_text()
    with pytest.raises(DeclarationInvalid, match="no action 'payy'"):
        read_declaration(text.replace("follows: {pay:", "follows: {payy:").encode(), "a file")
    plain = read_declaration(text.replace("    follows: {pay: output.approved == true}\n", "").encode(), "a file")
    assert point_digest(plain.decisions["approve"]) == point_digest(load_declaration(REFUNDS).decisions["approve"])


def test_amounts_are_grouped_in_thousands() -> None:
    assert grouped("20000.00 EUR") == "20,000.00 EUR"
    assert grouped("12000 JPY") == "12,000 JPY"
    assert grouped("20 an hour") == "20 an hour"
    (pay,) = (one for one in in_words(load_declaration(REFUNDS)) if one.name == "pay")
    assert "20,000.00 EUR a day" in dict(pay.lines)["limits"]
