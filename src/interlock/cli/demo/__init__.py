"""The demo: the main job end to end on an embedded PostgreSQL, against a simulated provider with faults.

It uses what ships: the API for submitting and reviewing, a worker, the receipts pack. It ends by itself, and its last
word is whether the books balance.
"""
