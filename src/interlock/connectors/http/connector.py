"""The HTTP connector: acts on an outside system by requests that carry key and deadline, and looks effects up."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from interlock.actions.connector import (
    Abilities,
    Absent,
    LookedUp,
    Permanent,
    Read,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
)
from interlock.connector_settings import ConnectorSettings, refuse_unused
from interlock.connectors.http.answer import judge, judge_look_up, judge_void
from interlock.connectors.http.exchange import Exchange, Lost, Outgoing
from interlock.connectors.http.operation import LookUp
from interlock.connectors.http.reads import judge_read, read_readings
from interlock.connectors.http.tables import read_operations
from interlock.connectors.http.template import Body, Template, filled
from interlock.errors import ConfigInvalid, Refused
from interlock.spelling import meant

_UNSENDABLE = (Refused, UnicodeError, TypeError, ValueError)
_NOT_THERE = Unknown("the key cannot be made void, since it stands for an effect, and that effect is not to be found")


class HttpConnector:
    """Carries out operations over HTTP/1.1, looks their effects up, and makes keys void. It holds only connections.

    Owned by one event loop, in which it makes its connections when it first needs one.

    Args:
        name: Its name in the settings.
        terms: Its settings.
        now: The time in UTC, as the deadlines of requests mean it.
        environ: Where secrets are that are kept in the environment.

    Raises:
        ConfigInvalid: its operations are unknown, missing or malformed; all of it is named.
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
        if not terms.url:
            raise ConfigInvalid(
                "url is missing", where=where, todo="say where it is, as in https://payments.example.com"
            )
        if not terms.url.startswith(("https://", "http://")) or any(mark in terms.url for mark in "?#"):
            raise ConfigInvalid(
                f"{terms.url[:60]!r} is no address to add a path to", where=where, todo="write https://HOST/PATH"
            )
        refuse_unused(terms, "options")
        self._name = name
        self._terms = terms
        self._now = now
        self._readings = read_readings(terms.reads, where)
        self._operations = read_operations(
            terms.operations, where, can_look_up=terms.can_look_up, can_void=terms.can_void, needed=not terms.reads
        )
        self._exchange = Exchange(terms, now=now, environ=environ)

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def abilities(self) -> Abilities:
        """What it can do, as the settings say."""
        terms = self._terms
        return Abilities(
            simulated=terms.simulated,
            honours_keys=terms.honours_keys,
            key_retention=terms.key_retention,
            can_look_up=terms.can_look_up,
            can_void=terms.can_void,
            max_request_life=terms.max_request_life,
        )

    async def send(self, request: Request) -> Sent:
        """Ask for the effect, once. What may have taken effect is ``InDoubt``, never ``Transient``."""
        operation = self._operations.get(request.operation)
        if operation is None:
            return Permanent(self._no_operation(request.operation), "no-operation")
        try:
            headers = {operation.key_header: _key_text(request.key, bare=operation.key_bare)}
            outgoing = self._outgoing(operation.method, operation.path, operation.body, request, headers)
        except _UNSENDABLE as cause:
            return Permanent(f"{request.operation} cannot be sent: {_what(cause)}", "unsendable")
        try:
            secret = await self._exchange.token()
        except Refused as cause:
            return Transient(cause.what, code="no-secret")
        answer = await self._exchange.send(_signed(outgoing, secret))
        if isinstance(answer, Lost):
            return answer.sent
        return _without(judge(operation, answer, self._now()), secret)

    async def look_up(self, request: Request) -> LookedUp:
        """Look for the effect of a key, without causing any. Never raises."""
        operation = self._operations.get(request.operation)
        if operation is None:
            return Unknown(self._no_operation(request.operation))
        if operation.look_up is None:
            return Unknown(f"connectors.{self._name}.operations.{operation.name} has no look_up")
        return await self._looked_up(operation.look_up, request)

    async def void(self, request: Request) -> Voidance:
        """Make the key void, or find the effect that came first. Never raises."""
        operation = self._operations.get(request.operation)
        void = operation.void if operation else None
        if operation is None or void is None:
            return Unknown(f"connectors.{self._name}.operations has no void for {request.operation[:60]!r}")
        try:
            outgoing = self._outgoing(void.method, void.path, void.body, request, {})
            secret = await self._exchange.token()
        except _UNSENDABLE as cause:
            return Unknown(f"the key of {request.operation} cannot be made void: {_what(cause)}")
        answer = await self._exchange.send(_signed(outgoing, secret))
        if isinstance(answer, Lost):
            return Unknown(answer.what)
        said = judge_void(void, answer, request)
        if said is None and operation.look_up is not None:
            found = await self._looked_up(operation.look_up, request)
            return _NOT_THERE if isinstance(found, Absent) else found
        return _without(said or _NOT_THERE, secret)

    async def read_fact(self, name: str, parameters: Mapping[str, Any], deadline: datetime) -> Read | Unknown:
        """Read a fact by a GET. Never raises."""
        reading = self._readings.get(name)
        if reading is None:
            return Unknown(f"connectors.{self._name} has no reading {name!r}; {meant(name, self._readings)}")
        try:
            url = self._terms.url + reading.path.path("", parameters)
            secret = await self._exchange.token()
        except _UNSENDABLE as cause:
            return Unknown(f"{name} cannot be read: {_what(cause)}")
        answer = await self._exchange.send(_signed(Outgoing("GET", url, {}, None, deadline), secret))
        if isinstance(answer, Lost):
            return Unknown(answer.what)
        return judge_read(reading, answer)

    async def close(self) -> None:
        """Let go of connections; what is asked afterwards is not sent."""
        await self._exchange.close()

    async def _looked_up(self, look_up: LookUp, request: Request) -> LookedUp:
        try:
            outgoing = self._outgoing("GET", look_up.path, None, request, {})
            secret = await self._exchange.token()
        except _UNSENDABLE as cause:
            return Unknown(f"{request.operation} cannot be looked up: {_what(cause)}")
        answer = await self._exchange.send(_signed(outgoing, secret))
        if isinstance(answer, Lost):
            return Unknown(answer.what)
        return _without(judge_look_up(look_up, answer, request), secret)

    def _outgoing(self, method: str, path: Template, body: Body, request: Request, headers: dict[str, str]) -> Outgoing:
        content = None
        if body is not None:
            content = msgspec.json.encode(filled(body, request.key, request.payload))
            headers = {**headers, "Content-Type": "application/json"}
        url = self._terms.url + path.path(request.key, request.payload)
        return Outgoing(method, url, headers, content, request.deadline)

    def _no_operation(self, wanted: str) -> str:
        return f"connectors.{self._name} has no operation {wanted!r}; {meant(wanted, self._operations)}"


def _signed(outgoing: Outgoing, secret: str) -> Outgoing:
    """The request with the secret, if there is one."""
    if not secret:
        return outgoing
    return replace(outgoing, headers={**outgoing.headers, "Authorization": f"Bearer {secret}"})


def _key_text(key: str, *, bare: bool) -> str:
    """The key as a header carries it: a string of structured fields (RFC 9651, section 3.3.3), or as it is."""
    if not key or not key.isascii() or not key.isprintable():
        raise Refused("the key is empty or has characters other than printable ASCII, which no header can carry")
    return key if bare else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _without(outcome: Any, secret: str) -> Any:
    """An outcome whose words do not repeat the secret, should the other side have done so."""
    what = getattr(outcome, "what", "")
    if not secret or secret not in what:
        return outcome
    return msgspec.structs.replace(outcome, what=what.replace(secret, "***"))


def _what(cause: Exception) -> str:
    return cause.what if isinstance(cause, Refused) else str(cause)[:300]
