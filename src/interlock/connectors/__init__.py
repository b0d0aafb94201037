"""Connectors: what can act on an outside system. One folder each, with its README; found through entry points.

A connector says what it can do (honour keys, look up, void) and how long a request can live; the rest follows from
that. ``registry`` makes them by their kind; ``conformance`` tries one against the system that it speaks to.
"""
