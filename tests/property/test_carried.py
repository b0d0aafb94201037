"""What is carried is durable before anything that is written after it, whichever units are late, refused or fail."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from uuid import UUID

import pytest

from interlock.clock import Clock
from interlock.db.carried import Build, Carried, CarriedBuild
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.errors import WorkFailed
from interlock.ledger.ledger import Entry, first_entry, further_entry

TENANT = UUID(int=1)


class Disk:
    """Writes each unit after a while, so that they overtake one another, and refuses or fails some of them."""

    def __init__(self, chance: random.Random) -> None:
        self.calm = False
        self.kinds: list[str] = []
        self._chance = chance
        self._clock = Clock()

    async def write(self, unit: Unit) -> Refusal | None:
        """Write one unit, or not."""
        for _turn in range(self._chance.randrange(9)):
            await asyncio.sleep(0)
        trouble = 2 if self.calm else self._chance.randrange(5)
        if trouble == 0:
            return Refusal("limit", "there is no room")
        if trouble == 1:
            raise WorkFailed("the database said no")
        unit.prepare(self._clock)
        self.kinds += [write.row.kind for write in unit.writes if isinstance(write.row, Entry)]
        return None


def step(name: str) -> CarriedBuild:
    def build(stamp: Stamp, first: bool) -> Sequence[Write]:  # noqa: FBT001 - as ``Carried`` calls it
        return [(first_entry if first else further_entry)(stamp, TENANT, name, subject=TENANT)]

    return build


def unit(name: str) -> Build:
    return lambda stamp: [first_entry(stamp, TENANT, name, subject=TENANT)]


@pytest.mark.parametrize("seed", range(200))
async def test_nothing_is_written_ahead_of_what_was_carried_before_it(seed: int) -> None:
    chance = random.Random(seed)
    disk, carried = Disk(chance), Carried()
    before: dict[str, list[str]] = {}
    steps: list[str] = []

    async def branch(number: int) -> None:
        for turn in range(4):
            name = f"{number}.{turn}"
            if chance.random() < 0.5:
                carried.add(step(name))
                steps.append(name)
                continue
            before[name] = list(steps)
            alone = chance.random() < 0.3
            with contextlib.suppress(WorkFailed):
                await carried.write(disk, TENANT, None if alone else unit(name), ())

    await asyncio.gather(*(branch(number) for number in range(4)))
    disk.calm = True
    await carried.write(disk, TENANT, unit("last"), ())
    assert not carried
    assert [kind for kind in disk.kinds if kind in steps] == steps, "each once, in its order"
    for name, earlier in before.items():
        if name in disk.kinds:
            assert set(earlier) <= set(disk.kinds[: disk.kinds.index(name)]), f"{name} was written ahead"


async def test_who_settles_up_waits_for_the_unit_that_took_everything_along() -> None:
    disk, carried = Disk(random.Random(1)), Carried()
    disk.calm = True
    carried.add(step("carried"))
    first = asyncio.create_task(carried.write(disk, TENANT, unit("first"), ()))
    await asyncio.sleep(0)  # it is under way
    assert carried
    refusal, _ = await carried.write(disk, TENANT, None, ())
    assert (refusal, disk.kinds, bool(carried)) == (None, ["carried", "first"], False)
    await first
