"""What many pages ask for at the same moment is made once: news reaches all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

KEEP_S = 0.25
"""How old an answer may be, as far as time alone changes it."""
KEEP_LIST_S = 1.0
"""The same of a list, whose order time moves slowly, and whose ages the page itself counts on."""
KEEP_NUMBERS_S = 2.0
"""The same of numbers, which time alone changes little."""
MOST = 256
"""Answers that are remembered."""
Made = TypeVar("Made")


@dataclass(slots=True, eq=False)
class _Answer(Generic[Made]):
    future: asyncio.Future[Made]
    begun: float


class Shared(Generic[Made]):
    """Answers by their question, each made once for all who ask within so many seconds.

    INVARIANT: the question holds everything that the answer depends on: whose it is, and the turn of the news, so that
    no page that has just heard of a change is shown what was made before it.
    """

    def __init__(self, keep_s: float = KEEP_S) -> None:
        self._keep_s = keep_s
        self._answers: dict[Hashable, _Answer[Made]] = {}

    async def get(self, question: Hashable, make: Callable[[], Awaitable[Made]]) -> Made:
        """The answer: one that was begun just now, or a new one. Who goes away takes it from nobody else."""
        now = asyncio.get_running_loop().time()
        found = self._answers.get(question)
        if found is None or now - found.begun > self._keep_s or (found.future.done() and found.future.exception()):
            for old in [one for one, answer in self._answers.items() if now - answer.begun > self._keep_s]:
                del self._answers[old]
            if len(self._answers) >= MOST:
                return await make()
            found = self._answers[question] = _Answer(asyncio.ensure_future(_made(make)), now)
        return await asyncio.shield(found.future)


async def _made(make: Callable[[], Awaitable[Made]]) -> Made:
    return await make()
