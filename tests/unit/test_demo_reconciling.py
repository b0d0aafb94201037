"""The demo's own judgement: it counts a wrong match as wrong, and sees every difference between books and rows."""

from __future__ import annotations

from datetime import date

import msgspec
import polars as pl
import pytest

from interlock.cli.demo.reconciling.balance import ROWS, balance, read_postings
from interlock.cli.demo.reconciling.truth import candidate_recall, score, score_part, signatures_of, signed
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


_ALIVE = {"signature": pl.String, "state": pl.String, "automatic": pl.Boolean, "currency": pl.String, "minor": pl.Int64}


def alive(*signatures: str) -> pl.DataFrame:
    """Automatic matches that are booked."""
    rows = [(one, "booked", True, "GBP", 5) for one in signatures]
    return pl.DataFrame(rows, schema=_ALIVE, orient="row")


def test_a_signature_of_several_groups_is_right_as_often_and_no_oftener() -> None:
    truth = pl.DataFrame({"signature": ["x|y", "x|y", "z|w"], "group": [1, 2, 3], "kind": ["pair"] * 3})
    twice = score(alive("x|y", "x|y"), alive("x|y"), truth)
    assert (twice.automatic, twice.automatic_right, twice.booked, twice.candidates) == (2, 2, 2, 1)
    assert score(alive("x|y", "x|y", "x|y"), alive(), truth).automatic_wrong == 1


def test_a_wrong_match_of_several_counts_in_the_half_of_any_of_them() -> None:
    half = pl.DataFrame({"signature": ["e1|a1", "e3|a3"], "group": [1, 3], "kind": ["pair"] * 2})
    matches = alive("e0 e1|a1", "e3|a3", "e0|a0")
    found = score_part(matches, matches, half)
    assert (found.automatic, found.automatic_right, found.automatic_wrong) == (2, 1, 1)


def test_candidate_recall_counts_the_true_pairs_that_are_looked_at() -> None:
    rows = [
        ("expected", "e1", "ada", 100), ("expected", "e2", "ada", 100), ("expected", "e3", "bob", 700),
        ("actual", "a1", "ADA", 100), ("actual", "a2", "ADA", 100), ("actual", "a3", "XYZ", 70_000),
    ]  # fmt: skip
    texts = ("counterparty", "counterparty_account", "reference", "bank_reference", "code")
    entries = pl.DataFrame(rows, schema=["side", "identity", "key", "minor"], orient="row").with_columns(
        *(pl.lit("").alias(name) for name in texts),
        account=pl.lit("main"), currency=pl.lit("GBP"), memo="key", reverses=pl.lit(value=False),
        booked_on=pl.lit(date(2026, 3, 2)), value_on=pl.lit(date(2026, 3, 2)),
    )  # fmt: skip
    truth = pl.DataFrame({"signature": ["ada|ADA", "ada|ADA", "bob|XYZ"], "group": [1, 2, 3], "kind": ["pair"] * 3})
    assert candidate_recall(entries, truth, TERMS) == pytest.approx(2 / 3)


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
