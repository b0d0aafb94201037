"""The terms of a reconciliation: what they tolerate, and their record."""

from __future__ import annotations

from decimal import Decimal

import pytest

from interlock.contracts.canonical import canonical
from interlock.money import Money
from interlock.packs.reconciliation.terms import ReconciliationTerms

TERMS = ReconciliationTerms(
    name="bank",
    tolerance_amounts=(Money("5.00", "EUR"), Money("600", "JPY"), Money("0.001", "KWD")),
    links=(("1200", "DE02"),),
)


@pytest.mark.parametrize(
    ("minor", "currency", "most"),
    [
        (10_000, "EUR", 500),
        (-10_000, "EUR", 500),
        (100_049, "EUR", 2_000),  # 2 % are 20.0098: what is beyond the cent is not tolerated
        (0, "EUR", 500),
        (10_000, "JPY", 600),
        (49, "KWD", 1),
        (99, "USD", 1),
        (49, "USD", 0),
        (2**63 - 1, "USD", (2**63 - 1) // 50),
    ],
)
def test_the_greater_of_share_and_amount_is_tolerated(minor: int, currency: str, most: int) -> None:
    assert TERMS.tolerance(minor, currency) == most


def test_equal_terms_have_equal_records_and_others_do_not() -> None:
    document = canonical(TERMS.document())
    assert b'"tolerance_share":"0.02"' in document
    assert b'"amount":"5.00"' in document
    other = ReconciliationTerms(name="bank", tolerance_share=Decimal("0.15"))
    assert canonical(other.document()) != document
    assert canonical(ReconciliationTerms(name="bank", tolerance_share=Decimal("0.15")).document()) == canonical(
        other.document()
    )
