"""Contracts: versioned agreements on data, and the door that all outside bytes pass.

INVARIANT: what fails its contract is quarantined whole, with every violation named; never dropped, never coerced.
"""
