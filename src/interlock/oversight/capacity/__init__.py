"""Capacity: what people can take on, what comes, when that breaks its promise, and what is then done by itself.

INVARIANT: a queue that is full, or will be, never lets anything go by itself that would not otherwise: it holds what
comes, or says no where its file declares that.
"""
