"""Confidence against truth, by component version and segment, from the evidence of a point. Pure.

What is known of decisions is weighted by 1 over the probability with which it came to be known. Recalibration is what a
certificate would take: the better of isotonic steps and Platt's curve, fitted on the part of the decisions that
calibrates; its error is that of the other part. What is due and missing is in no curve, and is counted beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlock.autonomy.audit.read import DrawState, Sample
from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import FEWEST, Calibration, Flags, calibrate
from interlock.autonomy.figures.figures import Group, Recalibrated, SampleCounts
from interlock.autonomy.issuing.evidence import Evidence
from interlock.autonomy.reliability import calibration_error, effective, reliability, weighted_share

_EACH = "each its own"
_ROUNDED = 0.5

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Known:
    """Decisions by what is known of them; columns of shape (n,).

    Attributes:
        told: Those that no condition sent to a person, in a segment that is told apart.
        known: Those of them whose truth is known.
        missing: Those of them whose truth should be.
        weight: 1 over the probability with which it came to be.
        said: How surely each is right, recalibrated; not a number where that is not known.
    """

    told: Flags
    known: Flags
    missing: Flags
    weight: Floats
    said: Floats


def groups_of(evidence: Evidence, names: Mapping[str, str], in_force: Collection[str]) -> tuple[Group, ...]:
    """All together, then each version, those in force first, and each of its segments.

    Args:
        evidence: The decisions.
        names: The references of component versions, by the SHA-256 of all that makes their answers, in hex.
        in_force: Those that answer now.
    """
    records = evidence.records
    told = records.segment >= 0
    known = told & records.observed & evidence.known
    weight, said = 1 / records.propensity, np.full(told.shape, np.nan)
    found: set[Pair] = set(zip(records.component[told].tolist(), records.segment[told].tolist(), strict=True))
    pairs = sorted(found)
    fitted = dict[Pair, Calibration]()
    for pair in pairs:
        here = known & _of(evidence, pair)
        fits = here & records.fit
        one = calibrate(records.confidence[fits], records.wrong[fits], weight[fits])
        if not one.too_few:
            fitted[pair] = one
            tests = here & ~records.fit & (records.confidence >= one.steps[0].confidence)
            said[tests] = 1 - one.wrong_at(records.confidence[tests])
    columns = _Known(told, known, told & records.observed & ~evidence.known, weight, said)

    def group(of: list[Pair], digest: str, segment: str | None, *, now: bool) -> Group:
        return _group(evidence, columns, of, fitted, (names.get(digest, ""), digest, segment), now=now)

    def each() -> Iterator[Group]:
        yield group(pairs, "", None, now=True)
        numbers = sorted((evidence.components[at] not in in_force, at) for at in {pair[0] for pair in pairs})
        for _, number in numbers:
            digest = evidence.components[number]
            its, now = [pair for pair in pairs if pair[0] == number], digest in in_force
            yield group(its, digest, None, now=now)
            if len(evidence.segments) > 1:
                yield from (group([pair], digest, evidence.segments[pair[1]], now=now) for pair in its)

    return tuple(each())


def counts_of(sample: Sample) -> SampleCounts:
    """The audit sample in numbers; each answer weighted by 1 over its probability of being drawn."""
    answers = [one for one in sample.drawn if one.is_right is not None]
    wrong = np.array([not one.is_right for one in answers], np.bool_)
    share, worth = weighted_share(wrong, np.array([1 / float(one.propensity) for one in answers], np.float64))
    return SampleCounts(
        looked_at=sample.looked_at,
        drawn=len(sample.drawn),
        answered=len(answers),
        wrong=int(np.sum(wrong)),
        waiting=sample.count(DrawState.WAITS, DrawState.ASKED),
        missing=sample.count(DrawState.MISSING),
        wrong_share=share if answers else None,
        effective=worth,
    )


def _group(
    evidence: Evidence,
    columns: _Known,
    of: list[Pair],
    fitted: Mapping[Pair, Calibration],
    name: tuple[str, str, str | None],
    *,
    now: bool,
) -> Group:
    records, component, digest, segment = evidence.records, *name
    here = np.zeros(columns.told.shape, np.bool_)
    for pair in of:
        here |= _of(evidence, pair)
    known = columns.known & here
    sure, right, weight = records.confidence[known], ~records.wrong[known], columns.weight[known]
    worth = effective(weight)
    return Group(
        component=component,
        digest=digest,
        segment=segment,
        in_force=now,
        decisions=int(np.sum(columns.told & here)),
        known=int(sure.size),
        missing=int(np.sum(columns.missing & here)),
        effective=worth,
        too_few=worth < FEWEST - _ROUNDED,
        error=calibration_error(sure, right, weight) if sure.size else None,
        bins=reliability(sure, right, weight),
        recalibrated=_recalibrated(evidence, columns, known, [fitted[pair] for pair in of if pair in fitted]),
    )


def _recalibrated(evidence: Evidence, columns: _Known, known: Flags, fitted: list[Calibration]) -> Recalibrated | None:
    records = evidence.records
    tests = known & np.isfinite(columns.said)
    weight, right = columns.weight[tests], ~records.wrong[tests]
    if effective(weight) < FEWEST - _ROUNDED:
        return None
    methods = sorted({one.method for one in fitted})
    return Recalibrated(
        method=methods[0] if len(methods) == 1 else _EACH,
        fitted=sum(one.decisions for one in fitted),
        tested=int(right.size),
        before=calibration_error(records.confidence[tests], right, weight),
        after=calibration_error(columns.said[tests], right, weight),
    )


def _of(evidence: Evidence, pair: Pair) -> NDArray[np.bool_]:
    return (evidence.records.component == pair[0]) & (evidence.records.segment == pair[1])
