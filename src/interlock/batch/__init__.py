"""Deciding a table: every row of a file or of a query through one decision point, as if each were asked in line.

Rows come from a ``Table`` (CSV, JSON lines, Parquet, SQL), go through ``interlock.decisions.many`` and end in one of
two files: what was decided, and what was refused beside its reasons. ``decide_table`` joins them; it can be killed at
any moment, and goes on from there.

Invariants: no row is decided twice, since each has an idempotency key; once a run has ended, each row stands in exactly
one of the two files and in it once; a run never goes on over a table that is not the one that it began with; memory
does not grow with the table.
"""
