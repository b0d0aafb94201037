"""Never looser with more at stake, whatever a point and its steps say; and stages that end in their order."""

from __future__ import annotations

import math
from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from interlock.components.component import ComponentRef
from interlock.decisions.budget import Budget
from interlock.decisions.point import Band, ComponentChoice, DecisionPoint, QueueTerms, Share, needed_confidence
from interlock.decisions.sureness import Sureness
from interlock.money import Money

confidences = st.floats(0, 1)


@st.composite
def surenesses(draw: st.DrawFn) -> Sureness:
    ends = sorted(draw(st.sets(st.integers(1, 10_000), max_size=5)))
    sure = sorted(draw(st.lists(confidences, min_size=len(ends), max_size=len(ends))))
    bands = tuple(Band(Money.of_minor(end, "MYR"), one) for end, one in zip(ends, sure, strict=True))
    return Sureness(draw(confidences), bands)


@given(surenesses(), st.one_of(st.none(), surenesses()), st.integers(-5, 20_000), st.integers(0, 20_000), st.data())
def test_a_step_never_needs_less_with_more_at_stake_nor_less_than_its_point(
    of_point: Sureness, of_step: Sureness | None, less: int, more: int, data: st.DataObject
) -> None:
    says_sure = data.draw(st.booleans())
    step = ComponentChoice((Share(ComponentRef.parse("onnx:a@1"), Fraction(1)),), of_step)
    point = DecisionPoint(
        name="p", steps=(step,), output="o@1", queue=QueueTerms(name="q"), bands=of_point.bands,
        sure_from=of_point.sure_from, says_sure=says_sure,
    )  # fmt: skip

    def needed(minor: int | None, of: ComponentChoice | None = step) -> float:
        exposure = Money.of_minor(minor, "MYR") if minor is not None else None
        found = needed_confidence(point, exposure, of)
        return math.inf if found is None else found

    if less >= 0:
        assert needed(less) <= needed(less + more) <= needed(None)
    else:
        assert needed(less) == needed(None)
    if says_sure:
        assert needed(less) >= needed(less, None)
    if of_step is not None:
        own = of_step.needed(Money.of_minor(less, "MYR"))
        assert needed(less) >= (math.inf if own is None else own)


milliseconds = st.integers(1, 5_000).map(lambda ms: timedelta(milliseconds=ms))


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    parts = [draw(st.one_of(st.none(), milliseconds)) for _ in range(4)]
    slack = draw(milliseconds)
    time = sum((part for part in parts if part is not None), slack)
    return Budget(time=time, retrieval=parts[0], inference=parts[1], rules=parts[2], commit=parts[3])


@given(budgets(), st.floats(0, 1e6), st.one_of(st.none(), st.floats(-10, 30)), st.floats(0, 1))
def test_stages_end_in_their_order_and_none_takes_what_a_later_one_needs(
    budget: Budget, begun: float, patience: float | None, passed: float
) -> None:
    until = None if patience is None else begun + patience
    found = budget.parts.deadlines(begun, until)
    assert begun <= found.retrieval <= found.inference <= found.rules <= found.end
    assert found.end <= begun + budget.time.total_seconds() + 1e-6
    if until is not None:
        assert found.end <= max(until, begun) + 1e-6
    part = (found.end - begun) / budget.time.total_seconds()
    slack = 1e-6 * max(begun, 1)
    assert math.isclose(found.end - found.rules, budget.parts.commit * part, abs_tol=slack)
    assert math.isclose(found.rules - found.inference, budget.parts.rules * part, abs_tol=slack)
    assert found.inference - found.retrieval >= budget.parts.inference * part - slack
    now = begun + passed * (found.end - begun)
    assert found.inference_from(now) <= found.inference
    if budget.inference is not None:
        assert found.inference_from(now) <= now + budget.inference.total_seconds() * part + slack


@given(budgets())
def test_the_parts_fit_into_the_time(budget: Budget) -> None:
    _, *stages, _, _ = budget.parts
    assert sum(stages) <= budget.parts.time + 1e-9
    assert all(stage > 0 for stage in stages)
