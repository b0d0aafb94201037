"""The audit sample's lots: bounded weights, nothing lost, the same everywhere, and frequencies as declared."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.autonomy.audit.draw import chosen_of
from interlock.autonomy.audit.points import AuditedPoint
from interlock.autonomy.audit.store import WentByItself
from interlock.autonomy.sampling import Weighed, is_drawn, loss_at_stake, nearness, propensity, written
from interlock.autonomy.terms import AuditTerms, AutonomyTerms, LossBudget, LossTerms, OutcomeTerms, Source
from interlock.durations import parse_duration
from interlock.money import Money

KEY = bytes(range(32))
shares = st.fractions(Fraction(1, 10_000), Fraction(1))


def terms_of(
    cap: int, share: Fraction, surely: int | None, plus: int = 0, wrong: Fraction = Fraction(1)
) -> AutonomyTerms:
    return AutonomyTerms(
        review_cost=Money.of_minor(320, "MYR"),
        budget=LossBudget(written=Money.of_minor(40, "MYR")),
        cap=Money.of_minor(cap, "MYR"),
        wrong=LossTerms(share=wrong, plus=plus),
        outcome=OutcomeTerms(after=parse_duration("30d"), source=Source.AUDIT),
        audit=AuditTerms(share=share, surely_from=surely),
    )


def point_of(terms: AutonomyTerms) -> AuditedPoint:
    assert terms.audit
    return AuditedPoint(
        workflow="w", name="p", terms=terms, audit=terms.audit, queue="q", capacity=9, due=parse_duration("1h"),
        team=None, output="o@1",
    )  # fmt: skip


@given(
    cap=st.integers(1, 10**9),
    share=shares,
    surely=st.none() | st.integers(0, 10**10),
    plus=st.integers(0, 10**6),
    wrong=st.fractions(Fraction(0), Fraction(3), max_denominator=1000),
    exposure=st.none() | st.integers(-(10**9), 10**10),
    near=st.fractions(Fraction(0), Fraction(1)),
)
def test_no_weighted_loss_is_above_the_worst_of_the_terms(
    cap: int, share: Fraction, surely: int | None, plus: int, wrong: Fraction, exposure: int | None, near: Fraction
) -> None:
    terms = terms_of(cap, share, surely, plus, wrong)
    assert terms.audit
    loss = loss_at_stake(terms, None if exposure is None else Money.of_minor(exposure, "MYR"))
    had = propensity(terms, terms.audit, loss, near)
    assert loss / had <= terms.worst
    assert share <= had <= 1
    assert Fraction(written(had)) == had  # a row holds it exactly
    assert had >= propensity(terms, terms.audit, loss)  # the nearer to a person, the more surely
    assert propensity(terms, terms.audit, loss + 1, near) >= had  # and the more is at stake


@given(expected=st.integers(0, 10**9), threshold=st.fractions(Fraction(0), Fraction(10**9)))
def test_nearness_is_a_share_and_unknown_is_none(expected: int, threshold: Fraction) -> None:
    money = str(Money.of_minor(expected, "MYR"))
    assert 0 <= nearness(Weighed(money, str(threshold))) <= 1
    for unknown in (None, Weighed(), Weighed(money, None), Weighed(money, "much"), Weighed("3", "1"), Weighed("", "0")):
        assert nearness(unknown) == 0
    assert nearness(Weighed("1.00 MYR", "200")) == Fraction(1, 2)
    assert nearness(Weighed("9.00 MYR", "200")) == 1


def test_frequencies_are_the_propensities_and_lots_of_two_keys_are_independent() -> None:
    ids = [UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + number) for number in range(20_000)]
    other = bytes(32)
    for share in (Fraction(2, 100), Fraction(1, 3), Fraction(9, 10)):
        p, n = float(share), len(ids)
        mine = [is_drawn(KEY, one, share) for one in ids]
        theirs = [is_drawn(other, one, share) for one in ids]
        for hits, chance in (
            (sum(mine), p),
            (sum(theirs), p),
            (sum(a and b for a, b in zip(mine, theirs, strict=True)), p * p),
            (sum(a and b for a, b in itertools.pairwise(mine)), p * p),  # nor does one foretell the next
        ):
            assert abs(hits - n * chance) < 5 * math.sqrt(n * chance * (1 - chance))
    assert all(is_drawn(KEY, one, Fraction(1)) for one in ids)
    assert {one for one in ids if is_drawn(KEY, one, Fraction(1, 50))} <= {
        one for one in ids if is_drawn(KEY, one, Fraction(1, 20))
    }  # who looks again with a greater share draws the same, and more


def test_a_page_is_drawn_alike_by_everybody_and_what_is_drawn_is_not_drawn_again() -> None:
    terms = terms_of(100_000, Fraction(1, 10), 50_000)
    page = [
        WentByItself(
            id=UUID(int=number), exposure_minor=exposure, currency="MYR", drawn=False,
            evidence=b'{"autonomy":{"expected_loss":"1.00 MYR","threshold":"100"},"fired":[]}' if number % 2 else b"{}",
        )
        for number, exposure in enumerate([10_000] * 500 + [50_000] * 3)
    ]  # fmt: skip
    drawn = chosen_of(point_of(terms), KEY, page)
    assert drawn == chosen_of(point_of(terms), KEY, page)
    had = dict(drawn)
    assert {had[UUID(int=number)] for number in (500, 501, 502)} == {Fraction(1)}  # surely from 500.00 on
    assert {share for one, share in drawn if one.int < 500} == {Fraction(1, 5), Fraction(2, 5)}  # in proportion; near
    assert 90 < len(drawn) < 220
    again = [WentByItself(id=one.id, exposure_minor=1, currency="MYR", drawn=True, evidence=b"{}") for one in page]
    assert chosen_of(point_of(terms), KEY, again) == []
