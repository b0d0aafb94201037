"""The HTTP API, one file a noun. It holds no logic of its own: it reads a request, calls a room, writes an answer.

``app.create_app`` gives the ASGI application of a node, ``serve.serving`` listens with it; ``keys`` makes, lists and
revokes the keys by which callers are known; ``bodies`` and ``documents`` are what travels.

INVARIANT: bytes from outside become values only through ``contracts.read_json``.
INVARIANT: the tenant, and the name that is written into the ledger, are the key's own: nobody speaks for another.
INVARIANT: whatever is asked, the answer is a document or an ``application/problem+json``; neither shows internals.
"""
