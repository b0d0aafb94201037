"""The demo's own judgement: it counts a wrong match as wrong, and sees every difference between books and rows."""

from __future__ import annotations

import msgspec
import polars as pl
import pytest

from interlock.cli.demo.reconciling.balance import ROWS, balance, read_postings
from interlock.cli.demo.reconciling.truth import score, signatures_of, signed
from interlock.packs.reconciliation.generated import make_month
from interlock.packs.reconciliation.terms import ReconciliationTerms

TERMS = ReconciliationTerms(name="month")
SIGNATURES = pl.DataFrame(
    {"signature": ["a|x", "b|y", "b|z"], "group": [0, 1, 1], "kind": ["exact", "duplicate", "duplicate"]}
)


def test_only_what_the_truth_says_is_right() -> None:
    entries = pl.DataFrame({"id": ["1", "2", "3", "4"], "key": ["a", "b", "x", "z"]})
    found = pl.DataFrame(
        {
            "match": ["m", "n", "o"],
            "expected": [["1"], ["2"], ["2", "1"]],
            "actual": [["3"], ["4"], ["3"]],
            "state": ["booked", "asked", "booked"],
            "automatic": [True, False, True],
            "currency": ["EUR", "EUR", "JPY"],
            "minor": [100, 200, 300],
        }
    )
    matches = signed(found, entries)
    assert matches["signature"].to_list() == ["a|x", "b|z", "a b|x"]
    scored = score(matches, matches.head(1), SIGNATURES)
    assert (scored.groups, scored.candidates, scored.booked) == (2, 1, 2)
    assert (scored.automatic, scored.automatic_right, scored.wrong) == (2, 1, {"JPY": 300})
    assert (scored.people, scored.people_right) == (1, 1)


def test_a_made_up_months_truth_names_each_group_and_what_would_do_as_well() -> None:
    month = make_month(7, 300)
    signatures = signatures_of(month)
    assert signatures["group"].n_unique() == len(month.belongs)
    assert signatures.height == len(month.belongs) + sum(len(one.instead) for one in month.belongs)


def posting(reference: str, *, state: str = "posted", actual: str = "12.00", identity: str = "jnl-1") -> bytes:
    lines = [("clearing:expected", "-12.30"), ("clearing:actual", actual), ("fees", "0.30")]
    return msgspec.json.encode(
        {
            "id": identity,
            "state": state,
            "reference": reference,
            "currency": "EUR",
            "lines": [{"account": account, "amount": amount} for account, amount in lines],
        }
    )


@pytest.mark.parametrize(
    ("book", "says"),
    [
        ([posting("m")], ""),
        ([posting("m"), posting("gone", state="reversed", identity="jnl-2")], ""),
        ([], "the books lack it: m"),
        ([posting("m", state="reversed")], "the books lack it: m"),
        ([posting("m"), posting("n", identity="jnl-2")], "we do not say so: n"),
        ([posting("m"), posting("m", identity="jnl-2")], "more than once"),
        ([posting("m", actual="12.01")], "does not sum to zero"),
        ([posting("m", state="pending")], "pending"),
    ],
)
def test_each_difference_between_books_and_rows_is_told(book: list[bytes], says: str) -> None:
    rows = pl.DataFrame([("m", "EUR", 1230, 1200)], schema=ROWS, orient="row")
    found = balance(rows, read_postings(b"\n".join(book)), TERMS)
    assert any(says in one for one in found.differences) if says else found.differences == ()
