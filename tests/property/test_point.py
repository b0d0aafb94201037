from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from interlock.components.component import ComponentRef
from interlock.decisions.point import (
    Band,
    ComponentChoice,
    DecisionPoint,
    QueueTerms,
    Share,
    choose,
    needed_confidence,
)
from interlock.money import Money

weights = st.lists(st.integers(1, 1_000), min_size=2, max_size=5)
keys = st.lists(st.binary(max_size=40), min_size=1, max_size=20)


def split(parts: list[Fraction]) -> ComponentChoice:
    return ComponentChoice(
        tuple(Share(ComponentRef.parse(f"rules:c{n}@1"), part) for n, part in enumerate(parts)),
    )


@given(weights, keys)
def test_the_same_key_gets_the_same_answer_with_its_propensity(parts: list[int], asked: list[bytes]) -> None:
    shares = [Fraction(part, sum(parts)) for part in parts]
    for key in asked:
        component, propensity = choose(split(shares), key)
        assert choose(split(list(shares)), key) == (component, propensity)
        assert propensity == shares[int(component.name[1:])]


@given(weights, keys, st.data())
def test_a_grown_share_draws_keys_and_moves_no_other(parts: list[int], asked: list[bytes], data: st.DataObject) -> None:
    grown = data.draw(st.integers(0, len(parts) - 1))
    more = data.draw(st.integers(1, 2_000))
    before = [Fraction(part, sum(parts)) for part in parts]
    after = [Fraction(part + more * (n == grown), sum(parts) + more) for n, part in enumerate(parts)]
    for key in asked:
        then, now = choose(split(before), key)[0].name, choose(split(after), key)[0].name
        assert now in (then, f"c{grown}")


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=6, unique=True),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.integers(-5, 20_000),
    st.integers(0, 20_000),
)
def test_with_more_at_stake_no_less_is_asked(ends: list[int], sure: list[float], less: int, more: int) -> None:
    bands = tuple(
        Band(Money.of_minor(end, "MYR"), confidence)
        for end, confidence in zip(sorted(ends), sorted(sure), strict=False)
    )
    point = DecisionPoint(name="p", steps=(), output="o@1", queue=QueueTerms(name="q"), bands=bands)

    def asked(minor: int) -> float:
        needed = needed_confidence(point, Money.of_minor(minor, "MYR"))
        return 2.0 if needed is None else needed

    if less >= 0:
        assert asked(less) <= asked(less + more)
    else:
        assert asked(less) == 2.0
