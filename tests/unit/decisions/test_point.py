from __future__ import annotations

from fractions import Fraction

import pytest

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


def choice(**shares: Fraction) -> ComponentChoice:
    return ComponentChoice(
        tuple(Share(ComponentRef.parse(f"onnx:{name}@1"), share) for name, share in shares.items()),
    )


def point(*bands: Band, sure_from: float = 1.0) -> DecisionPoint:
    queue = QueueTerms(name="q")
    return DecisionPoint(name="p", steps=(), output="o@1", queue=queue, bands=bands, sure_from=sure_from)


def test_a_single_component_is_certain() -> None:
    assert choose(choice(a=Fraction(1)), b"any") == (ComponentRef.parse("onnx:a@1"), Fraction(1))


def test_the_choice_is_the_same_on_every_machine_and_in_every_version() -> None:
    shares = choice(a=Fraction(1, 3), b=Fraction(1, 3), c=Fraction(1, 3))
    chosen = "".join(choose(shares, str(number).encode())[0].name for number in range(24))
    assert chosen == "ccaabccababcabccbabcaccb"


def test_the_order_of_the_file_plays_no_part() -> None:
    forth = choice(a=Fraction(9, 10), b=Fraction(1, 10))
    back = choice(b=Fraction(1, 10), a=Fraction(9, 10))
    for number in range(500):
        assert choose(forth, str(number).encode()) == choose(back, str(number).encode())


def test_each_component_answers_its_share() -> None:
    shares = {"a": Fraction(9, 10), "b": Fraction(7, 100), "c": Fraction(3, 100)}
    keys = 10_000
    counted = dict.fromkeys(shares, 0)
    for number in range(keys):
        component, propensity = choose(choice(**shares), f"case-{number}".encode())
        counted[component.name] += 1
        assert propensity == shares[component.name]
    for name, share in shares.items():
        # Four standard deviations of a binomial count.
        spread = 4 * (keys * float(share) * (1 - float(share))) ** 0.5
        assert abs(counted[name] - keys * float(share)) < spread


BANDS = (Band(Money("50", "MYR"), 0.85), Band(Money("100", "MYR"), 0.95))


@pytest.mark.parametrize(
    ("exposure", "needed"),
    [
        (Money("0", "MYR"), 0.85),
        (Money("49.99", "MYR"), 0.85),
        (Money("50.00", "MYR"), 0.95),
        (Money("99.99", "MYR"), 0.95),
        (Money("100.00", "MYR"), None),
        (Money("-0.01", "MYR"), None),
        (Money("1", "USD"), None),
        (None, None),
    ],
)
def test_how_sure_an_answer_must_be_by_what_is_at_stake(exposure: Money | None, needed: float | None) -> None:
    assert needed_confidence(point(*BANDS), exposure) == needed


def test_without_bands_one_confidence_holds_for_everything() -> None:
    assert needed_confidence(point(), None) == 1.0
    assert needed_confidence(point(sure_from=0.9), Money("1000000", "MYR")) == 0.9


def test_nothing_suffices_with_less_than_nothing_at_stake() -> None:
    for one in (point(), point(sure_from=0.0), point(*BANDS)):
        assert needed_confidence(one, Money("-0.01", "MYR")) is None
    assert needed_confidence(point(sure_from=0.9), Money("-0.00", "MYR")) == 0.9
