"""The settings: one frozen value, read once. Defaults < interlock.toml < environment < flags; unknown keys are errors.

Every key is in docs/reference/configuration.md. Files hold no secrets, only where to find them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, cast

from interlock.connector_settings import ConnectorSettings, read_connector
from interlock.errors import ConfigInvalid
from interlock.setting_forms import (
    COUNT,
    DATABASE_URL,
    DURATION,
    HOST,
    LOG_LEVEL,
    NAME,
    PATH,
    PORT,
    WORKFLOWS,
    LogLevel,
    Problems,
    Raw,
    SettingForm,
    without_password,
)
from interlock.spelling import meant

FILE = "interlock.toml"
PREFIX = "INTERLOCK_"
CONNECTOR_PREFIX = "INTERLOCK_CONNECTORS__"

FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "database_url": DATABASE_URL,
        "admin_database_url": DATABASE_URL,
        "data_dir": PATH,
        "tenant": NAME,
        "workflows": WORKFLOWS,
        "api_host": HOST,
        "api_port": PORT,
        "concurrency": COUNT,
        "lease": DURATION,
        "probe": DURATION,
        "poll": DURATION,
        "log_level": LOG_LEVEL,
    }
)
"""The settings that stand alone, by key, with how each is written. Connectors have tables of their own."""

OTHER_VARIABLES = frozenset({"INTERLOCK_SHARED_DATA"})
"""Variables of this prefix that are no settings: where the tests find real data."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one process was told.

    Attributes:
        database_url: ``postgresql://`` URL of the database, as the role that owns nothing; empty for an embedded one.
        admin_database_url: The same database as the role that owns the schema and migrates it.
        data_dir: Where the embedded database and checkpoints live; absolute.
        tenant: The tenant that commands act for.
        workflows: Import strings of the workflows that a worker carries: ``package.module:function``.
        api_host: The address that the API listens on.
        api_port: Its port; 0 takes a free one.
        concurrency: How many cases a worker advances at once.
        lease: How long a worker holds a case without a sign of life.
        probe: How often workers look whether their peers live.
        poll: How often a worker looks for ready cases without being woken.
        log_level: The least severity that is logged.
        connectors: What may act on outside systems, by name.
        sources: Where each value came from, by key: ``default``, the file, the variable, or the flag.
    """

    database_url: str = ""
    admin_database_url: str = ""
    data_dir: Path = Path(".interlock")
    tenant: str = "default"
    workflows: tuple[str, ...] = ()
    api_host: str = "127.0.0.1"
    api_port: int = 8321
    concurrency: int = 32
    lease: timedelta = timedelta(seconds=15)
    probe: timedelta = timedelta(milliseconds=500)
    poll: timedelta = timedelta(milliseconds=500)
    log_level: LogLevel = LogLevel.INFO
    connectors: Mapping[str, ConnectorSettings] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def load(cls, flags: Mapping[str, object], environ: Mapping[str, str], cwd: Path) -> Self:
        """Read the settings.

        Args:
            flags: What the command line said, by key; None stands for a flag that was not given.
            environ: The environment's variables.
            cwd: The folder that holds ``interlock.toml``, if there is one, and to which ``data_dir`` is relative.

        Raises:
            ConfigInvalid: anything is unknown or malformed; all of it is named, with what to do.
        """
        problems = Problems()
        document = _document(cwd / FILE)
        tables = document.pop("connectors", {})
        raw = _gathered(document, flags, environ, problems)
        connectors = _connectors(tables, environ, problems)
        _refuse_unknown(environ, raw, connectors, problems)
        values = {key: FORMS[key].read(given, problems, environ) for key, given in raw.items()}
        problems.raise_any()
        values["data_dir"] = cwd / values.get("data_dir", cls.data_dir)
        sources = {one.name: "default" for one in fields(cls) if one.name in FORMS}
        sources |= {key: given.source for key, given in raw.items()}
        sources |= {f"connectors.{name}": connectors[name].source for name in connectors}
        settings = cls(
            **values,
            connectors=MappingProxyType(connectors),
            sources=MappingProxyType(sources),
        )
        _check_together(settings, problems)
        problems.raise_any()
        return settings

    def __repr__(self) -> str:
        shown = ", ".join(f"{one.name}={without_password(getattr(self, one.name))!r}" for one in fields(self))
        return f"Settings({shown})"


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
        raise ConfigInvalid(f"{cause}", where=str(path), todo="mend the file; it is TOML, in UTF-8") from cause


def _gathered(
    document: Mapping[str, object], flags: Mapping[str, object], environ: Mapping[str, str], problems: Problems
) -> dict[str, Raw]:
    """What was given for each key, the strongest source last to write."""
    raw: dict[str, Raw] = {}
    for key, value in document.items():
        if key in FORMS:
            raw[key] = Raw(key, value, FILE)
        else:
            problems.add(f"{FILE}: {key}", "there is no such setting", meant(key, [*FORMS, "connectors"]))
    for key in FORMS:
        variable = PREFIX + key.upper()
        if variable in environ:
            raw[key] = Raw(key, environ[variable], variable)
    for key, value in flags.items():
        flag = f"--{key.replace('_', '-')}"
        if key not in FORMS:
            problems.add(flag, "there is no such setting", meant(key, FORMS))
        elif value is not None:
            raw[key] = Raw(key, value, flag)
    return raw


def _connectors(tables: object, environ: Mapping[str, str], problems: Problems) -> dict[str, ConnectorSettings]:
    """The connectors' tables, and what the environment says beside or over them."""
    if not isinstance(tables, dict):
        problems.add(f"{FILE}: connectors", "is no table", "write [connectors.NAME]")
        return {}
    gathered: dict[str, dict[str, Raw]] = {}
    for name, table in cast("dict[str, object]", tables).items():
        if not isinstance(table, dict):
            problems.add(f"{FILE}: connectors.{name}", "is no table", f"write [connectors.{name}]")
            continue
        items = cast("dict[str, object]", table).items()
        gathered[name] = {key: Raw(f"connectors.{name}.{key}", value, FILE) for key, value in items}
    for variable, value in environ.items():
        name, separator, key = variable.removeprefix(CONNECTOR_PREFIX).lower().partition("__")
        if variable.startswith(CONNECTOR_PREFIX) and separator:
            gathered.setdefault(name, {})[key] = Raw(f"connectors.{name}.{key}", value, variable)
    read = {name: read_connector(name, table, problems, environ) for name, table in gathered.items()}
    return {name: connector for name, connector in read.items() if connector is not None}


def _refuse_unknown(
    environ: Mapping[str, str], raw: Mapping[str, Raw], connectors: Mapping[str, ConnectorSettings], problems: Problems
) -> None:
    """Refuse variables of our prefix that are neither settings nor secrets that a setting refers to."""
    secrets = {connector.secret.name for connector in connectors.values() if connector.secret}
    known = {PREFIX + key.upper() for key in FORMS} | OTHER_VARIABLES | secrets
    referred = {str(given.value).removeprefix("env:") for given in raw.values() if str(given.value).startswith("env:")}
    for variable in sorted(environ):
        is_connector = variable.startswith(CONNECTOR_PREFIX) and "__" in variable.removeprefix(CONNECTOR_PREFIX)
        if variable.startswith(PREFIX) and variable not in known | referred and not is_connector:
            problems.add(variable, "there is no such setting", meant(variable, known))


def _check_together(settings: Settings, problems: Problems) -> None:
    if settings.probe * 3 > settings.lease:
        todo = "raise lease or lower probe; peers should look at least three times within a lease"
        problems.add("probe", f"{settings.probe} is too long for a lease of {settings.lease}", todo)
    if settings.admin_database_url and not settings.database_url:
        problems.add("database_url", "is empty although admin_database_url is set", "set both, or neither")
