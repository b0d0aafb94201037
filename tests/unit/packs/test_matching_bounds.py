"""What bounds of matching do, and do not: they are counted, and take nothing back that stands."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from random import Random

import numpy as np
import polars as pl
import pytest

from interlock.packs.reconciliation.matching import sums
from interlock.packs.reconciliation.matching.packing import PACKED, Candidates, choose
from interlock.packs.reconciliation.matching.scorer import Scorer, load_scorer
from interlock.packs.reconciliation.matching.solve import DOUBTED, solve
from interlock.packs.reconciliation.matching.telling import reasons
from interlock.packs.reconciliation.terms import ReconciliationTerms

TERMS = ReconciliationTerms(name="t")
Row = tuple[int, int, str, str]
"""Minor units, day, memo, counterparty."""


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The one of the pack."""
    return load_scorer()


def frame(side: str, rows: list[Row]) -> pl.DataFrame:
    """Entries whose identities are in no order."""
    return pl.DataFrame(
        [
            {
                "identity": hashlib.sha256(f"{side}{at}".encode()).hexdigest()[:32],
                "account": "main",
                "currency": "EUR",
                "minor": minor,
                "booked_on": date(2026, 3, 1) + timedelta(days=day),
                "value_on": date(2026, 3, 1) + timedelta(days=day),
                "memo": memo,
                "counterparty": party,
                "counterparty_account": "",
                "reference": "",
                "bank_reference": f"{side}{at}",
                "code": "",
                "reverses": False,
            }
            for at, (minor, day, memo, party) in enumerate(rows)
        ]
    )


def acme(*amounts: int, day: int = 0) -> list[Row]:
    """Entries of one customer."""
    return [(minor, day, "ACME", "ACME") for minor in amounts]


def test_a_customer_of_many_months_is_matched_in_each(scorer: Scorer) -> None:
    expected = [row for m in range(12) for row in acme(6000 + 17 * m, 4000 + 5 * m, day=40 * m)]
    actual = [row for m in range(12) for row in acme(7000 + 11 * m, 3000 + 11 * m, day=40 * m)]
    found = solve(frame("e", expected), frame("a", actual), TERMS, scorer)
    assert found.proposals["form"].to_list() == ["n:m"] * 12
    assert found.figures.cut_sums == 0


def test_entries_of_the_same_party_hide_no_match_of_several_unseen(scorer: Scorer) -> None:
    noise = acme(*range(11_111, 99_999, 11_113))
    actual = frame("a", acme(7000, 3000))
    assert solve(frame("e", [*acme(6000, 4000), *noise]), actual, TERMS, scorer).proposals["form"].to_list() == ["n:m"]
    crowd = frame("e", [*acme(6000, 4000), *noise, *noise, *noise])
    assert solve(crowd, actual, TERMS, scorer).figures.cut_sums > 0


def test_another_customer_takes_no_steps_from_one(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "ALL_STEPS", 1000)
    dice = Random(5)
    mine: list[Row] = [(2 * dice.randrange(30_000, 40_000) + 1, 0, f"ACME {at}", "ACME") for at in range(30)]
    theirs: list[Row] = [(2 * dice.randrange(5_000, 10_000), 0, f"ACME {at}", "ACME") for at in range(30)]
    rent: list[Row] = [(minor, 0, "GLOBEX RENT", "GLOBEX") for minor in (1_000_000, 600_000, 400_000)]
    exact = ReconciliationTerms(name="t", tolerance_share=TERMS.tolerance_share * 0)
    found = solve(frame("e", [*mine, rent[0]]), frame("a", [*theirs, *rent[1:]]), exact, scorer)
    assert found.figures.cut_sums > 0
    assert found.proposals.filter(expected_minor=1_000_000)["form"].to_list() == ["1:n"]


def test_what_stands_is_looked_at_where_a_bound_was_met_and_nowhere_else(scorer: Scorer) -> None:
    expected = frame("e", acme(10_007))
    parts = acme(6003, 4004, day=5)
    group = frozenset(expected["identity"]), frozenset(frame("a", parts)["identity"])
    nearer = [*parts, *acme(*range(1013, 1013 + 60 * 97, 97))]
    without = solve(expected, frame("a", nearer), TERMS, scorer)
    assert without.proposals.filter(pl.col("actual").list.contains(min(group[1]))).is_empty()
    assert without.figures.cut_sums == 1
    kept = solve(expected, frame("a", nearer), TERMS, scorer, standing=[group])
    assert [set(one) for one in kept.proposals["actual"]] == [set(group[1])]
    few = frame("a", [*parts, *acme(4004, day=4)])
    one, other = solve(expected, few, TERMS, scorer), solve(expected, few, TERMS, scorer, standing=[group])
    assert one.proposals.equals(other.proposals)
    wrong = group[0], frozenset(few["identity"])
    assert solve(expected, frame("a", nearer), TERMS, scorer, standing=[wrong]).proposals.equals(without.proposals)


def ladder(rungs: int, *groups: tuple[tuple[int, ...], int]) -> Candidates:
    """Pairs of one component of which the greedy choice is far from the best, and groups of it with their gains."""
    rows: list[tuple[tuple[int, ...], int]] = []
    first = 2 * rungs
    for at in range(0, first, 2):
        rows += [((at, first + at), 100), ((at, first + at + 1), 90), ((at + 1, first + at), 90)]
        if at + 2 < first:
            rows.append(((at + 1, first + at + 3), 1))
    rows += groups
    match = np.concatenate([np.full(len(entries), at) for at, (entries, _) in enumerate(rows)])
    entry = np.concatenate([np.array(entries) for entries, _ in rows])
    gain = np.array([one for _, one in rows], dtype=np.int64)
    return Candidates(match, entry, gain, np.arange(len(rows)), first, 2 * first)


def test_a_group_in_a_large_component_spoils_no_pair() -> None:
    rungs = PACKED // 3
    alone = ladder(rungs)
    best = int(alone.gain[choose(alone).chosen].sum())
    for gain, more in ((1, 0), (500, 500 - 2 * 180)):
        whole = ladder(rungs, ((1, 3, 2 * rungs, 2 * rungs + 2), gain))
        found = choose(whole)
        chosen = np.isin(whole.match, found.chosen)
        assert np.bincount(whole.entry[chosen]).max() == 1
        assert int(whole.gain[found.chosen].sum()) >= best + more
        assert found.cut == 1


def test_what_holds_all_that_a_person_refused_or_its_like_is_a_persons(scorer: Scorer) -> None:
    invoice: Row = (10_000, 0, "Invoice 4711 ACME", "ACME")
    in_a_sum: tuple[list[Row], list[Row]] = (
        [invoice, (100, 0, "ACME late charge", "ACME")],
        [(10_100, 1, "Invoice 4711 ACME", "ACME")],
    )
    by_its_twin: tuple[list[Row], list[Row]] = [invoice], [(10_000, 1, "Invoice 4711 ACME", "ACME")] * 2
    for expected, actual in (in_a_sum, by_its_twin):
        one, other = frame("e", expected), frame("a", actual)
        first = solve(one[:1], other[:1] if len(actual) == 1 else other, TERMS, scorer).proposals.row(0, named=True)
        refused = [(frozenset(first["expected"]), frozenset(first["actual"]))]
        (row,) = solve(one, other, TERMS, scorer, refused=refused).proposals.iter_rows(named=True)
        assert row["contradicts"]
        assert row["probability"] <= DOUBTED
        assert reasons(row).endswith("but a person refused a part of it, or one just like it")
    (row,) = solve(frame("e", by_its_twin[0]), frame("a", by_its_twin[1]), TERMS, scorer).proposals.iter_rows(
        named=True
    )
    assert not row["contradicts"]
    assert row["probability"] > DOUBTED
    assert reasons(row).endswith("one of two identical entries, which one does not matter")
