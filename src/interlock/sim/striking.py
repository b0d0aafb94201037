"""How faults strike a request: what happens before its effect, and what happens after it."""

from __future__ import annotations

import asyncio

from interlock.sim.faults import FaultKind, FaultRule, FaultRun
from interlock.sim.problem import problem
from interlock.sim.wire import Dropped, Reply, answer

Struck = dict[FaultKind, FaultRule]


async def before_effect(run: FaultRun, struck: Struck) -> Reply | None:
    """What strikes before the effect: nothing, or the reply that there is instead of it."""
    if (slow := struck.get(FaultKind.SLOW)) is not None:
        run.count(slow.kind)
        await asyncio.sleep(slow.seconds)
    for kind in (FaultKind.RATE_LIMIT, FaultKind.FAIL_BEFORE, FaultKind.DROP_BEFORE, FaultKind.REJECT):
        if (rule := struck.get(kind)) is not None:
            run.count(kind)
            return _instead(rule)
    return None


async def after_effect(run: FaultRun, struck: Struck, reply: Reply) -> Reply:
    """What strikes after the effect: the reply, or what there is instead of it."""
    if (slow := struck.get(FaultKind.SLOW_AFTER)) is not None:
        run.count(slow.kind)
        await asyncio.sleep(slow.seconds)
    for kind in (FaultKind.FAIL_AFTER, FaultKind.DROP_AFTER):
        if (rule := struck.get(kind)) is not None:
            run.count(kind)
            return _instead(rule)
    return reply


def _instead(rule: FaultRule) -> Reply:
    match rule.kind:
        case FaultKind.RATE_LIMIT:
            limited = problem(rule.answers, "rate-limited", "too many requests; wait as Retry-After says")
            return answer(limited, retry_after=str(rule.retry_after))
        case FaultKind.REJECT:
            return answer(problem(rule.answers, "rejected", rule.detail))
        case FaultKind.FAIL_BEFORE | FaultKind.FAIL_AFTER:
            return answer(problem(rule.answers, "failed", "something went wrong inside the provider"))
        case _:
            return Dropped()
