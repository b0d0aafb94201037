"""The settings of one connector: ``[connectors.NAME]``. What it can do follows the protocol of ``actions``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from interlock.errors import ConfigInvalid, Refused
from interlock.setting_forms import BOOLEAN, COUNT, DURATION, SECRET, TEXT, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

KIND_GROUP = "interlock.connectors"
"""The group of entry points whose names are the kinds of connectors; see interlock.connectors.registry."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TOKENS_ONLY = frozenset({"http", "https"})
"""Schemes under which a user in the URL is a credential; under others it is only a name."""


class ConnectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one outside system, and what it can do.

    Attributes:
        name: The name that workflows' files use.
        kind: Which connector speaks to it.
        url: Where it is, without a password; empty for a kind that needs none. What a kind demands of it is the kind's
            to check when the connector is made.
        simulated: Whether it only pretends to act; without a complete dossier a workflow may use no other.
        secret: Where the key for it is found, if it needs one.
        timeout: How long one exchange may take where the action does not say.
        concurrency: How many requests of one process may be under way to it at once.
        circuit_failures: How many failures in a row open its circuit.
        circuit_pause: For how long the circuit opens the first time; each further time in a row twice as long.
        circuit_longest: The longest that it opens.
        honours_keys: Whether the same idempotency key takes effect once at the other side.
        key_retention: For how long the other side remembers a key; zero if it honours none.
        can_look_up: Whether an effect can be found by its key.
        can_void: Whether a key can be made void, so that a late request under it has no effect.
        max_request_life: The longest time that a request can live in connection, proxies and the other side's own queue
            after our deadline. Nobody but the operator can know it, so there is no default; without it a person
            decides what became of a lost answer, unless the key is honoured or voided.
        operations: The tables ``[connectors.NAME.operations.ACTION]`` as they stand in the file; what belongs in them
            is the kind's to say, and is checked when the connector is made.
        reads: The tables ``[connectors.NAME.reads.FACT]``, the facts that it can bring: the same.
        options: The table ``[connectors.NAME.options]``, what only this kind has: the same.
        source: The places that its values came from.
    """

    name: str
    url: str = ""
    kind: str = "http"
    simulated: bool = False
    secret: SecretRef | None = None
    timeout: timedelta = timedelta(seconds=10)
    concurrency: int = 16
    circuit_failures: int = 5
    circuit_pause: timedelta = timedelta(seconds=1)
    circuit_longest: timedelta = timedelta(minutes=1)
    honours_keys: bool = False
    key_retention: timedelta = timedelta(0)
    can_look_up: bool = False
    can_void: bool = False
    max_request_life: timedelta | None = None
    operations: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    reads: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    options: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    source: str = ""


def _kind(raw: Raw, _environ: Mapping[str, str]) -> str:
    kinds = entry_points(group=KIND_GROUP).names
    if raw.value not in kinds:
        raise Refused(f"{raw.value!r} is no kind of connector", todo=meant(str(raw.value), kinds))
    return str(raw.value)


def _url(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    try:
        parts = urlsplit(text)
        # a database's can name a socket instead of a host: postgresql:///shop?host=/run/postgresql
        reachable = bool(parts.hostname) or (parts.scheme not in _TOKENS_ONLY and bool(parts.query))
        usable = bool(parts.scheme) and reachable and (parts.port or 1) > 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    named = parts.username is not None and parts.scheme in _TOKENS_ONLY
    if named or parts.password is not None:
        raise Refused("the URL holds a user or a password", todo="remove it and set secret = env:NAME or file:PATH")
    if not usable:
        raise Refused(f"{text[:60]!r} is no address", todo="write SCHEME://HOST, as in https://HOST/PATH")
    return text.rstrip("/")


def _operations(raw: Raw, _environ: Mapping[str, str]) -> Mapping[str, Any]:
    if not isinstance(raw.value, dict):
        raise Refused("is no table", todo=f"write [{raw.key}.ACTION] in the file, one table for each action")
    return cast("dict[str, Any]", raw.value)


def _table(raw: Raw, _environ: Mapping[str, str]) -> Mapping[str, Any]:
    if not isinstance(raw.value, dict):
        raise Refused("is no table", todo=f"write [{raw.key}] in the file")
    return cast("dict[str, Any]", raw.value)


CONNECTOR_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "kind": SettingForm(_kind, "http"),
        "url": SettingForm(_url, ""),
        "simulated": BOOLEAN,
        "secret": SECRET,
        "timeout": DURATION,
        "concurrency": COUNT,
        "circuit_failures": COUNT,
        "circuit_pause": DURATION,
        "circuit_longest": DURATION,
        "honours_keys": BOOLEAN,
        "key_retention": DURATION,
        "can_look_up": BOOLEAN,
        "can_void": BOOLEAN,
        "max_request_life": DURATION,
        "operations": SettingForm[Mapping[str, Any]](_operations, {}),
        "reads": SettingForm[Mapping[str, Any]](_table, {}),
        "options": SettingForm[Mapping[str, Any]](_table, {}),
    }
)
"""The keys of a connector's table, with how each is written."""


def read_connector(
    name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]
) -> ConnectorSettings | None:
    """Read one connector; None if something is wrong with it, which ``problems`` then says."""
    where = f"connectors.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME:
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    unknown = table.keys() - CONNECTOR_FORMS.keys()
    for key in sorted(unknown):
        problems.add(table[key].where, "there is no such setting", meant(key, CONNECTOR_FORMS))
    values = {
        key: CONNECTOR_FORMS[key].read(raw, problems, environ) for key, raw in table.items() if key not in unknown
    }
    if unknown:
        return None
    source = ", ".join(dict.fromkeys(raw.source for raw in table.values()))
    connector = ConnectorSettings(name=name, source=source, **values)
    _check_together(connector, where, problems)
    return connector


def refuse_unused(terms: ConnectorSettings, *keys: str) -> None:
    """Refuse settings that a kind of connector does not have; the kind calls it when it is made.

    Raises:
        ConfigInvalid: one of them is set.
    """
    for key in keys:
        if getattr(terms, key):
            raise ConfigInvalid(
                f"a connector of the kind {terms.kind} has no {key}",
                where=f"connectors.{terms.name}.{key}",
                todo="remove it",
            )


def _check_together(connector: ConnectorSettings, where: str, problems: Problems) -> None:
    """What only shows when two settings are looked at together."""
    if connector.honours_keys and not connector.key_retention:
        todo = 'say for how long the other side remembers a key, as in key_retention = "24h"'
        problems.add(where, "key_retention is missing, which honours_keys needs", todo)
    if connector.key_retention and not connector.honours_keys:
        problems.add(where, "key_retention is set without honours_keys", "set honours_keys = true, or remove it")
    if connector.can_look_up and not connector.can_void and connector.max_request_life is None:
        todo = "find out how long a request can live at the other side; until then set can_look_up = false"
        problems.add(where, 'max_request_life is missing: without it, "not found" proves nothing', todo)
    if connector.circuit_pause > connector.circuit_longest:
        todo = "raise circuit_longest or lower circuit_pause"
        problems.add(where, "circuit_pause is longer than circuit_longest", todo)
    parts = urlsplit(connector.url)
    if parts.scheme == "http" and connector.secret and not connector.simulated and parts.hostname not in _LOOPBACK:
        problems.add(where, "the secret would travel in the clear", "use https")
