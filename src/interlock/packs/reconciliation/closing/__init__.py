"""Closing: what an account came to on a day, tied to the minor unit, signed off by a person and sealed.

INVARIANTS:
    * A report that was signed never changes; what comes later for its days stands in the next one, as a correction.
    * Nothing that is not done is passed over: it is done before a close, or carried over by name.
    * A close, where its entries stood, and its entry in the ledger are one commit.
"""
