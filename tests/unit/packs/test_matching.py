"""Matching by examples: what is found, what is told of it, and what is refused."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from interlock.errors import ComponentFailed, ComponentInvalid, Refused
from interlock.money import Money
from interlock.packs.reconciliation.evaluate import at_threshold, judge_case, least_threshold, recall
from interlock.packs.reconciliation.matching.features import PAIR_FEATURES, amount_features
from interlock.packs.reconciliation.matching.judging import MATCH_FEATURES
from interlock.packs.reconciliation.matching.scorer import FOLDER, Scorer, load_scorer, open_scorer
from interlock.packs.reconciliation.matching.solution import OPEN_SCHEMA, PROPOSAL_SCHEMA, Solution
from interlock.packs.reconciliation.matching.solve import solve
from interlock.packs.reconciliation.matching.solvers import assign
from interlock.packs.reconciliation.matching.telling import reasons
from interlock.packs.reconciliation.matching.words import fold, identifiers_of
from interlock.packs.reconciliation.payments import HELD_OUT, read_payments
from interlock.packs.reconciliation.rehearsal import Case, make_case
from interlock.packs.reconciliation.terms import ReconciliationTerms

TERMS = ReconciliationTerms(name="t", fees=(Money("2.50", "EUR"),))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The one of the pack."""
    return load_scorer()


def entry(name: str, minor: int, memo: str = "", *, day: int = 3, **fields: Any) -> dict[str, Any]:
    """One entry."""
    on = date(2025, 3, day)
    row: dict[str, Any] = {"identity": name, "account": "main", "currency": "EUR", "minor": minor, "booked_on": on}
    row |= {"value_on": on, "memo": memo, "counterparty": "", "counterparty_account": "", "reference": ""}
    return row | {"bank_reference": "", "code": "", "reverses": False} | fields


EMPTY = pl.DataFrame([entry("x", 1)]).clear()


def solved(
    scorer: Scorer,
    expected: list[dict[str, Any]],
    actual: list[dict[str, Any]],
    terms: ReconciliationTerms = TERMS,
    **words: Any,
) -> Solution:
    """Solve entries given as rows."""
    one, other = (pl.DataFrame(rows, schema=EMPTY.schema) for rows in (expected, actual))
    return solve(one, other, terms, scorer, **words)


def test_an_amount_is_matched_by_what_its_memo_says(scorer: Scorer) -> None:
    found = solved(
        scorer,
        [entry("e1", 3100, "Marcus Corvinus dona"), entry("e2", 3100, "Livia Drusilla rent")],
        [entry("a1", 3100, "LIVIA DRUSILLA BGC", day=5), entry("a2", 3100, "MARCUS CORVINUS", day=5)],
    )
    assert found.proposals["actual"].to_list() == [["a2"], ["a1"]]
    row = found.proposals.row(0, named=True)
    assert reasons(row).startswith("same amount, two days later, both say ")
    assert "CORVINUS" in reasons(row)
    assert set(found.proposals.columns) == PROPOSAL_SCHEMA.keys()
    assert set(found.open.columns) == OPEN_SCHEMA.keys()
    assert len(row["features"]) == len(MATCH_FEATURES)
    again = scorer.score("match", np.array([row["features"]], dtype=np.float32))
    assert again.tolist() == [row["probability"]], "the decision computes the same probability from the same features"


def test_one_payment_of_three_invoices_is_found_and_told(scorer: Scorer) -> None:
    invoices = [entry(f"e{at}", minor, f"INV-88{at} Alpine Foods", counterparty="Alpine Foods") for at, minor in
                enumerate((12_345, 6_789, 4_321))]  # fmt: skip
    found = solved(scorer, [*invoices, entry("e9", 999, "INV-990 Alpine Foods", counterparty="Alpine Foods")],
                   [entry("a1", 23_455, "INV-880 INV-881 INV-882", day=4, counterparty="ALPINE FOODS")])  # fmt: skip
    row = found.proposals.row(0, named=True)
    assert (row["form"], row["expected"], row["difference"], row["explained"]) == ("n:1", ["e0", "e1", "e2"], 0, "none")
    assert reasons(row).startswith("three expected against one actual, same sum, one day later")
    assert found.open["identity"].to_list() == ["e9"]


def test_two_against_two_is_found(scorer: Scorer) -> None:
    party: dict[str, Any] = {"counterparty": "Cedar Paper", "counterparty_account": "DE77"}
    found = solved(
        scorer,
        [entry("e1", 10_007, "RE-101 RE-102", **party), entry("e2", 20_011, "RE-101 RE-102", **party)],
        [entry("a1", 14_013, "RE-101 RE-102", **party), entry("a2", 16_005, "RE-101 RE-102", **party)],
    )
    assert found.proposals["form"].to_list() == ["n:m"]
    assert solved(scorer, [], []).proposals.is_empty()
    pairs_only = ReconciliationTerms(name="t", largest_group=1)
    assert (
        solved(scorer, [entry("e1", 10, "x"), entry("e2", 20, "x")], [entry("a", 30, "x")], pairs_only).figures.groups
        == 0
    )


def test_an_exact_sum_of_several_beats_two_matches_that_each_leave_a_difference(scorer: Scorer) -> None:
    party: dict[str, Any] = {"counterparty": "Tarrow Paper", "counterparty_account": "DE77"}
    amounts, paid = (30_000, 20_000, 10_000), (49_950, 10_050)
    expected = [entry(f"e{at}", minor, f"RE-26{at} Tarrow", **party) for at, minor in enumerate(amounts)]
    actual = [entry(f"a{at}", minor, "RE-260 RE-261 RE-262", day=4, **party) for at, minor in enumerate(paid)]
    found = solved(scorer, expected, actual).proposals
    assert found["form"].to_list() == ["n:m"]
    assert found["difference"].to_list() == [0]


def test_two_matches_that_come_to_the_same_together_stay_two(scorer: Scorer) -> None:
    party: dict[str, Any] = {"counterparty": "Tarrow Paper", "counterparty_account": "DE77"}
    expected = [entry(f"e{at}", minor, f"RE-26{at} Tarrow", **party) for at, minor in enumerate((30_000, 20_011, 7077))]
    actual = [entry("a0", 50_011, "RE-260 RE-261", day=4, **party)]
    actual += [entry(f"a{at}", minor, "RE-262", day=4, **party) for at, minor in ((1, 4000), (2, 3077))]
    found = solved(scorer, expected, actual).proposals
    assert sorted(found["form"].to_list()) == ["1:n", "n:1"]


def test_a_declared_fee_explains_what_is_missing(scorer: Scorer) -> None:
    found = solved(scorer, [entry("e", 4000, "INV-7001 Northwind")], [entry("a", 3750, "INV-7001 NORTHWIND")])
    row = found.proposals.row(0, named=True)
    assert (row["difference"], row["explained"]) == (250, "fee")
    assert "2.50 EUR less than expected (a declared fee)" in reasons(row)
    more = solved(scorer, [entry("e", 3750, "INV-7001 Northwind")], [entry("a", 4000, "INV-7001 NORTHWIND")])
    assert more.proposals.is_empty(), "a fee is taken, not given"


def test_what_stays_open_says_why(scorer: Scorer) -> None:
    found = solved(
        scorer,
        [entry("e", 10_000, "INV-7001 Northwind")],
        [
            entry("a1", 7000, "INV-7001 NORTHWIND", day=4),
            entry("a2", 555, "GRANITE OPTICS", day=6),
            entry("a3", 555, "GRANITE OPTICS", day=7),
            entry("a4", -555, "GRANITE OPTICS", day=8),
        ],
    )
    rows = {row["identity"]: row for row in found.open.iter_rows(named=True)}
    best = rows["e"]["candidates"][0]
    assert (best["identity"], best["difference"], best["days"]) == ("a1", 3000, 1)
    assert (best["borne"], best["taken"]) == (False, False)
    assert (rows["a2"]["twin"], rows["a3"]["twin"], rows["a1"]["twin"]) == ("a3", "a2", None)
    assert (rows["a4"]["cancels"], rows["a3"]["cancels"]) == ("a3", "a4")


def test_links_say_which_accounts_meet(scorer: Scorer) -> None:
    terms = ReconciliationTerms(name="t", links=(("sales", "bank-1"), ("wages", "bank-2")))
    one = [entry("e1", 5000, "Livia Drusilla", account="sales")]
    assert len(solved(scorer, one, [entry("a", 5000, "LIVIA DRUSILLA", account="bank-1")], terms).proposals) == 1
    for other in ("bank-2", "elsewhere"):
        other_account = [entry("a", 5000, "LIVIA DRUSILLA", account=other)]
        assert solved(scorer, one, other_account, terms).proposals.is_empty()


def test_confirmed_matches_stand_whatever_the_terms_say(scorer: Scorer) -> None:
    said = (frozenset({"e"}), frozenset({"a"}))
    gone = (frozenset({"e"}), frozenset({"nowhere"}))
    found = solved(scorer, [entry("e", 5000)], [entry("a", 100, day=30)], confirmed={said, gone})
    row = found.proposals.row(0, named=True)
    assert (row["confirmed"], row["probability"], row["difference"]) == (True, 1.0, 4900)
    assert reasons(row).startswith("a person said so, 49.00 EUR less than expected (as confirmed), 27 days later")
    assert found.figures.gone == 1
    with pytest.raises(Refused, match="EUR and JPY"):
        solved(scorer, [entry("e", 50)], [entry("a", 50, currency="JPY")], confirmed={said})
    with pytest.raises(Refused, match="one side only"):
        solved(scorer, [entry("e", 50)], [], confirmed={(frozenset({"e"}), frozenset[str]())})


def test_entries_of_edges_go_through(scorer: Scorer) -> None:
    first, last = date.min, date.max
    rows = [entry("1", 2**63 - 1), entry("2", -(2**63)), entry("3", 0), entry("4", 1)]
    for at, row in enumerate(rows):
        row["booked_on"] = row["value_on"] = (first, last)[at % 2]
    found = solved(scorer, rows, rows)
    assert found.proposals["expected"].to_list() == found.proposals["actual"].to_list()
    assert len(found.proposals) + len(found.open) // 2 == len(rows)


def test_what_is_no_table_of_entries_is_refused(scorer: Scorer) -> None:
    good = pl.DataFrame([entry("e", 1)])
    with pytest.raises(Refused, match="no column memo"):
        solve(good.drop("memo"), good, TERMS, scorer)
    with pytest.raises(Refused, match="actual entries have no memo"):
        solve(good, good.with_columns(memo=pl.lit(None, dtype=pl.String)), TERMS, scorer)
    with pytest.raises(Refused, match="same identity"):
        solve(pl.concat([good, good]), good, TERMS, scorer)


def test_a_component_without_both_models_is_refused(tmp_path: Path) -> None:
    for name in ("component.yaml", "match.onnx"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    manifest = tmp_path / "component.yaml"
    manifest.write_text(manifest.read_text().replace("  pair: pair.onnx\n", "").replace("card: CARD.md\n", ""))
    folder = tmp_path.rename(tmp_path.with_name("match-scorer@1"))
    with pytest.raises(ComponentInvalid, match="no model pair"):
        load_scorer(folder)
    with pytest.raises(ComponentFailed, match="no model 'pair'"):
        open_scorer("x", b"", {}).score("pair", np.zeros((1, len(PAIR_FEATURES)), dtype=np.float32))


def test_amounts_know_exchanged_digits_and_fees() -> None:
    one, other = np.array([1234, 1234, 1234]), np.array([1243, 1334, 984])
    columns = amount_features(one, other, ["EUR"] * 3, TERMS)
    assert columns[PAIR_FEATURES.index("amount_transposed")].tolist() == [1, 0, 0]
    assert columns[PAIR_FEATURES.index("amount_fee")].tolist() == [0, 0, 1]


def test_texts_are_folded_and_their_numbers_found() -> None:
    folded = fold(pl.Series(["  Müller–Straße\x00 №00123a "]))[0]
    assert folded == "MULLER STRASSE NO00123A"
    assert identifiers_of("RE 0004711 AB 12 X9Y8") == {"4711", "X9Y8"}


def test_an_assignment_too_large_for_a_matrix_is_the_same() -> None:
    many = 2_100  # squared, more than is solved densely
    one = np.arange(many, dtype=np.int64)
    row, column = np.concatenate([one, one[:-1], one[:1]]), np.concatenate([one, one[1:], one[:1]])
    gain = np.concatenate([np.full(many, 10), np.full(many - 1, 15), [12]]).astype(np.int64)
    chosen = assign(row, column, gain)
    assert int(gain[chosen].sum()) == 15 * (many - 1)
    assert len(set(row[chosen].tolist())) == len(set(column[chosen].tolist())) == len(chosen)


def test_thresholds_count_one_more_wrong() -> None:
    probability = np.array([0.9, 0.9, 0.8, 0.7, 0.6])
    right = np.array([True, True, True, False, True])
    assert least_threshold(probability, right, 0.0) == 0.8
    assert least_threshold(probability, right, 0.5) == 0.6
    assert least_threshold(probability, ~right, 0.0) > 1


def told(case: Case, scorer: Scorer) -> str:
    """A solution as a digest."""
    found = solve(case.expected, case.actual, case.terms, scorer)
    return hashlib.sha256(f"{found.proposals.rows()}{found.open.rows()}{found.figures}".encode()).hexdigest()


def test_another_process_with_other_hashes_and_threads_gives_the_same_bits(scorer: Scorer) -> None:
    code = "import test_matching as t; print(t.told(t.make_case('same', 'people', 60), t.load_scorer()))"
    environ = os.environ | {
        "PYTHONHASHSEED": "4711",
        "POLARS_MAX_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=180, check=True
    )
    assert ran.stdout.strip() == told(make_case("same", "people", 60), scorer)


def test_a_slice_of_the_held_out_payments(scorer: Scorer, shared_data: Path) -> None:
    whole = read_payments(shared_data / "payments", HELD_OUT)
    chosen = [members for members in whole.truth if next(iter(members[0])) < "2"]
    kept = [pl.col("identity").is_in([name for members in chosen for name in members[at]]) for at in (0, 1)]
    part = Case("slice", whole.expected.filter(kept[0]), whole.actual.filter(kept[1]), whole.terms, frozenset(chosen))
    right, true = recall(part)
    assert true > 1000
    assert right >= 0.98 * true
    point = at_threshold([judge_case(part, scorer)], 0.995)
    assert point.share >= 0.75
    assert point.wrong == 0


@pytest.mark.long
def test_the_whole_of_the_payments_meets_the_goals(scorer: Scorer, shared_data: Path) -> None:
    for case in (
        read_payments(shared_data / "payments", truth_of=HELD_OUT),
        read_payments(shared_data / "payments", HELD_OUT),
    ):
        right, true = recall(case)
        assert right >= 0.98 * true
        judged = [judge_case(case, scorer)]
        strict, standard = at_threshold(judged, 0.999), at_threshold(judged, 0.995)
        assert strict.share >= 0.6
        assert strict.wrong == 0
        assert standard.share >= 0.75
        assert standard.wrong * 2000 <= standard.automatic
        assert Decimal(standard.wrong_minor) / 100 < 1_000_000
