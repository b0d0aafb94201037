"""Rounds: what the matches of a reconciliation should be is held against what they are, and made so.

A round reads all entries in force, lets the solver find the best whole, takes back the matches that are no longer part
of it, and has the new ones decided, many at once. What it aims at follows from the entries in force, the words of
people, the terms and the scorer alone; so it may be killed anywhere, and the next one goes on.

INVARIANTS:
    * A match's row is made in the commit of its decision: there is no match that nothing decided.
    * An entry is free again only once the undo of its booking is on record.
    * What a person refused is never proposed again; what a person confirmed is part of every later whole.
"""
