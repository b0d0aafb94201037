"""Features: values that a decision is taken on beside its input, computed or read as they were known at a moment.

``read_features`` is what the decision path asks. Invariants: a value that is absent, too old, late or of another
type is never used; no read sees what was not on record at its moment; what was used is in the decision's evidence, so
that a replay needs no store.
"""
