"""The levels in one process: counting beside the decisions, writing down, judging, and knowing what is broken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

import psycopg

from interlock.contracts.contract import Contract
from interlock.db.database import Database
from interlock.db.signals import Notifier, news_within
from interlock.db.writer import Writer
from interlock.errors import InterlockError
from interlock.levels.judge import CHANNEL, Contracts, judge_levels
from interlock.levels.store import ADD_ARRIVALS, ADD_TALLIES, BROKEN_LEVELS, DROP_OLD_TALLIES, NewArrival, NewTally
from interlock.levels.tally import Plan, Tally

EVERY_S = 1.0
_UPKEEP = timedelta(hours=1)
"""How often a process drops what no window reaches any more, of a tenant that it counts for."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
log = logging.getLogger("interlock.levels")


class DataLevels:
    """Counts what passes contracts, and says which of their levels are broken; a second or two late at worst.

    ``note``, ``refused`` and ``broken`` are for the decision path: they touch memory only.

    Args:
        database: Where counts and levels are.
        writer: For the commits in which a level changes its state.
        notifier: Says when one did.
        contracts: What counts in a tenant: the contracts of this process's workflows.
        lines: Which lines these can be; without any nothing is judged or watched.
        every_s: How often it writes down, judges and looks.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        notifier: Notifier,
        contracts: Contracts,
        lines: frozenset[str],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._database = database
        self._writer = writer
        self._contracts = contracts
        self._lines = sorted(lines)
        self._every_s = every_s
        self._news = asyncio.Event()
        self._plans: dict[bytes, Plan] = {}
        self._tallies: dict[tuple[Plan, UUID], Tally] = {}
        self._broken: dict[tuple[UUID, str], str] = {}
        self._now: datetime = database.clock.now()
        self._pruned: dict[UUID, datetime] = {}
        self._loop: asyncio.Task[None] | None = None
        notifier.listen(CHANNEL, self._news.set)

    async def __aenter__(self) -> Self:
        if self._lines:
            await self._look()  # nothing is decided before it is known what is broken
            self._loop = asyncio.create_task(self._watch(), name="interlock-data-levels")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        with contextlib.suppress(InterlockError, psycopg.Error):
            await self.flush()

    def note(self, tenant: UUID, contract: Contract, record: Mapping[str, Any]) -> None:
        """Count a record that keeps its contract."""
        plan = self._plans.get(contract.digest) or self._learn(contract)
        if plan.measured:
            self._tally(plan, tenant).note(record)

    def refused(self, tenant: UUID, contract: Contract, count: int = 1) -> None:
        """Count records that break their contract."""
        plan = self._plans.get(contract.digest) or self._learn(contract)
        if plan.measured:
            self._tally(plan, tenant).refused += count

    @property
    def any_broken(self) -> bool:
        """Whether anything at all is broken, in any tenant."""
        return bool(self._broken)

    def broken(self, tenant: UUID, contract: Contract) -> str | None:
        """Which levels of the data that pass a contract are broken, in words; None if none is."""
        return self._broken.get((tenant, contract.line)) if self._broken else None

    def _learn(self, contract: Contract) -> Plan:
        plan = self._plans[contract.digest] = Plan(contract)
        return plan

    def _tally(self, plan: Plan, tenant: UUID) -> Tally:
        tally = self._tallies.get((plan, tenant))
        if tally is None:
            tally = self._tallies[plan, tenant] = Tally(plan, self._now)
        return tally

    async def _watch(self) -> None:
        while (task := asyncio.current_task()) and not task.cancelling():
            told = await news_within(self._news, self._every_s)
            try:
                if not told:
                    await self.flush()
                    await judge_levels(self._database, self._writer, self._lines, self._contracts)
                await self._look()
            except (InterlockError, psycopg.Error) as cause:
                log.warning("the levels of the data cannot be judged now, trying again: %s", cause)
            except Exception:
                # whatever goes wrong here, the process must not stay for ever with what it knew
                log.exception("the levels of the data could not be judged; trying again")

    async def flush(self) -> None:
        """Write down what was counted since the last time; kept for the next time where that fails."""
        self._now = self._database.clock.now()
        taken, self._tallies = self._tallies, {}
        by_tenant: dict[UUID, list[tuple[Plan, Tally]]] = {}
        for (plan, tenant), tally in taken.items():
            by_tenant.setdefault(tenant, []).append((plan, tally))
        try:
            for tenant in list(by_tenant):
                await self._write(tenant, by_tenant[tenant])
                del by_tenant[tenant]
        finally:
            for tenant, left in by_tenant.items():
                for plan, tally in left:
                    self._tally(plan, tenant).join(tally)

    async def _write(self, tenant: UUID, counted: list[tuple[Plan, Tally]]) -> None:
        arrivals: dict[tuple[str, str], NewArrival] = {}
        tallies: dict[tuple[str, str], NewTally] = {}
        for plan, tally in counted:
            elements = {"": (tally.records, None), **tally.by_element()}
            for element, (filled, newest) in elements.items():
                # Two minor versions of one contract are one line.
                key = (plan.line, element)
                last = arrivals.get(key)
                moments = [moment for moment in (newest, last.newest if last else None) if moment]
                arrivals[key] = NewArrival(
                    tenant=tenant,
                    line=plan.line,
                    element=element,
                    passed=tally.records > 0 or (last is not None and last.passed),
                    newest=max(moments, default=None),
                )
                before = tallies.get(key)
                tallies[key] = NewTally(
                    tenant=tenant,
                    line=plan.line,
                    element=element,
                    records=tally.records + (before.records if before else 0),
                    refused=tally.refused + (before.refused if before else 0),
                    filled=filled + (before.filled if before else 0),
                )
        async with self._database.tenant(tenant) as connection:
            await ADD_ARRIVALS.run(connection, list(arrivals.values()))
            await ADD_TALLIES.run(connection, list(tallies.values()))
            if self._now - self._pruned.get(tenant, _LONG_AGO) > _UPKEEP:
                await DROP_OLD_TALLIES.run(connection)
                self._pruned[tenant] = self._now

    async def _look(self) -> None:
        async with self._database.installation() as connection:
            rows = await BROKEN_LEVELS.all(connection)
        broken: dict[tuple[UUID, str], str] = {}
        for row in rows:
            said = f"{row.line}: {row.level}, and {row.what}"
            before = broken.get((row.tenant, row.line))
            broken[row.tenant, row.line] = f"{before}; {said}" if before else said
        self._broken = broken
