"""Read a receipt: vendor, date and total from OCR words, each with a calibrated confidence and its evidence.

Each field has candidates (``totals``, ``days``, ``vendors``), described by numbers that a small model of boosted trees
scores. The best is the answer; a second small model says how sure it is. Pure: the models run through ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.components.component import Answer
from interlock.errors import ComponentFailed
from interlock.packs.receipts.days import date_candidates, date_features
from interlock.packs.receipts.normalise import amount_text
from interlock.packs.receipts.page import Page, Word, page_of
from interlock.packs.receipts.sureness import date_sureness, order_of, total_sureness, vendor_sureness
from interlock.packs.receipts.totals import total_features, total_question
from interlock.packs.receipts.vendors import vendor_candidates, vendor_features

Run: TypeAlias = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
"""A model's name and a float32 matrix ``[n, features]`` to the probability of each row, float32 ``[n]``."""

CURRENCY = "MYR"
"""The receipts are Malaysian; RM and $ both mean ringgit there. ``checks.currency`` finds signs of another."""

_RUNNERS_UP = 2


class Reading(msgspec.Struct, frozen=True):
    """One field as read.

    Attributes:
        value: As it stands in the output: an exact amount, a date, a name.
        score: How much the candidate looks like the field, from 0 to 1; not calibrated.
        confidence: How likely it is right, from 0 to 1, calibrated; 0 for a runner-up.
        words: The OCR words that it was read from.
    """

    value: str
    score: float
    confidence: float
    words: tuple[Word, ...]

    def shown(self) -> dict[str, Any]:
        """For a reviewer: value, score, and the place in the input."""
        return {
            "value": self.value,
            "score": round(self.score, 4),
            "line": self.words[0].index,
            "text": " ".join(word.text for word in self.words),
            "box": [
                min(word.left for word in self.words),
                min(word.top for word in self.words),
                max(word.right for word in self.words),
                max(word.bottom for word in self.words),
            ],
        }


def read(input: Mapping[str, Any], run: Run) -> Answer:  # noqa: A002 - the name that every component's read uses
    """Read vendor, date and total of one receipt.

    ``confidence`` is the total's: the total is what is paid, so it is what routing by exposure must rest on. The other
    fields have their own in ``evidence["confidence"]``; ``joint`` there is the product of the three.

    Args:
        input: ``words`` (texts), ``bboxes`` (``[x0, y0, x1, y1]`` in pixels, one for each word); the rest is ignored.
        run: Runs one of the models ``total``, ``date``, ``company`` and ``<field>_confidence``.

    Returns:
        Output ``{"company": str, "date": "YYYY-MM-DD", "total": "31.00", "currency": "MYR"}``. Evidence ``confidence``
        (by field) and ``fields`` (by field: value, score, line, text, box, ``runners_up``).

    Raises:
        ComponentFailed: a field has no candidate at all, so nothing could be proposed; it names the fields.
    """
    page = page_of(input)
    fields = {"total": _total(page, run), "date": _date(page, run), "company": _vendor(page, run)}
    missing = [name for name, readings in fields.items() if not readings]
    if missing:
        raise ComponentFailed(
            f"nothing on the receipt can be its {' or its '.join(missing)}",
            where="/words",
            todo="let a person read it, or scan it again",
        )
    confidence = {name: readings[0].confidence for name, readings in fields.items()}
    joint = confidence["total"] * confidence["date"] * confidence["company"]
    return Answer(
        output={
            "company": fields["company"][0].value,
            "date": fields["date"][0].value,
            "total": fields["total"][0].value,
            "currency": CURRENCY,
        },
        confidence=confidence["total"],
        evidence={
            "confidence": {**{name: round(value, 4) for name, value in confidence.items()}, "joint": round(joint, 4)},
            "fields": {
                name: {
                    **readings[0].shown(),
                    "confidence": round(readings[0].confidence, 4),
                    "runners_up": [other.shown() for other in readings[1:]],
                }
                for name, readings in fields.items()
            },
        },
    )


def _readings(
    values: Sequence[str], words: Sequence[tuple[Word, ...]], scores: NDArray[np.float32], confidence: float
) -> tuple[Reading, ...]:
    best = order_of(scores)[: 1 + _RUNNERS_UP]
    return tuple(
        Reading(values[place], float(scores[place]), confidence if place == best[0] else 0.0, words[place])
        for place in best
    )


def _total(page: Page, run: Run) -> tuple[Reading, ...]:
    question = total_question(page)
    if not question.candidates:
        return ()
    scores = run("total", total_features(question, page))
    sure = float(run("total_confidence", total_sureness(question, scores))[0])
    values = [amount_text(candidate.value) for candidate in question.candidates]
    return _readings(values, [(candidate.prints[-1].word,) for candidate in question.candidates], scores, sure)


def _date(page: Page, run: Run) -> tuple[Reading, ...]:
    candidates = date_candidates(page)
    if not candidates:
        return ()
    scores = run("date", date_features(candidates, page))
    sure = float(run("date_confidence", date_sureness(candidates, scores))[0])
    values = [candidate.value.isoformat() for candidate in candidates]
    return _readings(values, [(candidate.prints[0].word,) for candidate in candidates], scores, sure)


def _vendor(page: Page, run: Run) -> tuple[Reading, ...]:
    candidates = vendor_candidates(page)
    if not candidates:
        return ()
    scores = run("company", vendor_features(candidates, page))
    sure = float(run("company_confidence", vendor_sureness(candidates, scores))[0])
    return _readings([c.text for c in candidates], [c.words for c in candidates], scores, sure)
