"""The reconciliation demo: a month, or real payments, handed in, matched, booked, corrected and closed, with its score.

It uses what ships: the intake, the rounds, the workers of `interlock up`, the API for a reviewer, a general ledger in a
process of its own. The truth is read for scoring alone; no part of what is handed in carries it.
"""
