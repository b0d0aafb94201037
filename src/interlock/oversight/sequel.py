"""What else is written in the commit in which a verdict takes effect, by rooms above this one. Types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from interlock.db.work import Condition, Stamp, Write
from interlock.oversight.review import Resolution, Review
from interlock.oversight.store import ResolvedReview


class Saying(NamedTuple):
    """What a verdict says that takes effect.

    Attributes:
        resolution: What is decided.
        output: What shall hold, as canonical JSON, as it is kept.
        who: Whose verdict it is; of two, the last one's.
    """

    resolution: Resolution
    output: bytes | None
    who: str


def _no_more(_stamp: Stamp, _resolved: ResolvedReview) -> Sequence[Write]:
    return ()


@dataclass(frozen=True, slots=True)
class Sequel:
    """What follows from one resolution.

    Attributes:
        writes: Beside the first entry of the unit; asked only if the review is resolved by it.
        still: What must hold at the commit, for what was read before.
        wakes: Who should look after the commit.
    """

    writes: Callable[[Stamp, ResolvedReview], Sequence[Write]] = _no_more
    still: tuple[Condition, ...] = ()
    wakes: tuple[str, ...] = ()


NO_SEQUEL = Sequel()
Follow = Callable[[UUID, Review, Saying], Awaitable[Sequel]]
"""Reads what follows where a tenant's review is resolved so; asked only if it is resolved by the next commit."""


async def follow_nothing(_tenant: UUID, _review: Review, _saying: Saying) -> Sequel:
    """Nothing does."""
    return NO_SEQUEL
