"""The protocol that a connector fulfils: what it can do, what it is asked, what it answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import msgspec
from psycopg import AsyncConnection


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector can do; all of the handling of lost answers follows from it.

    Attributes:
        simulated: Whether it acts on a simulated system only.
        honours_keys: Whether the same idempotency key takes effect once at the other side.
        key_retention: For how long the other side remembers a key, from its first use.
        can_look_up: Whether an effect can be found by its key.
        can_void: Whether a key can be made void, so that a late request under it has no effect.
        max_request_life: The longest time that a request can live in connection, proxies and the other side's own
            queue, after our deadline for it.
    """

    simulated: bool
    honours_keys: bool = False
    key_retention: timedelta = timedelta(0)
    can_look_up: bool = False
    can_void: bool = False
    max_request_life: timedelta | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is asked to do.

    Attributes:
        operation: Which of its operations: the action's name.
        key: The idempotency key: the action's, the same at each attempt.
        payload: What the workflow passed; money as ``{"amount": "12.30", "currency": "MYR"}``.
        deadline: When the answer must be there, UTC; the request must carry or enforce it.
        decided_at: When it was decided, or intended where it rests on no decision, UTC: the same at each attempt, for
            connectors that date what they send. None: nobody says.
    """

    operation: str
    key: str
    payload: Mapping[str, Any]
    deadline: datetime
    decided_at: datetime | None = None


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It took effect.

    Attributes:
        response: What the other side said, as JSON.
    """

    response: dict[str, Any]


class Transient(msgspec.Struct, frozen=True, tag="transient"):
    """It surely had no effect, and may have one later.

    Attributes:
        what: What went wrong, in a sentence.
        retry_after: How long the other side asked to wait, if it did.
        code: The error's name at the other side, short and stable: ``503``, ``connection-refused``; by it a
            workflow's file can class it otherwise.
    """

    what: str
    retry_after: timedelta | None = None
    code: str = ""


class Permanent(msgspec.Struct, frozen=True, tag="permanent"):
    """It surely had no effect, and never will.

    Attributes:
        what: What the other side said.
        code: As in ``Transient``.
    """

    what: str
    code: str = ""


class InDoubt(msgspec.Struct, frozen=True, tag="in_doubt"):
    """It may have taken effect.

    Attributes:
        what: What is known.
        retry_after: How long the other side asked to wait, if it did.
        code: As in ``Transient``.
    """

    what: str
    retry_after: timedelta | None = None
    code: str = ""


Sent = Done | Transient | Permanent | InDoubt


class Found(msgspec.Struct, frozen=True, tag="found"):
    """The effect is there.

    Attributes:
        response: What the other side's book says.
        matches: Whether amount and payee are those that were asked for.
    """

    response: dict[str, Any]
    matches: bool


class Absent(msgspec.Struct, frozen=True, tag="absent"):
    """There is no such effect now; a late one may still come."""


class Pending(msgspec.Struct, frozen=True, tag="pending"):
    """It was accepted and has not taken effect yet; pending is not done."""


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """The look-up itself failed.

    Attributes:
        what: Why.
    """

    what: str


LookedUp = Found | Absent | Pending | Unknown


class Voided(msgspec.Struct, frozen=True, tag="voided"):
    """The key is void: no request under it has an effect any more, whenever it arrives."""


Voidance = Voided | Found | Pending | Unknown


class Read(msgspec.Struct, frozen=True, tag="read"):
    """A fact as it is now.

    Attributes:
        value: JSON; None where the other side knows of no such thing.
    """

    value: Any


class Connector(Protocol):
    """One way to act on an outside system. It holds no state of an action and opens no transaction of ours."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What it can do."""
        ...

    async def send(self, request: Request) -> Sent:
        """Ask for the effect, once. What may have taken effect is ``InDoubt``, never ``Transient``.

        Never raises for what the other side does.
        """
        ...

    async def look_up(self, request: Request) -> LookedUp:
        """Look for the effect of a key, without causing any."""
        ...

    async def void(self, request: Request) -> Voidance:
        """Make the key void, or find the effect that came first. Only asked where ``can_void`` is declared.

        Never raises for what the other side does; ``Unknown`` where it did not say.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """A connector whose effects are in Interlock's own database: effect and record are one transaction, never in doubt.

    INVARIANT: what it does happens inside the connection's transaction, and with rights that do not reach Interlock's
    own tables. It neither commits nor rolls back, and leaves role, search path and time limits as it found them.
    """

    def join(self, url: str) -> None:
        """Learn where that database is, as the service's login, before anything is asked."""
        ...

    async def take_effect(self, connection: AsyncConnection[Any], request: Request) -> Done | Transient | Permanent:
        """Have the effect; unless it is done, the transaction is rolled back. It may be asked again."""
        ...


@runtime_checkable
class Examinable(Protocol):
    """A connector that can tell before its first request whether the other side is fit to be acted on."""

    async def examine(self, deadline: datetime) -> str:
        """What is not fit, in words; empty if nothing is found. Causes no effect."""
        ...


@runtime_checkable
class FactReader(Protocol):
    """A connector that can bring facts: what decisions assume, read when they are taken and again before they act."""

    async def read_fact(self, name: str, parameters: Mapping[str, Any], deadline: datetime) -> Read | Unknown:
        """Read a fact as it is now, without causing any effect.

        Args:
            name: The name of the reading in the connector's settings.
            parameters: JSON values that it is read by.
            deadline: When the answer must be there, UTC.
        """
        ...
