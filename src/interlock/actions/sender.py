"""The kernel timer that ends a process which might send too late.

Between the commit that says "this is being sent" and the sending lies an instruction at which a process can be stopped
for any time: by SIGSTOP, by a page that is read slowly, by a machine that sleeps. When it wakes it sends, however long
ago it looked at a clock. No check in the process can prevent that; the kernel can: a timer on the clock that also runs
while the machine sleeps kills the process, stopped or not, before it executes another instruction.

So a request's sender arms it before the dispatch is committed and lets go when the connector has answered. From
``send_deadline + GRACE`` on, no request of a process that has not let go can begin.

Source: timer_create(2); CLOCK_BOOTTIME in clock_gettime(2).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import threading
import time
from datetime import timedelta

GRACE = timedelta(seconds=20)
"""How long after a request's deadline its process may still be held up, by one C call or a starved machine, before it
is killed. A healthy process lets go at the deadline."""
COMMIT_PATIENCE = GRACE * 3 / 4
"""The most that the commit before the request may take: a process that only waits for its database is not killed."""

_SIGKILL = 9
_SIGEV_SIGNAL = 0
_ABSOLUTE = 1
_NANOSECONDS = 1_000_000_000


class _SigEvent(ctypes.Structure):
    """``struct sigevent`` of Linux: 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("padding", ctypes.c_int * 12),
    )


class _Times(ctypes.Structure):
    """``struct itimerspec``: an interval, which stays zero, and the moment."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class SenderTimer:
    """One timer of this process, set to the earliest moment by which any request under way must have been let go.

    After a fork the child has no timer (timer_create(2)); it makes its own at its first use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._timer: ctypes.c_void_p | None = None
        self._library: ctypes.CDLL | None = None
        self._armed: dict[int, int] = {}
        self._next = 0
        self._set_to = 0

    @property
    def works(self) -> bool:
        """Whether this platform has such a timer. Without it nobody can prove that a sender is dead."""
        with self._lock:
            return self._ready()

    @property
    def under_way(self) -> int:
        """How many requests this process has not let go of."""
        return len(self._armed)

    def arm(self, span: timedelta) -> int:
        """Kill this process unless it lets go within this span and ``GRACE``; what to let go with.

        Does nothing where the platform has no such timer.
        """
        until = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if self.works else 0
        until += int((span + GRACE) / timedelta(microseconds=1)) * 1000
        with self._lock:
            self._next += 1
            self._armed[self._next] = until
            if not self._set_to or until < self._set_to:
                self._set()
            return self._next

    def let_go(self, token: int) -> None:
        """The request is over: nothing of it is sent any more."""
        with self._lock:
            until = self._armed.pop(token, None)
            if until is not None and until <= self._set_to:
                self._set()

    def _set(self) -> None:
        self._set_to = min(self._armed.values(), default=0)
        if not self._ready() or self._library is None:
            return
        times = _Times(0, 0, self._set_to // _NANOSECONDS, self._set_to % _NANOSECONDS)
        if self._library.timer_settime(self._timer, _ABSOLUTE, ctypes.byref(times), None):
            raise OSError(ctypes.get_errno(), "timer_settime failed")

    def _ready(self) -> bool:
        if self._pid == os.getpid():
            return self._timer is not None
        self._pid, self._timer, self._set_to = os.getpid(), None, 0
        self._armed = {}
        if not sys.platform.startswith("linux"):
            return False
        library = _library_with_timers()
        if library is None:
            return False
        event = _SigEvent(None, _SIGKILL, _SIGEV_SIGNAL)
        timer = ctypes.c_void_p()
        if library.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(timer)):
            return False
        self._library, self._timer = library, timer
        return True


def _library_with_timers() -> ctypes.CDLL | None:
    """The C library, or the one beside it that had the timers before glibc 2.34."""
    for name in (None, ctypes.util.find_library("rt")):
        library = ctypes.CDLL(name, use_errno=True)
        if hasattr(library, "timer_create"):
            return library
    return None


sender_timer = SenderTimer()
"""The process's own."""
