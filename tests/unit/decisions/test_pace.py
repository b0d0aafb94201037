"""Who may compute on the event loop: only what declares that its time is bounded, and was quick."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.components.component import Answer, ComponentRef, Kind, Question
from interlock.decisions.features.function import Function
from interlock.decisions.pace import ROW, pace_of
from interlock.errors import ComponentLate

NOW = datetime(2026, 11, 1, tzinfo=UTC)
QUESTION = Question(input={}, now=NOW)


class Model:
    """A component that answers at once."""

    ref = ComponentRef(Kind.ONNX, "m", "1")
    digest = hashlib.sha256(b"m").digest()

    def answer(self, question: Question) -> Answer:
        """Say nothing."""
        del question
        return Answer(output={}, confidence=1.0)


class BoundedModel(Model):
    """The same, which says that its time is bounded."""

    bounded = True


@pytest.mark.parametrize(("model", "quick"), [(Model, False), (BoundedModel, True)])
def test_a_model_earns_its_place_on_the_event_loop_only_if_it_declares_that_it_is_bounded(
    model: Callable[[], Model], *, quick: bool
) -> None:
    component = model()
    pace = pace_of(component)
    for _ in range(5 * ROW):  # a busy machine may make one of them slow
        assert not pace.is_quick or quick
        pace.answer_in_thread(component, QUESTION, 10)
        if pace.is_quick:
            break
    assert pace.is_quick is quick


class Feature:
    """A feature's function: it notes its threads, and from a call on it takes its time."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.calls = 0
        self.slow_s = 0.0

    def __call__(self, value: Mapping[str, Any], now: datetime) -> str:
        """The value."""
        del value, now
        self.calls += 1
        self.threads.add(threading.get_ident())
        time.sleep(self.slow_s)
        return "A"


async def warm(*, bounded: bool) -> tuple[Feature, Function]:
    feature = Feature()
    function = Function("m:feature", feature, "d")
    for _ in range(5 * ROW):
        await function.compute({}, NOW, time.monotonic() + 10, bounded=bounded)
    return feature, function


async def test_a_quick_function_stays_in_its_threads_unless_the_file_declares_it_bounded() -> None:
    here = threading.get_ident()
    feature, _ = await warm(bounded=False)
    assert here not in feature.threads
    feature, _ = await warm(bounded=True)
    assert here in feature.threads


@pytest.mark.parametrize("bounded", [True, False])
async def test_what_a_function_says_too_late_is_not_used_however_quick_it_was(*, bounded: bool) -> None:
    feature, function = await warm(bounded=bounded)
    feature.slow_s = 0.3
    with pytest.raises(ComponentLate):
        await function.compute({}, NOW, time.monotonic() + 0.05, bounded=bounded)


async def test_while_a_function_hangs_that_was_quick_everybody_else_goes_on() -> None:
    feature, function = await warm(bounded=False)
    feature.slow_s = 0.5
    began = time.monotonic()
    hangs = asyncio.create_task(function.compute({}, NOW, time.monotonic() + 0.1))
    await asyncio.sleep(0.01)
    assert time.monotonic() - began < 0.3
    with pytest.raises(ComponentLate):
        await hangs
    assert time.monotonic() - began < 0.4
