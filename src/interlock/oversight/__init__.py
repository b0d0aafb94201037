"""Oversight: what people decide. Reviews of decisions, exceptions of cases, the queue that holds both.

INVARIANT: a review is resolved once, by one person, with a reason; the resolution, its entry and the waking of its case
are one commit.
"""
