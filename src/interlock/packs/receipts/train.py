"""Train the receipt reader: ``python -m interlock.packs.receipts.train --data DIR [--out DIR]``.

DIR holds ``train.jsonl`` and ``test.jsonl``. Everything that is chosen (calibration, thresholds) is chosen on readings
of vendors that the scoring model had not seen; the test file is only measured. Same data, same libraries: same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.errors import InterlockError, Refused
from interlock.packs.receipts.card import card_of, manifest_of
from interlock.packs.receipts.corpus import Labelled, folds, load, vendor_groups
from interlock.packs.receipts.days import date_candidates, date_features
from interlock.packs.receipts.evaluate import LARGEST_AUTOMATIC, Evaluation, Judged, judge, judged_now, summarise
from interlock.packs.receipts.fitting import Fitted, calibration_error, fit_sureness, fit_trees, versions
from interlock.packs.receipts.models import FIELDS, FOLDER, MODELS, THRESHOLDS, Threshold, open_models
from interlock.packs.receipts.normalise import company_key
from interlock.packs.receipts.page import page_of
from interlock.packs.receipts.sureness import date_sureness, order_of, total_sureness, vendor_sureness
from interlock.packs.receipts.totals import total_features, total_question
from interlock.packs.receipts.vendors import vendor_candidates, vendor_features

FOLDS = 5
LARGEST_WRONG = 0.02
"""The share of wrong totals that a threshold may let through in its band."""
LEAST_CONFIDENCE = 75
"""In hundredths: a total that is wrong with more than one chance in four is not paid, however right the others are."""
_BANDS = (Decimal(50), LARGEST_AUTOMATIC)
_SAME_SCORE = 1e-5

Scores: TypeAlias = NDArray[np.float32]
Models: TypeAlias = dict[str, Fitted]


class Example(msgspec.Struct, frozen=True):
    """One field of one receipt as the scoring model sees it.

    Attributes:
        x: One row a candidate, float32 ``[candidates, features]``.
        right: 1 where the candidate is the truth, int64 ``[candidates]``.
        sureness: From scores to what calibration looks at, float32 ``[1, features]``.
    """

    x: NDArray[np.float32]
    right: NDArray[np.int64]
    sureness: Callable[[Scores], Scores]


def examples_of(receipt: Labelled) -> dict[str, Example]:
    """The candidates of each field of a receipt, with which of them is right."""
    page, truth = page_of(receipt.receipt), receipt.truth
    question = total_question(page)
    days = date_candidates(page)
    vendors = vendor_candidates(page)
    rights = {
        "total": [candidate.value == truth.total for candidate in question.candidates],
        "date": [candidate.value == truth.date for candidate in days],
        "company": [company_key(candidate.text) == truth.company for candidate in vendors],
    }

    def sure_total(scores: Scores) -> Scores:
        return total_sureness(question, scores)

    def sure_date(scores: Scores) -> Scores:
        return date_sureness(days, scores)

    def sure_vendor(scores: Scores) -> Scores:
        return vendor_sureness(vendors, scores)

    parts = (
        ("total", total_features(question, page), sure_total),
        ("date", date_features(days, page), sure_date),
        ("company", vendor_features(vendors, page), sure_vendor),
    )
    return {field: Example(x, np.asarray(rights[field], dtype=np.int64), sureness) for field, x, sureness in parts}


def fit_field(examples: Sequence[Example], weights: Sequence[float]) -> Fitted:
    """The scoring model of one field; each receipt's candidates weigh what the receipt weighs."""
    known = [(example, weight) for example, weight in zip(examples, weights, strict=True) if len(example.right)]
    x = np.vstack([example.x for example, _ in known])
    y = np.concatenate([example.right for example, _ in known])
    each = np.concatenate([np.full(len(example.right), weight) for example, weight in known])
    return fit_trees(x, y, each)


def weights_of(groups: Sequence[int]) -> list[float]:
    """One over the root of how many receipts a vendor has: forty of one vendor teach less than of forty vendors."""
    return [groups.count(group) ** -0.5 for group in groups]


class Held(msgspec.Struct, frozen=True):
    """What cross-validation by vendor gave.

    Attributes:
        models: The scoring models of each fold, which have not seen that fold's vendors.
        sureness: For each field, what calibration looks at, float32 ``[receipts, features]``, from unseen readings.
        right: For each field, whether the reading was right, int64 ``[receipts]``.
        rows: For each field, the number of the receipt of each row above.
    """

    models: tuple[Models, ...]
    sureness: dict[str, NDArray[np.float32]]
    right: dict[str, NDArray[np.int64]]
    rows: dict[str, list[int]]


def hold_out(prepared: Sequence[dict[str, Example]], weights: Sequence[float], fold_of: Sequence[int]) -> Held:
    """Read every receipt with models that have not seen its vendor."""
    models: list[Models] = []
    places = range(len(prepared))
    for fold in range(FOLDS):
        kept = [place for place in places if fold_of[place] != fold]
        models.append(
            {field: fit_field([prepared[p][field] for p in kept], [weights[p] for p in kept]) for field in FIELDS}
        )
    sureness: dict[str, NDArray[np.float32]] = {}
    right: dict[str, NDArray[np.int64]] = {}
    rows: dict[str, list[int]] = {}
    for field in FIELDS:
        rows[field] = [place for place in places if len(prepared[place][field].right)]
        looks: list[Scores] = []
        rights: list[int] = []
        for place in rows[field]:
            example = prepared[place][field]
            scores = models[fold_of[place]][field].probabilities(example.x)
            looks.append(example.sureness(scores))
            rights.append(int(example.right[order_of(scores)[0]]))
        sureness[field], right[field] = np.vstack(looks), np.asarray(rights, dtype=np.int64)
    return Held(tuple(models), sureness, right, rows)


def judge_held(receipts: Sequence[Labelled], held: Held, fold_of: Sequence[int]) -> list[Judged]:
    """Judge every receipt with the models of its fold, and a calibration that was fitted on the other folds."""
    now = judged_now(receipts)
    judged: dict[int, Judged] = {}
    for fold in range(FOLDS):
        fitted: Models = dict(held.models[fold])
        for field in FIELDS:
            kept = [n for n, place in enumerate(held.rows[field]) if fold_of[place] != fold]
            fitted[f"{field}_confidence"] = fit_sureness(held.sureness[field][kept], held.right[field][kept])

        def run(name: str, x: Scores, fitted: Models = fitted) -> Scores:
            return fitted[name].probabilities(x)

        for place, receipt in enumerate(receipts):
            if fold_of[place] == fold:
                judged[place] = judge(receipt, run, now)
    return [judged[place] for place in range(len(receipts))]


def thresholds_of(judged: Sequence[Judged]) -> tuple[Threshold, ...]:
    """For each band, the least confidence, in hundredths, with at most ``LARGEST_WRONG`` of what it lets through wrong.

    Never below ``LEAST_CONFIDENCE``; 1 where no confidence is enough.
    """
    found: list[Threshold] = []
    low = Decimal(-(10**9))
    for below in _BANDS:
        band = [
            one
            for one in judged
            if one.total is not None and low <= one.total < below and one.truth.total is not None and not one.findings
        ]
        found.append(Threshold(str(below), _least_confidence(band)))
        low = below
    return tuple(found)


def _least_confidence(band: Sequence[Judged]) -> float:
    for level in range(LEAST_CONFIDENCE, 100):
        paid = [one for one in band if one.confidence >= level / 100]
        if paid and sum(not one.total_right for one in paid) <= LARGEST_WRONG * len(paid):
            return level / 100
    return 1.0


def nested(judged: Sequence[Judged], fold_of: Sequence[int]) -> tuple[float, float]:
    """What would be automatic, and how much of it wrong, with each fold's thresholds chosen on the other folds only."""
    small, paid, wrong = 0, 0, 0
    for fold in range(FOLDS):
        thresholds = thresholds_of([one for one, other in zip(judged, fold_of, strict=True) if other != fold])
        kept = summarise([one for one, other in zip(judged, fold_of, strict=True) if other == fold], thresholds)
        small += kept.small
        paid += round(kept.automatic * kept.small)
        wrong += len(kept.wrong_keys)
    return paid / max(small, 1), wrong / max(paid, 1)


def errors_of(judged: Sequence[Judged]) -> dict[str, float]:
    """The expected calibration error of each field."""
    errors: dict[str, float] = {}
    for field in FIELDS:
        known = [one for one in judged if field in one.sureness]
        right = [float(getattr(one, f"{field}_right")) for one in known]
        confidence = [one.sureness[field] for one in known]
        errors[field] = calibration_error(np.asarray(confidence), np.asarray(right))
    return errors


def export(fitted: Models, held: Held, prepared: Sequence[dict[str, Example]]) -> dict[str, bytes]:
    """Every model as ONNX, after checking that it scores what scikit-learn scores.

    Raises:
        Refused: a score differs by more than 0.00001.
    """
    contents = {name: fitted[name].onnx() for name in MODELS}
    run = open_models(contents)
    for field in FIELDS:
        x = np.vstack([receipt[field].x for receipt in prepared if len(receipt[field].right)])
        for name, rows in ((field, x), (f"{field}_confidence", held.sureness[field])):
            gap = float(np.abs(run(name, rows) - fitted[name].probabilities(rows)).max())
            if gap > _SAME_SCORE:
                raise Refused(f"the ONNX form of {name} scores up to {gap:.2g} differently", todo="train again")
    return contents


def train(data: Path, out: Path) -> tuple[Evaluation, Evaluation]:
    """Train, measure, and write models, manifest and card; returns the measures of cross-validation and of test.

    Raises:
        NotFound: a data file is missing.
        Refused: a line is malformed, or an exported model differs from the fitted one.
    """
    receipts, test = load(data / "train.jsonl"), load(data / "test.jsonl")
    groups = vendor_groups(receipts)
    weights, fold_of = weights_of(groups), folds(groups, FOLDS)
    prepared = [examples_of(receipt) for receipt in receipts]
    held = hold_out(prepared, weights, fold_of)
    unseen = judge_held(receipts, held, fold_of)
    thresholds = thresholds_of(unseen)
    fitted: Models = {field: fit_field([one[field] for one in prepared], weights) for field in FIELDS}
    for field in FIELDS:
        fitted[f"{field}_confidence"] = fit_sureness(held.sureness[field], held.right[field])
    contents = export(fitted, held, prepared)
    run, now = open_models(contents), judged_now(test)
    tested = [judge(receipt, run, now) for receipt in test]
    results = summarise(unseen, thresholds), summarise(tested, thresholds)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (out / f"{name}.onnx").write_bytes(content)
    (out / "component.yaml").write_text(manifest_of(), encoding="utf-8")
    (out / THRESHOLDS).write_bytes(msgspec.json.format(msgspec.json.encode(thresholds), indent=2) + b"\n")
    card = card_of(
        results,
        errors=(errors_of(unseen), errors_of(tested)),
        judged=unseen,
        nested=nested(unseen, fold_of),
        vendors=len(set(groups)),
        versions=versions(),
    )
    (out / "CARD.md").write_text(card, encoding="utf-8")
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m interlock.packs.receipts.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with train.jsonl and test.jsonl")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the component folder to write")
    given = parser.parse_args(arguments)
    try:
        unseen, tested = train(given.data, given.out)
    except InterlockError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return refusal.exit_code
    for name, result in (("vendors unseen", unseen), ("test", tested)):
        sys.stdout.write(
            f"{name}: total {result.total:.2%}, date {result.date:.2%}, company {result.company:.2%}, "
            f"automatic {result.automatic:.2%} of {result.small}, wrong {result.wrong_total:.2%}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
