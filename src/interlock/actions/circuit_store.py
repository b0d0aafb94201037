"""The circuits' rows: one for each connector that has failed. They are the installation's, not a tenant's."""

from __future__ import annotations

import msgspec

from interlock.actions.circuit import Circuit
from interlock.db.queries import load_queries


class ConnectorLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What of a tenant's work lies with one connector.

    Attributes:
        connector: Which.
        in_flight: Actions whose request is under way.
        in_doubt: Actions whose answer was lost.
        waiting: Actions of waiting cases that are still to be sent.
    """

    connector: str
    in_flight: int
    in_doubt: int
    waiting: int


_SQL = load_queries(__file__)
LIST_CIRCUITS = _SQL.rows("list_circuits", Circuit)
FIND_CIRCUITS = _SQL.rows("find_circuits", Circuit)
LOCK_CIRCUITS = _SQL.rows("lock_circuits", Circuit)
ADD_CIRCUITS = _SQL.bulk("add_circuits", Circuit, distinct=("connector",))
PUT_CIRCUITS = _SQL.bulk("put_circuits", Circuit, distinct=("connector",))
LOADS = _SQL.rows("connector_loads", ConnectorLoad)
