"""The scorer's model card, written from what was measured."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path

from interlock.packs.reconciliation.evaluate import Judgement, Point, at_threshold, judge_case, recall
from interlock.packs.reconciliation.fitting import SEED, versions
from interlock.packs.reconciliation.matching.scorer import Scorer
from interlock.packs.reconciliation.payments import HELD_OUT, read_payments
from interlock.packs.reconciliation.rehearsal import STYLES, make_cases

THIRD = 3
"""The seed of the made-up cases that only the card reads."""
ROUNDS, SIZE = 3, 900
RECALL, STRICT, STANDARD, ONE_IN = 0.98, 0.6, 0.75, 2000
"""The goals: candidate recall, automatic shares, and one wrong in so many."""
AT = (0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)

HEAD = """\
# Model card: match-scorer@1

Says how likely it is that entries of two sides are the same money: `pair.onnx` of two entries by themselves,
`match.onnx` of a match in the best whole, calibrated. Written by `python -m interlock.packs.reconciliation.train
FOLDER`; do not edit it by hand. docs/explanation/matching.md tells the method.

## Data

- 22,540 payments as the sender booked them and as the receiver did (splink_datasets, transactions, MIT; made by the
  Splink team, so foreign to this repository, not real). Half of the pairs, by a hash of their number, train; the other
  half was read only to write this card. They are not part of this repository, and the models hold thresholds on
  features, no text.
- Made-up cases of four styles (invoices, cards, people, subscriptions) in which exactness, delay, texts and groups
  differ from case to case: other seeds for the first model, for the second, and for this card.

## Thresholds

Chosen on matches of the training half and of made-up cases that the model did not see when it was fitted for them, and
rounded up, to 0.005 and 0.0001, since a handful of wrong matches decides where they fall.

| setting | `sure_from` |
| --- | --- |
"""

LIMITS = """
## Limits

- In the public payments both sides keep the same form of a name (`M CORVINUS`, `M C`), every entry has a partner and
  no two banks spell a party differently. That makes them easier than real statements, and is why the first model goes
  so far on them; the made-up cases, with entries alone, groups and other spellings, are the harder half of this card.
- Entries without any text are told apart by amount and day alone. Where many have one amount on one day nothing can
  tell them apart, and the probability says so.
- Entries that differ in nothing but the bank's own reference are taken as one and the same: which of them stands in a
  match is decided by their identities, and counts as right here.
- The made-up cases were made by the people who made the features. A new source needs an evaluation of its own:
  `interlock.packs.reconciliation.evaluate` takes any entries with a truth.
"""


def write_card(path: Path, folder: Path, scorer: Scorer, sure_from: tuple[float, float]) -> None:
    """Measure, and write the card.

    Args:
        path: Where.
        folder: The public payments.
        scorer: What is measured.
        sure_from: The standard threshold, and the strict one.
    """
    path.write_text(make_card(folder, scorer, sure_from))


def make_card(folder: Path, scorer: Scorer, sure_from: tuple[float, float]) -> str:
    """The card's text."""
    whole, alone = read_payments(folder, truth_of=HELD_OUT), read_payments(folder, HELD_OUT)
    together, apart = judge_case(whole, scorer), judge_case(alone, scorer)
    made = [judge_case(case, scorer) for case in make_cases(THIRD, ROUNDS, SIZE)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [
        f"| standard: at most one in 2,000 wrong | {sure_from[0]} |",
        f"| strict: none wrong | {sure_from[1]} |",
        "",
        "## Measured",
        "",
        "| measure, held-out half of the payments | all 22,540 together | that half alone | goal | |",
        "| --- | --- | --- | --- | --- |",
        *_goals((together, apart), sure_from),
        "",
        f"Solving all 22,540 against 22,540: {together.cpu_s:.1f} s of processor time; {memory:.0f} MB at most in the",
        f"process that trains and measures; {together.solution.figures.pairs:,} pairs looked at.",
        "",
        "### Coverage and error by confidence",
        "",
        "| confidence from | all together: automatic | wrong | alone: automatic | wrong | made-up: automatic | wrong |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_curve_row(value, together, apart, made) for value in sorted({*AT, *sure_from})),
        "",
        f"### Made-up cases by style, at {sure_from[0]}",
        "",
        "| style | true matches | automatic | wrong | candidate recall |",
        "| --- | --- | --- | --- | --- |",
        *(_style_row(style, made, sure_from[0]) for style in STYLES),
        "",
        "### By form, made-up cases",
        "",
        "| form | proposed | wrong | automatic | wrong |",
        "| --- | --- | --- | --- | --- |",
        *(_form_row(form, made, sure_from[0]) for form in ("1:1", "1:n", "n:1", "n:m")),
    ]
    made_with = ", ".join(f"{name} {number}" for name, number in versions().items())
    return HEAD + "\n".join(lines) + "\n" + LIMITS + f"\n## Made with\n\nSeed {SEED}; {made_with}.\n"


def _goals(judged: tuple[Judgement, Judgement], sure_from: tuple[float, float]) -> list[str]:
    found = [recall(one.case) for one in judged]
    shares = [right / true for right, true in found]
    points = [[at_threshold([one], threshold) for one in judged] for threshold in sure_from]
    standard, strict = points
    least = min(point.share for point in strict)
    fine = all(point.share >= STANDARD and point.wrong * ONE_IN <= point.automatic for point in standard)
    none = least >= STRICT and not any(point.wrong for point in strict)
    rows = [
        ("candidate recall", f"{shares[0]:.2%}", f"{shares[1]:.2%}", "at least 98%", min(shares) >= RECALL),
        ("strict: automatic", _told(strict[0]), _told(strict[1]), "at least 60%, none wrong", none),
        ("standard: automatic", _told(standard[0]), _told(standard[1]), "at least 75%, 1 in 2,000 wrong", fine),
    ]
    return [f"| {name} | {all_of} | {half} | {goal} | {_met(ok=ok)} |" for name, all_of, half, goal, ok in rows]


def _met(*, ok: bool) -> str:
    return "met" if ok else "**missed**"


def _told(point: Point) -> str:
    return f"{point.share:.2%}, {point.wrong} wrong"


def _curve_row(threshold: float, together: Judgement, apart: Judgement, made: Sequence[Judgement]) -> str:
    points = [at_threshold(judged, threshold) for judged in ([together], [apart], made)]
    return f"| {threshold} | " + " | ".join(f"{point.share:.2%} | {point.wrong}" for point in points) + " |"


def _style_row(style: str, made: Sequence[Judgement], threshold: float) -> str:
    judged = [one for one in made if one.case.name.startswith(style)]
    point = at_threshold(judged, threshold)
    found = [recall(one.case) for one in judged]
    share = sum(right for right, _ in found) / max(sum(true for _, true in found), 1)
    true = sum(len(one.case.truth) for one in judged)
    return f"| {style} | {true:,} | {point.share:.2%} | {point.wrong} | {share:.2%} |"


def _form_row(form: str, made: Sequence[Judgement], threshold: float) -> str:
    proposed = wrong = automatic = amiss = 0
    for one in made:
        of = (one.solution.proposals["form"] == form).to_numpy()
        sure = of & (one.probability >= threshold)
        proposed, wrong = proposed + int(of.sum()), wrong + int((of & ~one.right).sum())
        automatic, amiss = automatic + int(sure.sum()), amiss + int((sure & ~one.right).sum())
    return f"| {form} | {proposed:,} | {wrong} | {automatic:,} | {amiss} |"
