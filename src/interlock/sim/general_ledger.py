"""A general ledger in double entry: postings whose lines sum to zero, and the accounts that follow from them. Pure.

    accepted ──► posted ──► reversed           (a reversal is a posting of its own: the same lines with the other sign)
        └──────► pending ──► posted            (a late effect)
                    └──────► void              (still hidden in the ledger's queue when its key was voided)

A verb such as ``accept`` decides and returns an event; ``apply`` takes the event in, so the ledger is what its file's
events make of it. INVARIANT: the lines of each posting sum to zero, so all accounts of a currency together are zero.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec

from interlock.money import Money, exponent
from interlock.sim.problem import Problem, problem
from interlock.sim.shelf import Late, Replayed, Shelf


class PostingState(StrEnum):
    """Where a posting stands; posted and reversed ones are in the accounts (a reversed one with its reversal)."""

    PENDING = "pending"
    POSTED = "posted"
    REVERSED = "reversed"
    VOID = "void"


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a posting.

    Attributes:
        account: Which account, such as ``clearing:expected``.
        amount: A plain decimal, signed: debits are positive, credits negative. Zero is a line that moves nothing.
    """

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x20\x7f]+$")]
    amount: Annotated[str, msgspec.Meta(max_length=40)]


class PostingDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks to have posted; two requests with equal drafts have the same payload.

    Attributes:
        reference: The client's own words.
        date: The day that it is posted on.
        currency: An ISO 4217 code; of all its lines.
        lines: At least two, which sum to zero; amounts have exactly the currency's decimals.
        reverses: For a reversal, the id of the posting that it takes back whole; else empty.
    """

    reference: str
    date: date
    currency: str
    lines: tuple[Line, ...]
    reverses: str = ""


class Posting(PostingDraft, frozen=True, kw_only=True, omit_defaults=True):
    """A posting as it stands in the ledger.

    Attributes:
        id: ``jnl-7``, or ``rev-8`` for a reversal: its place in the ledger.
        state: Where it stands.
        key: The idempotency key that it came under; empty without one.
        at: When it was accepted, UTC.
        posted_at: When it took effect, UTC.
        due: When a late effect comes, UTC.
        hidden: A late effect that look-ups by key do not find until it comes.
    """

    id: str
    state: PostingState
    key: str
    at: datetime
    posted_at: datetime | None = None
    due: datetime | None = None
    hidden: bool = False


class PostingAccepted(msgspec.Struct, frozen=True, tag="posting-accepted", tag_field="event"):
    """A posting or a reversal came into the ledger."""

    entry: Posting


class PostingSettled(msgspec.Struct, frozen=True, tag="posting-settled", tag_field="event"):
    """A pending posting took effect."""

    id: str
    at: datetime


class KeyVoided(msgspec.Struct, frozen=True, tag="key-voided", tag_field="event"):
    """A key was used up without an effect."""

    key: str
    at: datetime


LedgerEvent = PostingAccepted | PostingSettled | KeyVoided

LEDGER_EVENTS: msgspec.json.Decoder[LedgerEvent] = msgspec.json.Decoder(PostingAccepted | PostingSettled | KeyVoided)
"""Reads the ledger's events from its file."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What an account comes to in one currency, as exact decimals.

    Attributes:
        account: Its name.
        currency: An ISO 4217 code.
        debit: The sum of its positive lines.
        credit: The sum of its negative lines, without their sign.
        balance: Debit less credit.
        lines: How many lines it has.
    """

    account: str
    currency: str
    debit: str
    credit: str
    balance: str
    lines: int


class LedgerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger in a few numbers, for comparing.

    Attributes:
        postings: How many took effect, reversed ones too; reversals not counted.
        reversals: How many reversals took effect.
        pending: How many have yet to take effect.
        void: How many never will.
        repeated_keys: How many keys stand for more than one posting that took effect.
        unbalanced: The currencies whose accounts do not come to zero together; there must be none.
    """

    postings: int
    reversals: int
    pending: int
    void: int
    repeated_keys: int
    unbalanced: tuple[str, ...]


class GeneralLedger(Shelf[Posting]):
    """The ledger in memory. Owned by one event loop.

    Args:
        retention: For how long a key is honoured, counted from its acceptance.
    """

    def __init__(self, retention: timedelta) -> None:
        super().__init__(retention, PostingDraft.__struct_fields__)
        self._reversal_of: dict[str, str] = {}
        self._accounts: dict[tuple[str, str], tuple[int, int, int]] = {}

    def find(self, key: str) -> list[Posting]:
        """What a look-up by key shows, oldest first."""
        return self.shown_under(key)

    def accounts(self) -> tuple[Account, ...]:
        """Every account, by name and currency."""
        return tuple(_account(name, currency, *sums) for (name, currency), sums in sorted(self._accounts.items()))

    def accept(
        self, draft: PostingDraft, *, key: str, now: datetime, late: Late | None = None, honours_keys: bool = True
    ) -> PostingAccepted | Replayed[Posting] | Problem:
        """Decide on a posting or a reversal. A posting is accepted once under a key that is honoured.

        Args:
            draft: What to post; its lines sum to zero, and what it reverses is there.
            key: The idempotency key; empty without one.
            now: The time, UTC.
            late: When given, the effect is to come later.
            honours_keys: Whether the key counts at all.
        """
        if key and honours_keys and (known := self.known(draft, key, now)) is not None:
            return known
        if draft.reverses and (refusal := self._not_reversible(draft)) is not None:
            return refusal
        posting = Posting(
            **{field: getattr(draft, field) for field in PostingDraft.__struct_fields__},
            id=f"{'rev' if draft.reverses else 'jnl'}-{len(self.entries) + 1}",
            state=PostingState.PENDING if late else PostingState.POSTED,
            key=key,
            at=now,
            posted_at=None if late else now,
            due=late.due if late else None,
            hidden=late.hidden if late else False,
        )
        return PostingAccepted(posting)

    def settle(self, posting_id: str, now: datetime) -> PostingSettled | None:
        """The effect of a pending posting; nothing when its key was voided meanwhile."""
        pending = self.entries[posting_id].state is PostingState.PENDING
        return PostingSettled(posting_id, now) if pending else None

    def void(self, key: str, now: datetime) -> KeyVoided | Problem | None:
        """Use a key up, so that no later request under it has an effect; nothing when that is so already."""
        may = self.may_void(key, now)
        return may if isinstance(may, Problem) else KeyVoided(key, now) if may else None

    def apply(self, event: LedgerEvent) -> None:
        """Take an event in."""
        match event:
            case PostingAccepted(posting):
                self.entries[posting.id] = posting
                self.keys.hold(posting.key, posting.id, posting.at)
                if posting.reverses:
                    self._reversal_of[posting.reverses] = posting.id
                if posting.state is PostingState.POSTED:
                    self._post(posting)
            case PostingSettled(posting_id, at):
                posting = msgspec.structs.replace(
                    self.entries[posting_id], state=PostingState.POSTED, posted_at=at, hidden=False
                )
                self.entries[posting_id] = posting
                self._post(posting)
            case KeyVoided(key, at):
                self.keys.void(key, at)
                for posting_id in self.keys.under(key):
                    posting = self.entries[posting_id]
                    if posting.hidden and posting.state is PostingState.PENDING:
                        self.entries[posting_id] = msgspec.structs.replace(posting, state=PostingState.VOID)
                        self._reversal_of.pop(posting.reverses, None)

    def summary(self) -> LedgerSummary:
        """The ledger in a few numbers, each counted anew from the postings."""
        return ledger_summary(tuple(self))

    def _post(self, posting: Posting) -> None:
        for line in posting.lines:
            minor = Money(line.amount, posting.currency).minor
            place = (line.account, posting.currency)
            debit, credit, lines = self._accounts.get(place, (0, 0, 0))
            self._accounts[place] = (debit + max(minor, 0), credit - min(minor, 0), lines + 1)
        if posting.reverses:
            reversed_one = self.entries[posting.reverses]
            self.entries[posting.reverses] = msgspec.structs.replace(reversed_one, state=PostingState.REVERSED)

    def _not_reversible(self, draft: PostingDraft) -> Problem | None:
        original = self.entries[draft.reverses]
        if original.reverses:
            detail = f"{original.id} is a reversal itself; post what it took back anew"
        elif original.id in self._reversal_of:
            detail = f"{original.id} has the reversal {self._reversal_of[original.id]} already"
        elif original.state is not PostingState.POSTED:
            detail = f"{original.id} is {original.state}; only what is posted can be reversed"
        elif (draft.currency, draft.lines) != (original.currency, negated(original)):
            detail = f"a reversal of {original.id} has its lines in their order, each with the other sign"
            return problem(422, "not-a-reversal", detail)
        else:
            return None
        return problem(409, "not-reversible", detail)


def negated(posting: PostingDraft) -> tuple[Line, ...]:
    """The lines of a posting with the other sign, in their order."""
    return tuple(
        Line(line.account, f"{Money.of_minor(-Money(line.amount, posting.currency).minor, posting.currency).amount:f}")
        for line in posting.lines
    )


def debits(posting: PostingDraft) -> str:
    """The sum of a posting's positive lines, which is what it moves: a plain decimal."""
    minors = (Money(line.amount, posting.currency).minor for line in posting.lines)
    return _decimal(sum(minor for minor in minors if minor > 0), posting.currency)


def ledger_summary(postings: tuple[Posting, ...]) -> LedgerSummary:
    """Sum up a ledger, and prove its balance from the postings themselves."""
    taken = [posting for posting in postings if posting.state in {PostingState.POSTED, PostingState.REVERSED}]
    keys = Counter(posting.key for posting in taken if posting.key)
    sums: Counter[str] = Counter()
    for posting in taken:
        sums[posting.currency] += sum(Money(line.amount, posting.currency).minor for line in posting.lines)
    reversals = sum(bool(posting.reverses) for posting in taken)
    return LedgerSummary(
        postings=len(taken) - reversals,
        reversals=reversals,
        pending=sum(posting.state is PostingState.PENDING for posting in postings),
        void=sum(posting.state is PostingState.VOID for posting in postings),
        repeated_keys=sum(count > 1 for count in keys.values()),
        unbalanced=tuple(sorted(currency for currency, minor in sums.items() if minor)),
    )


def _account(name: str, currency: str, debit: int, credit: int, lines: int) -> Account:
    return Account(
        account=name,
        currency=currency,
        debit=_decimal(debit, currency),
        credit=_decimal(credit, currency),
        balance=_decimal(debit - credit, currency),
        lines=lines,
    )


def _decimal(minor: int, currency: str) -> str:
    """A sum as a plain decimal; it may be more than one amount of money can be."""
    digits = exponent(currency)
    text = f"{abs(minor):0{digits + 1}d}"
    sign = "-" if minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text
