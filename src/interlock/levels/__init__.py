"""Whether the data that decisions rest on are fresh and complete, as their contracts promise.

Everything that passes a contract is counted in memory and written down once a second; one process at a time judges
the levels, every process learns within a second or two which are broken, and decisions that depend on one take their
declared fallback.

Invariants: no decision waits for a count; a level breaks and is restored once, on record, however many processes look;
that nothing arrives is noticed as well, since time passes in the judging and not in the counting.
"""
