"""The mail connector: sends letters through one server. SMTP knows no keys: a lost reply waits for a person."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import datetime

from interlock.actions.connector import Abilities, LookedUp, Permanent, Request, Sent, Transient, Unknown, Voidance
from interlock.connector_settings import ConnectorSettings, refuse_unused
from interlock.connectors.mail.letter import Letter, read_letters
from interlock.connectors.mail.message import compose
from interlock.connectors.mail.server import read_server
from interlock.connectors.mail.session import Envelope, Progress, deliver, examine
from interlock.connectors.secret import fetch_secret
from interlock.errors import Refused
from interlock.spelling import meant

MOST_CONNECTIONS = 10
"""At once; more mails wait for their turn."""

_UNSENDABLE = (Refused, UnicodeError, TypeError, ValueError)


class MailConnector:
    """Sends mails over SMTP, each over a connection of its own. It holds no state. Owned by one event loop.

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
        refuse_unused(terms, "honours_keys", "can_look_up", "can_void", "reads")
        self._name = name
        self._terms = terms
        self._now = now
        self._environ = environ
        self._server = read_server(terms)
        self._letters = read_letters(terms.operations, f"connectors.{name}", self._server.sender)
        self._turns = asyncio.Semaphore(MOST_CONNECTIONS)
        self._closed = False

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def abilities(self) -> Abilities:
        """None: a mail that was accepted can be neither recognized, found nor called back."""
        return Abilities(simulated=self._terms.simulated, max_request_life=self._terms.max_request_life)

    async def send(self, request: Request) -> Sent:
        """Send the mail, once. What may have been accepted is ``InDoubt``, never ``Transient``."""
        letter = self._letters.get(request.operation)
        if letter is None:
            what = f"connectors.{self._name} has no operation {request.operation!r}"
            return Permanent(f"{what}; {meant(request.operation, self._letters)}", "no-operation")
        try:
            envelope = _envelope(letter, request, self._now())
        except _UNSENDABLE as cause:
            what = cause.what if isinstance(cause, Refused) else str(cause)[:300]
            return Permanent(f"{request.operation} cannot be sent: {what}", "unsendable")
        try:
            password = await fetch_secret(self._terms.secret, self._environ)
        except Refused as cause:
            return Transient(cause.what, code="no-secret")
        return await self._deliver(envelope, password, request.deadline)

    async def look_up(self, request: Request) -> LookedUp:
        """A mail cannot be looked up."""
        return Unknown(f"connectors.{self._name}: a mail cannot be looked up, as that of {request.key[:60]!r}")

    async def void(self, request: Request) -> Voidance:
        """A mail cannot be called back."""
        return Unknown(f"connectors.{self._name}: a mail cannot be called back, as that of {request.key[:60]!r}")

    async def examine(self, deadline: datetime) -> str:
        """What keeps mails from being sent, from the connection to the login; empty if nothing does. Sends nothing."""
        try:
            password = await fetch_secret(self._terms.secret, self._environ)
        except Refused as cause:
            return cause.what
        seconds = self._left(deadline)
        return await examine(self._server, password, seconds) if seconds > 0 else "there was no time to look"

    async def close(self) -> None:
        """Send nothing any more."""
        self._closed = True

    async def _deliver(self, envelope: Envelope, password: str, deadline: datetime) -> Sent:
        seconds = self._left(deadline)
        if seconds <= 0:
            return Transient("its deadline had passed before it was sent", code="late")
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError:
            return Transient(f"all {MOST_CONNECTIONS} connections were busy", code="busy")
        try:
            if self._closed:
                return Transient("the connector is closed", code="closed")
            return await deliver(self._server, password, envelope, max(self._left(deadline), 0.0), Progress())
        finally:
            self._turns.release()

    def _left(self, deadline: datetime) -> float:
        return min((deadline - self._now()).total_seconds(), self._terms.timeout.total_seconds())


def _envelope(letter: Letter, request: Request, now: datetime) -> Envelope:
    mail = letter.filled(request, now)
    return Envelope(mail.sender.address, mail.recipients, compose(mail), mail.message_id)
