"""Settling an action whose answer was lost: looking it up, voiding its key, waiting, asking a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from interlock.actions.action import Action, ActionState, Move, NextMove, settle_doubt
from interlock.actions.connector import Absent, Connector, Found, LookedUp, Pending, Unknown, Voidance, Voided
from interlock.actions.outcome import Finished, Holder, Later, finish, look_again, no_attempt_left, request_of
from interlock.actions.terms import ActionTerms
from interlock.actions.transition import Transition

_LOOK_AGAIN = timedelta(seconds=5)


class Settlement:
    """Settles what is in doubt, as far as its connector's abilities allow.

    Args:
        transition: Records what comes of it.
        now: The database's time.
    """

    def __init__(self, transition: Transition, now: Callable[[], datetime]) -> None:
        self._transition = transition
        self._now = now

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
            found = await self._look_up(action, connector)
            if not isinstance(found, Absent):
                return self._seen(found, action, holder, now)
            move = settle_doubt(action, connector.abilities, now, absent=True)
        spent = action.attempt >= terms.attempts
        if move.move is NextMove.SEND_AGAIN and spent and not move.cleared and connector.abilities.can_void:
            move = Move(NextMove.VOID, "no attempt is left, and its key can be made void")
        voided = move.move is NextMove.VOID
        if voided:
            said = await self._void(action, connector)
            if not isinstance(said, Voided):
                return self._seen(said, action, holder, now)
            move = settle_doubt(action, connector.abilities, now, voided=True)
        match move.move:
            case NextMove.SEND_AGAIN if spent:
                return no_attempt_left(action, holder, move)
            case NextMove.SEND_AGAIN:
                return await self._transition.ready_again(action, holder, move, voided=voided)
            case NextMove.WAIT:
                return Later(move.at, f"{action.name} is in doubt: {move.why}")
            case _:
                return finish(action, holder, ActionState.EXCEPTION, error=f"in doubt: {move.why}", outcome="in_doubt")

    def _seen(
        self, found: Found | Pending | Unknown, action: Action, holder: Holder, now: datetime
    ) -> Finished | Later:
        match found:
            case Found(response, matches=True):
                return finish(action, holder, ActionState.DONE, response=response, outcome="found")
            case Found(response):
                what = f"the other side holds another payment under this key: {response}"
                return finish(action, holder, ActionState.EXCEPTION, error=what, outcome="found")
            case Pending():
                return look_again(action, holder, now + _LOOK_AGAIN, "is accepted at the other side and pending")
            case Unknown(what):
                return look_again(action, holder, now + _LOOK_AGAIN, f"is in doubt and cannot be looked up now: {what}")

    async def _look_up(self, action: Action, connector: Connector) -> LookedUp:
        request = msgspec.structs.replace(request_of(action), deadline=self._now() + _LOOK_AGAIN)
        try:
            async with asyncio.timeout(_LOOK_AGAIN.total_seconds()):
                return await connector.look_up(request)
        except Exception as cause:  # noqa: BLE001 - a look-up that fails is asked again
            return Unknown(f"{type(cause).__name__}: {cause}")

    async def _void(self, action: Action, connector: Connector) -> Voidance:
        request = msgspec.structs.replace(request_of(action), deadline=self._now() + _LOOK_AGAIN)
        try:
            async with asyncio.timeout(_LOOK_AGAIN.total_seconds()):
                return await connector.void(request)
        except Exception as cause:  # noqa: BLE001 - voiding is asked again: it is idempotent
            return Unknown(f"{type(cause).__name__}: {cause}")
