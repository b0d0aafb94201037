"""The scripted reviewer: works through the API as a person's program would, and leaves some for you."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from interlock.api.documents import ReviewDocument
from interlock.cli.demo.receipts import Handed, Truth
from interlock.client import Answered, Client

LEAVES_EVERY = 8
"""Every so many reviews one is left, so that there is something to try afterwards."""


class Reviewer:
    """Resolves reviews by what the receipts really say: where two people must say it, as two.

    Args:
        client: The API, with a key that may review.
        second: The API, with the key of somebody else.
        handed: The receipts by their case's id.
        currency: Of all receipts.
    """

    def __init__(self, client: Client, second: Client, handed: Mapping[str, Handed], *, currency: str) -> None:
        self._client = client
        self._second = second
        self._handed = handed
        self._currency = currency
        self._seen: set[UUID] = set()
        self._left: set[UUID] = set()
        self.resolved = 0

    @property
    def left(self) -> int:
        """How many were left on purpose."""
        return len(self._left)

    def work(self) -> int:
        """Resolve what waits now; how many were resolved."""
        done = 0
        for review in self._client.reviews(limit=200):
            if review.id in self._left:
                continue
            if review.id not in self._seen:
                self._seen.add(review.id)
                if len(self._seen) % LEAVES_EVERY == 0:
                    self._left.add(review.id)
                    continue
            self._decide(self._second if review.given else self._client, review)
            done += 1
        self.resolved += done
        return done

    def _decide(self, client: Client, review: ReviewDocument) -> None:
        client.claim(review.id)
        try:
            client.resolve(review.id, **self._answer(review))
        except Answered as refused:  # what the paper says is nothing that the contract lets through
            note = "; ".join(str(violation) for violation in refused.problem.violations)[:500] or str(refused)
            client.resolve(review.id, "reject", reason_code="breaks_contract", note=note)

    def _answer(self, review: ReviewDocument) -> dict[str, Any]:
        handed = self._handed[str(review.case)]
        truth = handed.truth
        if truth is None or not truth.total or not truth.date or not truth.company:
            return {"resolution": "reject", "reason_code": "unreadable", "note": "ask for a better copy"}
        if review.point == "read":
            return self._read(truth, review.question["proposal"])
        if handed.repeats:
            output = {"approved": False, "reason": "duplicate", "note": f"it repeats {handed.repeats}"}
            return {"resolution": "change", "reason_code": "duplicate", "output": output}
        output = {"approved": True, "reason": "checked_by_a_person"}
        return {"resolution": "change", "reason_code": "looked_at_the_paper", "output": output}

    def _read(self, truth: Truth, proposal: Mapping[str, Any] | None) -> dict[str, Any]:
        read = {"company": truth.company, "date": truth.date, "total": truth.total, "currency": self._currency}
        if proposal and all(proposal[name] == read[name] for name in ("date", "total")):
            return {"resolution": "approve", "reason_code": "as_proposed"}
        return {"resolution": "change", "reason_code": "misread", "output": read}
