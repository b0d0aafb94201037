"""A simulated payment provider: a process with a durable book of its own, keys, look-up, refunds and injected faults.

``python -m interlock.sim.provider --book PATH`` serves on loopback until SIGTERM, or until its parent ends. When it is
ready it prints one line of JSON: its url, port and process id. docs/reference/simulated-provider.md has the API.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from interlock.sim.book import EVENTS, Book, EntryKind, Event
from interlock.sim.counter import Counter, Order
from interlock.sim.faults import FaultPlan, FaultRun, Operation
from interlock.sim.front import Settings, bad_key, decoded, key_of, run_command, unknown_route
from interlock.sim.journal import Journal, open_journal
from interlock.sim.problem import Problem, problem
from interlock.sim.wire import Answer, Reply, Request, answer

OPERATIONS = frozenset({Operation.PAY, Operation.REFUND, Operation.LOOKUP, Operation.VOID})


class Provider:
    """Routes requests to the counter.

    Args:
        settings: How it was started.
        book: Its book.
        counter: Takes the requests.
        journal: The book's file.
    """

    def __init__(self, settings: Settings, book: Book, counter: Counter, journal: Journal[Event]) -> None:
        self._keys_optional = settings.keys_optional
        self._book = book
        self._counter = counter
        self._journal = journal

    @property
    def operations(self) -> frozenset[Operation]:
        """What a fault can strike."""
        return OPERATIONS

    @property
    def run(self) -> FaultRun:
        """The fault plan at work."""
        return self._counter.run

    def put(self, plan: FaultPlan) -> None:
        """Put another plan in force."""
        self._counter.put(plan)

    async def watch(self, request: Request) -> Reply | None:
        """The whole book, or its summary; None when it is another request."""
        match request.method, request.path:
            case "GET", ("book",):
                await self._journal.flushed()
                lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._book)
                return Answer(status=200, body=lines, content_type="application/x-ndjson")
            case "GET", ("book", "summary"):
                await self._journal.flushed()
                return answer(self._book.summary())
            case _:
                return None

    async def serve(self, request: Request) -> Reply:
        """Answer one request of a client."""
        match request.method, request.path:
            case "POST", ("payments",):
                reply = await self._pay(request)
            case "POST", ("payments", payment_id, "refund"):
                reply = await self._refund(request, payment_id)
            case "POST", ("keys", key, "void"):
                wrong = bad_key(key)
                reply = answer(wrong) if wrong else await self._counter.void(key)
            case "GET", ("payments",):
                reply = await self._look_up(request, EntryKind.PAYMENT)
            case "GET", ("refunds",):
                reply = await self._look_up(request, EntryKind.REFUND)
            case "GET", ("payments", payment_id):
                reply = await self._counter.show(payment_id)
            case _:
                reply = unknown_route(request)
        return reply

    async def _pay(self, request: Request) -> Reply:
        key = key_of(request, optional=self._keys_optional)
        if isinstance(key, Problem):
            return answer(key)
        order = decoded(request.body, Order)
        return answer(order) if isinstance(order, Problem) else await self._counter.pay(order, key)

    async def _refund(self, request: Request, payment_id: str) -> Reply:
        key = key_of(request, optional=self._keys_optional)
        if isinstance(key, Problem):
            return answer(key)
        if request.body.strip() not in {b"", b"{}"}:
            return answer(problem(422, "body-invalid", "a refund gives all back and takes no fields"))
        return await self._counter.refund(payment_id, key)

    async def _look_up(self, request: Request, kind: EntryKind) -> Reply:
        key = request.query.get("key", "")
        if not key:
            return answer(problem(400, "key-missing", f"ask for one key: GET /{kind}s?key=..."))
        return await self._counter.look_up(kind, key)


def open_provider(settings: Settings) -> tuple[Provider, Journal[Event]]:
    """Open a provider's book, and put a desk before it.

    Raises:
        SimulationFailed: the book is damaged or another's.
    """
    journal, events = open_journal(settings.book, EVENTS)
    book = Book(settings.key_retention)
    for event in events:
        book.apply(event)
    return Provider(settings, book, Counter(book, journal), journal), journal


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    purpose = "A simulated payment provider."
    return run_command(arguments, "interlock.sim.provider", purpose, OPERATIONS, open_provider)


if __name__ == "__main__":
    sys.exit(main())
