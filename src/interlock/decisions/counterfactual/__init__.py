"""What would have changed the outcome of a recorded decision: candidates from its own bounds, each one tried.

INVARIANT: nothing is claimed that was not evaluated. A change is a claim only if the decision, judged again with it by
the file, the tables and the contracts that judged it, takes another route or another row answers; and nothing at all
is claimed where judging it again unchanged does not give what is on record.
"""
