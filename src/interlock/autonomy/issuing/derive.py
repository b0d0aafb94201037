"""What follows from the evidence: a certificate, or in words why there is none and what could be instead. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from interlock.autonomy.calibration import Calibration
from interlock.autonomy.certificate import Begins, Certificate, Certified, Data, Step, Tested, Watching
from interlock.autonomy.certify import (
    ROUNDED,
    Certifiable,
    Goal,
    NotCertifiable,
    Terms,
    Threshold,
    certify,
    gone,
    make_grid,
    score,
)
from interlock.autonomy.issuing.evidence import Evidence
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.words import assumptions_of, why_not
from interlock.autonomy.monitor import TYPICAL, watching_bets
from interlock.autonomy.offer import Offers, offer
from interlock.autonomy.records import Records
from interlock.autonomy.terms import AutonomyTerms, HarmTerms, Source, with_cap

METHOD = (
    "Confidences are calibrated on one part of the decisions (isotonic steps or Platt's curve, whichever predicts "
    "better); on the other, thresholds of the expected loss are tested from strict to loose, each by a betting p-value "
    "for bounded losses at the full risk, with bets that stand the losses of the first part, and the first that fails "
    "ends it (Learn then Test)."
)
_CAPS = 8
"""So many smaller caps are looked at where there are too few outcomes for the declared one, each half of the last."""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the evidence.

    Attributes:
        certificate: What may be issued; None: nothing.
        refused: Why nothing may, in words; empty: something may.
        needed: How many decisions with their outcomes would be needed at least, if not one of them were wrong.
        data: From which data that follows.
        grid: Every threshold that was tested.
        offers: What could be certified instead.
        calibrated: What is known of each component in each segment, whether or not it suffices.
        begins: From when on decisions counted, where it is not the whole window that did.
    """

    certificate: Certificate | None
    refused: str
    needed: int
    data: Data
    grid: tuple[Tested, ...]
    offers: Offers | None = None
    calibrated: tuple[Certified, ...] = ()
    begins: Begins | None = None


def derive(
    place: Place, evidence: Evidence, now: datetime, *, who: str, replaces: UUID | None = None, tries: int = 0,
    begins: Begins | None = None,
) -> Derived:  # fmt: skip
    """What follows from the evidence at a point.

    Args:
        place: The point.
        evidence: Its decisions.
        now: When a certificate would be issued.
        who: By whom.
        replaces: The certificate that counts now.
        tries: From how many other data that was asked under these terms since the last one was issued.
        begins: From when on decisions count, where it is not the whole window that does.
    """
    terms, data = place.terms, evidence.data
    asked = asked_terms(terms, evidence.records)
    budget, grid = terms.budget.each_of(evidence.data.monthly), place.grid or asked.grid
    asked = msgspec.structs.replace(asked, budget=budget, grid=grid)
    found = certify(evidence.records, asked)
    calibrated = tuple(_calibrated(place, evidence, found))
    certified = tuple(one for one in calibrated if one.steps and not _too_few(found, evidence, one))
    needed = _needed(found, data)
    lacking = terms.harm.outcomes - _resting(evidence, certified, asked.cap) if terms.harm else 0
    if isinstance(found, NotCertifiable) or lacking > 0 or not certified:
        offers = offer(evidence.records, asked, found) if isinstance(found, NotCertifiable) else None
        if offers is not None and terms.harm is not None:
            offers = _resting_on(offers, terms.harm, lambda cap: _resting(evidence, certified, cap), asked.cap)
        return Derived(
            certificate=None,
            refused=why_not(
                place,
                data,
                found,
                offers,
                needed,
                lacking=max(lacking, 0),
                beyond=_beyond(evidence, asked),
                passed_over=bool(evidence.floors),
                begins=begins,
            ),
            needed=max(needed, terms.harm.outcomes if terms.harm else 0),
            data=data,
            grid=_grid(found),
            offers=offers,
            calibrated=calibrated,
            begins=begins,
        )
    certificate = Certificate(
        tenant=place.tenant,
        workflow=place.workflow,
        point=place.point,
        goal=terms.budget.goal,
        terms=terms.stated,
        terms_digest=terms.digest.hex(),
        currency=terms.currency,
        threshold=str(found.chosen.threshold),
        cap=terms.highest,
        budget=str(asked.budget),
        risk=str(terms.risk),
        components=certified,
        data=data,
        grid=_grid(found),
        automation=found.chosen.automatic,
        loss=found.chosen.loss,
        method=METHOD,
        assumptions=assumptions_of(place, data, begins),
        issued_at=now,
        issued_by=who,
        valid_until=now + terms.valid_for,
        replaces=replaces,
        watching=_watching(evidence, asked, found, terms),
        answering=dict(place.components),
        point_digest=place.digest,
        tries=tries,
        passed_on=_passed_on(found.passed_on),
        begins=begins,
    )
    return Derived(
        certificate=certificate, refused="", needed=needed, data=data, grid=certificate.grid, calibrated=calibrated,
        begins=begins,
    )  # fmt: skip


def _passed_on(bar: float | None) -> str | None:
    return None if bar is None or not math.isfinite(bar) else str(Fraction(bar))


def asked_terms(terms: AutonomyTerms, records: Records) -> Terms:
    """What is stated, as the numbers of the test.

    The most that one decision may count is what the terms allow, or more where a decision of the window was drawn with
    a smaller probability, under the terms of then. That is known before any outcome, and no weight is ever cut.

    Args:
        terms: What is stated.
        records: The decisions of the window.
    """
    heaviest = 1 / terms.audit.share if terms.audit and terms.outcome.source is Source.AUDIT else Fraction(1)
    least = float(np.min(records.propensity, initial=1.0))
    heaviest = max(heaviest, Fraction(math.ceil(1 / least)))
    is_rate = terms.budget.rate is not None
    return Terms(
        budget=terms.budget.each,
        risk=terms.risk,
        review_cost=terms.review_cost.minor,
        cap=terms.highest,
        worst=heaviest if is_rate else max(Fraction(terms.worst), _greatest(records, terms.highest)),
        grid=make_grid(Fraction(terms.review_cost.minor)),
        goal=Goal(terms.budget.goal),
        heaviest=heaviest,
        smaller=() if is_rate else tuple(_smaller(terms, records)),
    )


def _greatest(records: Records, cap: int) -> Fraction:
    """The greatest declared loss over its propensity of what would be drawn up to a cap."""
    within = records.observed & (records.exposure >= 0) & (records.exposure <= cap)
    return Fraction(math.ceil(float(np.max(records.stake[within] / records.propensity[within], initial=0.0))))


def _smaller(terms: AutonomyTerms, records: Records) -> Iterator[tuple[int, Fraction]]:
    """Smaller caps, ascending, each with the most that one decision may count then."""
    for halved in range(_CAPS, 0, -1):
        cap = terms.highest >> halved
        if cap > 0 and terms.budget.each < terms.wrong.of(cap):  # else the budget would bound nothing
            yield cap, max(Fraction(with_cap(terms, cap).worst), _greatest(records, cap))


def stated_terms(held: Mapping[str, Any]) -> AutonomyTerms:
    """The terms from a certificate.

    Raises:
        msgspec.ValidationError: these are none.
    """
    return msgspec.convert(held, AutonomyTerms, dec_hook=_from_text)


def _from_text(kind: type, value: Any) -> Any:
    if kind is Fraction and isinstance(value, str):
        try:
            return Fraction(value)
        except ZeroDivisionError as cause:
            raise ValueError(value) from cause
    raise TypeError(f"{kind.__name__} cannot be read from {type(value).__name__}")


def _grid(found: Certifiable | NotCertifiable) -> tuple[Tested, ...]:
    return tuple(_tested(one) for one in found.tested)


def _tested(one: Threshold) -> Tested:
    return Tested(
        threshold=str(one.threshold),
        p_value=one.p_value,
        automation=one.automatic,
        loss=one.loss,
        high=one.high,
        cost=one.cost,
        passed=one.passed,
    )


def _calibrated(place: Place, evidence: Evidence, found: Certifiable | NotCertifiable) -> Iterator[Certified]:
    for one in found.fitted:
        digest = evidence.components[one.component]
        yield Certified(
            component=place.components[digest],
            digest=digest,
            segment=evidence.segments[one.segment],
            method=one.calibration.method,
            steps=_above(one.calibration, evidence.floors.get(digest)),
            decisions=one.calibration.decisions,
            wrong=one.calibration.wrong,
        )


def _above(calibration: Calibration, floor: float | None) -> tuple[Step, ...]:
    """The steps above a confidence up to which nothing is certified."""
    if floor is None or not calibration.steps:
        return calibration.steps
    above = tuple(step for step in calibration.steps if step.confidence > floor)
    below = [step for step in calibration.steps if step.confidence <= floor]
    first = math.nextafter(floor, 2.0)
    if not below or first > 1 or (above and above[0].confidence <= first):
        return above
    return (Step(first, below[-1].wrong), *above)


def _beyond(evidence: Evidence, asked: Terms) -> tuple[UUID, ...]:
    """The decisions that lost more than the terms say one can."""
    records = evidence.records
    open_ = (records.exposure >= 0) & (records.exposure <= asked.cap) & records.wrong
    over = open_ & (records.loss * records.weight > float(asked.worst) * ROUNDED) & (asked.goal is Goal.LOSS)
    return tuple(evidence.ids[at] for at in np.flatnonzero(over))


def _resting(evidence: Evidence, certified: tuple[Certified, ...], cap: int) -> int:
    """How many known outcomes test what would be certified: of these versions, segments and exposures."""
    records = evidence.records
    tests = evidence.known & records.observed & ~records.fit & (records.exposure >= 0) & (records.exposure <= cap)
    pairs = {(evidence.components.index(one.digest), evidence.segments.index(one.segment)) for one in certified}
    return sum(
        int(np.sum(tests & (records.component == component) & (records.segment == segment)))
        for component, segment in pairs
    )


def _resting_on(offers: Offers, harm: HarmTerms, resting: Callable[[int], int], cap: int) -> Offers | None:
    """Those that could be taken where so many outcomes are demanded."""
    lower = offers.lower_cap if offers.lower_cap and resting(offers.lower_cap.cap) >= harm.outcomes else None
    rate = offers.rate if resting(cap) >= harm.outcomes else None
    return Offers(largest=offers.largest, lower_cap=lower, rate=rate) if lower or rate else None


def _too_few(found: Certifiable | NotCertifiable, evidence: Evidence, certified: Certified) -> bool:
    return any(
        one.calibration.too_few
        for one in found.fitted
        if evidence.components[one.component] == certified.digest
        and evidence.segments[one.segment] == certified.segment
    )


def _needed(found: Certifiable | NotCertifiable, data: Data) -> int:
    """Decisions, of both parts, that would be needed without one error."""
    if isinstance(found, Certifiable):
        return 0
    share = 1 - Fraction(data.fit_share)
    return math.ceil(max(found.needed, 1) / share)


def _watching(evidence: Evidence, asked: Terms, found: Certifiable, terms: AutonomyTerms) -> Watching | None:
    """How the certificate's own decisions are watched: by the bets that find a greater loss soonest."""
    if not 0 < asked.bound < 1:
        return None
    scored = score(evidence.records, asked, found.fitted)
    lost = gone(scored, float(found.chosen.threshold)).lost / float(asked.worst)
    lost = lost[lost > 0]
    typical = float(np.sum(np.sort(lost * lost)) / np.sum(np.sort(lost))) if lost.size else TYPICAL
    worst = math.ceil(asked.worst)
    bets = watching_bets(min(max(typical, asked.bound), 1.0), asked.bound)
    return Watching(sizes=bets.sizes, weights=bets.weights, bound=asked.bound, worst=worst, alpha=str(terms.risk))
