"""Writes that wait for the next unit of the same owner, so that two durable commits become one.

What a step gave is known only to the worker that ran it until something rests on it: another step's outside call, an
action, the end of the case. Its row travels in the commit of whatever comes next, and is there before that has an
effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from interlock.db.work import Condition, Refusal, Stamp, Unit, Write

Build = Callable[[Stamp], Sequence[Write]]
CarriedBuild = Callable[[Stamp, bool], Sequence[Write]]
"""Gives the writes of what is carried; told whether its ledger entry is the one by which the unit is found."""


class WritesUnits(Protocol):
    """The process's writer, or what writes a unit together with an effect."""

    async def write(self, unit: Unit) -> Refusal | None:
        """Write one unit; None, or why it was refused."""
        ...


class Carried:
    """What one owner has not written yet.

    INVARIANT: it is written whole or kept whole, in the order in which it was added, and it is durable before anything
    that is written later, or with it. So while a unit that took it along is under way, every other one waits: should
    that unit be refused, the next one takes it.
    """

    def __init__(self) -> None:
        self._builds: list[CarriedBuild] = []
        self._taken: asyncio.Event | None = None  # while a unit has them; set once it is written or refused

    def __bool__(self) -> bool:
        return bool(self._builds) or self._taken is not None

    def add(self, build: CarriedBuild) -> None:
        """Let this ride in the next unit."""
        self._builds.append(build)

    def drop(self) -> None:
        """Forget what is carried: the database refused it."""
        self._builds.clear()

    async def write(
        self,
        writer: WritesUnits,
        tenant: UUID,
        build: Build | None,
        conditions: tuple[Condition, ...],
        *,
        wakes: tuple[str, ...] = (),
    ) -> tuple[Refusal | None, Unit]:
        """Write a unit, and what is carried with it.

        Args:
            writer: The process's.
            tenant: Whose it is.
            build: Gives the unit's own writes; None: it is only for what is carried, if that is not written meanwhile.
            conditions: All must hold.
            wakes: Channels to wake after the commit.

        Raises:
            WorkFailed: the database refused the unit; what was carried is kept.
            DatabaseUnavailable: as of ``Writer.write``.
        """
        while self._taken:
            await self._taken.wait()
        mine, self._builds = self._builds, []

        def together(stamp: Stamp) -> Sequence[Write]:
            alone = build is None
            carried = [write for place, one in enumerate(mine) for write in one(stamp, alone and place == 0)]
            return [*carried, *(build(stamp) if build else ())]

        unit = Unit(tenant, together if mine or build is None else build, conditions, wakes=wakes)
        if not mine:
            return (await writer.write(unit) if build else None), unit
        written, taken = False, asyncio.Event()
        self._taken = taken
        try:
            refusal = await writer.write(unit)
            written = refusal is None
        finally:
            if not written:
                self._builds = [*mine, *self._builds]
            self._taken = None
            taken.set()
        return refusal, unit
