"""Those outside: who hands in and does not rest before it is acknowledged, and who answers reviews. Both over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Self
from uuid import UUID

from books.orders import Order

from interlock.api.documents import ReviewDocument
from interlock.client import Answered, Client
from interlock.errors import DatabaseUnavailable

_CONTRACT_VIOLATED = "contract-violated"
_ANSWER_S = 5.0
_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An answer to a submission.

    Attributes:
        case: The case; None if there is none.
        new: Whether this submission made it.
        problem: Why there is none.
    """

    case: UUID | None
    new: bool
    problem: str = ""


class Taken:
    """What the API acknowledged.

    Attributes:
        cases: The case that each order became, by the order's key.
        new: How many of the acknowledgements said that they made the case.
    """

    def __init__(self) -> None:
        self.cases: dict[str, UUID] = {}
        self.new = 0


class Submitters:
    """Some threads that hand in what they are given, each until it is acknowledged.

    Args:
        url: The API.
        key: The API key.
        threads: How many.
    """

    def __init__(self, url: str, key: str, *, threads: int = 4) -> None:
        self.taken = Taken()
        self.wrong: list[str] = []
        self._url, self._key = url, key
        self._waiting: SimpleQueue[Order | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout=2 * _ANSWER_S)

    def give(self, orders: Sequence[Order]) -> None:
        """Hand these in soon; every ninth twice at once, as impatient people do."""
        for number, order in enumerate(orders):
            self._waiting.put(order)
            if number % 9 == 0:
                self._waiting.put(order)

    def are_through(self, orders: Sequence[Order]) -> bool:
        """Whether each of these is acknowledged, and nothing is waiting."""
        return self._waiting.empty() and all(order.key in self.taken.cases for order in orders)

    def _work(self) -> None:
        with Client(self._url, self._key, seconds=_ANSWER_S) as client:
            while (order := self._waiting.get()) is not None:
                with suppress(DatabaseUnavailable):
                    self._note(order, _submit(client, order))
                    continue
                self._waiting.put(order)
                time.sleep(_AGAIN_S)

    def _note(self, order: Order, told: Acknowledged) -> None:
        with self._lock:
            if told.case is None:
                self.wrong.append(f"{order.key} was refused: {told.problem}")
            elif self.taken.cases.setdefault(order.key, told.case) != told.case:
                self.wrong.append(f"{order.key} became case {told.case}, and {self.taken.cases[order.key]} before")
            self.taken.new += told.new


class Reviewer:
    """A thread that answers every review as the order says that a person does.

    Args:
        url: The API.
        key: The API key.
        orders: All that may be handed in.
        taken: The orders' cases; a review of a case that is not acknowledged yet is left for the next look.
    """

    def __init__(self, url: str, key: str, orders: Sequence[Order], taken: Taken) -> None:
        self.resolved = 0
        self.refused: list[str] = []
        self._url, self._key = url, key
        self._answers = {order.key: order.answers for order in orders}
        self._taken = taken
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=2 * _ANSWER_S)

    def _work(self) -> None:
        with Client(self._url, self._key, seconds=_ANSWER_S) as client:
            while not self._ended.wait(2 * _AGAIN_S):
                with suppress(DatabaseUnavailable):
                    answers = {case: self._answers[key] for key, case in [*self._taken.cases.items()]}
                    for review in client.reviews(limit=200):
                        if review.case is not None and review.case in answers:
                            self.answer(client, review, answers[review.case])

    def answer(self, client: Client, review: ReviewDocument, answers: Mapping[str, Mapping[str, object]]) -> None:
        """Resolve one review."""
        try:
            client.claim(review.id)
            client.resolve(review.id, **answers.get(review.point, _NO))  # type: ignore[arg-type] - as the orders say
            self.resolved += 1
        except Answered as refused:  # it was resolved already: the answer of the first attempt was lost
            self.refused.append(f"{review.id}: {refused}")


_NO: Mapping[str, object] = {"resolution": "reject", "reason_code": "nobody_said_yes"}


def _submit(client: Client, order: Order) -> Acknowledged:
    try:
        submitted = client.submit(order.workflow, order.key, order.body)
    except Answered as refused:
        if refused.problem.code == _CONTRACT_VIOLATED and refused.problem.case:
            return Acknowledged(refused.problem.case, new=False)  # it waits in quarantine, and is a case all the same
        return Acknowledged(None, new=False, problem=str(refused))
    return Acknowledged(submitted.id, new=submitted.new)
