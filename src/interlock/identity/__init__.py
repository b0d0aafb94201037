"""Identity: the people who use Interlock, how they prove who they are, and where they are signed in.

INVARIANT: a password is stored as its Argon2id hash and a session's secret as its digest; neither is ever logged, and
neither stands in the ledger.
"""
