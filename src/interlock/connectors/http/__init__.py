"""Acts on systems that speak HTTP and JSON, as tables in the settings say. README.md has the settings and the reading.

Three things always hold: what may have taken effect is never called transient; a key and an absolute deadline travel
with each request; a secret is fetched when it is used and stands in no message.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from interlock.actions.connector import Connector
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.http.connector import HttpConnector

__all__ = ["HttpConnector", "make"]


def make(name: str, terms: ConnectorSettings, now: Callable[[], datetime]) -> Connector:
    """The entry point of the kind ``http``; see ``interlock.connectors.registry.Factory``."""
    return HttpConnector(name, terms, now=now)
