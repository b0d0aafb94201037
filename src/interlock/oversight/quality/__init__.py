"""Quality of oversight: known cases, second looks, and signs that answers are given without looking.

INVARIANT: nothing follows from a known case or a second look: neither has a case, and no action rests on either.
INVARIANT: a person's figures are theirs first: nobody else sees them by name before they could.
"""
