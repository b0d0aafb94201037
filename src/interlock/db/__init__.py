"""The database: connections, named queries, group commit, migrations, partitions, signals, the embedded server.

INVARIANT: every write of the hot path goes through the one writer of its process, and is durable before anyone is told.
INVARIANT: a connection is the service's role under one tenant; row-level security is forced on every table.
INVARIANT: no transaction is held across a network call to anybody else.
"""
