"""Matching: from the entries of two sides to the best whole of matches, solved together and not row by row.

The way through the rooms, each a pure file:

    words       texts as they are compared, their words and identifiers
    entries     one side's entries as arrays, sorted by identity
    blocking    which pairs are looked at at all: sorted neighbourhoods, bounded for every entry
    features    what is known of a pair, and ``pair.onnx`` makes odds of it
    sums        groups whose amounts add up, from what has no convincing pair
    marginals   how likely each is when every entry belongs to one match at most
    packing     the set of matches of the greatest gain, exactly, and the margin of each
    judging     what is known of a match in its neighbourhood, and ``match.onnx`` makes a calibrated probability of it
    solve       all of it

INVARIANT: the solution depends on the sets of entries and words alone, never on the order of rows, on time or threads.
"""
