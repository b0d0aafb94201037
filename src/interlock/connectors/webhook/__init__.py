"""Tells other systems of events by signed webhooks, after the Standard Webhooks specification; README.md has more.

Three things always hold: the same action carries the same ``webhook-id`` and the same body at each attempt; a redirect
is never followed; what may have been taken in is never called transient. Receivers check with ``verify``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from interlock.actions.connector import Connector
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.webhook.connector import WebhookConnector
from interlock.connectors.webhook.signature import Delivery, read_secrets, sign, verify

__all__ = ["Delivery", "WebhookConnector", "make", "read_secrets", "sign", "verify"]


def make(name: str, terms: ConnectorSettings, now: Callable[[], datetime]) -> Connector:
    """The entry point of the kind ``webhook``; see ``interlock.connectors.registry.Factory``."""
    return WebhookConnector(name, terms, now=now)
