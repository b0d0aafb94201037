"""The threads in which one component computes: a few of its own, and no more of them lost than it has.

Nothing can end a thread in the middle of a computation. A call whose time is up is therefore given up: its caller goes
on, and the thread comes back when it does. A component that hangs holds its own threads alone, never those of others,
and when all of them are held it is refused at once, so that no caller spends its time on waiting for nothing.

The threads are daemons: a computation that never ends does not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from interlock.components.taken import words_of
from interlock.errors import ComponentFailed

T = TypeVar("T")

MOST_THREADS = min((os.cpu_count() or 1) + 2, 8)
"""Of one component: enough for every processor, and two for calls that wait for something."""


class Computed(NamedTuple, Generic[T]):
    """A result, and what it took.

    Attributes:
        result: The result.
        cpu_us: Microseconds of processor time of the thread that computed it.
    """

    result: T
    cpu_us: int


@dataclass(slots=True, eq=False)
class _Call:
    """One call on its way.

    Attributes:
        dropped: Nobody waits for it any more.
        returned: Its thread is done with it; this may be known before a cancelled caller has run on.
    """

    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Computed[Any]]
    back: Callable[[_Call, Computed[Any] | BaseException], None]
    dropped: bool = False
    returned: bool = False


_Calls = SimpleQueue["_Call | None"]


class Threads:
    """The threads of one component. Used from one event loop.

    Args:
        name: Of the component, for the threads' names and for errors.
        most: How many threads, and how many calls that nobody waits for are out at most before it is refused.
    """

    def __init__(self, name: str, most: int = MOST_THREADS) -> None:
        self._name = name
        self._most = most
        self._calls: _Calls = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._out = 0
        self._lost = 0
        weakref.finalize(self, _end, self._calls, self._threads)

    @property
    def lost(self) -> int:
        """How many calls that nobody waits for any more have not come back."""
        return self._lost

    async def run(self, work: Callable[[], T]) -> Computed[T]:
        """Compute something in one of the threads.

        To cancel this gives the call up: at once if it has not begun, and else its thread is lost until it is done.

        Raises:
            ComponentFailed: as many calls as there are threads were given up and have not come back; or ``work`` raised
                what would end a process.
            Exception: whatever ``work`` raised.
        """
        if self._lost >= self._most:
            raise ComponentFailed(
                f"still busy: {self._lost} earlier calls have not come back",
                todo=f"see why {self._name} does not answer; it is asked again when one comes back",
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Computed[T]] = loop.create_future()
        call = _Call(work, loop, future, self._back)
        if self._out >= len(self._threads) < self._most:
            self._begin()
        self._out += 1
        self._calls.put(call)
        try:
            return await future
        except asyncio.CancelledError:
            if not call.returned:
                call.dropped = True
                self._lost += 1
            raise

    def _begin(self) -> None:
        name = f"{self._name}#{len(self._threads) + 1}"
        thread = threading.Thread(target=_compute, args=(self._calls,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _back(self, call: _Call, outcome: Computed[Any] | BaseException) -> None:
        """A call has come back: runs in the event loop, so that no count needs a lock."""
        self._out -= 1
        call.returned = True
        if call.dropped:
            self._lost -= 1
        elif call.future.done():  # cancelled in this very turn of the loop
            return
        elif isinstance(outcome, BaseException):
            call.future.set_exception(outcome)
        else:
            call.future.set_result(outcome)


def _compute(calls: _Calls) -> None:
    """What each thread does; it knows nothing of its owner, so that an owner that is dropped can be collected."""
    while (call := calls.get()) is not None:
        outcome: Computed[Any] | BaseException = _NOTHING
        if not call.dropped:
            began = time.thread_time_ns()
            try:
                outcome = Computed(call.work(), (time.thread_time_ns() - began) // 1000)
            except Exception as cause:  # noqa: BLE001 - the caller gets whatever it is
                outcome = cause if not isinstance(cause, StopIteration) else ComponentFailed("it raised StopIteration")
            except BaseException as cause:  # noqa: BLE001 - a component that calls sys.exit ends no server
                outcome = ComponentFailed(f"it raised {words_of(cause)}")
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
            call.loop.call_soon_threadsafe(call.back, call, outcome)
        del call, outcome  # a thread that waits keeps nothing of the last call alive


_NOTHING: Computed[None] = Computed(None, 0)


def _end(calls: _Calls, threads: list[threading.Thread]) -> None:
    for _ in threads:
        calls.put(None)
