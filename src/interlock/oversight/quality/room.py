"""For how many questions that nobody waits for a queue has room: second looks and audits. Pure."""

from __future__ import annotations

_LEFT = 10
"""One part in so many of a queue's room is left to what is asked first: no check of what is done makes a queue full."""


def room_left(capacity: int, waiting: int) -> int:
    """How many more there is room for.

    Args:
        capacity: How many may wait.
        waiting: How many do.
    """
    return max(0, capacity - -(-capacity // _LEFT) - waiting)
