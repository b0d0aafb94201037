"""The auditor's verifier of an Interlock ledger: it checks a bundle of entries offline and trusts nobody who made it.

It stands apart. It shares no code with the server, which it holds to account, and needs nothing but Python's own
library: copy this folder to a machine that you trust and run ``python3 -m interlock_verify``. Read it first; it is
meant to be read, in this order:

    refusal      the two ways in which it says no
    merkle       hashes, inclusion and consistency proofs (RFC 9162)
    ed25519      signatures (RFC 8032)
    note         signed text and verifier keys (C2SP signed-note)
    checkpoint   what a log signs: origin, size, root (C2SP tlog-checkpoint), and the change of its key
    strict_json  JSON without its ambiguities
    leaf         an entry of the ledger, and the record that it vouches for
    bundle       the file that is checked, read one entry at a time
    check        what is checked, in order
    history      a folder of published checkpoints
    command      the command line
"""
