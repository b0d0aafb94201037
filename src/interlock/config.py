"""The settings: one frozen value, read once. Defaults < interlock.toml < environment < flags; unknown keys are errors.

Every key is in docs/reference/configuration.md. Files hold no secrets, only where to find them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar, cast

from interlock.connector_settings import ConnectorSettings, read_connector
from interlock.errors import ConfigInvalid
from interlock.llm_settings import LlmSettings, read_llm
from interlock.notify_settings import NotifySettings, read_notify
from interlock.oidc_settings import OidcSettings, read_oidc
from interlock.outcome_feed_settings import OutcomeFeedSettings, read_outcome_feed
from interlock.rate_settings import RATES, RateSettings
from interlock.reconciliation_settings import ReconciliationSettings, SourceSettings, read_reconciliation
from interlock.setting_forms import (
    AMOUNT,
    COUNT,
    DATABASE_URL,
    DURATION,
    FUNCTION,
    HOST,
    LOG_LEVEL,
    MODE,
    NAME,
    PATH,
    PORT,
    SECRET,
    USD,
    WEB_ADDRESS,
    WORKFLOWS,
    LogLevel,
    Mode,
    Problems,
    Raw,
    SecretRef,
    SettingForm,
    without_password,
)
from interlock.spelling import meant
from interlock.stream_settings import StreamSettings, read_stream

T = TypeVar("T")

FILE = "interlock.toml"
PREFIX = "INTERLOCK_"
TABLE_PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "connectors": "INTERLOCK_CONNECTORS__",
        "llm": "INTERLOCK_LLM__",
        "streams": "INTERLOCK_STREAMS__",
        "reconciliation": "INTERLOCK_RECONCILIATION__",
        "outcomes": "INTERLOCK_OUTCOMES__",
        "oidc": "INTERLOCK_OIDC__",
        "notify": "INTERLOCK_NOTIFY__",
    }
)
"""What is set by name, each in a table of its own, and how the variables of its keys begin."""

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
        "mode": MODE,
        "flags_provider": FUNCTION,
        "flags_file": PATH,
        "flags_timeout": DURATION,
        "prices_processor_hour": USD,
        "prices_person_hour": USD,
        "privacy_key": SECRET,
        "privacy_key_previous": SECRET,
        "ledger_key": SECRET,
        "ledger_key_also": SECRET,
        "ledger_folder": PATH,
        "ledger_webhook": WEB_ADDRESS,
        "lineage_url": WEB_ADDRESS,
        "lineage_file": PATH,
        "lineage_key": SECRET,
        "policies": PATH,
        "rates": RATES,
        "queue_floor": AMOUNT,
        "queue_oldest": COUNT,
        "public_url": WEB_ADDRESS,
    }
)
"""The settings that stand alone, by key, with how each is written. Some have tables of their own."""

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
        mode: Whether a file of rules or a contract counts by itself, or only as it was published.
        flags_provider: Makes the OpenFeature provider of feature flags, as ``package.module:function``; empty: a file.
        flags_file: That file; absolute.
        flags_timeout: How long the evaluation of a flag may take.
        prices_processor_hour: What an hour of one processor costs, in USD; 0: not stated.
        prices_person_hour: What an hour of a person costs, in USD; 0: not stated.
        privacy_key: The master key of personal data; None: one that is made beside the embedded database.
        privacy_key_previous: The one before, while keys are wrapped under it still.
        ledger_key: The key that signs the ledger's checkpoints; None: one that is made with the embedded database.
        ledger_key_also: Another key that signs beside it, while one takes the place of the other.
        ledger_folder: Where checkpoints are published; absolute.
        ledger_webhook: A URL that each newest checkpoint is sent to, too; empty: none.
        lineage_url: An OpenLineage server that is told what happens; empty: none.
        lineage_file: A file or a folder that is told the same; None: none.
        lineage_key: What stands in the Authorization header there.
        policies: A folder of Cedar policies, absolute; None: those that are shipped.
        rates: What amounts of several currencies count for in the order of work.
        queue_floor: What counts there as being at stake where that is unknown, in the base currency.
        queue_oldest: Every how manieth place there is reserved for the oldest.
        public_url: Where people reach the console, without a path; empty: where it listens, on this machine.
        oidc: The providers that people may sign in by, by name.
        notify: The channels by which people are told of work, by name.
        connectors: What may act on outside systems, by name.
        llm: The providers of language models, by name.
        streams: Whose messages are decided, by name.
        reconciliation: What two sides are reconciled, by name.
        outcomes: The feeds that say what became of decisions, by name.
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
    mode: Mode = Mode.DEVELOPMENT
    flags_provider: str = ""
    flags_file: Path = Path("flags.yaml")
    flags_timeout: timedelta = timedelta(milliseconds=500)
    prices_processor_hour: Decimal = Decimal(0)
    prices_person_hour: Decimal = Decimal(0)
    privacy_key: SecretRef | None = None
    privacy_key_previous: SecretRef | None = None
    ledger_key: SecretRef | None = None
    ledger_key_also: SecretRef | None = None
    ledger_folder: Path = Path("ledger")
    ledger_webhook: str = ""
    lineage_url: str = ""
    lineage_file: Path | None = None
    lineage_key: SecretRef | None = None
    policies: Path | None = None
    rates: RateSettings = field(default_factory=RateSettings)
    queue_floor: Decimal = Decimal("10.00")
    queue_oldest: int = 10
    public_url: str = ""
    oidc: Mapping[str, OidcSettings] = field(default_factory=lambda: MappingProxyType({}))
    notify: Mapping[str, NotifySettings] = field(default_factory=lambda: MappingProxyType({}))
    connectors: Mapping[str, ConnectorSettings] = field(default_factory=lambda: MappingProxyType({}))
    llm: Mapping[str, LlmSettings] = field(default_factory=lambda: MappingProxyType({}))
    streams: Mapping[str, StreamSettings] = field(default_factory=lambda: MappingProxyType({}))
    reconciliation: Mapping[str, ReconciliationSettings] = field(default_factory=lambda: MappingProxyType({}))
    outcomes: Mapping[str, OutcomeFeedSettings] = field(default_factory=lambda: MappingProxyType({}))
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
        tables = {kind: document.pop(kind, {}) for kind in TABLE_PREFIXES}
        _flatten("flags", document, problems)
        _flatten("prices", document, problems)
        _flatten("privacy", document, problems)
        _flatten("ledger", document, problems)
        _flatten("lineage", document, problems)
        _flatten("queue", document, problems)
        raw = _gathered(document, flags, environ, problems)
        connectors = _tables("connectors", read_connector, tables["connectors"], environ, problems)
        llm = _tables("llm", read_llm, tables["llm"], environ, problems)
        streams = _tables("streams", read_stream, tables["streams"], environ, problems)
        reconciling = _tables("reconciliation", read_reconciliation, tables["reconciliation"], environ, problems)
        reconciliation = {name: one.within(cwd) for name, one in reconciling.items()}
        told = _tables("outcomes", read_outcome_feed, tables["outcomes"], environ, problems)
        outcomes = {name: one.within(cwd) for name, one in told.items()}
        oidc = _tables("oidc", read_oidc, tables["oidc"], environ, problems)
        notify = _tables("notify", read_notify, tables["notify"], environ, problems)
        feeds = [*(feed for one in reconciliation.values() for feed in one.sources), *outcomes.values()]
        _refuse_unknown(
            environ,
            raw,
            [*connectors.values(), *llm.values(), *streams.values(), *feeds, *oidc.values(), *notify.values()],
            problems,
        )
        values = {key: FORMS[key].read(given, problems, environ) for key, given in raw.items()}
        problems.raise_any()
        values["data_dir"] = cwd / values.get("data_dir", cls.data_dir)
        values["flags_file"] = cwd / values.get("flags_file", cls.flags_file)
        values["ledger_folder"] = (
            cwd / values["ledger_folder"] if "ledger_folder" in raw else values["data_dir"] / cls.ledger_folder
        )
        for path in ("lineage_file", "policies"):
            if path in raw:
                values[path] = cwd / values[path]
        sources = {one.name: "default" for one in fields(cls) if one.name in FORMS}
        sources |= {key: given.source for key, given in raw.items()}
        sources |= {f"connectors.{name}": connectors[name].source for name in connectors}
        sources |= {f"llm.{name}": llm[name].source for name in llm}
        sources |= {f"streams.{name}": streams[name].source for name in streams}
        sources |= {f"reconciliation.{name}": one.source for name, one in reconciliation.items()}
        sources |= {f"outcomes.{name}": one.source for name, one in outcomes.items()}
        sources |= {f"oidc.{name}": one.source for name, one in oidc.items()}
        sources |= {f"notify.{name}": one.source for name, one in notify.items()}
        settings = cls(
            **values,
            connectors=MappingProxyType(connectors),
            llm=MappingProxyType(llm),
            streams=MappingProxyType(streams),
            reconciliation=MappingProxyType(reconciliation),
            outcomes=MappingProxyType(outcomes),
            oidc=MappingProxyType(oidc),
            notify=MappingProxyType(notify),
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


def _flatten(name: str, document: dict[str, Any], problems: Problems) -> None:
    """Put the keys of a table that there is once, ``[flags]``, among those that stand alone: ``flags_provider``."""
    table = document.pop(name, {})
    if not isinstance(table, dict):
        problems.add(f"{FILE}: {name}", "is no table", f"write [{name}]")
        return
    document.update({f"{name}_{key}": value for key, value in cast("dict[str, Any]", table).items()})


def _gathered(
    document: Mapping[str, object], flags: Mapping[str, object], environ: Mapping[str, str], problems: Problems
) -> dict[str, Raw]:
    """What was given for each key, the strongest source last to write."""
    raw: dict[str, Raw] = {}
    for key, value in document.items():
        if key in FORMS:
            raw[key] = Raw(key, value, FILE)
        else:
            problems.add(f"{FILE}: {key}", "there is no such setting", meant(key, [*FORMS, *TABLE_PREFIXES]))
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


def _tables(
    kind: str,
    read: Callable[[str, Mapping[str, Raw], Problems, Mapping[str, str]], T | None],
    tables: object,
    environ: Mapping[str, str],
    problems: Problems,
) -> dict[str, T]:
    """The tables ``[KIND.NAME]``, and what the environment says beside or over them."""
    if not isinstance(tables, dict):
        problems.add(f"{FILE}: {kind}", "is no table", f"write [{kind}.NAME]")
        return {}
    gathered: dict[str, dict[str, Raw]] = {}
    for name, table in cast("dict[str, object]", tables).items():
        if not isinstance(table, dict):
            problems.add(f"{FILE}: {kind}.{name}", "is no table", f"write [{kind}.{name}]")
            continue
        items = cast("dict[str, object]", table).items()
        gathered[name] = {key: Raw(f"{kind}.{name}.{key}", value, FILE) for key, value in items}
    prefix = TABLE_PREFIXES[kind]
    for variable, value in environ.items():
        name, separator, key = variable.removeprefix(prefix).lower().partition("__")
        if variable.startswith(prefix) and separator:
            gathered.setdefault(name, {})[key] = Raw(f"{kind}.{name}.{key}", value, variable)
    found = {name: read(name, table, problems, environ) for name, table in gathered.items()}
    return {name: one for name, one in found.items() if one is not None}


def _refuse_unknown(
    environ: Mapping[str, str],
    raw: Mapping[str, Raw],
    outside: Sequence[
        ConnectorSettings
        | LlmSettings
        | StreamSettings
        | SourceSettings
        | OutcomeFeedSettings
        | OidcSettings
        | NotifySettings
    ],
    problems: Problems,
) -> None:
    """Refuse variables of our prefix that are neither settings nor secrets that a setting refers to."""
    secrets = {one.secret.name for one in outside if one.secret}
    known = {PREFIX + key.upper() for key in FORMS} | OTHER_VARIABLES | secrets
    referred = {str(given.value).removeprefix("env:") for given in raw.values() if str(given.value).startswith("env:")}
    for variable in sorted(environ):
        in_table = any(variable.startswith(one) and "__" in variable[len(one) :] for one in TABLE_PREFIXES.values())
        if variable.startswith(PREFIX) and variable not in known | referred and not in_table:
            problems.add(variable, "there is no such setting", meant(variable, known))


def _check_together(settings: Settings, problems: Problems) -> None:
    if settings.probe * 3 > settings.lease:
        todo = "raise lease or lower probe; peers should look at least three times within a lease"
        problems.add("probe", f"{settings.probe} is too long for a lease of {settings.lease}", todo)
    if settings.admin_database_url and not settings.database_url:
        problems.add("database_url", "is empty although admin_database_url is set", "set both, or neither")
    if set(settings.public_url.partition("://")[2].rstrip("/")) & set("/?#"):
        problems.add("public_url", f"{settings.public_url!r} has a path", "the console needs a host of its own")
    if settings.ledger_key_also and not settings.ledger_key:
        problems.add("ledger_key", "is empty although ledger_key_also is set", "set both, or ledger_key alone")
