"""What a workflow's file says is done while a queue is too full. Pure."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class WhenFull(msgspec.Struct, frozen=True, kw_only=True):
    """What is done while a queue is too full.

    Attributes:
        reject: Whether what needs a person is then a no, which nothing follows from; else it is held.
        before: How long before what comes would wait too long it is done already; None: only once the queue is full.
    """

    reject: bool = False
    before: timedelta | None = None

    @property
    def said(self) -> str:
        """What is done, in a word."""
        return "reject" if self.reject else "hold"
