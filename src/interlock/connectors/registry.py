"""Finds the kinds of connectors, our own too, through the entry points ``interlock.connectors``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from interlock.actions.connector import Connector, Transactional
from interlock.connector_settings import ConnectorSettings
from interlock.errors import ConfigInvalid
from interlock.spelling import meant

GROUP = "interlock.connectors"


class Factory(Protocol):
    """What an entry point of the group names; the entry point's own name is the kind."""

    def __call__(self, name: str, terms: ConnectorSettings, now: Callable[[], datetime], /) -> Connector:
        """Make a connector, without reaching out yet.

        Args:
            name: Its name in the settings.
            terms: Its settings; ``operations`` is as it stands in the file, and this kind's to check.
            now: The time in UTC, as the deadlines of requests mean it.

        Raises:
            ConfigInvalid: the settings are not this kind's.
        """
        ...


def utc_now() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)


def make_connector(name: str, terms: ConnectorSettings, *, now: Callable[[], datetime] = utc_now) -> Connector:
    """Make the connector of one table of the settings.

    Args:
        name: Its name in the settings.
        terms: The table.
        now: The time in UTC by which the deadlines of requests are set: the database's, where there is one, since a
            machine whose clock is ahead of it would take each deadline for passed.

    Raises:
        ConfigInvalid: there is no such kind, two packages offer it, it cannot be loaded, or its settings are wrong.
    """
    where = f"connectors.{name}.kind"
    known = entry_points(group=GROUP)
    # An editable install is listed twice by some tools; the same name for the same object is one offer.
    offers = {entry.value: entry for entry in known if entry.name == terms.kind}
    if not offers:
        raise ConfigInvalid(f"{terms.kind!r} is no kind of connector", where=where, todo=meant(terms.kind, known.names))
    if len(offers) > 1:
        listed = " and ".join(sorted(offers))
        raise ConfigInvalid(f"{terms.kind!r} is offered by {listed}", where=where, todo="remove one of the packages")
    return _factory(next(iter(offers.values())), where)(name, terms, now)


def join(connector: Connector, url: str) -> None:
    """Tell a connector that acts in Interlock's own database where that is; nothing for any other."""
    if isinstance(connector, Transactional):
        connector.join(url)


def _factory(entry: EntryPoint, where: str) -> Factory:
    try:
        factory = entry.load()
    except Exception as cause:
        raise ConfigInvalid(
            f"{entry.value} cannot be loaded: {type(cause).__name__}: {cause}", where=where, todo="mend or remove it"
        ) from cause
    if not callable(factory):
        raise ConfigInvalid(f"{entry.value} makes no connector", where=where, todo="name a function in its package")
    return cast("Factory", factory)
