"""Breaks: entries that no match takes though their partner should have come, each followed until it is settled.

A round plans the breaks that there should be (``facts.plan_breaks``, pure) and makes it so (``apply.apply_breaks``): a
case of the workflow for each new one, and the recall of each that a match, or better knowledge, has overtaken. What was
written off is then taken back before anything else is booked for the entry.

INVARIANTS:
    * An entry has at most one break that is alive, made in the commit of its case; the database refuses a second.
    * Which breaks there should be follows from the entries and statements in force and the solution alone.
    * What a person settled stays so until a sure match takes the entry, it is no longer in force, or somebody takes the
      break's case back; other knowledge, a doubtful match too, reopens nothing.
"""
