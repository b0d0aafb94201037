"""Closes in the database, and the sums that reports are made of."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.packs.reconciliation.closing.sums import Difference, Flow, LastRound, Posted, Stated, Total, Unready


class CloseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A close.

    Attributes:
        id: Its id; also what the ledger tells of.
        reconciliation: The reconciliation.
        account: The account.
        first_day: The day after the close before it; None: it is the first.
        until: The last day that it covers.
        report: What was signed: canonical JSON.
        digest: SHA-256 of the report: 32 bytes.
        follows: The close before it.
        why: What the person who signed said.
        signed_by: Who signed.
        closed_at: When.
        state: ``closed``, or ``reopened``: another close of the same day stands in its place.
        reopened_by: Who had it done again.
        reopened_at: When.
        reopened_why: Why.
    """

    id: UUID
    reconciliation: str
    account: str
    first_day: date | None
    until: date
    report: bytes
    digest: bytes
    follows: UUID | None
    why: str
    signed_by: str
    closed_at: datetime
    state: str
    reopened_by: str | None
    reopened_at: datetime | None
    reopened_why: str | None


_SQL = load_queries(__file__)
FLOWS = _SQL.rows("flows", Flow)
TOTALS = _SQL.rows("totals", Total)
DIFFERENCES = _SQL.rows("differences", Difference)
STATED = _SQL.rows("stated", Stated)
UNREADY = _SQL.rows("unready", Unready)
POSTED = _SQL.rows("posted", Posted)
ON_THEIR_WAY = _SQL.rows("on_their_way", int)
LAST_ROUND = _SQL.rows("last_round", LastRound)
LAST_CLOSE = _SQL.rows("last_close", CloseRow)
CLOSES_FROM = _SQL.rows("closes_from", CloseRow)
LIST_CLOSES = _SQL.rows("list_closes", CloseRow)
KNOWN_ACCOUNTS = _SQL.rows("known_accounts", str)
REOPEN_CLOSE = _SQL.command("reopen_close")
ADD_CLOSE = _SQL.command("add_close")
ADD_CLOSED_ENTRIES = _SQL.command("add_closed_entries")
