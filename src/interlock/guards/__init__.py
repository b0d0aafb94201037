"""Guards: limits and stops that no component can argue with.

INVARIANT: a limit is reserved in the very commit that lets an action go, under the bucket's lock, and never passed by
one minor unit; a refused or pending action uses nothing up. Which day or hour an amount falls in is decided under that
lock, by the database's clock.
INVARIANT: a stop is read in SQL in that commit, so no cache and no lost notification can pass it.
"""
