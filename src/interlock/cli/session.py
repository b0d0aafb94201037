"""One command at work: its settings, a node without workers, and one event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import typer
import uvloop

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import Verdict, everything
from interlock.cases.registry import Registry
from interlock.cli.options import flags_of
from interlock.config import FILE, Settings
from interlock.errors import DatabaseUnavailable
from interlock.node import Node, open_node

T = TypeVar("T")


def load_settings(context: typer.Context, **more: object) -> Settings:
    """The settings of this command: see ``read_settings``."""
    return read_settings({**flags_of(context), **more})


def read_settings(flags: Mapping[str, Any]) -> Settings:
    """The settings of this process. Workflows may stand beside ``interlock.toml``: its folder is searched last.

    Args:
        flags: What the command line says, by key.

    Raises:
        ConfigInvalid: anything is unknown or malformed; all of it is named.
    """
    here = Path.cwd()
    if (here / FILE).is_file() and str(here) not in sys.path:
        sys.path.append(str(here))  # last, so that nothing that stands there hides a module of ours
    return Settings.load(flags, os.environ, here)


def begin_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Send the log to standard error; a quiet command logs warnings only."""
    level = logging.getLevelNamesMapping()[str(settings.log_level).upper()]
    logging.basicConfig(
        level=max(level, logging.WARNING) if quiet else level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("httpx", "httpcore", "uvicorn"):  # a line for each request says nothing that the records do not
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def operator(node: Node, who: str) -> Actor:
    """Who acts at the command line, as policies see them."""
    return Actor(kind=ActorKind.OPERATOR, name=who, tenant=node.tenant)


def require(node: Node, who: str, act: str) -> Verdict:
    """What the policies say of an act of somebody at the command line, for the entry in the ledger.

    Raises:
        Forbidden: no policy permits it.
    """
    return node.authority.require(operator(node, who), act, everything(node.tenant))


def with_node(
    context: typer.Context,
    work: Callable[[Node], Awaitable[T]],
    *,
    workflows: bool = False,
    publishes: bool = False,
    only_stops: bool = False,
    who: str = "",
    act: str = "",
) -> T:
    """Open a node, work with it, and take it apart.

    Args:
        context: The command's.
        work: What to do.
        workflows: Whether the workflows of the settings are needed; reading them takes time.
        publishes: Whether it is to publish what they refer to, so that not all of it can be there yet.
        only_stops: Whether it is to stop something, which works even with policies that cannot be read.
        who: Who acts, where the command changes something.
        act: What it is to the policies, which must permit it; empty: it only looks.

    Raises:
        Forbidden: no policy permits it.
    """
    # without connectors: nothing acts here, and a connector that is set up wrong must not keep anybody from stopping it
    settings = replace(load_settings(context), connectors={})
    begin_logging(settings, quiet=True)

    async def run() -> T:
        known = None if workflows else Registry(())
        async with open_node(settings, registry=known, publishes=publishes, only_stops=only_stops) as node:
            if act:
                node.authority.require(operator(node, who), act, everything(node.tenant))
            return await work(node)

    return run_loop(run)


def run_loop(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end in a loop of its own.

    Raises:
        DatabaseUnavailable: the database went away while it ran, or refuses what this role asks for.
    """

    async def run() -> T:
        return await work()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())
    except psycopg.errors.InsufficientPrivilege as cause:
        raise DatabaseUnavailable(
            f"the database refuses it to this role: {cause.diag.message_primary}",
            todo="set admin_database_url to the role that migrates; `interlock doctor` says more",
        ) from cause
    except psycopg.OperationalError as cause:
        raise DatabaseUnavailable(
            f"the database went away: {str(cause).strip()}", todo="see that it runs, and try again"
        ) from cause
