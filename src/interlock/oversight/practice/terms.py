"""What somebody must have practised to decide at a point. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec


class PracticeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How much practice a decision point asks for.

    Attributes:
        right: So many of the last answers must be right.
        of: Of so many.
        lasts: For how long that holds, from the answer that made it enough.
    """

    right: int
    of: int
    lasts: timedelta


def is_enough(newest_first: Sequence[bool], terms: PracticeTerms) -> bool:
    """Whether these answers, each right or not, qualify: the last ``of`` of them, and no fewer, count.

    Fewer would let somebody stop at their best moment.
    """
    last = newest_first[: terms.of]
    return len(last) == terms.of and sum(last) >= terms.right
