"""Outside systems to run against: a payment provider and a general ledger, with durable books and injected faults.

Each is a process of its own. They stand apart from the rest of the package and know nothing of it but its errors and
its money, so that what they say about an effect is the word of an independent witness. Three things always hold: what
was acknowledged is in the book after any crash; under a key that is honoured there is one effect; a book's order and
amounts are exact.
"""

from __future__ import annotations

from interlock.sim.book import Entry, EntryKind, EntryState, Summary, Total
from interlock.sim.faults import Down, FaultKind, FaultPlan, FaultReport, FaultRule, Operation
from interlock.sim.general_ledger import Account, LedgerSummary, Line, Posting, PostingState
from interlock.sim.process import SimulatedBooks, SimulatedProvider
from interlock.sim.reading import read_book, read_general_ledger

__all__ = [
    "Account",
    "Down",
    "Entry",
    "EntryKind",
    "EntryState",
    "FaultKind",
    "FaultPlan",
    "FaultReport",
    "FaultRule",
    "LedgerSummary",
    "Line",
    "Operation",
    "Posting",
    "PostingState",
    "SimulatedBooks",
    "SimulatedProvider",
    "Summary",
    "Total",
    "read_book",
    "read_general_ledger",
]
