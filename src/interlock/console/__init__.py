"""The console: the pages on which people decide, watch, stop and mend. One page a file; HTML made on the server.

A page gathers what it shows by the same verbs as the API and the command line, and adds no rule of its own: what a
person may do is said by the policies, and what a verb refuses is refused here.

INVARIANT: no page changes anything on GET; every form brings back the session's key; nothing is loaded from another
host.
"""
