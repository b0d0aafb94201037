"""Checks of this machine: settings, workflows, dossiers, connectors, the embedded database's folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from interlock.actions.connector import Connector, Examinable, Transactional
from interlock.authority.judge import load_authority
from interlock.cases.registry import Registered, load_registry
from interlock.cli.doctor.check import Check, fail, failed, ok, warn
from interlock.cli.doctor.models import check_models
from interlock.config import ConnectorSettings, Settings
from interlock.connectors.registry import join, make_connector, utc_now
from interlock.durations import format_duration
from interlock.errors import InterlockError
from interlock.setting_forms import Mode, without_password

_CONNECT_S = 3.0
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


def check_settings(settings: Settings) -> Iterator[Check]:
    """Where each value came from, and whether what they name of policies and addresses can be used."""
    for key, source in settings.sources.items():
        if "." not in key:  # the tables by name are looked at elsewhere
            yield ok(f"setting {key}", f"{_shown(getattr(settings, key))} ({source})")
    yield _policies(settings)
    if not settings.public_url and settings.api_host not in _THIS_MACHINE:
        what = f"{settings.api_host} takes calls from elsewhere, and nothing says where people reach the console"
        todo = "set public_url: without it signing in with others' accounts, links in notices and a proxy's forms fail"
        yield warn("public address", what, todo)


def _policies(settings: Settings) -> Check:
    """Whether the policies can be used; without them nothing starts."""
    try:
        authority = load_authority(settings.policies)
    except InterlockError as cause:
        return failed("policies", cause)
    where = settings.policies or "those that are shipped"
    return ok("policies", f"{len(authority.ids)} policies of {where}, digest {authority.digest[:16]}")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any setting
    if isinstance(value, timedelta):
        return format_duration(value)
    return "none" if value is None else str(without_password(value)) or "none"


def check_workflows(settings: Settings) -> Iterator[Check]:
    """Whether each workflow loads, with all that its file refers to, and may act for real."""
    if not settings.workflows:
        yield warn(
            "workflows", "none is carried", 'list them in interlock.toml: workflows = ["package.module:function"]'
        )
    for reference in settings.workflows:
        name = f"workflow {reference}"
        try:
            only_published = settings.mode is Mode.PRODUCTION
            registered = load_registry([reference], only_published=only_published).all
        except InterlockError as cause:
            yield failed(name, cause)
            continue
        for entry in registered:
            yield ok(name, f"{entry.workflow.name} {entry.workflow.version}, code {entry.workflow.code.hex[:8]}")
            yield from _check_acting(entry, settings)
            yield from check_models(entry, settings)


def _check_acting(entry: Registered, settings: Settings) -> Iterator[Check]:
    name = f"dossier of {entry.workflow.name}"
    missing = entry.declaration.dossier.missing()
    needed = sorted({terms.connector for terms in entry.declaration.actions.values()})
    live = [one for one in needed if one in settings.connectors and not settings.connectors[one].simulated]
    todo = f"fill in {entry.workflow.file.name}"
    if missing and live:
        yield fail(name, f"lacks {', '.join(missing)}, so {', '.join(live)} may not be used", todo)
    elif missing:
        yield warn(name, f"lacks {', '.join(missing)}: simulated connectors only", todo)
    else:
        yield ok(name, "complete")
    for absent in (one for one in needed if one not in settings.connectors):
        what = f"{entry.workflow.name} acts through it, and the settings have none of that name"
        yield fail(f"connector {absent}", what, f"add [connectors.{absent}] to interlock.toml")
    for fact in entry.declaration.facts.values():
        connector = settings.connectors.get(fact.connector)
        if connector is None or fact.read not in connector.reads:
            what = f"{entry.workflow.name} reads it there, and the settings have no such reading"
            todo = f"add [connectors.{fact.connector}.reads.{fact.read}] to interlock.toml"
            yield fail(f"fact {fact.name}", what, todo)


async def check_connectors(settings: Settings, url: str = "") -> list[Check]:
    """Whether each connector can be made, and its host takes connections within three seconds.

    Args:
        settings: With the connectors.
        url: Interlock's own database, if it answers, for those that act in it.
    """
    return list(await asyncio.gather(*(_reach(one, url) for one in settings.connectors.values())))


async def _reach(connector: ConnectorSettings, url: str) -> Check:
    name = f"connector {connector.name}"
    try:
        made = make_connector(connector.name, connector)
        join(made, url)
        fault = await _examine(made, url)
        await made.close()
    except InterlockError as cause:
        return failed(name, cause)
    if fault is not None:
        return fail(name, fault, "mend what is named") if fault else ok(name, "it is fit to be acted on")
    parts = urlsplit(connector.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = f"{parts.hostname}:{port}{' (simulated)' if connector.simulated else ''}"
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        return fail(
            name, f"{place} does not answer within {_CONNECT_S:.0f} s", "see that it runs, and the network to it"
        )
    except OSError as cause:
        return fail(name, f"{place}: {cause.strerror or cause}", "see that it runs and that its url is right")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ok(name, f"{place} takes connections")


async def _examine(connector: Connector, url: str) -> str | None:
    """What is not fit, empty if nothing is; None where the connector cannot tell."""
    if isinstance(connector, Transactional) and not url:
        return "it acts in Interlock's own database, which does not answer"
    if not isinstance(connector, Examinable):
        return None
    return await connector.examine(utc_now() + timedelta(seconds=_CONNECT_S))


def check_folder(settings: Settings) -> Iterator[Check]:
    """Whether the embedded database's data are closed to other users."""
    if settings.database_url:
        return
    pgdata = Path(settings.data_dir) / "postgres" / "pgdata"
    try:
        mode = pgdata.stat().st_mode & 0o777
    except OSError as cause:
        yield fail("embedded folder", f"{pgdata}: {cause.strerror or cause}", "see that this user may read it")
        return
    if mode & 0o077:
        yield fail("embedded folder", f"{pgdata} has the mode {mode:o}: others may enter", f"chmod 700 {pgdata}")
    else:
        yield ok("embedded folder", f"{pgdata} has the mode {mode:o}")
