"""Components: what can decide. Models and rules compute an answer; a person is asked by a review.

INVARIANT: a component is content-addressed: its digest covers everything that makes its answer.
INVARIANT: nothing that a component does can end the decision path: it answers, or it has failed.
"""
