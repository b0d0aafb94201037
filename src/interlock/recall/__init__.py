"""Recall: what was decided by something that turned out to be wrong is listed, stopped, taken back and decided anew.

One word names what was wrong: a component's version, a contract, a source, a run over a table, a point, a span of time.
What rests on it is gathered page by page, by index; each case is taken back as if it alone had been recalled; and where
it is wanted, each is decided anew with what counts now. Killed anywhere, any process that runs long goes on from the
rows.
"""
