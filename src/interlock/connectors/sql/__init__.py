"""Acts on PostgreSQL by statements of the settings. README.md has the settings and what each error proves.

In Interlock's own database effect and record are one transaction: no doubt is possible. In another database the effect
and a row of its inbox are one transaction there: a key takes effect once, can be looked up and can be made void.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from interlock.actions.connector import Connector
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.sql.inside import InsideSql
from interlock.connectors.sql.outside import OutsideSql
from interlock.connectors.sql.tables import read_tables

__all__ = ["InsideSql", "OutsideSql", "make"]


def make(name: str, terms: ConnectorSettings, now: Callable[[], datetime]) -> Connector:
    """The entry point of the kind ``sql``; see ``interlock.connectors.registry.Factory``."""
    tables = read_tables(terms)
    if tables.options.same_database:
        return InsideSql(name, terms, tables, now=now)
    return OutsideSql(name, terms, tables, now=now)
