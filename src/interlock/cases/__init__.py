"""Cases: durable workflows. The journal is the record; replay from it is the recovery.

INVARIANT: every write for a case is conditional on its fence: a worker that lost the case can finish nothing.
INVARIANT: a step is recorded in the same commit as the decision, action or review that it made.
INVARIANT: a waiting case holds no process.
"""
