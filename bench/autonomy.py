"""How much may be decided alone, on real loans and receipts: the certificate against thresholds on confidence.

A third of 9,857 loans trains a model; it proposes what costs less in expectation, and says how sure it is. A wrong
grant loses 60 % of the amount, a wrong refusal the margin of 5 %; a review finds the truth and costs what is stated.
Three fifths of the others calibrate, and on the rest every way is judged: how much goes by itself, what is lost, what
it costs with the reviews, and in how many splits the loss is above the budget. That is harsher than what the
certificate promises, which is about the mean in truth: the judging loans have a chance of their own. All of it is drawn
at random 100 times, with 20 models: with one model alone all splits share its luck, and which of a few bad loans it is
surest of decides what looks cheap.

The headline's figures are a review for 250 (some hours of an underwriter), 100 lost for each application (less than one
percent of the mean amount), at a risk of 10 %. They were settled after a look at a whole grid of such figures, so they
are no proof by themselves: others stand beside. These run over 20 splits, with LONG=1 over 100. The same is shown for
loans of which 20 % went bad: made of these, all bad ones and so many of the good, drawn once.

The plot goes to .bench, with LONG=1 to the documentation. The last line is JSON for machines.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from ground.chart import Series, chart
from loans.lent import Lent, Loans, propose, read_loans
from loans.paid import compare, unseen
from loans.ways import FIXED, WAYS, Split, Stated, split

from interlock.console.charts import Axis
from interlock.oversight.binomial import interval

LONG = bool(os.environ.get("LONG"))
SPLITS, MODELS = 100, 20
STATED = Stated(250, 100)
OTHERS = (Stated(100, 50), Stated(250, 60), Stated(250, 150), Stated(400, 100), Stated(400, 150), Stated(600, 150),
          Stated(1000, 150), Stated(250, 10))  # fmt: skip
LOADS = (0.90, 0.95, 0.97)
MORE_BAD = 0.20
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("INTERLOCK_SHARED_DATA", ROOT.parent / "shared" / "data"))
PLOT = (ROOT / "docs" / "explanation" if LONG else ROOT / ".bench") / "autonomy-loans.svg"
Row = tuple[float, float, float, bool, bool]
"""Automation, loss, cost, and whether the loss is above the budget: of what is judged, and of all these loans."""
Judged = tuple[dict[str, Row], list[tuple[float, float]], list[list[float]]]
"""Of one split: every way; fixed confidences against the same load in our order; the curves."""
Asked = tuple[int, Stated, float]
"""A seed, what is stated, and the share that went bad; 0: as they are."""


@lru_cache(maxsize=2)
def loans(bad: float) -> Loans:
    """The loans, as they are or made so that this share went bad."""
    return loans(0).with_bad(bad) if bad else read_loans(SHARED / "loans" / "loans.csv.gz")


@lru_cache(maxsize=2 * MODELS)
def lent(model: int, bad: float) -> Lent:
    """What a model that was trained on a third of them proposes."""
    return propose(loans(bad), model)


def judge(asked: Asked) -> Judged:
    """One split."""
    seed, stated, bad = asked
    one = split(lent(seed % MODELS, bad), seed, stated)
    lost = one.lost[one.test]
    rows: dict[str, Row] = {}
    for name, way in WAYS.items():
        everywhere = way(one, stated)
        alone = everywhere[one.test]
        truly = float(np.mean(np.where(everywhere, one.lost, 0.0))) > stated.budget
        mean = float(np.mean(np.where(alone, lost, 0.0)))
        automatic = float(np.mean(alone))
        rows[name] = (automatic, mean, mean + stated.review * (1 - automatic), mean > stated.budget, truly)
    loads = [_load(one, confidence) for confidence in LOADS]
    return rows, loads, _curves(one)


def _load(one: Split, confidence: float) -> tuple[float, float]:
    """The loss of a fixed confidence, and of as many decisions of the smallest expected loss."""
    lost, expected = one.lost[one.test], one.expected[one.test]
    alone = one.lent.confidence[one.test] >= confidence
    first = np.argsort(expected, kind="stable")[: int(np.sum(alone))]
    return float(np.sum(lost[alone])) / lost.size, float(np.sum(lost[first])) / lost.size


def _curves(one: Split) -> list[list[float]]:
    """The mean loss at each automation from 0 to 100 %: by confidence, and by expected loss."""
    lost = one.lost[one.test]
    at = np.linspace(0, lost.size, 51).astype(np.int64)
    orders = (np.argsort(-one.lent.confidence[one.test]), np.argsort(one.expected[one.test], kind="stable"))
    return [(np.concatenate(([0.0], np.cumsum(lost[order])))[at] / lost.size).tolist() for order in orders]


def table(stated: Stated, rows: list[dict[str, Row]]) -> dict[str, dict[str, float]]:
    """Means over splits, printed."""
    said = f"review {stated.review}, budget {stated.budget} for each application, risk {stated.risk:.0%}"
    print(f"{said}, {len(rows)} splits")
    print(f"  {'way':<28} {'automatic':>9} {'loss':>8} {'cost':>8} {'over budget':>12} {'in truth':>9}")
    found: dict[str, dict[str, float]] = {}
    for name in WAYS:
        automatic, mean, cost, over, truly = np.mean([row[name] for row in rows], axis=0).tolist()
        print(f"  {name:<28} {automatic:>9.1%} {mean:>8.1f} {cost:>8.1f} {over:>12.0%} {truly:>9.0%}")
        found[name] = {"automatic": round(automatic, 4), "loss": round(mean, 2), "cost": round(cost, 2), "over": over}
        found[name]["truly over"] = truly
    return found


def rival(found: dict[str, dict[str, float]], risk: float, splits: int) -> tuple[str, float]:
    """The cheapest fixed threshold that keeps to the budget, by the same measure as the certificate: but for chance."""
    kept = {name: found[name]["cost"] for name in FIXED if within(found[name]["over"], risk, splits)}
    best = min(kept, key=lambda name: kept[name]) if kept else ""
    return best, kept.get(best, float("inf"))


def within(over: float, risk: float, splits: int) -> bool:
    """Whether so many splits over budget are no more than the risk, but for chance."""
    return interval(round(over * splits), splits).low <= risk


def cheaper(rows: list[dict[str, Row]], name: str) -> int:
    """With how many of the models the certificate costs no more, in the mean of their splits, than another way."""
    costs = np.array([[row["certificate"][2], row[name][2]] for row in rows]).reshape(-1, MODELS, 2).mean(axis=0)
    return int(np.sum(costs[:, 0] <= costs[:, 1]))


def draw(curves: list[list[list[float]]], found: dict[str, dict[str, float]]) -> str:
    """Loss against automation, with the chosen points."""
    by_confidence, by_loss = np.mean(np.array(curves), axis=0).tolist()
    share = np.linspace(0, 1, 51).tolist()
    kept = found["certificate"]
    points = [(found[name]["automatic"], found[name]["loss"]) for name in FIXED if name.startswith("tuned")]
    return chart(
        "Loss against automation on the loans: in the order of the expected loss, and of confidence",
        (
            Series(name="by expected loss", points=tuple(zip(share, by_loss, strict=True))),
            Series(name="by confidence", points=tuple(zip(share, by_confidence, strict=True)), dashed=True),
            Series(name="certificate", points=((kept["automatic"], kept["loss"]),), line=False),
            Series(name="tuned confidences", points=tuple(points), line=False),
            Series(name="budget", points=((0.0, float(STATED.budget)), (1.0, float(STATED.budget))), dashed=True),
        ),
        Axis(name="decided without a person", least=0, most=1, percent=True),
        Axis(name="loss for each application", least=0, most=max(by_loss[-1], by_confidence[-1])),
    )


def told_loads(ran: list[Judged], figures: dict[str, object], of: str = "") -> None:
    """Loss at equal review load."""
    print(f"loss at equal review load{of}, fixed confidence against the smallest expected losses:")
    for at, confidence in enumerate(LOADS):
        theirs, ours = np.mean([loads[at] for _, loads, _ in ran], axis=0).tolist()
        less = ours / theirs - 1 if theirs else 0.0
        print(f"  {confidence:.2f}: {theirs:.1f} against {ours:.1f}, {less:+.1%}")
        figures[f"equal load {confidence:.2f}{of}"] = round(less, 4)


def headline(ran: list[Judged], figures: dict[str, object]) -> list[dict[str, object]]:
    """The stated figures over all splits: table, equal loads, plot; the goals."""
    rows = [rows for rows, _, _ in ran]
    found = table(STATED, rows)
    best, cost = rival(found, STATED.risk, SPLITS)
    mine = found["certificate"]
    over = interval(round(mine["over"] * SPLITS), SPLITS)
    print(f"the cheapest fixed threshold that keeps to the budget: {best}, {cost:.1f} against {mine['cost']:.1f}; "
          f"the certificate is as cheap with {cheaper(rows, best)} of {MODELS} models")  # fmt: skip
    figures["headline"] = found
    told_loads(ran, figures)
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(draw([curves for _, _, curves in ran], found), encoding="utf-8")
    return [
        {
            "name": "share of splits over budget, lower end of its interval",
            "value": round(over.low, 4), "goal": STATED.risk, "met": over.low <= STATED.risk,
        },
        {
            "name": f"cost of the certificate over that of the cheapest fixed threshold within budget ({best})",
            "value": round(mine["cost"] / cost, 4), "goal": 1.0, "met": mine["cost"] <= cost,
        },
    ]  # fmt: skip


def beside(pool: ProcessPoolExecutor, figures: dict[str, object]) -> None:
    """Other figures, and where a fixed threshold is the better choice."""
    does_not_pay: list[str] = []
    splits = SPLITS if LONG else MODELS
    for stated in OTHERS:
        rows = [rows for rows, _, _ in pool.map(judge, asked(stated, splits), chunksize=2)]
        found = table(stated, rows)
        figures[f"review {stated.review}, budget {stated.budget}"] = found
        name, least = rival(found, stated.risk, splits)
        if not name:
            print("no fixed threshold keeps to it")
            continue
        ours = found["certificate"]["cost"]
        said = f"{name}, {least:.1f} against {ours:.1f}"
        print(f"the cheapest fixed threshold that keeps to it: {said}; as cheap with {cheaper(rows, name)} of {MODELS}")
        if least < ours:
            does_not_pay.append(f"review {stated.review}, budget {stated.budget}: {said}")
    print(f"where a fixed threshold that kept to the budget in {splits} splits cost less:")
    print("\n".join(f"  {one}" for one in does_not_pay) or "  nowhere here")


def asked(stated: Stated, splits: int, bad: float = 0.0) -> Iterable[Asked]:
    """So many splits, as many of each model."""
    return [(seed, stated, bad) for seed in range(splits)]


def main() -> None:
    """Measure, print, draw."""
    if not (SHARED / "loans").is_dir():
        print(json.dumps({"bench": "autonomy", "figures": {"skipped": "the real data are not here"}, "goals": []}))
        return
    figures: dict[str, object] = {"python": platform.python_version(), "splits": SPLITS, "models": MODELS}
    with ProcessPoolExecutor(max_workers=2) as pool:
        evidence = pool.submit(unseen, SHARED / "receipts" / "train.jsonl")
        goals = headline(list(pool.map(judge, asked(STATED, SPLITS), chunksize=5)), figures)
        beside(pool, figures)
        ran = list(pool.map(judge, asked(STATED, SPLITS, MORE_BAD), chunksize=5))
    of = f", made so that {MORE_BAD:.0%} of {loans(MORE_BAD).bad.size:,} went bad"
    print(f"loans{of}:")
    figures[f"headline{of}"] = table(STATED, [rows for rows, _, _ in ran])
    told_loads(ran, figures, of)
    figures["receipts"] = compare(SHARED / "receipts" / "test.jsonl", evidence.result())
    print(json.dumps({"bench": "autonomy", "figures": figures, "goals": goals}))


if __name__ == "__main__":
    main()
