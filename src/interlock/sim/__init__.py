"""Outside systems to run against: a payment provider in a process of its own, with a durable book and injected faults.

It stands apart from the rest of the package and knows nothing of it but its errors and its money, so that what it says
about an effect is the word of an independent witness. Three things always hold: what was acknowledged is in the book
after any crash; under a key that is honoured there is one effect; the book's order and amounts are exact.
"""

from __future__ import annotations

from interlock.sim.book import Entry, EntryKind, EntryState, Summary, Total
from interlock.sim.faults import Down, FaultKind, FaultPlan, FaultReport, FaultRule, Operation
from interlock.sim.journal import read_book
from interlock.sim.process import SimulatedProvider

__all__ = [
    "Down",
    "Entry",
    "EntryKind",
    "EntryState",
    "FaultKind",
    "FaultPlan",
    "FaultReport",
    "FaultRule",
    "Operation",
    "SimulatedProvider",
    "Summary",
    "Total",
    "read_book",
]
