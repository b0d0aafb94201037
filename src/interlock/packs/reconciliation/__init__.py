"""Reconciliation: what is expected and what is reported are matched, booked, explained, and closed to the cent.

Two sides hand in entries, in files of many forms, at any time, twice and corrected. What is to be matched follows from
the entries in force alone, never from the order in which they came: each round solves the whole and takes back what a
better solution no longer holds.

INVARIANTS:
    * An entry is a member of at most one match that is alive; the database refuses a second.
    * Each match is a decision; it is booked by one action, and taken back by that action's undo, each exactly once.
    * Opening + received = matched + written off + open, to the minor unit, on each side of each account and currency.
"""
