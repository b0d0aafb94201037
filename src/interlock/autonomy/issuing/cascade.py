"""What each of those who were asked in turn said, and whether it was right: the evidence of a cascade. Pure.

A decision keeps what each one answered whose answer was not taken. It is right where it says the same as the answer
that was taken and was right, or the same as what is known to be true; what cannot be told counts as wrong.

INVARIANT: nobody is heard after one who failed, was late or was not asked: what is certified of the next ones is of
decisions in which all before them answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.store import RecordedDecision
from interlock.autonomy.outcome import By, Known
from interlock.autonomy.records import Cascade, Records
from interlock.autonomy.segment import segment_of
from interlock.autonomy.terms import AutonomyTerms, Source
from interlock.autonomy.truth import says_no, says_yes, states_otherwise
from interlock.money import Money

HEARD = ("answered", "unsure")
COMPARED = "compared"


class Attempt(msgspec.Struct, frozen=True):
    """Somebody who was asked, as the decision keeps it.

    Attributes:
        digest: Of their version.
        became: What became of it.
        confidence: How sure they were.
        component: Who.
        alike: Whether they said the same as the answer that was taken; None: that is not kept.
        output: What they said, where it is something else and is kept.
        exposure: The money at stake by what they said, where that is another one.
        propensity: With which probability they were to be asked, where they were to compare them alone.
        cost: What it cost, in USD.
    """

    digest: str
    became: str
    confidence: float | None = None
    component: str = ""
    alike: bool | None = None
    output: dict[str, Any] | None = None
    exposure: str | None = None
    propensity: str = "1"
    cost: Decimal = Decimal(0)


ATTEMPTS = msgspec.json.Decoder(list[Attempt])


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the answer that was taken.

    Attributes:
        wrong: Whether it was wrong, or is not known to be right.
        loss: What was lost then.
        known: What is known of it; None: nothing.
        turned: Whether a condition turned it into a no.
        exposure: The money at stake; negative: not known.
        eligible: Whether no condition sent it to a person.
        observed: Whether something was to become known of the decision.
        segment: In which segment it is; None: that is not known.
    """

    wrong: bool
    loss: int
    known: Known | None
    turned: bool
    exposure: int
    eligible: bool
    observed: bool
    segment: str | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one of them said.

    Attributes:
        digest: Of their version.
        confidence: How sure they were.
        exposure: The money at stake; negative: not known.
        wrong: Whether it was wrong, or is not known to be right.
        loss: What would have been lost then.
        goes: Whether nothing is known to send it to a person.
        segment: In which segment it is; None: that is not known.
    """

    digest: str
    confidence: float
    exposure: int
    wrong: bool
    loss: int
    goes: bool
    segment: str | None


@dataclass(frozen=True, slots=True)
class Course:
    """Who was heard in turn.

    Attributes:
        steps: What each of them said.
        unsaid: How sure those were of whom that is not on record.
        ended: Whether the asking ended with the last of them.
        compared: Of those who were asked to compare them alone, the last one's answer; None: nobody was.
        share: With which probability they were to be asked.
        spared: What asking them cost, in USD, which is spared of others.
    """

    steps: tuple[Step, ...] = ()
    unsaid: Mapping[str, float] = field(default_factory=dict[str, float])
    ended: bool = False
    compared: Step | None = None
    share: float = 1.0
    spared: float = 0.0


_NO_ANSWER = Step(digest="", confidence=0.0, exposure=-1, wrong=False, loss=0, goes=False, segment=None)
"""Of who failed a person would have decided."""


def is_of_another_version(place: Place, attempts: Sequence[Attempt]) -> bool:
    """Whether another version of one who answers now was asked: who came after it was asked of other decisions."""
    names = {one.partition("@")[0] for one in place.components.values()}
    return any(
        one.digest and one.digest not in place.components and one.component.partition("@")[0] in names
        for one in attempts
    )


def course_of(place: Place, row: RecordedDecision, attempts: Sequence[Attempt], taken: Judged) -> Course:
    """Who was heard, as far as it is on record."""
    found, unsaid = list[Step](), dict[str, float]()
    told = [one for one in attempts if one.became != COMPARED]
    for one in told:
        if one.became not in HEARD or one.digest not in place.components:
            return Course(tuple(found), unsaid)
        step = _step(place, row, one, taken)
        if step is not None:
            found.append(step)
        else:
            unsaid[one.digest] = max(one.confidence or 0.0, unsaid.get(one.digest, 0.0))
    course = Course(tuple(found), unsaid, ended=True)
    others = attempts[len(told) :]
    if not others:
        return course
    step = _step(place, row, others[-1], taken)
    return replace(
        course,
        compared=_NO_ANSWER if step is None or others[-1].digest not in place.components else step,
        share=float(Fraction(others[-1].propensity)),
        spared=float(sum((one.cost for one in others), Decimal(0))),
    )


def _step(place: Place, row: RecordedDecision, one: Attempt, taken: Judged) -> Step | None:
    """What one of them said; None: that is not on record."""
    terms, alike = place.terms, one.alike or one.digest == row.component_digest.hex()
    by_output = terms.segment.startswith("output.")
    if not alike and (one.alike is None or (by_output and one.output is None)):
        return None
    exposure = taken.exposure if one.exposure is None else _minor(terms, one.exposure)
    stake = terms.wrong.of(exposure) if exposure >= 0 else 0
    wrong = taken.wrong if alike else taken.observed and not _is_right(place, row, one, taken)
    loss = max(taken.loss, stake) if wrong and not alike else taken.loss
    return Step(
        digest=one.digest,
        confidence=one.confidence or 0.0,
        exposure=exposure,
        wrong=wrong,
        loss=loss if wrong else 0,
        goes=taken.eligible if alike else True,
        segment=taken.segment if alike or not by_output else segment_of(terms.segment, {}, one.output or {}),
    )


def _minor(terms: AutonomyTerms, exposure: str) -> int:
    money = Money.parse(exposure) if exposure else None
    return money.minor if money is not None and money.currency == terms.currency else -1


def _is_right(place: Place, row: RecordedDecision, one: Attempt, taken: Judged) -> bool:
    """Whether an answer that says something else than the one that was taken is known to be right."""
    known, fields = taken.known, place.terms.outcome.fields
    if known is None or one.output is None or taken.turned or known.contradictory:
        return False
    if known.by is By.REVIEW and known.is_right and place.terms.outcome.source is Source.EVERY:
        return False
    if known.truth is not None:
        truth: Any = msgspec.json.decode(known.truth)
        return not states_otherwise(truth, one.output, place.record, fields or tuple({*truth, *one.output}))
    said: Any = msgspec.json.decode(row.output) if row.output is not None else None
    if known.is_right or said is None:
        return False
    opposite = says_yes if says_no(said, fields, place.record) else says_no
    return (says_yes(said, fields, place.record) or says_no(said, fields, place.record)) and opposite(
        one.output, fields, place.record
    )


class Numbers(msgspec.Struct, frozen=True):
    """What columns hold numbers for: versions, and segments that are told apart; and floors of versions."""

    version: Mapping[str, int]
    segment: Mapping[str | None, int]
    floors: Mapping[str, float]


def cascade_of(
    place: Place, records: Records, courses: Sequence[Course], numbers: Numbers, always: NDArray[np.bool_]
) -> Cascade | None:
    """The evidence as columns; None where nobody was ever heard after another one.

    Args:
        place: The point.
        records: The decisions, by the answer that was taken.
        courses: Of each decision.
        numbers: Of versions and segments.
        always: Which decisions count as the worst at every threshold.
    """
    depth = max((len(one.steps) for one in courses), default=0)
    followed = {step.digest for one in courses for step in one.steps[:-1]}
    if not followed:
        return None
    said = [[one.steps[at] if at < len(one.steps) else _NO_ANSWER for one in courses] for at in range(depth)]
    return Cascade(
        steps=tuple(_columns(place, records, one, numbers) for one in said),
        goes=tuple(_flags(step.goes for step in one) for one in said),
        unasked=_flags(one.ended and bool(one.steps) and one.steps[-1].digest in followed for one in courses),
        always=always,
        worst=place.terms.wrong.of(place.terms.highest),
    )


def _columns(place: Place, records: Records, said: Sequence[Step], numbers: Numbers) -> Records:
    """What those at one place said, where somebody was heard there and something may be certified of them."""
    wrong = _flags(one.wrong for one in said) & records.observed
    known = _flags(one.confidence > numbers.floors.get(one.digest, -1.0) for one in said)
    segment = np.array([numbers.segment.get(one.segment, -1) for one in said], np.int64)
    return replace(
        records,
        confidence=np.array([one.confidence for one in said], np.float64),
        exposure=np.array([one.exposure for one in said], np.int64),
        stake=np.array([place.terms.wrong.of(one.exposure) if one.exposure >= 0 else 0 for one in said], np.int64),
        wrong=wrong,
        loss=np.where(wrong, np.array([one.loss for one in said], np.int64), 0),
        component=np.array([numbers.version.get(one.digest, 0) for one in said], np.int64),
        segment=np.where(known, segment, -1),
        cascade=None,
    )


def _flags(values: Iterable[bool]) -> NDArray[np.bool_]:
    return np.fromiter(values, np.bool_)
