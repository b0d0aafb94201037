"""The ledger: what happened, entry by entry, written in the commit that made it happen.

INVARIANT: every unit of work writes an entry that bears the unit's id.
INVARIANT: an entry holds ids, versions, hashes, amounts and times, never a personal value.
"""
