"""Read a simulated system's book from its file, whether its process lives or not; a torn tail is left out and alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from interlock.sim.book import EVENTS, Book, Entry
from interlock.sim.general_ledger import LEDGER_EVENTS, GeneralLedger
from interlock.sim.journal import read_events


def read_book(path: Path) -> tuple[Entry, ...]:
    """A payment provider's book: its payments and refunds, in order.

    Raises:
        SimulationFailed: the file is no such book, or damaged before its tail.
    """
    book = Book(timedelta.max)
    for event in read_events(path, EVENTS):
        book.apply(event)
    return tuple(book)


def read_general_ledger(path: Path) -> GeneralLedger:
    """A general ledger: its postings in order, and its accounts.

    Raises:
        SimulationFailed: the file is no such book, or damaged before its tail.
    """
    ledger = GeneralLedger(timedelta.max)
    for event in read_events(path, LEDGER_EVENTS):
        ledger.apply(event)
    return ledger
