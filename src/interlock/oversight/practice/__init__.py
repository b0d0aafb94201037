"""The practice queue: people practise on what is known, and qualify by it where a workflow's file asks for that.

INVARIANT: nothing that is practised reaches a review, a case, an outcome, or the counts of a queue.
INVARIANT: nobody earns the right to decide by what they knew before: their own verdicts, and what they were told.
"""
