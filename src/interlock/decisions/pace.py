"""How quick a component is, learned from its answers: a quick one is asked on the spot, a slow one in a thread.

A change of threads and back costs more than many models do. But nothing can cut what computes on the event loop, and
everybody waits for it. So a component is asked there only if it declares that its time is bounded by what its contract
lets in, and if it has earned its place by a row of quick answers; one slow answer sends it back to the threads.
"""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from interlock.components.component import Answer, Component, Question
from interlock.errors import ComponentLate

QUICK_S = 0.0005
"""What an answer may take of a processor."""
STALLS_S = 0.02
"""What it may take in all: a component that waits for something else holds up every other request."""
ROW = 20
"""So many quick answers in a row make a component quick."""


class Pace:
    """The pace of one component.

    Args:
        bounded: Whether the component declares its time bounded. INVARIANT: without that it is never quick, however
            quick it was: the next answer may take for ever.
    """

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded
        self._row = 0

    @property
    def is_quick(self) -> bool:
        """Whether it may be asked on the event loop."""
        return self._bounded and self._row >= ROW

    def answer(self, component: Component, question: Question, left_s: float) -> Answer:
        """Ask on the event loop, and note how long it took: a component that stalls it goes back to the threads.

        Raises:
            ComponentFailed: as the component.
            ComponentLate: the answer came after the time that was left.
        """
        started = time.perf_counter()
        try:
            answer = component.answer(question)
        finally:
            took = time.perf_counter() - started
            if took > STALLS_S:
                self._row = 0
        return _in_time(answer, took, left_s)

    def answer_in_thread(self, component: Component, question: Question, left_s: float) -> Answer:
        """Ask in a thread, and note how much of a processor it took: the rest is waiting for the interpreter's lock.

        Raises:
            ComponentFailed: as the component.
            ComponentLate: the answer came after the time that was left.
        """
        started, began = time.perf_counter(), time.thread_time()
        try:
            answer = component.answer(question)
        finally:
            took = time.perf_counter() - started
            is_quick = time.thread_time() - began < QUICK_S and took < STALLS_S
            self._row = self._row + 1 if is_quick else 0
        return _in_time(answer, took, left_s)


def _in_time(answer: Answer, took: float, left_s: float) -> Answer:
    if took > left_s:
        raise ComponentLate(f"it took {took * 1000:.0f} ms of {left_s * 1000:.0f}")
    return answer


_paces: WeakKeyDictionary[Component, Pace] = WeakKeyDictionary()


def pace_of(component: Component) -> Pace:
    """The pace of a component in this process."""
    pace = _paces.get(component)
    if pace is None:
        pace = _paces[component] = Pace(bounded=getattr(component, "bounded", False) is True)
    return pace
