"""Language models that decide: a folder of prompts, a provider that speaks the OpenAI-compatible chat protocol.

INVARIANT: what comes from outside reaches a model only fenced and labelled as data (``fence``).
INVARIANT: every request counts into what the decision cost, also those that failed, were repeated, or were cut off.
"""
