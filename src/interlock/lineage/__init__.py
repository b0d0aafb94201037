"""Lineage: from an action to every source, and from a source or a contract to everything that it influenced.

``trace`` makes a graph of what is on record of one case, decision or action. ``influence`` tells what a source is
behind, page by page, with the money in it, exactly: a function in the database follows the ledger, whose leaves have no
gaps, and counts each once. ``openlineage`` tells the same to others in the form of OpenLineage, and ``export`` sends it
from a durable cursor.

Invariants: nothing here writes in the path of a decision or an action. No personal value enters: names of versions,
hashes, ids and places only. What is read belongs to one tenant.
"""
