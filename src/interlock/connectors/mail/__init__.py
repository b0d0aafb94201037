"""Sends mails over SMTP: named letters, filled from an action's payload. README.md has the settings and the reading.

Three things always hold: no payload adds a header, a recipient or a second mail; what may have been accepted is never
called transient; the same action gives the same bytes, with the same ``Message-ID``, at each attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from interlock.actions.connector import Connector
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.mail.connector import MailConnector

__all__ = ["MailConnector", "make"]


def make(name: str, terms: ConnectorSettings, now: Callable[[], datetime]) -> Connector:
    """The entry point of the kind ``mail``; see ``interlock.connectors.registry.Factory``."""
    return MailConnector(name, terms, now=now)
