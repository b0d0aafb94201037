"""Simulated books: a general ledger in double entry, in a process with a durable file, keys, look-up and faults.

``python -m interlock.sim.books --book PATH`` serves on loopback until SIGTERM, or until its parent ends. When it is
ready it prints one line of JSON: its url, port and process id. docs/reference/simulated-books.md has the API.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from interlock.sim.bookkeeper import Bookkeeper, Voucher
from interlock.sim.faults import FaultPlan, FaultRun, Operation
from interlock.sim.front import Settings, bad_key, decoded, key_of, run_command, unknown_route
from interlock.sim.general_ledger import LEDGER_EVENTS, GeneralLedger, LedgerEvent
from interlock.sim.journal import Journal, open_journal
from interlock.sim.problem import Problem, problem
from interlock.sim.wire import Answer, Reply, Request, answer

OPERATIONS = frozenset({Operation.POST, Operation.REVERSE, Operation.LOOKUP, Operation.VOID})


class Books:
    """Routes requests to the bookkeeper.

    Args:
        settings: How they were started.
        ledger: The general ledger.
        bookkeeper: Takes the requests.
        journal: The ledger's file.
    """

    def __init__(
        self, settings: Settings, ledger: GeneralLedger, bookkeeper: Bookkeeper, journal: Journal[LedgerEvent]
    ) -> None:
        self._keys_optional = settings.keys_optional
        self._ledger = ledger
        self._bookkeeper = bookkeeper
        self._journal = journal

    @property
    def operations(self) -> frozenset[Operation]:
        """What a fault can strike."""
        return OPERATIONS

    @property
    def run(self) -> FaultRun:
        """The fault plan at work."""
        return self._bookkeeper.run

    def put(self, plan: FaultPlan) -> None:
        """Put another plan in force."""
        self._bookkeeper.put(plan)

    async def watch(self, request: Request) -> Reply | None:
        """Every posting, or the summary; None when it is another request."""
        match request.method, request.path:
            case "GET", ("book",):
                await self._journal.flushed()
                lines = b"".join(msgspec.json.encode(posting) + b"\n" for posting in self._ledger)
                return Answer(status=200, body=lines, content_type="application/x-ndjson")
            case "GET", ("book", "summary"):
                await self._journal.flushed()
                return answer(self._ledger.summary())
            case _:
                return None

    async def serve(self, request: Request) -> Reply:
        """Answer one request of a client."""
        match request.method, request.path:
            case "POST", ("journals",):
                reply = await self._post(request)
            case "POST", ("journals", posting_id, "reversal"):
                reply = await self._reverse(request, posting_id)
            case "POST", ("keys", key, "void"):
                wrong = bad_key(key)
                reply = answer(wrong) if wrong else await self._bookkeeper.void(key)
            case "GET", ("journals",):
                key = request.query.get("key", "")
                missing = problem(400, "key-missing", "ask for one key: GET /journals?key=...")
                reply = await self._bookkeeper.look_up(key) if key else answer(missing)
            case "GET", ("journals", posting_id):
                reply = await self._bookkeeper.show(posting_id)
            case "GET", ("accounts",):
                accounts = self._ledger.accounts()
                await self._journal.flushed()
                reply = answer(accounts)
            case _:
                reply = unknown_route(request)
        return reply

    async def _post(self, request: Request) -> Reply:
        key = key_of(request, optional=self._keys_optional)
        if isinstance(key, Problem):
            return answer(key)
        voucher = decoded(request.body, Voucher)
        return answer(voucher) if isinstance(voucher, Problem) else await self._bookkeeper.post(voucher, key)

    async def _reverse(self, request: Request, posting_id: str) -> Reply:
        key = key_of(request, optional=self._keys_optional)
        if isinstance(key, Problem):
            return answer(key)
        if request.body.strip() not in {b"", b"{}"}:
            return answer(problem(422, "body-invalid", "a reversal takes all back and takes no fields"))
        return await self._bookkeeper.reverse(posting_id, key)


def open_books(settings: Settings) -> tuple[Books, Journal[LedgerEvent]]:
    """Open a general ledger's file, and put a desk before it.

    Raises:
        SimulationFailed: the file is damaged or another's.
    """
    journal, events = open_journal(settings.book, LEDGER_EVENTS)
    ledger = GeneralLedger(settings.key_retention)
    for event in events:
        ledger.apply(event)
    return Books(settings, ledger, Bookkeeper(ledger, journal), journal), journal


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(arguments, "interlock.sim.books", "A simulated general ledger.", OPERATIONS, open_books)


if __name__ == "__main__":
    sys.exit(main())
