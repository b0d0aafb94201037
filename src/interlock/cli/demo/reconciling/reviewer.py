"""The scripted reviewer: answers questions about matches through the API, by the truth, and leaves some for you."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from interlock.api.documents import ReviewDocument
from interlock.client import Client

LEAVES_EVERY = 8
"""Every so many reviews one is left, so that there is something to try afterwards."""


class MatchReviewer:
    """Resolves reviews of matches.

    Args:
        client: The API, with a key that may review.
        right: The signatures of what belongs together.
    """

    def __init__(self, client: Client, right: Collection[str]) -> None:
        self._client = client
        self._right = right
        self._seen: set[UUID] = set()
        self._left: set[UUID] = set()
        self.approved = 0
        self.refused = 0

    @property
    def left(self) -> int:
        """How many were left on purpose."""
        return len(self._left)

    def work(self, keys: Mapping[str, str]) -> int:
        """Resolve what waits now; how many were resolved.

        Args:
            keys: By the id of an entry, by what the truth knows it.
        """
        done = 0
        for review in self._client.reviews(limit=200):
            if review.point != "match" or self._leaves(review):
                continue
            self._client.claim(review.id)
            if _signature(review.question["input"], keys) in self._right:
                self._client.resolve(review.id, "approve", reason_code="as_proposed")
                self.approved += 1
            else:
                note = "these do not belong together"
                self._client.resolve(review.id, "reject", reason_code="other_money", note=note)
                self.refused += 1
            done += 1
        return done

    def _leaves(self, review: ReviewDocument) -> bool:
        if review.id not in self._seen:
            self._seen.add(review.id)
            if len(self._seen) % LEAVES_EVERY == 0:
                self._left.add(review.id)
        return review.id in self._left


def _signature(asked: Mapping[str, Any], keys: Mapping[str, str]) -> str:
    sides = (sorted(keys.get(entry["id"], "?") for entry in asked[side]) for side in ("expected", "actual"))
    return "|".join(" ".join(side) for side in sides)
