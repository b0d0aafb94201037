"""The terms of a reconciliation: what they tolerate, and their record."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec
import polars as pl
import pytest

from interlock.contracts.canonical import canonical
from interlock.money import Money
from interlock.packs.reconciliation.matching.scorer import FOLDER
from interlock.packs.reconciliation.rounds.question import Proposal, question
from interlock.packs.reconciliation.rounds.solving import beyond
from interlock.packs.reconciliation.terms import ON_ONE_WORD, ReconciliationTerms

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


def test_a_difference_is_booked_unasked_as_far_as_one_person_may_write_off() -> None:
    table = json.loads((FOLDER.parent / "write-off@1.rules.json").read_text("utf-8"))
    rows = next(node["content"]["rules"] for node in table["nodes"] if node["type"] == "decisionTableNode")
    alone = {
        (currency.strip(" '"), row["amount"].removeprefix("<= "))
        for row in rows
        if row["refer"] == "false"
        for currency in row["currency"].split(",")
    }
    assert {(one.currency, str(int(one.amount))) for one in ON_ONE_WORD} == alone


NOBODY = {
    "id": str(UUID(int=2)), "account": "1", "minor": 0, "booked_on": date(2026, 1, 1), "value_on": date(2026, 1, 1),
    "memo": "", "counterparty": "", "reference": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "currency", "difference", "explained", "asks"),
    [
        (TERMS, "EUR", 500, "tolerance", False),
        (TERMS, "EUR", -501, "tolerance", True),
        (TERMS, "EUR", 90_000, "fee", False),
        (TERMS, "EUR", 90_000, "rounding", False),
        (TERMS, "JPY", 701, "tolerance", True),
        (TERMS, "KWD", 1, "tolerance", True),
        (TERMS, "KWD", 0, "none", False),
        (msgspec.structs.replace(TERMS, differences=None), "EUR", 10**12, "tolerance", False),
        (msgspec.structs.replace(TERMS, differences=(Money("9.00", "KWD"),)), "KWD", 9_000, "tolerance", False),
    ],
)
def test_what_is_given_up_above_it_is_asked_of_a_person(
    terms: ReconciliationTerms, currency: str, difference: int, explained: str, *, asks: bool
) -> None:
    frame = pl.DataFrame(
        {"currency": [currency], "expected_minor": [difference], "actual_minor": [0], "explained": [explained]}
    )
    assert frame.select(beyond(terms)).item() is asks
    proposal = Proposal(
        members=UUID(int=1), turn=0, form="1:1", currency=currency, expected=(NOBODY,), actual=(NOBODY,),
        expected_minor=difference, actual_minor=0, probability=0.9, margin=1.0, sure=False, contradicts=False,
        beyond=frame.select(beyond(terms)).item(), features=(0.9,), explained=explained, reasons="",
    )  # fmt: skip
    assert question(proposal, terms)["beyond"] is asks
