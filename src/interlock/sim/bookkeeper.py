"""The bookkeeper of a general ledger: a posting, a reversal, a look-up or a voided key, with the faults on the way."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec

from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.sim.clerk import Clerk
from interlock.sim.faults import Operation
from interlock.sim.general_ledger import (
    GeneralLedger,
    LedgerEvent,
    Line,
    Posting,
    PostingDraft,
    PostingState,
    debits,
    negated,
)
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.wire import Reply, answer

LARGEST_AMOUNT = 10**15
MOST_LINES = 1000


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


class Bookkeeper(Clerk[PostingDraft, Posting]):
    """Takes requests against a general ledger.

    Args:
        ledger: The ledger, as its file left it.
        journal: Where its events go.
    """

    def __init__(self, ledger: GeneralLedger, journal: Journal[LedgerEvent]) -> None:
        super().__init__(ledger, ledger, journal, named="this ledger", subject="a posting", shown=shown)
        self._ledger = ledger

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
        absent = problem(404, "not-found", f"nothing is posted under the key {key!r}")
        return await self.found(key, lambda: self._ledger.find(key), absent, count=True)

    async def show(self, posting_id: str) -> Reply:
        """``GET /journals/{id}``."""

        def look() -> list[Posting]:
            posting = self._ledger.get(posting_id)
            return [posting] if posting else []

        return await self.found(posting_id, look, _absent(posting_id))

    async def _post_it(self, draft: PostingDraft, key: str) -> Reply:
        operation = Operation.REVERSE if draft.reverses else Operation.POST
        accounts = " ".join(line.account for line in draft.lines)
        return await self.book(draft, operation, key=key, reference=draft.reference, to=accounts)


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
