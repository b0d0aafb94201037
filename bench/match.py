"""Matching as a whole against matching row by row: what it costs, and what it is worth.

Both see the same pairs with the same probabilities. The floor goes through the expected entries in the order of their
days and takes for each the likeliest entry that is still free, as most programs do. The whole also finds groups, weighs
rivals and gives a margin; here only its pairs count. Measured on made-up cases of four styles, and on the held-out half
of the public payments where they lie beside the checkout. Figures are processor time. The last line is JSON for
machines.
"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interlock.packs.reconciliation.evaluate import at_threshold, judge_case, members_of
from interlock.packs.reconciliation.matching.blocking import block
from interlock.packs.reconciliation.matching.entries import take_entries
from interlock.packs.reconciliation.matching.features import known_of
from interlock.packs.reconciliation.matching.graph import judge
from interlock.packs.reconciliation.matching.scorer import Scorer, load_scorer
from interlock.packs.reconciliation.matching.wishes import Members, read_wishes
from interlock.packs.reconciliation.payments import FILES, HELD_OUT, read_payments
from interlock.packs.reconciliation.rehearsal import Case, make_cases

SEED, ROUNDS, SIZE = 4, 2, 600
GOAL_S = 20.0
SURE_FROM = 0.995


@dataclass
class Tally:
    """What one way of matching comes to over several cases.

    Attributes:
        right: Pairs that the truth has.
        wrong: Pairs that it has not.
        missed: Pairs of the truth that were not found.
        cpu_s: Processor time.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    cpu_s: float = 0.0

    def count(self, pairs: set[Members], truth: frozenset[Members], cpu_s: float) -> None:
        """Add a case."""
        self.right += len(pairs & truth)
        self.wrong += len(pairs - truth)
        self.missed += sum(len(one) == len(other) == 1 for one, other in truth - pairs)
        self.cpu_s += cpu_s


def row_by_row(case: Case, scorer: Scorer) -> set[Members]:
    """The floor: each expected entry takes the likeliest that is free, if it is likelier than not."""
    sides = take_entries(case.expected, case.actual, case.terms)
    wishes = read_wishes(*sides, (), ())
    judged = judge(sides, block(*sides, case.terms), wishes, case.terms, scorer, known_of(*sides))
    kept = np.nonzero(judged.free & (judged.odds > 0))[0]
    one, other = judged.pairs.one[kept], judged.pairs.other[kept]
    names = [side.frame["identity"].to_list() for side in sides]
    taken: set[int] = set()
    done: set[int] = set()
    found: set[Members] = set()
    for at in np.lexsort((other, -judged.odds[kept], one, sides[0].valued[one])).tolist():
        left, right = int(one[at]), int(other[at])
        if left not in done and right not in taken:
            done.add(left)
            taken.add(right)
            found.add((frozenset({names[0][left]}), frozenset({names[1][right]})))
    return found


def measure(name: str, cases: list[Case], scorer: Scorer) -> dict[str, float]:
    """Both ways over the same cases."""
    floor, whole = Tally(), Tally()
    judged = [judge_case(case, scorer) for case in cases]
    for case, one in zip(cases, judged, strict=True):
        began = time.process_time()
        pairs = row_by_row(case, scorer)
        floor.count(pairs, case.truth, time.process_time() - began)
        likelier = one.solution.proposals.filter(one.solution.proposals["probability"] > 0.5)
        chosen = {members for members in members_of(likelier) if len(members[0]) == len(members[1]) == 1}
        whole.count(chosen, case.truth, one.cpu_s)
    sure = at_threshold(judged, SURE_FROM)
    print(f"{name:<22} {'right':>7} {'missed':>7} {'wrong':>7} {'seconds':>8}")
    for way, tally in (("row by row", floor), ("as a whole", whole)):
        print(f"  {way:<20} {tally.right:>7,} {tally.missed:>7,} {tally.wrong:>7,} {tally.cpu_s:>8.2f}")
    print(f"  automatic from {SURE_FROM}: {sure.share:.1%}, {sure.wrong} of {sure.automatic:,} wrong")
    return {
        "right": whole.right,
        "wrong": whole.wrong,
        "missed": whole.missed,
        "floor_right": floor.right,
        "floor_missed": floor.missed,
        "floor_wrong": floor.wrong,
        "cpu_s": round(whole.cpu_s, 2),
        "floor_cpu_s": round(floor.cpu_s, 2),
        "automatic": round(sure.share, 4),
        "automatic_wrong": sure.wrong,
    }


def main() -> None:
    """Measure and print."""
    scorer = load_scorer()
    found = {"made": measure("made-up cases", list(make_cases(SEED, ROUNDS, SIZE)), scorer)}
    goals = [_worth("made-up cases", found["made"])]
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("INTERLOCK_SHARED_DATA", beside)) / "payments"
    if all((folder / name).is_file() for name in FILES):
        found["payments"] = measure("payments, held out", [read_payments(folder, HELD_OUT)], scorer)
        case = read_payments(folder)
        began = time.process_time()
        judge_case(case, scorer)
        took = round(time.process_time() - began, 2)
        goals.append(_worth("payments", found["payments"]))
        name = f"seconds of processor time for {len(case.expected):,} against {len(case.actual):,}"
        goals.append({"name": name, "value": took, "goal": GOAL_S, "met": took <= GOAL_S})
    for goal in goals:
        print(f"{goal['name']}: {goal['value']} (goal {goal['goal']})")
    print(json.dumps({"bench": "match", "figures": {"python": platform.python_version(), **found}, "goals": goals}))


def _worth(name: str, of: dict[str, float]) -> dict[str, object]:
    """Pairs missed or wrong as a whole, over the same row by row."""
    value = round((of["wrong"] + of["missed"]) / max(of["floor_wrong"] + of["floor_missed"], 1), 3)
    return {
        "name": f"pairs missed or wrong, whole over row by row, {name}",
        "value": value,
        "goal": 1.0,
        "met": value <= 1,
    }


if __name__ == "__main__":
    main()
