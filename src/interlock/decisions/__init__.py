"""Decisions: the one path that models, rules and people all take, from an input to a recorded route.

INVARIANT: a decision is recorded, durable, before anyone is told of it, and is never changed.
INVARIANT: the same tenant, point and key give the same decision; with another input or exposure they are refused.
INVARIANT: an error anywhere leads to the declared fallback or to a person, never past them.
"""
