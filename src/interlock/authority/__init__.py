"""Authority: who or what may do which act, as policies in files. Pure: it decides from what it is given.

INVARIANT: what no policy permits is refused, and so is what cannot be judged: an error in a policy is a refusal.
"""
