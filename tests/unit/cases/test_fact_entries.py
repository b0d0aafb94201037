"""Facts, events and what an action rests on, as a workflow's file declares them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from interlock.cases.declaration import Declaration, read_declaration
from interlock.cases.event_entry import EventTerms
from interlock.cases.fact_entry import FactTerms
from interlock.errors import DeclarationInvalid

FILE = """\
workflow: claims
contract: claim@1
facts:
  vendor: {connector: register, read: status}
  price: {connector: shop, read: price, timeout: 200ms, tolerance: 0.05}
decisions:
  approve: {components: [rules:r@1, person], output: verdict@1}
actions:
  pay:
    connector: bank
    domain: payments.claims
    limits: {rate: 1/s}
    undo: {none: it is final}
    rests_on: approve
events:
  delivered: {contract: delivery@1}
"""


def read(old: str = "", new: str = "") -> Declaration:
    assert old in FILE
    return read_declaration(FILE.replace(old, new).encode(), "claims.workflow.yaml")


def test_they_are_read() -> None:
    declaration = read()
    assert dict(declaration.facts) == {
        "vendor": FactTerms(name="vendor", connector="register", read="status", timeout=timedelta(seconds=5)),
        "price": FactTerms(
            name="price", connector="shop", read="price", timeout=timedelta(milliseconds=200), tolerance=Decimal("0.05")
        ),
    }
    assert dict(declaration.events) == {"delivered": EventTerms(name="delivered", contract="delivery@1")}
    assert declaration.actions["pay"].rests_on == "approve"


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ("connector: register, read", "read", "4", '"connector" is missing'),
        (", read: status", "", "4", '"read" is missing'),
        ("read: status}", "read: status, reads: x}", "4", "there is no such key"),
        ("tolerance: 0.05", "tolerance: 0", "5", "is not above zero"),
        ("tolerance: 0.05", "tolerance: some", "5", "is text, not a number"),
        ("  vendor:", "  Vendor:", "4", "is no name"),
        ("rests_on: approve", "rests_on: aprove", "10", "there is no decision 'aprove' in this file"),
        ("{contract: delivery@1}", "{}", "16", '"contract" is missing'),
        ("delivery@1", "delivery", "16", "delivery"),
        ("{contract: delivery@1}", "delivery@1", "16", "keys and values"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, where: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        read(old, new)
    (wrong,) = refused.value.violations
    assert said in wrong.what
    assert wrong.where == f"claims.workflow.yaml:{where}"
