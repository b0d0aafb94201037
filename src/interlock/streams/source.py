"""Where messages come from: the protocol that each kind of broker fulfils, and the one place that makes them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from interlock.errors import ConfigInvalid
from interlock.stream_settings import StreamSettings
from interlock.streams.delivery import HELD, Delivery

WHY = "interlock-why"
"""The header of a dead letter that says why it is one."""
_LONGEST_WHY = 1000


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a consumer is, over all processes of its durable name.

    Attributes:
        pending: Messages that were never delivered yet.
        unacknowledged: Messages that were delivered and are not acknowledged; None: the broker does not say.
    """

    pending: int
    unacknowledged: int | None


class Takes(Protocol):
    """Who takes the messages."""

    async def take(self, delivery: Delivery) -> None:
        """Take one; returns when it has a place."""
        ...

    async def finish(self, delivery: Delivery) -> None:
        """Take one; returns when it is done with."""
        ...


class Source(Protocol):
    """A broker's side of a stream."""

    async def start(self) -> None:
        """Connect, and begin to fetch.

        Raises:
            ConfigInvalid: what is to be read is not there, or is set up so that messages would be lost.
            Exception: the broker cannot be reached.
        """
        ...

    async def stop_fetching(self) -> None:
        """Fetch no more; acknowledgements go on."""
        ...

    async def close(self) -> None:
        """End the connection, once what was acknowledged is on its way."""
        ...

    async def lag(self) -> Lag | None:
        """How far behind it is; None if the broker does not say.

        Raises:
            ConfigInvalid: what is read is no longer there.
            Exception: the broker cannot be reached.
        """
        ...

    async def send_dead_letter(self, delivery: Delivery, held: UUID, why: str) -> None:
        """Publish a message that went to quarantine where the settings say."""
        ...


Make = Callable[[StreamSettings, list[str], Takes], Source]


def make_source(terms: StreamSettings, takes: Takes, environ: Mapping[str, str]) -> Source:
    """The broker's side of a stream, not yet connected.

    Raises:
        ConfigInvalid: what speaks to this kind of broker is not installed.
    """
    try:
        module = importlib.import_module(f"interlock.streams.brokers.{terms.broker}")
    except ImportError as cause:
        raise ConfigInvalid(
            f"what speaks to {terms.broker} is not installed: {cause}",
            where=f"streams.{terms.name}.broker",
            todo=f'pip install "interlock[{terms.broker}]"',
        ) from cause
    make: Make = module.make
    return make(terms, terms.servers(environ), takes)


def dead_letter_headers(held: UUID, why: str) -> dict[str, str]:
    """What a dead letter says of itself."""
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in why[:_LONGEST_WHY])
    return {HELD: str(held), WHY: plain}
