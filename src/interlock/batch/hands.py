"""Deciding rows in this process."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from interlock.batch.rows import Row
from interlock.cases.in_line import NamedPoint, question_of
from interlock.decisions.decide import Decider
from interlock.decisions.many import ManyDecider, Outcome
from interlock.decisions.origin import Origin


class Hands:
    """Decides rows of one table, some at a time; calls may overlap.

    Args:
        decider: The one path.
        tenant: Whose decisions.
        named: The decision point.
        contract: The digest of the contract that the rows were held against; empty: there is none.
        caller: Who asks.
        margin: How many places of a queue are left to others, who count at the same time.
    """

    def __init__(
        self,
        decider: Decider,
        tenant: UUID,
        named: NamedPoint,
        *,
        contract: bytes,
        caller: str,
        run: str = "",
        margin: int = 0,
    ) -> None:
        self._many = ManyDecider(decider, margin=margin)
        self._tenant = tenant
        self._named = named
        self._contract = contract
        self._caller = caller
        self._run = run

    async def decide(self, rows: Sequence[Row]) -> list[Outcome]:
        """Decide rows whose values are objects.

        Raises:
            DatabaseUnavailable: it went away; what was decided is found again by the same keys.
        """
        named, tenant = self._named, self._tenant
        asked = [
            question_of(
                named, tenant, key=row.key, value=row.value, exposure=row.exposure, caller=self._caller,
                origin=Origin(job=self._run, row=row.number),
            )
            for row in rows
        ]  # fmt: skip
        # a contract that was published meanwhile is not the one that the table's columns were held against
        reference = named.point.input
        same = bool(asked and reference) and asked[0].library.contract(reference).digest == self._contract
        return await self._many.decide_many(asked, sure=[row.sure and same for row in rows])
