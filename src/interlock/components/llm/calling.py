"""One completion of a model: sent, and sent again where that may help, within the time that is left.

| what comes | what becomes of it |
| --- | --- |
| no connection, a broken one, no answer in time | sent again, while time and attempts last |
| 408, 409, 425, 429, 5xx | sent again, not before its Retry-After |
| 200 that is no chat completion | sent again |
| any other status, a redirect too | failed for good: sending it again would change nothing |
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from interlock.components.llm.bill import Bill
from interlock.components.llm.chat import Completion, Unreadable, read_completion, read_refusal, read_usage
from interlock.components.llm.conversation import Request
from interlock.components.llm.provider import Lost, Provider, Reply, Trail
from interlock.errors import ComponentFailed, ComponentLate, ConfigInvalid

_AGAIN = frozenset({408, 409, 425, 429})
_OK = 200
_SERVER_ERROR = 500
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 8.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")
_EARLY_S = 0.002
"""A timer of the event loop may strike by its own coarser clock, so much before its time."""
_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What may pass: why, and how long the provider asks to wait."""

    what: str
    pause_s: float | None = None


async def complete(provider: Provider, request: Request, *, until: float, bill: Bill) -> Completion:
    """Ask for one completion.

    Args:
        provider: Whom.
        request: What.
        until: The deadline on the event loop's clock.
        bill: Where each request counts.

    Raises:
        ComponentLate: there was no answer in time.
        ComponentFailed: there is none, and why.
    """
    loop = asyncio.get_running_loop()
    name, most = provider.terms.name, provider.terms.attempts
    attempt = 1
    while True:
        async with provider.place():
            outcome = await _once(provider, request, until, bill)
        if isinstance(outcome, Completion):
            return outcome
        if loop.time() >= until:
            raise ComponentLate(f"{name}: {outcome.what}")
        if attempt >= most:
            raise ComponentFailed(f"{name}: {outcome.what}, in attempt {attempt} of {most}")
        pause = _pause(attempt) if outcome.pause_s is None else outcome.pause_s
        if loop.time() + pause >= until:
            left = until - loop.time()
            raise ComponentLate(f"{name}: {outcome.what}; {pause:.1f} s to wait, and {left:.1f} s are left")
        await asyncio.sleep(pause)
        attempt += 1


async def _once(provider: Provider, request: Request, until: float, bill: Bill) -> Completion | _Trouble:
    loop, breaker = asyncio.get_running_loop(), provider.breaker
    if refusal := breaker.refusal(loop.time()):
        raise ComponentFailed(f"{provider.terms.name} is left alone: {refusal}")
    trail = Trail()
    counted = False
    try:
        reply = await provider.exchange(request.body, until, trail)
        counted = True
    except asyncio.CancelledError:
        # The decision's own deadline strikes first where it is the nearer one, and a provider that hangs is then found
        # out only here. Who is cut off earlier, by a stop or by the end of the process, says nothing of the provider.
        if trail.sent and time.monotonic() >= until - _EARLY_S:
            breaker.failed(loop.time(), "no answer in time")
        raise
    except Lost as cause:
        breaker.failed(loop.time(), str(cause))
        return _Trouble(str(cause))
    except ConfigInvalid as cause:
        breaker.answered()
        raise ComponentFailed(f"{provider.terms.name}: {cause.what}", todo=cause.todo) from cause
    finally:
        # INVARIANT: what may have reached the provider counts, also when this asking is being cut off.
        if trail.sent and not counted:
            bill.lost(request.most_input)
    return _judged(provider, reply, request.most_input, bill, loop.time())


def _judged(provider: Provider, reply: Reply, most_input: int, bill: Bill, now: float) -> Completion | _Trouble:
    name, breaker = provider.terms.name, provider.breaker
    if reply.status == _OK:
        try:
            completion = read_completion(reply.body)
        except Unreadable as cause:
            bill.answered(read_usage(reply.body), most_input)
            breaker.failed(now, "no chat completion")
            return _Trouble(f"the answer is no chat completion: {cause}")
        bill.answered(completion.usage, most_input)
        breaker.answered()
        return completion
    bill.refused()
    said = read_refusal(reply.body)
    what = f"it answered {reply.status}{f' ({said})' if said else ''}"
    if reply.status >= _SERVER_ERROR:
        breaker.failed(now, f"it answered {reply.status}")
        return _Trouble(what, retry_after_s(reply.retry_after))
    breaker.answered()
    if reply.status in _AGAIN:
        return _Trouble(what, retry_after_s(reply.retry_after))
    raise ComponentFailed(f"{name}: {what}", todo="mend the component's file or the provider's settings, as it says")


def retry_after_s(text: str, now: datetime | None = None) -> float | None:
    """How long a header Retry-After asks to wait (RFC 9110, section 10.2.3); None if it says nothing that is one."""
    if _SECONDS.match(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _pause(attempt: int) -> float:
    """Before another attempt, if nobody says how long: doubled each time, and spread."""
    return min(_FIRST_PAUSE_S * 2.0 ** (attempt - 1), _LONGEST_PAUSE_S) * (0.5 + _chance.random() / 2)
