"""The decisions' rows."""

from __future__ import annotations

from operator import attrgetter
from uuid import UUID

import msgspec

from interlock.db.gates import HeldKey
from interlock.db.queries import load_queries
from interlock.decisions.decision import Decision


class NewDecision(Decision, frozen=True, kw_only=True):
    """A decision on its way in: the fields of ``Decision``, and its tenant."""

    tenant: UUID

    def stored(self) -> Decision:
        """The decision as it will be read."""
        return Decision(**dict(zip(Decision.__struct_fields__, _FIELDS(self), strict=True)))


_FIELDS = attrgetter(*Decision.__struct_fields__)


_SQL = load_queries(__file__)
ADD_DECISIONS = _SQL.bulk("add_decisions", NewDecision, distinct=("id",))
FIND_DECISION = _SQL.rows("find_decision", Decision)
FIND_DECISIONS = _SQL.rows("find_decisions", Decision)
DECISIONS_OF_CASE = _SQL.rows("decisions_of_case", Decision)
FIND_KEY = _SQL.rows("find_key", HeldKey)

canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")
"""Encodes records for storage: sorted keys, decimals as strings."""
