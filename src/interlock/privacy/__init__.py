"""Personal data: tokens in the place of marked values, the keys of persons, and who may see what, for what.

A value that its contract marks as personal is replaced by a token right after it has passed the contract; everything
that is stored, logged or hashed holds the token. The token is the value under AES-GCM and a key of its subject's own,
which is wrapped by a key of the tenant's. Clear values exist only while a component is asked, a connector sends, or a
person reads, each for a purpose that the field allows.

Invariants: a token is opened only within its tenant and for a purpose that was stated when it was made; the same record
gives the same tokens, so that idempotency keys, hashes and replays work on them; a key that is erased opens nothing
again, in no process for longer than ``LATELY_S``; where a contract marks nothing, nothing is done.
"""
