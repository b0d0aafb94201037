"""Matching: the best whole, from sets alone."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.packs.reconciliation.evaluate import members_of
from interlock.packs.reconciliation.matching.marginals import marginals
from interlock.packs.reconciliation.matching.packing import EXACT_GROUPS, Candidates, choose
from interlock.packs.reconciliation.matching.scorer import Scorer, load_scorer
from interlock.packs.reconciliation.matching.solution import Solution
from interlock.packs.reconciliation.matching.solve import solve
from interlock.packs.reconciliation.matching.tolerance import bear_many, bears
from interlock.packs.reconciliation.rehearsal import STYLES, Case, make_case
from interlock.packs.reconciliation.terms import ReconciliationTerms


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The one of the pack."""
    return load_scorer()


def shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same entries in another order."""
    rows = list(range(len(frame)))
    Random(seed).shuffle(rows)
    return frame[rows]


def mixed(seed: int) -> Case:
    """Two cases of two styles in two currencies, as one reconciliation."""
    dice = Random(seed)
    styles = dice.sample(sorted(STYLES), 2)
    one, other = make_case(f"a{seed}", styles[0], 24), make_case(f"b{seed}", styles[1], 24)
    named = [pl.lit(currency).alias("currency") for currency in ("EUR", "JPY")]
    frames = [
        pl.concat(
            [getattr(case, side).with_columns(currency) for case, currency in zip((one, other), named, strict=True)]
        )
        for side in ("expected", "actual")
    ]
    return Case("mixed", frames[0], frames[1], one.terms, frozenset())


def check(case: Case, solution: Solution) -> None:
    """What holds of every solution."""
    frames = {"expected": case.expected, "actual": case.actual}
    open_ones = {(row["side"], row["identity"]) for row in solution.open.iter_rows(named=True)}
    for side, frame in frames.items():
        held = cast("list[str]", solution.proposals[side].explode(empty_as_null=True).to_list())
        assert len(held) == len(set(held))
        both = set(held) | {name for of, name in open_ones if of == side}
        assert both == set(frame["identity"]), "an entry is matched or open, and none is made up"
        assert not set(held) & {name for of, name in open_ones if of == side}
    known = {side: {row["identity"]: row for row in frame.iter_rows(named=True)} for side, frame in frames.items()}
    for row in solution.proposals.iter_rows(named=True):
        chosen = [known[side][name] for side in frames for name in row[side]]
        assert {one["currency"] for one in chosen} == {row["currency"]}
        sums = [sum(known[side][name]["minor"] for name in row[side]) for side in frames]
        assert sums == [row["expected_minor"], row["actual_minor"]]
        assert max(len(row[side]) for side in frames) <= case.terms.largest_group
        if not row["confirmed"]:
            assert bears(sums[0], sums[1], row["currency"], case.terms)
            assert 0 <= row["probability"] <= 1
            assert row["margin"] >= 0
            for one in row["expected"]:
                for other in row["actual"]:
                    days = (known["actual"][other]["value_on"] - known["expected"][one]["value_on"]).days
                    assert -case.terms.days_earlier <= days <= case.terms.days_later


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_changes_no_bit(scorer: Scorer, seed: int) -> None:
    case = mixed(seed)
    first = solve(case.expected, case.actual, case.terms, scorer)
    again = solve(shuffled(case.expected, seed), shuffled(case.actual, seed + 1), case.terms, scorer)
    assert first.proposals.equals(again.proposals)
    assert first.open.equals(again.open)
    assert first.figures == again.figures
    check(case, first)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_what_people_say_stands(scorer: Scorer, seed: int) -> None:
    case = mixed(seed)
    found = members_of(solve(case.expected, case.actual, case.terms, scorer).proposals)
    refused, kept = set(found[::3]), set(found[1::3])
    odd = (frozenset({case.expected["identity"][0]}), frozenset({case.actual["identity"][-1]}))
    fits = not any(odd[0] & one[0] or odd[1] & one[1] for one in kept)
    same = case.expected["currency"][0] == case.actual["currency"][-1]
    confirmed = kept | ({odd} if fits and same else set[Any]())
    then = solve(case.expected, case.actual, case.terms, scorer, confirmed=confirmed, refused=refused - confirmed)
    told = members_of(then.proposals)
    assert not (refused - confirmed) & set(told)
    assert {one for one, said in zip(told, then.proposals["confirmed"].to_list(), strict=True) if said} == confirmed
    check(case, then)


def graph(dice: Random, matches: int, sides: tuple[int, int], *, groups: bool) -> Candidates:
    """Random matches between few entries."""
    members: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for _ in range(matches):
        counts = dice.choice(((1, 1), (1, 2), (2, 1), (2, 2))) if groups else (1, 1)
        chosen = [tuple(sorted(dice.sample(range(many), count))) for many, count in zip(sides, counts, strict=True)]
        members.add((chosen[0], chosen[1]))
    listed = sorted(members)
    match = [at for at, (one, other) in enumerate(listed) for _ in (*one, *other)]
    entry = [place for one, other in listed for place in (*one, *(sides[0] + at for at in other))]
    return Candidates(
        match=np.array(match, dtype=np.int64),
        entry=np.array(entry, dtype=np.int64),
        gain=np.array([dice.randint(-200, 3000) for _ in listed], dtype=np.int64),
        alike=np.arange(len(listed), dtype=np.int64),
        expected=sides[0],
        entries=sum(sides),
    )


def wholes(candidates: Candidates) -> list[tuple[int, ...]]:
    """Every set of matches that share no entry."""
    of = [set(candidates.entry[candidates.match == at].tolist()) for at in range(len(candidates.gain))]
    found: list[tuple[int, ...]] = [()]
    for at, entries in enumerate(of):
        found += [(*whole, at) for whole in found if all(entries.isdisjoint(of[one]) for one in whole)]
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9), st.booleans())
def test_the_whole_is_the_best_and_its_margins_are_what_it_loses(seed: int, groups: bool) -> None:  # noqa: FBT001 - drawn
    candidates = graph(Random(seed), 9, (4, 4), groups=groups)
    whole = choose(candidates)
    every = wholes(candidates)
    gain = candidates.gain.tolist()

    def best(without: int | None = None) -> int:
        return max(sum(gain[at] for at in one) for one in every if without not in one)

    assert int(candidates.gain[whole.chosen].sum()) == best()
    assert tuple(whole.chosen.tolist()) in every
    assert whole.margin.tolist() == [best() - best(without=at) for at in whole.chosen.tolist()]
    assert whole.cut == 0


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10**9))
def test_a_margin_of_a_large_component_is_never_more_than_the_true_one(seed: int) -> None:
    candidates = graph(Random(seed), EXACT_GROUPS * 3, (9, 9), groups=True)
    whole = choose(candidates)
    for match, margin in list(zip(whole.chosen.tolist(), whole.margin.tolist(), strict=True))[:3]:
        rest = candidates.of(np.array([at for at in range(len(candidates.gain)) if at != match], dtype=np.int64))
        lost = int(candidates.gain[whole.chosen].sum()) - int(rest.gain[choose(rest).chosen].sum())
        assert 0 <= margin <= lost


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9))
def test_marginals_of_a_tree_are_exact(seed: int) -> None:
    dice = Random(seed)
    entries = 7
    edges = [
        (dice.randrange(at), at) for at in range(1, entries)
    ]  # a tree over entries: every match is one of its edges
    odds = np.array([dice.uniform(-3, 3) for _ in edges])
    match = np.repeat(np.arange(len(edges)), 2).astype(np.int64)
    entry = np.array([end for edge in edges for end in edge], dtype=np.int64)
    weights = np.zeros(len(edges))
    total = 0.0
    for many in range(len(edges) + 1):
        for whole in combinations(range(len(edges)), many):
            ends = [end for at in whole for end in edges[at]]
            if len(ends) == len(set(ends)):
                weight = float(np.exp(sum(odds[at] for at in whole)))
                total += weight
                weights[list(whole)] += weight
    assert np.allclose(marginals(match, entry, odds), weights / total, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-(2**62), 2**62).filter(bool), st.integers(-3, 3), st.sampled_from(["EUR", "JPY", "KWD"]), st.booleans()
)
def test_many_amounts_are_borne_as_one_is(amount: int, off: int, currency: str, small: bool) -> None:  # noqa: FBT001 - drawn
    terms = ReconciliationTerms(name="t")
    minor = amount % 10_000 + 1 if small else amount
    other = (abs(minor) - terms.tolerance(abs(minor), currency) + off) * (1 if minor > 0 else -1)
    if (other > 0) == (minor > 0) and other:
        pair = np.array([minor], dtype=np.int64), np.array([other], dtype=np.int64)
        assert bear_many(*pair, [currency], terms).tolist() == [bears(minor, other, currency, terms)]
