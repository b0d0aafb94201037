"""The bookkeeper of a general ledger: a posting, a reversal, a look-up or a voided key, with the faults on the way."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec

from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.sim.book import Late
from interlock.sim.faults import FaultKind, FaultPlan, FaultRun, Operation
from interlock.sim.general_ledger import (
    GeneralLedger,
    LedgerEvent,
    Line,
    Posting,
    PostingAccepted,
    PostingDraft,
    PostingReplayed,
    PostingState,
    debits,
    negated,
)
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.striking import after_effect, before_effect
from interlock.sim.wire import Dropped, Reply, answer

LARGEST_AMOUNT = 10**15
MOST_LINES = 1000

_NO_LOOK_UP = problem(501, "no-look-up", "this ledger cannot look a posting up")


class Voucher(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /journals``.

    Attributes:
        reference: The client's own words.
        date: The day to post on, YYYY-MM-DD.
        currency: An ISO 4217 code.
        lines: Two to 1,000 lines that sum to zero; amounts are signed plain decimals, at most 10^15.
        amount: The sum of the debits, for control; empty: not controlled.
        reverses: The id of the posting that this takes back whole; its lines are that one's, each with the other sign.
    """

    reference: Annotated[str, msgspec.Meta(max_length=200)]
    date: date
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    lines: Annotated[tuple[Line, ...], msgspec.Meta(min_length=2, max_length=MOST_LINES)]
    amount: Annotated[str, msgspec.Meta(max_length=40)] = ""
    reverses: Annotated[str, msgspec.Meta(max_length=40)] = ""

    def draft(self) -> PostingDraft | Problem:
        """The posting, or what is wrong with it."""
        lines: list[Line] = []
        total = 0
        for number, line in enumerate(self.lines):
            try:
                money = Money(line.amount, self.currency)
            except MoneyInvalid as wrong:
                return problem(422, "amount-invalid", f"$.lines[{number}].amount: {wrong.what}; {wrong.todo}")
            if abs(money.amount) > LARGEST_AMOUNT:
                detail = f"$.lines[{number}].amount: {money} is out of range; post at most {LARGEST_AMOUNT}"
                return problem(422, "amount-invalid", detail)
            total += money.minor
            lines.append(Line(line.account, f"{money.amount:f}" if money.minor else f"{abs(money.amount):f}"))
        draft = PostingDraft(
            reference=self.reference,
            date=self.date,
            currency=self.currency,
            lines=tuple(lines),
            reverses=self.reverses,
        )
        if total:
            by = f"{total} of the smallest units of {self.currency}"
            return problem(422, "unbalanced", f"$.lines: they sum to {by}; debits and credits must come to zero")
        return self._uncontrolled(draft) or draft

    def _uncontrolled(self, draft: PostingDraft) -> Problem | None:
        """What is wrong with the control total; None if nothing is."""
        if not self.amount:
            return None
        try:
            stated = Money(self.amount, self.currency)
        except MoneyInvalid as wrong:
            return problem(422, "amount-invalid", f"$.amount: {wrong.what}; {wrong.todo}")
        if f"{stated.amount:f}" == debits(draft):
            return None
        return problem(422, "control-total", f"$.amount: {stated} is stated, the debits come to {debits(draft)}")


class Bookkeeper:
    """Takes requests against a general ledger. Nothing is answered before it is on the disk.

    Owned by one event loop. Between deciding on the ledger and applying the decision nothing is awaited, so of requests
    with one key one has the effect.

    Args:
        ledger: The ledger, as its file left it.
        journal: Where its events go.
    """

    def __init__(self, ledger: GeneralLedger, journal: Journal[LedgerEvent]) -> None:
        self._ledger = ledger
        self._journal = journal
        self._run = FaultRun(FaultPlan())
        for posting in ledger:
            if posting.state is PostingState.PENDING:
                self._settle_later(posting)

    @property
    def run(self) -> FaultRun:
        """The fault plan at work."""
        return self._run

    def put(self, plan: FaultPlan) -> None:
        """Put another plan in force; attempts and faults are counted anew."""
        self._run = FaultRun(plan)

    async def post(self, voucher: Voucher, key: str) -> Reply:
        """``POST /journals``."""
        draft = voucher.draft()
        if isinstance(draft, Problem):
            return answer(draft)
        if draft.reverses and self._ledger.get(draft.reverses) is None:
            return answer(_absent(draft.reverses))
        return await self._post_it(draft, key)

    async def reverse(self, posting_id: str, key: str) -> Reply:
        """``POST /journals/{id}/reversal``: take a posting back whole, once, on the day that it was posted on."""
        original = self._ledger.get(posting_id)
        if original is None:
            return answer(_absent(posting_id))
        draft = PostingDraft(
            reference=original.reference,
            date=original.date,
            currency=original.currency,
            lines=negated(original),
            reverses=original.id,
        )
        return await self._post_it(draft, key)

    async def look_up(self, key: str) -> Reply:
        """``GET /journals?key=``: the first posting or reversal under the key, and how many there are."""
        struck = self._run.strike(Operation.LOOKUP, key=key)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        found = self._ledger.find(key)
        await self._journal.flushed()
        if self._run.plan.no_lookup:
            reply = answer(_NO_LOOK_UP)
        elif found:
            reply = answer(shown(found[0]), under_key=str(len(found)))
        else:
            reply = answer(problem(404, "not-found", f"nothing is posted under the key {key!r}"))
        return await after_effect(self._run, struck, reply)

    async def show(self, posting_id: str) -> Reply:
        """``GET /journals/{id}``."""
        struck = self._run.strike(Operation.LOOKUP, key=posting_id)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        posting = self._ledger.get(posting_id)
        await self._journal.flushed()
        if self._run.plan.no_lookup:
            reply = answer(_NO_LOOK_UP)
        else:
            reply = answer(_absent(posting_id) if posting is None else shown(posting))
        return await after_effect(self._run, struck, reply)

    async def void(self, key: str) -> Reply:
        """``POST /keys/{key}/void``: no later request under the key has an effect."""
        struck = self._run.strike(Operation.VOID, key=key)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        plan = self._run.plan
        if plan.no_void or plan.ignores_keys:
            refusal = problem(501, "no-void", "this ledger cannot void a key")
            return await after_effect(self._run, struck, answer(refusal))
        outcome = self._ledger.void(key, datetime.now(UTC))
        if isinstance(outcome, Problem):
            reply = answer(outcome)
        else:
            if outcome is not None:
                self._take(outcome)
            reply = answer({"key": key, "state": "void"})
        await self._journal.flushed()
        return await after_effect(self._run, struck, reply)

    async def _post_it(self, draft: PostingDraft, key: str) -> Reply:
        operation = Operation.REVERSE if draft.reverses else Operation.POST
        accounts = " ".join(line.account for line in draft.lines)
        struck = self._run.strike(operation, key=key, reference=draft.reference, to=accounts)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        late = struck.get(FaultKind.LATE_EFFECT)
        now = datetime.now(UTC)
        outcome = self._ledger.accept(
            draft,
            key=key,
            now=now,
            late=Late(now + timedelta(seconds=late.seconds), hidden=late.answer == "drop") if late else None,
            honours_keys=not self._run.plan.ignores_keys,
        )
        if isinstance(outcome, PostingAccepted):
            self._take(outcome)
            if late:
                self._run.count(late.kind)
                self._settle_later(outcome.posting)
        await self._journal.flushed()
        if isinstance(outcome, Problem):
            return await after_effect(self._run, struck, answer(outcome))
        if isinstance(outcome, PostingAccepted) and outcome.posting.hidden:
            return Dropped()
        posting = self._ledger.get(outcome.posting.id) or outcome.posting
        status = 202 if posting.state is PostingState.PENDING else 201
        replayed = {"idempotent_replayed": "true"} if isinstance(outcome, PostingReplayed) else {}
        return await after_effect(self._run, struck, answer(shown(posting), status, **replayed))

    def _take(self, event: LedgerEvent) -> None:
        self._ledger.apply(event)
        self._journal.append(event)

    def _settle_later(self, posting: Posting) -> None:
        seconds = (posting.due - datetime.now(UTC)).total_seconds() if posting.due else 0.0
        asyncio.get_running_loop().call_later(max(seconds, 0.0), self._settle, posting.id)

    def _settle(self, posting_id: str) -> None:
        settled = self._ledger.settle(posting_id, datetime.now(UTC))
        if settled is not None:
            self._take(settled)


def _absent(posting_id: str) -> Problem:
    return problem(404, "not-found", f"no posting {posting_id!r}")


class ShownPosting(msgspec.Struct, frozen=True, kw_only=True):
    """A posting as its client sees it; ``amount`` is the sum of its debits, ``reverses`` empty but for a reversal."""

    id: str
    state: PostingState
    reference: str
    date: date
    currency: str
    amount: str
    lines: tuple[Line, ...]
    reverses: str
    key: str
    at: datetime
    posted_at: datetime | None


def shown(posting: Posting) -> ShownPosting:
    """A posting as its client sees it."""
    return ShownPosting(
        id=posting.id,
        state=posting.state,
        reference=posting.reference,
        date=posting.date,
        currency=posting.currency,
        amount=debits(posting),
        lines=posting.lines,
        reverses=posting.reverses,
        key=posting.key,
        at=posting.at,
        posted_at=posting.posted_at,
    )
