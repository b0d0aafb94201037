"""Settling an action whose answer was lost: looking it up, voiding its key, waiting, asking a person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from interlock.actions.action import Action, ActionState, Move, NextMove, is_voidable, settle_doubt
from interlock.actions.boundary import Boundaries
from interlock.actions.connector import Absent, Connector, Found, Pending, Request, Unknown, Voided
from interlock.actions.outcome import Finished, Holder, Later, finish, look_again, no_attempt_left, request_of
from interlock.actions.terms import ActionTerms
from interlock.actions.transition import Transition
from interlock.db.work import Refusal

T = TypeVar("T")
_LOOK_AGAIN = timedelta(seconds=5)


class Settlement:
    """Settles what is in doubt, as far as its connector's abilities allow.

    Args:
        transition: Records what comes of it.
        now: The database's time.
        boundaries: What keeps requests to outside systems within bounds; questions too.
    """

    def __init__(self, transition: Transition, now: Callable[[], datetime], boundaries: Boundaries) -> None:
        self._transition = transition
        self._now = now
        self._boundaries = boundaries

    async def settle(
        self, action: Action, connector: Connector, terms: ActionTerms, holder: Holder
    ) -> Finished | Later | Action:
        """Take one step out of doubt: an end, a time to go on, or the action ready to be sent again.

        Raises:
            Fenced: the case belongs to another worker now.
        """
        now = self._now()
        move = settle_doubt(action, connector.abilities, now)
        if move.move is NextMove.LOOK_UP:
            found = await self._ask(action, connector, connector.look_up)
            if not isinstance(found, Absent):
                return self._seen(found, action, holder, now)
            move = settle_doubt(action, connector.abilities, now, absent=True)
        spent = action.attempt >= terms.attempts
        if (
            move.move is NextMove.SEND_AGAIN
            and spent
            and not move.cleared
            and is_voidable(action, connector.abilities, now)
        ):
            move = Move(NextMove.VOID, "no attempt is left, and its key can be made void")
        voided = move.move is NextMove.VOID
        if voided:
            # Under the fence first: a worker that lost its case makes no key void that its successor uses.
            action = await self._transition.in_doubt(action, holder, move.why)
            said = await self._ask(action, connector, connector.void)
            if not isinstance(said, Voided):
                return self._seen(said, action, holder, now)
            move = settle_doubt(action, connector.abilities, now, voided=True)
        match move.move:
            case NextMove.SEND_AGAIN if spent:
                return no_attempt_left(action, holder, move, voided=voided)
            case NextMove.SEND_AGAIN:
                return await self._transition.ready_again(action, holder, move, voided=voided)
            case NextMove.WAIT:
                return Later(move.at, f"{action.name} is in doubt: {move.why}")
            case _:
                return finish(action, holder, ActionState.EXCEPTION, error=f"in doubt: {move.why}", outcome="in_doubt")

    def _seen(
        self, found: Found | Pending | Unknown | Refusal, action: Action, holder: Holder, now: datetime
    ) -> Finished | Later:
        match found:
            case Refusal():
                until = found.until or now + _LOOK_AGAIN
                return look_again(action, holder, until, f"is in doubt and cannot be looked up now: {found.what}")
            case Found(response, matches=True):
                return finish(action, holder, ActionState.DONE, response=response, outcome="found")
            case Found(response):
                what = f"the other side holds another payment under this key: {response}"
                return finish(action, holder, ActionState.EXCEPTION, error=what, outcome="found")
            case Pending():
                return look_again(action, holder, now + _LOOK_AGAIN, "is accepted at the other side and pending")
            case Unknown(what):
                return look_again(action, holder, now + _LOOK_AGAIN, f"is in doubt and cannot be looked up now: {what}")

    async def _ask(
        self, action: Action, connector: Connector, ask: Callable[[Request], Awaitable[T]]
    ) -> T | Unknown | Refusal:
        """Ask the other side, within the same bounds as any request; asking causes no effect and is done again."""
        async with self._boundaries.place(connector.name) as busy:
            began = self._now()
            refusal = busy or await self._boundaries.may_ask(connector.name, _LOOK_AGAIN, began)
            if refusal:
                return refusal
            request = msgspec.structs.replace(request_of(action), deadline=began + _LOOK_AGAIN)
            try:
                async with asyncio.timeout(_LOOK_AGAIN.total_seconds()):
                    answer: T | Unknown = await ask(request)
            except Exception as cause:  # noqa: BLE001 - whatever it is, it shows nothing of the effect
                answer = Unknown(f"{type(cause).__name__}: {cause}")
        await self._boundaries.note(connector.name, answer, began)
        return answer
