"""Actions: intended effects on outside systems, each carried out once.

    intended -> (awaiting approval) -> ready -> dispatching -> done | failed | in doubt -> done | ready | exception
                                                       done -> undoing -> undone | exception

INVARIANT: ``dispatching`` is committed, under the case's fence, before the outside call is made.
INVARIANT: the idempotency key belongs to the action, never to the attempt.
INVARIANT: what may have taken effect is never sent again blindly.
"""
