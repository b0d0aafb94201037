"""How well matching does where the truth is known: candidate recall, automatic share, wrong matches, their money."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interlock.packs.reconciliation.matching.blocking import block
from interlock.packs.reconciliation.matching.entries import take_entries
from interlock.packs.reconciliation.matching.scorer import Scorer
from interlock.packs.reconciliation.matching.solution import Solution
from interlock.packs.reconciliation.matching.solve import solve
from interlock.packs.reconciliation.matching.wishes import Members
from interlock.packs.reconciliation.rehearsal import Case

_SAME = ("account", "currency", "minor", "booked_on", "value_on", "memo", "counterparty", "counterparty_account")
_SAME_TOO = ("reference", "code", "reverses")


@dataclass(frozen=True, eq=False)
class Judgement:
    """A solution against the truth.

    Attributes:
        case: What was solved.
        solution: What came of it.
        counted: Of each proposal: whether the truth says anything about it.
        right: Of each proposal: whether it is in the truth, entries that nothing tells apart taken as one.
        probability: Of each proposal.
        minor: Of each proposal: the greater of both sums, without its sign.
        cpu_s: Processor time of solving.
    """

    case: Case
    solution: Solution
    counted: NDArray[np.bool_]
    right: NDArray[np.bool_]
    probability: NDArray[np.float64]
    minor: NDArray[np.int64]
    cpu_s: float


@dataclass(frozen=True)
class Point:
    """What a threshold gives.

    Attributes:
        sure_from: The threshold.
        automatic: Matches at or above it.
        share: Of all true matches.
        wrong: How many of the automatic ones are wrong.
        wrong_minor: Their money.
    """

    sure_from: float
    automatic: int
    share: float
    wrong: int
    wrong_minor: int


def judge_case(case: Case, scorer: Scorer) -> Judgement:
    """Solve a case, which sees no truth, and compare."""
    began = time.process_time()
    solution = solve(case.expected, case.actual, case.terms, scorer)
    took = time.process_time() - began
    kinds = [_kinds(frame) for frame in (case.expected, case.actual)]
    truth = {_kind(members, kinds) for members in case.truth}
    known = [{name for members in case.truth for name in members[side]} for side in (0, 1)]
    whole = len(known[0]) == len(case.expected) or not _part_told(case)
    members = members_of(solution.proposals)
    told = solution.proposals
    sums = np.maximum(told["expected_minor"].abs().to_numpy(), told["actual_minor"].abs().to_numpy())
    return Judgement(
        case=case,
        solution=solution,
        counted=np.array([whole or bool(one[0] & known[0]) for one in members], dtype=np.bool_),
        right=np.array([_kind(one, kinds) in truth for one in members], dtype=np.bool_),
        probability=told["probability"].to_numpy(),
        minor=sums.astype(np.int64),
        cpu_s=took,
    )


def _part_told(case: Case) -> bool:
    """Whether the truth is told of a part of the entries only."""
    return case.name == "payments"


def members_of(proposals: pl.DataFrame) -> list[Members]:
    """The members of each proposal."""
    rows = zip(
        cast("list[list[Any]]", proposals["expected"].to_list()),
        cast("list[list[Any]]", proposals["actual"].to_list()),
        strict=True,
    )
    return [(frozenset(one), frozenset(other)) for one, other in rows]


def _kinds(frame: pl.DataFrame) -> dict[Any, int]:
    numbered = frame.with_row_index("at").select("identity", kind=pl.col("at").min().over(*_SAME, *_SAME_TOO))
    return dict(zip(numbered["identity"].to_list(), cast("list[int]", numbered["kind"].to_list()), strict=True))


def _kind(members: Members, kinds: list[dict[Any, int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(sorted(kinds[side][name] for name in members[side])) for side in (0, 1))


def recall(case: Case) -> tuple[int, int]:
    """How many true pairs are among the candidates, and how many there are; groups do not count."""
    one, other = take_entries(case.expected, case.actual, case.terms)
    pairs = block(one, other, case.terms)
    kept = pairs.borne
    names = [side.frame["identity"].to_list() for side in (one, other)]
    found = {
        (names[0][a], names[1][b]) for a, b in zip(pairs.one[kept].tolist(), pairs.other[kept].tolist(), strict=True)
    }
    true = [(next(iter(a)), next(iter(b))) for a, b in case.truth if len(a) == len(b) == 1]
    return sum(pair in found for pair in true), len(true)


def at_threshold(judged: Sequence[Judgement], sure_from: float) -> Point:
    """What a threshold gives over several cases."""
    chosen = [one.counted & (one.probability >= sure_from) for one in judged]
    automatic = sum(int(kept.sum()) for kept in chosen)
    wrong = [kept & ~one.right for kept, one in zip(chosen, judged, strict=True)]
    money = sum(int(one.minor[off].sum()) for off, one in zip(wrong, judged, strict=True))
    true = sum(len(one.case.truth) for one in judged)
    return Point(sure_from, automatic, automatic / max(true, 1), sum(int(off.sum()) for off in wrong), money)


def least_threshold(probability: NDArray[np.float64], right: NDArray[np.bool_], most_wrong: float) -> float:
    """The least threshold at and above which no more than a share is wrong.

    Args:
        probability: Of each match.
        right: Whether it is.
        most_wrong: The share; 0: none at all is wrong.

    Returns:
        Above 1 if there is none.
    """
    order = np.argsort(-probability, kind="stable")
    wrong = np.cumsum(~right[order])
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = probability[order][1:] != probability[order][:-1]
    many = np.arange(1, len(order) + 1)
    fine = np.nonzero(last & (wrong <= most_wrong * many))[0]
    return float(probability[order][fine[-1]]) if len(fine) else 1.01
