"""The receipts: thresholds by hand before, and a certificate after, from the same evidence.

The evidence is the receipts that the model was trained on, each read by a model that had not seen its vendor. The
thresholds by hand were chosen on it, too. The receipts of the test file are judged: neither model nor thresholds nor
certificate saw them.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from interlock.autonomy.calibration import Calibration
from interlock.autonomy.certify import Certifiable, Terms, certify, make_grid
from interlock.autonomy.issuing.evidence import FIT_SHARE
from interlock.autonomy.offer import offer
from interlock.autonomy.records import Records, is_fit, turn_of
from interlock.packs.receipts.corpus import load
from interlock.packs.receipts.evaluate import Judged, judge, judged_now
from interlock.packs.receipts.models import FOLDER, load_models, load_thresholds
from interlock.packs.receipts.train import FOLDS, examples_of, folds, hold_out, judge_held, vendor_groups, weights_of

SEN = 100
REVIEW, CAP, RISK = 300, 10_000, Fraction(1, 10)
BUDGETS = (50, 100, 250)
"""In sen for each receipt."""
_KEY = b"receipts"


def unseen(file: Path) -> list[Judged]:
    """The receipts of the training file, each as a model reads it that has not seen its vendor."""
    receipts = load(file)
    groups = vendor_groups(receipts)
    fold_of = folds(groups, FOLDS)
    held = hold_out([examples_of(receipt) for receipt in receipts], weights_of(groups), fold_of)
    return [one for one in judge_held(receipts, held, fold_of) if one.truth.total is not None]


def compare(file: Path, evidence: list[Judged]) -> dict[str, object]:
    """Before and after, on receipts that nothing saw; printed and given."""
    receipts = load(file)
    run, now = load_models(FOLDER), judged_now(receipts)
    judged = [one for one in (judge(each, run, now) for each in receipts) if one.truth.total is not None]
    bands = load_thresholds(FOLDER)
    found: dict[str, object] = {"receipts": len(judged), "evidence": len(evidence)}
    print(f"receipts: {len(judged)}, evidence from {len(evidence)} others; a review costs {REVIEW / SEN:.2f} MYR, "
          f"the cap is {CAP / SEN:.2f} MYR")  # fmt: skip
    found["by hand"] = _tell("by hand", judged, [one.automatic(bands) for one in judged])
    found["by hand, evidence"] = _tell("the same on the evidence", evidence, [one.automatic(bands) for one in evidence])
    records = _records(evidence)
    for budget in BUDGETS:
        terms = Terms(
            budget=Fraction(budget), risk=RISK, review_cost=REVIEW, cap=CAP, worst=Fraction(CAP),
            grid=make_grid(Fraction(REVIEW)),
            smaller=tuple((CAP // part, Fraction(CAP // part)) for part in (40, 20, 10, 8, 5, 4, 2)),
        )  # fmt: skip
        answer = certify(records, terms)
        name = f"certificate, {budget / SEN:.2f} MYR"
        cap, threshold = CAP, Fraction(-1)
        if isinstance(answer, Certifiable):
            threshold = answer.chosen.threshold
        else:
            instead = offer(records, terms, answer)
            print(
                f"{name}: none ({answer.why}), {answer.needed} outcomes needed without one error, {answer.tests} there"
            )
            found[f"{name}, needed"] = answer.needed
            if instead is not None and instead.lower_cap is not None:
                cap, threshold = instead.lower_cap.cap, instead.lower_cap.chosen.threshold
                name = f"{name}, offered cap {cap / SEN:.2f}"
            if instead is not None and instead.rate is not None:
                print(
                    f"  or at most {float(instead.rate.rate):.2%} wrong by themselves, "
                    f"{instead.rate.chosen.automatic:.1%} automatic"
                )
        found[name] = _tell(name, judged, _alone(judged, answer.fitted[0].calibration, cap, threshold))
    return found


def _alone(judged: list[Judged], calibration: Calibration, cap: int, threshold: Fraction) -> list[bool]:
    return [
        one.total is not None and not one.findings and 0 <= int(one.total * SEN) <= cap
        and float(calibration.wrong_at(np.array([one.confidence]))[0]) * int(one.total * SEN) <= threshold
        for one in judged
    ]  # fmt: skip


def _records(judged: list[Judged]) -> Records:
    """What a wrong total loses is at most all of it, as the workflow's file says."""
    count = len(judged)
    amount = np.array([int(max(one.total or 0, 0) * SEN) for one in judged], np.int64)
    wrong = np.array([not one.total_right for one in judged])
    nothing = np.zeros(count, np.int64)
    return Records(
        confidence=np.array([one.confidence for one in judged]),
        exposure=np.where([one.total is None or one.total < 0 or bool(one.findings) for one in judged], -1, amount),
        stake=amount, wrong=wrong, loss=np.where(wrong, amount, 0), needless=nothing, propensity=np.ones(count),
        observed=np.ones(count, bool), component=nothing, segment=nothing,
        fit=np.array([is_fit(one.key.encode(), _KEY, FIT_SHARE) for one in judged]),
        turn=np.array([turn_of(one.key.encode(), _KEY) for one in judged]),
    )  # fmt: skip


def _tell(name: str, judged: list[Judged], alone: list[bool]) -> dict[str, object]:
    paid = [one for one, by_itself in zip(judged, alone, strict=True) if by_itself]
    wrong = [one for one in paid if not one.total_right]
    off = sum(float(one.off) for one in wrong)
    cost = off + (len(judged) - len(paid)) * REVIEW / SEN
    print(f"  {name:<46} {len(paid) / len(judged):>6.1%} automatic, {len(wrong)} wrong, off by {off:.2f} MYR, "
          f"cost {cost:.2f} MYR")  # fmt: skip
    return {"automatic": round(len(paid) / len(judged), 4), "wrong": len(wrong), "off": off, "cost": round(cost, 2)}
