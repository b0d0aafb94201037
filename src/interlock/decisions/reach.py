"""Reaching one component: on the spot, in its threads, or outside; within its time, its stops and its money.

| component | where it is asked | what bounds it |
| --- | --- | --- |
| rules | on the event loop | the table's size; an answer that came after the rules' part is late |
| a quick model that is bounded | on the event loop, while nothing is stopped | what its contract lets in |
| any other model | in threads of its own, a few | what inference has left; then the thread is given up |
| a language model | outside, on the event loop | what inference has left; what decision and day may still cost |
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import cast
from weakref import WeakKeyDictionary

from interlock.components.component import (
    OUTSIDE,
    Answer,
    Component,
    Kind,
    OutsideComponent,
    Question,
    Tally,
)
from interlock.components.taken import FREE, cost_of, words_of
from interlock.components.threads import Threads
from interlock.decisions.asked import Asked
from interlock.decisions.costs import shown_usd
from interlock.decisions.pace import Pace, pace_of
from interlock.decisions.purse import Purse, Reserved
from interlock.errors import ComponentFailed, ComponentLate, ComponentTooDear, InterlockError
from interlock.guards.stop_watch import StopWatch
from interlock.usage import Usage


@dataclass(slots=True)
class Spent:
    """What asking one component has taken so far; it counts however the asking ends.

    Attributes:
        cost: In USD beside compute.
        usage: In tokens and requests; None: it uses none.
        cpu_us: Microseconds of processor time.
    """

    cost: Decimal = FREE
    usage: Usage | None = None
    cpu_us: int = 0

    def take(self, cost: object, usage: Usage | None) -> None:
        """Count what an answer or a failure says that it cost, where that is more than is known.

        Raises:
            ComponentFailed: what it says is no cost.
        """
        if cost is FREE and usage is None:
            return  # by far the most do not cost anything
        self.cost = max(self.cost, cost_of(cost, usage))
        self.usage = usage or self.usage


@dataclass(slots=True)  # not frozen: that costs each decision a microsecond, and nobody else holds it
class Reach:
    """How far one decision may go to reach its components.

    Attributes:
        asked: What is to be decided.
        watch: Cuts the asking of a component off as soon as somebody stops it.
        purse: The day's books; None: a point that has a bound for the day asks nobody who costs.
        reserved: What was reserved there for this decision.
    """

    asked: Asked
    watch: StopWatch
    purse: Purse | None
    reserved: list[Reserved]

    async def answer(
        self, component: Component, question: Question, until: float, spent: Spent, before: Decimal
    ) -> Answer:
        """The component's answer, by a deadline.

        Args:
            component: Whom to ask.
            question: What.
            until: The deadline on the event loop's clock.
            spent: Where to count what it takes.
            before: What the components before it have cost.

        Raises:
            ComponentTooDear: it could cost more than there is, and was not asked.
            ScopeStopped: somebody has stopped what the decision bears.
            ComponentLate: there was no answer in time.
            ComponentFailed: there is no usable answer.
        """
        left_s = until - time.monotonic()  # not the loop's own time, which stands still while anything computes on it
        if left_s <= 0:
            raise ComponentLate("the time was used up before it was asked")
        limit: asyncio.Timeout | None = None
        try:
            if component.ref.kind in OUTSIDE:
                async with asyncio.timeout_at(until) as limit:
                    return await self._outside(cast("OutsideComponent", component), question, until, spent, before)
            pace = pace_of(component)
            # Quicker than a change of threads; a stop counts in the commit, and before it where one is known of.
            if component.ref.kind is Kind.RULES or (pace.is_quick and not self.watch.knows_any):
                answer = _on_the_spot(pace, component, question, left_s, spent)
            else:
                scopes = self.asked.scopes(component.ref)
                async with self.watch.cutting(self.asked.tenant, scopes), asyncio.timeout_at(until) as limit:
                    computed = await threads_of(component).run(
                        lambda: pace.answer_in_thread(component, question, left_s)
                    )
                answer, spent.cpu_us = computed
            spent.take(answer.cost, answer.usage)
        except InterlockError:
            raise
        except Exception as cause:
            if limit is not None and limit.expired():
                raise ComponentLate(f"no answer within {left_s * 1000:.0f} ms") from None
            # INVARIANT: whatever a component raises, the declared fallback answers.
            raise ComponentFailed(f"it raised {words_of(cause)}") from cause
        return answer

    async def _outside(
        self, component: OutsideComponent, question: Question, until: float, spent: Spent, before: Decimal
    ) -> Answer:
        reserved = await self._afford(component, question, before)
        tally = Tally()
        try:
            with self.asked.aside():
                async with self.watch.cutting(self.asked.tenant, self.asked.scopes(component.ref)):
                    answer = await component.ask(question, until=until, tally=tally)
            spent.take(answer.cost, answer.usage)
        except ComponentFailed as cause:
            spent.take(cause.cost, cause.usage)
            raise
        else:
            return answer
        finally:
            spent.take(tally.cost, tally.usage)
            if reserved is not None:
                reserved.cost = spent.cost

    async def _afford(self, component: OutsideComponent, question: Question, before: Decimal) -> Reserved | None:
        """See that there is money for the dearest way in which this can go, before any of it is spent.

        INVARIANT: nobody outside is asked who could take a decision, or its point's day, beyond what they may cost.
        """
        budget, most = self.asked.point.budget, component.most_cost(question)
        if most is None or not most.is_finite() or most < 0:
            raise ComponentTooDear("nobody can say what it would cost at most")
        if before + most > budget.cost:
            left = f"{shown_usd(max(budget.cost - before, FREE))} are left of {shown_usd(budget.cost)}"
            raise ComponentTooDear(f"it could cost {shown_usd(most)}, and {left}")
        if budget.cost_per_day is None or not most:
            return None
        if self.purse is None:
            raise ComponentTooDear("nobody here keeps the books of the day")
        reserved = await self.purse.reserve(self.asked, component.ref, most)
        if isinstance(reserved, str):
            raise ComponentTooDear(reserved)
        self.reserved.append(reserved)
        return reserved


def _on_the_spot(pace: Pace, component: Component, question: Question, left_s: float, spent: Spent) -> Answer:
    began = time.perf_counter()
    try:
        return pace.answer(component, question, left_s)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as cause:  # nothing is awaited here: it is the component's own, and ends no server
        raise ComponentFailed(f"it raised {words_of(cause)}") from cause
    finally:
        # nothing waits in there, so that its time is processor time, and a clock of its own would cost more
        spent.cpu_us = round((time.perf_counter() - began) * 1e6)


_threads: WeakKeyDictionary[Component, Threads] = WeakKeyDictionary()


def threads_of(component: Component) -> Threads:
    """The threads of a component in this process."""
    threads = _threads.get(component)
    if threads is None:
        threads = _threads[component] = Threads(str(component.ref))
    return threads
