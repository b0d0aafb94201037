"""What the work is worth: value, costs and losses of a workflow's cases, held against what its owner declared.

Figures are sums of tallies by the hour, exact to the last digit, and of the outcomes that are known. What is not known
is said to be not known; it is never 0. From every figure the decisions behind it can be listed.
"""
