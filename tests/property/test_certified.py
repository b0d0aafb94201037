"""Of whatever certificate: more at stake never lowers what is needed, more confidence never what goes by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from interlock.autonomy.certificate import Certificate, Certified, Data, Step
from interlock.autonomy.granted import granted_of, read_granted, why_held
from interlock.autonomy.standing import Held, Standing, hold_against, standing_of
from interlock.autonomy.terms import AutonomyTerms, LossBudget, LossTerms, OutcomeTerms
from interlock.decisions.sureness import stricter
from interlock.money import Money

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAP = 100_000
SHARES = st.fractions(min_value=0, max_value=2, max_denominator=50)
CONFIDENCES = st.floats(min_value=0, max_value=1)
EXPOSURES = st.integers(min_value=-10, max_value=2 * CAP)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    confidences = sorted(draw(st.sets(CONFIDENCES, max_size=6)))
    wrong = sorted(
        draw(st.lists(st.floats(min_value=1e-9, max_value=1), min_size=len(confidences), max_size=len(confidences))),
        reverse=True,
    )
    steps = tuple(Step(confidence=at, wrong=how) for at, how in zip(confidences, wrong, strict=True))
    terms = AutonomyTerms(
        review_cost=Money("3.00", "EUR"),
        budget=LossBudget(written=Money("0.40", "EUR")),
        cap=Money.of_minor(CAP, "EUR"),
        wrong=LossTerms(
            share=draw(SHARES),
            plus=draw(st.integers(min_value=0, max_value=1000)),
            at_most=draw(st.none() | st.integers(min_value=1, max_value=CAP)),
        ),
        outcome=OutcomeTerms(after=timedelta(days=30)),
    )
    threshold = draw(st.fractions(min_value=0, max_value=2 * CAP, max_denominator=97))
    of_model = Certified(
        component="onnx:m@1", digest="ab", segment="", method="isotonic", steps=steps, decisions=1, wrong=0
    )
    data = Data(since=NOW, until=NOW, decisions=1, fitted=0, outcomes=1, missing=0, drawn=0, digest="")
    cap = draw(st.integers(min_value=0, max_value=2 * CAP))
    certificate = Certificate(
        tenant=UUID(int=1), workflow="flow", point="point", goal="loss", terms={}, terms_digest=terms.digest.hex(),
        currency="EUR", threshold=str(threshold), cap=cap, budget="40", risk="1/20", components=(of_model,), data=data,
        grid=(), automation=0, loss=0, method="", assumptions=(), issued_at=NOW, issued_by="", valid_until=NOW,
    )  # fmt: skip
    return standing_of(UUID(int=2), 1, certificate, terms, str(draw(SHARES) * threshold))


def held(standing: Standing, exposure: int, confidence: float = 0.5, currency: str = "EUR") -> Held:
    at_stake = Money.of_minor(exposure, currency)
    return hold_against(
        standing, component="onnx:m@1", digest="ab", segment="", exposure=at_stake, confidence=confidence
    )


@given(standings(), EXPOSURES, EXPOSURES)
def test_more_at_stake_never_lowers_what_is_needed(standing: Standing, one: int, other: int) -> None:
    less, more = sorted((max(one, 0), max(other, 0)))
    needed = held(standing, more).needed
    assert stricter(held(standing, less).needed, needed) == needed


@given(standings(), EXPOSURES, CONFIDENCES, CONFIDENCES)
def test_what_goes_by_itself_is_within_the_threshold_and_more_confidence_keeps_it(
    standing: Standing, exposure: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    needed = held(standing, exposure).needed
    if needed is None or low < needed:
        return
    certified = standing.certificate.components[0]
    for confidence in (low, high):
        wrong = certified.wrong_at(confidence)
        assert wrong is not None
        assert Fraction(wrong) * standing.terms.wrong.of(exposure) <= standing.threshold
    assert 0 <= exposure <= standing.cap <= CAP
    assert standing.threshold <= Fraction(standing.certificate.threshold)


@given(standings(), EXPOSURES, CONFIDENCES, st.sampled_from(["USD", "MYR", "JPY", "KWD", "CHF"]))
def test_in_another_currency_nothing_is_certified_however_little_is_at_stake(
    standing: Standing, exposure: int, confidence: float, currency: str
) -> None:
    assert held(standing, exposure, confidence, currency).needed is None


@given(standings(), EXPOSURES, st.fractions(min_value=0, max_value=1, max_denominator=20))
def test_a_narrower_threshold_never_lets_more_go(standing: Standing, exposure: int, part: Fraction) -> None:
    threshold = str(standing.threshold * part)
    narrowed = standing_of(standing.id, 2, standing.certificate, standing.terms, threshold)
    needed = held(narrowed, exposure).needed
    assert stricter(held(standing, exposure).needed, needed) == needed


@given(standings(), standings(), EXPOSURES, CONFIDENCES)
def test_an_action_goes_on_under_another_certificate_exactly_if_its_answer_would_go_by_itself_under_that(
    own: Standing, other: Standing, exposure: int, confidence: float
) -> None:
    recorded = held(own, exposure, confidence).recorded
    if recorded.wrong is None:
        return
    kept = granted_of(
        msgspec.json.encode({"autonomy": recorded}), digest=b"\xab", exposure=Money.of_minor(exposure, "EUR"),
        confidence=confidence,
    )  # fmt: skip
    assert kept is not None
    granted = read_granted(kept)
    now = msgspec.structs.replace(other, terms=own.terms)  # what is lost is as it was
    why = why_held(granted, UUID(int=3), str(now.threshold), now.certificate)
    anew = held(now, exposure, confidence)
    assert anew.code or why is None
    wrong = now.certificate.components[0].wrong_at(confidence)
    if why is None:
        assert wrong is not None
        assert Fraction(wrong) * own.terms.wrong.of(exposure) <= now.threshold
        assert exposure <= now.certificate.cap
    foreign = msgspec.structs.replace(now.certificate, currency="USD")
    assert why_held(granted, UUID(int=3), str(now.threshold), foreign)
    assert why_held(granted, UUID(int=3), str(now.threshold), "its content cannot be read")
    later = msgspec.structs.replace(granted, in_turn=True)
    assert "others were asked before" in (why_held(later, UUID(int=3), str(now.threshold), now.certificate) or "")
    loss = Fraction(granted.wrong) * granted.loss
    assert why_held(later, later.certificate, str(loss), None) is None
    assert why_held(granted, granted.certificate, str(loss), None) is None
    assert why_held(granted, granted.certificate, str(loss - Fraction(1, 10**9)), None)
