"""Feature flags: what a workflow lets be switched from outside, by any OpenFeature provider.

A flag is asked for once in a case and its answer is a step of the journal, so a replay gives what was given.
Invariants: a provider that fails, hangs or answers with another type gives the workflow's default, on time and on
record; workflow code evaluates no flag past the journal.
"""
