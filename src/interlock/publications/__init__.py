"""What counts: rules and contracts as published, the version in force of each line, and its effect at once.

A file becomes a publication, which never changes; a line (a major version) has one publication in force at a time.
Every process watches what is in force, loads it beside the running decisions, and swaps it in by one assignment.

Invariants: a published version is never changed or removed; two publishers at once never both win a line; what a
process cannot load is never passed over for an older version: who would use it is refused, and the next in order
answers.
"""
