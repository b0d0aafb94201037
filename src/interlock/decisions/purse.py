"""What a decision point may spend in a day, over all processes: reserved before it is spent, settled at what it was.

The books are the buckets of the guards room. What one asking could cost at most is reserved in a commit of its own
before anybody outside is asked; the decision's commit then settles it at what it did cost. A process that dies in
between leaves the reservation, since the money may be spent: it counts until the day ends. Only a point that states
``cost_per_day`` pays for this, and only for components that cost.

INVARIANT: what the point's askings of one day cost never adds up to more than ``cost_per_day``, as long as no component
costs more than it said it could.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from uuid import UUID

from interlock.components.component import ComponentRef
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.asked import Asked
from interlock.decisions.costs import shown_usd
from interlock.decisions.decision import ComponentAsked
from interlock.decisions.undecided import undecided_cost
from interlock.errors import InterlockError
from interlock.guards.bucket import Draw
from interlock.guards.gate import Spends, settle
from interlock.guards.span import Span, per_day
from interlock.ledger.ledger import first_entry

LEFT_ALONE_S = 2.0
"""How long a purse that had no room is not asked again: settling makes room, and nobody should wait for a refusal."""
_ANY = 2**62
"""A bound that no sum passes: what has been spent is put on the books whatever they hold."""
_UP = Context(prec=80, rounding=ROUND_CEILING)
_DOWN = Context(prec=80, rounding=ROUND_FLOOR)
_MOST_EXPONENT = 12

log = logging.getLogger("interlock.costs")


class CostDraw(Draw):
    """A draw in billionths of a US dollar: finer than a cent, since a token costs far less."""

    __slots__ = ()

    def shown(self, amount: int) -> str:
        """An amount in words: "0.0125 USD"."""
        return shown_usd(Decimal(amount).scaleb(-9))


@dataclass(slots=True)
class Reserved:
    """What is reserved for one asking.

    Attributes:
        id: Of the reservation.
        point: The decision point's full name.
        time_zone: Where its day begins.
        cost: What the asking has cost; at first the most that it can.
    """

    id: UUID
    point: str
    time_zone: str
    cost: Decimal

    @property
    def condition(self) -> Spends:
        """Puts what it did cost on the books in place of what was reserved; it is never refused."""
        return Spends(self.id, (draw_of(self.point, self.time_zone, billionths(self.cost), _ANY),))

    @property
    def write(self) -> Write:
        """Makes that final."""
        return settle(self.id)


class Purse:
    """Reserves and settles.

    Args:
        writer: For the commits.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._empty: dict[tuple[UUID, str], tuple[float, int]] = {}
        self._left: set[asyncio.Task[None]] = set()

    async def reserve(self, asked: Asked, component: ComponentRef, most: Decimal) -> Reserved | str:
        """Reserve what an asking can cost at most; or why there is no room for it, in a sentence.

        Whoever asks may be cut off meanwhile. What is reserved all the same is given back: nobody is asked for it.

        Args:
            asked: What is to be decided; its point states ``cost_per_day``.
            component: Who is to be asked.
            most: In USD.

        Raises:
            DatabaseUnavailable: whether it is reserved is not known; if it is, it counts until the day ends.
        """
        reserving = asyncio.ensure_future(self._reserve(asked, component, most))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            giving_back = asyncio.ensure_future(self._give_back(asked, reserving))
            self._left.add(giving_back)  # the event loop itself holds no task
            giving_back.add_done_callback(self._left.discard)
            raise

    async def _give_back(self, asked: Asked, reserving: asyncio.Future[Reserved | str]) -> None:
        """Settle at nothing what was reserved for somebody who has gone."""
        try:
            reserved = await reserving
            if isinstance(reserved, Reserved):
                reserved.cost = Decimal(0)
                await self.settle(asked, (reserved,))
        except InterlockError as cause:  # then what is reserved counts until the day ends
            log.warning("what was reserved for %s, and not asked for, could not be given back: %s", asked.name, cause)

    async def _reserve(self, asked: Asked, component: ComponentRef, most: Decimal) -> Reserved | str:
        budget = asked.point.budget
        if budget.cost_per_day is None:
            raise AssertionError("only a point with a bound for the day has a purse")
        needed, limit = billionths(most), int(_DOWN.to_integral_value(_DOWN.scaleb(budget.cost_per_day, 9)))
        known = self._empty.get((asked.tenant, asked.name))
        if known and time.monotonic() < known[0] and needed >= known[1]:
            return f"the day's {shown_usd(budget.cost_per_day)} of {asked.name} are used up"
        ids: list[UUID] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            ids.append(stamp.entry)
            entry = first_entry(
                stamp, asked.tenant, "cost.reserved", subject=stamp.entry, case_id=asked.case_id, point=asked.name,
                component=str(component), most=shown_usd(most),
            )  # fmt: skip
            return [entry]

        draw = draw_of(asked.name, budget.time_zone, needed, limit)
        refusal = await self._writer.write(Unit(asked.tenant, build, (Spends(None, (draw,)),)))
        if refusal is None:
            return Reserved(ids[-1], asked.name, budget.time_zone, most)
        self._empty[asked.tenant, asked.name] = (time.monotonic() + LEFT_ALONE_S, needed)
        await self._tell(asked, refusal)
        return refusal.what

    async def close(self) -> None:
        """Wait for what is still being given back; the writer bounds how long that takes."""
        await asyncio.gather(*self._left, return_exceptions=True)

    async def settle(self, asked: Asked, reserved: Sequence[Reserved], attempts: Sequence[ComponentAsked] = ()) -> None:
        """Put on record what was spent on a question that nothing came of, and settle what was reserved for it.

        Args:
            asked: What was asked.
            reserved: For it.
            attempts: Who was asked; without them nothing was spent.

        Raises:
            DatabaseUnavailable: whether it is settled is not known; if it is not, all of it counts until the day ends.
        """

        def build(stamp: Stamp) -> Sequence[Write]:
            cost = sum((one.cost for one in attempts), Decimal(0))
            subject = reserved[0].id if reserved else stamp.entry
            entry = first_entry(
                stamp, asked.tenant, "cost.settled", subject=subject, case_id=asked.case_id, point=asked.name,
                cost=shown_usd(cost),
            )  # fmt: skip
            spent = [undecided_cost(asked, stamp, attempts, cost)] if cost else []
            return [entry, *spent, *(one.write for one in reserved)]

        await self._writer.write(Unit(asked.tenant, build, tuple(one.condition for one in reserved)))

    async def _tell(self, asked: Asked, refusal: Refusal) -> None:
        """Tell once a day, whichever process meets it first: an entry in the ledger, and a warning in the log."""
        day = refusal.until.isoformat() if refusal.until else "never"
        key = key_digest(asked.tenant, "cost-exhausted", f"{asked.name}/{day}")

        def build(stamp: Stamp) -> Sequence[Write]:
            subject = short_digest(asked.tenant.bytes, b"cost_per_day", asked.name.encode())
            return [
                first_entry(
                    stamp, asked.tenant, "cost.exhausted", subject=subject, point=asked.name, what=refusal.what,
                    until=refusal.until,
                )
            ]  # fmt: skip

        if await self._writer.write(Unit(asked.tenant, build, (TakesKey(key, payload=UUID(int=0)),))) is None:
            log.warning("%s goes on without the components that cost: %s", asked.name, refusal.what)


def draw_of(point: str, time_zone: str, amount: int, most: int) -> CostDraw:
    """A draw on a point's purse.

    Args:
        point: The decision point's full name.
        time_zone: Where its day begins.
        amount: In billionths of a US dollar.
        most: What the day's sum may be at most, in the same.
    """
    return CostDraw(f"{point}.cost_per_day", "", "", _day(time_zone), amount, most)


def billionths(cost: Decimal) -> int:
    """A cost in billionths of a US dollar, rounded up, and never more than the books hold."""
    if cost.adjusted() >= _MOST_EXPONENT:
        return _ANY // 2
    return int(_UP.to_integral_value(_UP.scaleb(cost, 9)))


@functools.lru_cache(maxsize=64)
def _day(time_zone: str) -> Span:
    return per_day(time_zone)
