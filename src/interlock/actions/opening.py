"""Personal data on their way out: opened just before a request, hidden again in its answer.

What is stored of an action holds tokens. A connector gets clear values, for the purpose that the action states; they
are never stored, and what the other side says of them is not either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.actions.action import Action
from interlock.actions.connector import (
    Abilities,
    Connector,
    Done,
    Found,
    InDoubt,
    LookedUp,
    Permanent,
    Request,
    Sent,
    Transactional,
    Transient,
    Unknown,
    Voidance,
)
from interlock.errors import InterlockError, PersonalErased, PurposeRefused
from interlock.privacy.token import MARKER_BYTES
from interlock.privacy.vault import Vault
from interlock.privacy.veil import Veil, without_strange_tokens

T = TypeVar("T", bound=msgspec.Struct)
NO_PURPOSE = "purpose-refused"


def opening(connector: Connector, vault: Vault | None, tenant: UUID, purpose: str) -> Connector:
    """The connector, so that it gets clear values; itself for an action that states no purpose."""
    if not purpose or vault is None or isinstance(connector, _Opening):
        return connector
    kind = _OpeningTogether if isinstance(connector, Transactional) else _Opening
    return kind(connector, vault, tenant, purpose)


def refused_tokens(action: Action, connector: object) -> Permanent | None:
    """Why an action that holds personal data and states no purpose is not sent; None: it may be."""
    if MARKER_BYTES not in action.payload or isinstance(connector, _Opening):
        return None
    what = f"what {action.name} is to send holds personal data, and the action states no purpose"
    return Permanent(what, code=NO_PURPOSE)


class _Opening:
    """A connector that gets clear values."""

    def __init__(self, inner: Connector, vault: Vault, tenant: UUID, purpose: str) -> None:
        self._inner = inner
        self._vault = vault
        self._tenant = tenant
        self._purpose = purpose

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def abilities(self) -> Abilities:
        return self._inner.abilities

    async def send(self, request: Request) -> Sent:
        veil = Veil()
        opened = await self._opened(request, veil)
        if not isinstance(opened, Request):
            return opened
        try:
            return _hidden(await self._inner.send(opened), veil)
        except TimeoutError:
            raise
        except Exception as cause:  # noqa: BLE001 - its words may hold what was opened
            return InDoubt(_words(cause, veil), code="connector-failed")

    async def look_up(self, request: Request) -> LookedUp:
        return await self._ask(request, self._inner.look_up)

    async def void(self, request: Request) -> Voidance:
        return await self._ask(request, self._inner.void)

    async def close(self) -> None:
        await self._inner.close()

    async def _ask(self, request: Request, ask: Callable[[Request], Awaitable[T]]) -> T | Unknown:
        veil = Veil()
        opened = await self._opened(request, veil)
        if not isinstance(opened, Request):
            return Unknown(opened.what)
        try:
            return _hidden(await ask(opened), veil)
        except Exception as cause:  # noqa: BLE001 - whatever it is, it shows nothing of the effect
            return Unknown(_words(cause, veil))

    async def _opened(self, request: Request, veil: Veil) -> Request | Permanent | Transient:
        try:
            payload = await self._vault.open(self._tenant, request.payload, self._purpose, veil)
        except (PurposeRefused, PersonalErased) as cause:
            return Permanent(cause.what, code=cause.code)
        except InterlockError as cause:
            return Transient(f"its personal data could not be opened: {cause.what}", code=cause.code)
        return msgspec.structs.replace(request, payload=payload)


class _Together(Protocol):
    """What is asked of a connector whose effects are in our own database."""

    def join(self, url: str) -> None: ...

    async def take_effect(self, connection: AsyncConnection[Any], request: Request) -> Done | Transient | Permanent: ...


class _OpeningTogether(_Opening):
    """The same for effects in Interlock's own database."""

    @property
    def _together(self) -> _Together:
        return cast("_Together", self._inner)

    def join(self, url: str) -> None:
        self._together.join(url)

    async def take_effect(self, connection: AsyncConnection[Any], request: Request) -> Done | Transient | Permanent:
        veil = Veil()
        opened = await self._opened(request, veil)
        if not isinstance(opened, Request):
            return opened
        try:
            return _hidden(await self._together.take_effect(connection, opened), veil)
        except TimeoutError:
            raise
        except Exception as cause:  # noqa: BLE001 - its words may hold what was opened; the effect is rolled back
            return Transient(_words(cause, veil), code="connector-failed")


def _words(cause: Exception, veil: Veil) -> str:
    told = f"the connector failed: {type(cause).__name__}: {cause}"
    return veil.mask_text(without_strange_tokens(told, veil.keys()))


def _hidden(answer: T, veil: Veil) -> T:
    """An answer without what was opened for it, and without anybody else's tokens."""
    if isinstance(answer, Done | Found):
        told = without_strange_tokens(answer.response, veil.keys())
        return msgspec.structs.replace(answer, response=veil.mask_answer(told))
    if isinstance(answer, Transient | Permanent | InDoubt | Unknown):
        told = without_strange_tokens(answer.what, veil.keys())
        return msgspec.structs.replace(answer, what=veil.mask_text(told))
    return answer
