"""Leaving a provider alone that does not answer, so that nobody waits for it in vain. In this process. No clock.

    closed --failures in a row--> open --its pause is over: one request tries--> closed, if it was answered
                                    ^------------------------ else, for twice as long ------+

Source: Nygard, "Release It!", 2nd edition, 2018, "Circuit Breaker".
"""

from __future__ import annotations

import math


class Breaker:
    """The circuit of one provider.

    Args:
        failures: How many in a row open it.
        pause_s: For how long it opens the first time; twice as long each further time in a row.
        longest_s: The longest that it opens.
    """

    def __init__(self, *, failures: int, pause_s: float, longest_s: float) -> None:
        self._most = failures
        self._pause_s = pause_s
        self._longest_s = longest_s
        self._failures = 0
        self._openings = 0
        self._retry_at = -math.inf
        self._trying = False
        self._what = ""

    def refusal(self, now: float) -> str:
        """Why no request may go now; empty if one may. After a pause one may try, and the others wait for it.

        Args:
            now: Seconds of a clock that never goes back.
        """
        if self._failures < self._most:
            return ""
        if now >= self._retry_at:
            self._retry_at = now + self._pause()
            self._trying = True
            return ""
        left = self._retry_at - now
        return f"it failed {self._failures} times in a row, the last time: {self._what}; tried again in {left:.1f} s"

    def failed(self, now: float, what: str) -> None:
        """A request was not answered, or with an error of the server."""
        if self._failures >= self._most and not self._trying:
            return  # it was sent before the circuit opened, and says nothing new
        self._failures += 1
        self._trying = False
        self._what = what
        if self._failures >= self._most:
            self._retry_at = now + self._pause()
            self._openings += 1

    def answered(self) -> None:
        """A request was answered, be it with a refusal."""
        self._failures = 0
        self._openings = 0
        self._trying = False

    def _pause(self) -> float:
        return min(self._pause_s * 2.0 ** min(self._openings, 30), self._longest_s)
