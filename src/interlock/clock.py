"""Time and ids. Time is UTC; ids are UUIDv7; both come from a clock that is corrected by the database's."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from interlock.errors import ClockSkewed

LARGEST_SKEW = timedelta(minutes=5)
_DRAW_BYTES = 8
_DRAW_AHEAD = 64
_COUNTER_BITS = 12
# Time is counted in whole numbers: in floating point a millisecond can come out as the one before.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


class Clock:
    """This machine's clock, moved by the offset that the database's showed.

    One per process. The machine's wall clock is looked at once; from then on the kernel's clock counts, which nobody
    can set. So a wall clock that jumps moves nothing here: by a jump forward requests would pass for dead that still
    live, and after it time would stand still for as long as it had jumped. ``now`` and ``new_id`` never go back within
    a process, whatever clocks do.
    """

    def __init__(self) -> None:
        self._drawn = b""
        self._began_ns = time.time_ns() - _ticks()
        self._offset_ns = 0
        self._last_ns = 0
        self._last_tick = 0
        self._lock = threading.Lock()

    def correct(self, database: datetime) -> None:
        """Take the database's time as the true one.

        Raises:
            ClockSkewed: this machine's clock is more than five minutes off, so its ids would sort into the wrong
                partition and its deadlines would lie.
        """
        local_ns = self._local_ns()
        offset_ns = (database - _EPOCH) // _MICROSECOND * 1000 - local_ns
        if abs(offset_ns) > LARGEST_SKEW // _MICROSECOND * 1000:
            local = _moment(local_ns)
            raise ClockSkewed(
                f"this machine's clock says {local:%Y-%m-%d %H:%M:%S} UTC, the database's {database:%Y-%m-%d %H:%M:%S}",
                todo="set this machine's clock (it may be at most five minutes off) and start again",
            )
        self._offset_ns = offset_ns

    def now(self) -> datetime:
        """The time in UTC, as the database would say."""
        with self._lock:
            self._last_ns = max(self._local_ns() + self._offset_ns, self._last_ns)
            return _moment(self._last_ns)

    def new_id(self) -> UUID:
        """A UUIDv7 (RFC 9562, section 5.7) that sorts after every earlier one of this process.

        The 12 bits of ``rand_a`` hold the part of the millisecond and count on when two ids fall into the same part
        (section 6.2, methods 1 and 3); the other 62 bits are random.
        """
        with self._lock:
            tick = ((self._local_ns() + self._offset_ns) << _COUNTER_BITS) // 1_000_000
            self._last_tick = tick = max(tick, self._last_tick + 1)
            random = self._draw()
        return _id_of(tick, random)

    def next_id(self) -> UUID:
        """The id right after the last one, for what is made in one go: no look at the clock, which costs more than it.

        A part of a millisecond is 244 ns, and a flush makes a few ids in some microseconds: they stay behind the clock.
        """
        with self._lock:
            self._last_tick = tick = self._last_tick + 1
            random = self._draw()
        return _id_of(tick, random)

    def _draw(self) -> int:
        """62 random bits; the system is asked for those of many ids at once: a call of it costs more than an id."""
        if len(self._drawn) < _DRAW_BYTES:
            self._drawn = secrets.token_bytes(_DRAW_BYTES * _DRAW_AHEAD)
        drawn, self._drawn = self._drawn[:_DRAW_BYTES], self._drawn[_DRAW_BYTES:]
        return int.from_bytes(drawn, "big") >> 2

    def _local_ns(self) -> int:
        return self._began_ns + _ticks()


def _id_of(tick: int, random: int) -> UUID:
    milliseconds, fraction = tick >> _COUNTER_BITS, tick & ((1 << _COUNTER_BITS) - 1)
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random)


def _ticks() -> int:
    """Nanoseconds of a clock that nobody can set; where there is one, of one that goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic_ns()


def id_time(identifier: UUID) -> datetime:
    """The time in a UUIDv7, to the millisecond."""
    return _EPOCH + (identifier.int >> 80) * _MILLISECOND


def first_id(moment: datetime) -> UUID:
    """The smallest UUID of a moment's millisecond: a bound for queries by time over tables partitioned by id."""
    return UUID(int=(moment - _EPOCH) // _MILLISECOND << 80)


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + nanoseconds // 1000 * _MICROSECOND
