"""How much may be decided without a person: outcomes, their losses, and the certificate that is derived from them.

The owner of a decision point states what a review costs, which loss is acceptable and how sure that must be. From
recorded outcomes a certificate is derived: a threshold on the loss that is expected of an answer, with a guarantee for
finite samples. It is an artefact, named by its content and on record; a monitor watches whether what it promises holds.

INVARIANT: without a certificate in force for exactly this component version, segment and amount, a person decides.
INVARIANT: more at stake, less confidence, a stricter budget or a full queue never let more go by itself.
INVARIANT: a decision whose outcome is due and missing is never counted as good.
INVARIANT: losses are whole minor units of one currency; what is rounded is rounded to the strict side.
"""
