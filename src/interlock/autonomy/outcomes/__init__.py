"""Recording what became of decisions, by whichever way it comes, and telling what is known and what is missing.

One line says of one decision what became of it. Lines are judged against the decisions that they are about, and written
many in one commit; a bad one never stops the others. Whose words count is in ``autonomy.outcome``.

INVARIANT: the same word said again, by anybody and at the same time, is on record once.
INVARIANT: what counts of a decision is computed from all its words: whoever writes one takes the decision's next turn.
"""
