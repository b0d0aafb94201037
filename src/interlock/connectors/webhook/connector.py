"""The webhook connector: posts signed events, and reads from the answer whether they were taken in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from interlock.actions.connector import (
    Abilities,
    Done,
    LookedUp,
    Permanent,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
)
from interlock.connector_settings import ConnectorSettings, refuse_unused
from interlock.connectors.http.answer import Answer, json_object, judge
from interlock.connectors.http.exchange import Exchange, Lost, Outgoing
from interlock.connectors.webhook.event import Event, read_events
from interlock.connectors.webhook.signature import read_secrets, sign
from interlock.errors import ConfigInvalid, Refused
from interlock.spelling import meant

_UNSENDABLE = (Refused, UnicodeError, TypeError, ValueError)
_SUCCESS = range(200, 300)
_NO_ID = re.compile(r"[%.]")


class WebhookConnector:
    """Posts events to one endpoint over HTTP/1.1. It holds connections and no other state. Owned by one event loop.

    Args:
        name: Its name in the settings.
        terms: Its settings.
        now: The time in UTC, as the deadlines of requests mean it.
        environ: Where secrets are that are kept in the environment.

    Raises:
        ConfigInvalid: a setting is unknown, missing or malformed; all of it is named.
    """

    def __init__(
        self,
        name: str,
        terms: ConnectorSettings,
        *,
        now: Callable[[], datetime],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        where = f"connectors.{name}"
        if not terms.url.startswith(("https://", "http://")) or "#" in terms.url:
            raise ConfigInvalid(
                f"{terms.url[:60]!r} is no address of an endpoint", where=where, todo="write https://HOST/PATH"
            )
        if terms.secret is None:
            raise ConfigInvalid(
                "secret is missing: a webhook is signed", where=where, todo="set secret = env:NAME or file:PATH"
            )
        refuse_unused(terms, "can_look_up", "can_void", "reads", "options")
        self._name = name
        self._terms = terms
        self._now = now
        self._events = read_events(terms.operations, where)
        self._exchange = Exchange(terms, now=now, environ=environ)

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def abilities(self) -> Abilities:
        """What its receiver can do, as the settings say: one that keeps ids honours keys."""
        terms = self._terms
        return Abilities(
            simulated=terms.simulated,
            honours_keys=terms.honours_keys,
            key_retention=terms.key_retention,
            max_request_life=terms.max_request_life,
        )

    async def send(self, request: Request) -> Sent:
        """Post the event, once. What may have been taken in is ``InDoubt``, never ``Transient``."""
        event = self._events.get(request.operation)
        if event is None:
            what = f"connectors.{self._name} has no operation {request.operation!r}"
            return Permanent(f"{what}; {meant(request.operation, self._events)}", "no-operation")
        now = self._now()
        try:
            message_id, body = _message_id(request.key), event.body(request, now)
        except _UNSENDABLE as cause:
            what = cause.what if isinstance(cause, Refused) else str(cause)[:300]
            return Permanent(f"{request.operation} cannot be sent: {what}", "unsendable")
        try:
            secrets = read_secrets(await self._exchange.secret())
        except Refused as cause:
            return Transient(f"{self._terms.secret}: {cause.what}", code="no-secret")
        headers = {"Content-Type": "application/json", **sign(secrets, message_id, now, body)}
        answer = await self._exchange.send(Outgoing("POST", self._terms.url, headers, body, request.deadline))
        return answer.sent if isinstance(answer, Lost) else _judge(event, answer, now)

    async def look_up(self, request: Request) -> LookedUp:
        """A webhook cannot be looked up."""
        return Unknown(f"connectors.{self._name}: a receiver of webhooks cannot be asked for {request.key[:60]!r}")

    async def void(self, request: Request) -> Voidance:
        """A webhook cannot be made void."""
        return Unknown(f"connectors.{self._name}: a receiver of webhooks cannot be told to void {request.key[:60]!r}")

    async def close(self) -> None:
        """Let go of connections; what is asked afterwards is not sent."""
        await self._exchange.close()


def _message_id(key: str) -> str:
    """The key as an id: without the full stop, which separates the parts of what is signed.

    Raises:
        Refused: it has characters that no header can carry.
    """
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Refused("the key is empty or has characters other than visible ASCII, which no header can carry")
    return _NO_ID.sub(lambda found: f"%{ord(found[0]):02X}", key)


def _judge(event: Event, answer: Answer, now: datetime) -> Sent:
    """What an answer says: any 2xx is success, and of everything else what HTTP makes of it."""
    if answer.status not in _SUCCESS:
        return judge(event.answers, answer, now)
    response: dict[str, Any] = {"status": answer.status}
    if (said := json_object(answer.body)) is not None:
        response["body"] = said
    return Done(response)
