"""Everything by one command: the API in this process, and workers in processes of their own beside it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from interlock.api.app import create_app
from interlock.api.front import Front
from interlock.api.keys import Scope, list_keys, make_key
from interlock.api.serve import see_free, serving
from interlock.authority.judge import load_authority
from interlock.cases.registry import Registered
from interlock.cli.crew import API_SERVERS, OUTCOMES, RECONCILIATIONS, SERVERS, STREAMS, Crew, WorkerEnded
from interlock.cli.options import commands, flags_of
from interlock.cli.screen import Screen
from interlock.cli.session import begin_logging, load_settings, run_loop
from interlock.config import Settings
from interlock.db.embedded import EmbeddedPostgres
from interlock.identity.first import FIRST_PERSON, make_first
from interlock.node import Node, open_node
from interlock.setting_forms import without_password

app = commands()
FIRST_KEY = "first"
STOP_WAIT_S = 10.0
INTERRUPTED = 128 + signal.SIGINT


@app.command()
def up(
    context: typer.Context,
    *,
    workers: Annotated[int, typer.Option(min=0, max=64, help="How many workers; each runs many cases at once.")] = 1,
    host: Annotated[str | None, typer.Option("--host", "--api-host", help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", "--api-port", help="The port; 0 takes a free one.")] = None,
    servers: Annotated[int, typer.Option(min=1, max=64, help="How many processes answer on the port.")] = 1,
    no_api: Annotated[bool, typer.Option("--no-api", help="Run workers only.")] = False,
    no_console: Annotated[bool, typer.Option("--no-console", help="Serve the API without the console.")] = False,
    no_streams: Annotated[bool, typer.Option("--no-streams", help="Leave the streams of the settings alone.")] = False,
    no_reconciliation: Annotated[
        bool, typer.Option("--no-reconciliation", help="Leave the reconciliations of the settings alone.")
    ] = False,
    no_outcomes: Annotated[bool, typer.Option("--no-outcomes", help="Leave the feeds of outcomes alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document a line, for programs.")] = False,
) -> None:
    """Run the API, and workers in processes of their own, until SIGTERM or Ctrl-C.

    A worker that hangs or dies keeps nobody from the API, and for a dead one another is started. On the signal they
    give cases back between two of their writes, answer the requests under way, and end within seconds. A second signal
    ends at once; nothing is lost by that, either.
    """
    screen = Screen(as_json=as_json)
    settings = load_settings(context, api_host=host, api_port=port)
    begin_logging(settings)
    load_authority(settings.policies)  # what is wrong with them is told before a database is made or started
    if not no_api:
        see_free(settings.api_host, settings.api_port)

    names = () if no_streams else tuple(settings.streams)
    matched = () if no_reconciliation else tuple(settings.reconciliation)
    flags = flags_of(context)

    def told(ended: WorkerEnded) -> None:
        _say_ended(screen, ended)

    crews = (
        Crew(workers, flags, told),
        Crew(len(names), flags, told, module=STREAMS, streams=names),
        Crew(len(matched), flags, told, module=RECONCILIATIONS, streams=matched),
        Crew(int(bool(settings.outcomes) and not no_outcomes), flags, told, module=OUTCOMES),
    )

    def further(port: int) -> Crew:
        return Crew(servers - 1, flags, told, module=API_SERVERS if no_console else SERVERS, port=port)

    async def run() -> int:
        return await _serve(settings, screen, crews, None if no_api else further, console=not no_console)

    if run_loop(run) == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


async def _serve(
    settings: Settings,
    screen: Screen,
    crews: tuple[Crew, Crew, Crew, Crew],
    further: Callable[[int], Crew] | None,
    *,
    console: bool,
) -> int:
    """Run until a signal; its number.

    Args:
        settings: What the process was told.
        screen: Where it speaks.
        crews: The workers, the streams, the reconciliations, and who pulls outcomes.
        further: Makes the servers beside our own, on its port; None: nobody listens.
        console: Whether people are served, too.
    """
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_embedded(settings, screen))
        node = await stack.enter_async_context(open_node(settings))
        with _signals(stopped):
            await stack.enter_async_context(node.sealing())
            await stack.enter_async_context(node.lineage())
            _say_what_runs(screen, node)
            url = await stack.enter_async_context(_listening(node, console=console)) if further else None
            servers = further(urlsplit(url).port or 0) if further and url else None
            for crew in (*crews, servers) if servers else crews:
                await stack.enter_async_context(crew)
            people = f"{settings.public_url.rstrip('/') or url}/console" if url and console else None
            # made last: both are shown this once, and whatever can keep us from showing them has gone well
            secret = await _first_key(node) if further else None
            password = await make_first(node.database, node.writer, node.tenant) if further and console else None
            _say_ready(screen, url, crews, servers, secret, people, password)
            number = await stopped
        screen.note("stopping: giving cases back, answering what is under way")
        await stack.aclose()
    _event(screen, "stopped", signal=signal.Signals(number).name)
    screen.line("Stopped.")
    return number


@asynccontextmanager
async def _listening(node: Node, *, console: bool) -> AsyncGenerator[str]:
    async with serving(
        _site(node) if console else create_app(node), node.settings.api_host, node.settings.api_port, shared=True
    ) as url:
        yield url


def _site(node: Node) -> Front:
    # who runs workers alone, or the API without the console, does not pay for templates
    from interlock.console.app import create_site  # noqa: PLC0415

    return create_site(node)


@asynccontextmanager
async def _embedded(settings: Settings, screen: Screen) -> AsyncGenerator[None]:
    """Hold the embedded server for longer than the node, and wait for its end: in a container ours kills the rest."""
    if settings.database_url:
        yield
        return
    server = EmbeddedPostgres(Path(settings.data_dir) / "postgres", progress=screen.note)
    await asyncio.to_thread(server.start)
    try:
        yield
    finally:
        await asyncio.to_thread(server.stop, wait=STOP_WAIT_S)


@contextlib.contextmanager
def _signals(stopped: asyncio.Future[int]) -> Generator[None]:
    """The first SIGTERM or SIGINT is noted; afterwards they do what they always do."""
    loop = asyncio.get_running_loop()

    def note(number: int) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _first_key(node: Node) -> str | None:
    """The secret of a key that may do everything, where there is no key yet."""
    if await list_keys(node.database, node.tenant):
        return None
    return await make_key(
        node.database, node.writer, node.tenant, name=FIRST_KEY, scopes=[Scope.ADMIN], who="interlock up"
    )


def _say_what_runs(screen: Screen, node: Node) -> None:
    where = without_password(node.settings.database_url) if node.settings.database_url else "embedded"
    folder = "" if node.settings.database_url else f" in {node.settings.data_dir}"
    _event(
        screen,
        "starting",
        database=where,
        tenant=node.settings.tenant,
        workflows=[_carried(entry, node.settings) for entry in node.registry.all],
    )
    screen.line(f"database: {where}{folder}, tenant {node.settings.tenant}")
    for entry in node.registry.all:
        told = _carried(entry, node.settings)
        screen.line(f"workflow: {told['workflow']} {told['version']} (code {str(told['code'])[:8]})")
        if told["dossier_lacks"]:
            lacks = ", ".join(told["dossier_lacks"])
            screen.line(f"  acts on simulated connectors only: its dossier lacks {lacks}", style="yellow")
        for connector in told["connectors_missing"]:
            screen.line(f"  the connector {connector} is not in the settings: what needs it waits", style="yellow")
    if not node.registry.all:
        screen.line("no workflow is carried: set workflows in interlock.toml", style="yellow")


def _carried(entry: Registered, settings: Settings) -> dict[str, Any]:
    declaration = entry.declaration
    needed = {terms.connector for terms in (*declaration.actions.values(), *declaration.facts.values())}
    return {
        "workflow": entry.workflow.name,
        "version": entry.workflow.version,
        "code": entry.workflow.code,
        "dossier_lacks": entry.declaration.dossier.missing(),
        "connectors_missing": sorted(needed - set(settings.connectors)),
    }


def _say_ready(
    screen: Screen,
    url: str | None,
    crews: tuple[Crew, Crew, Crew, Crew],
    servers: Crew | None,
    secret: str | None,
    console: str | None,
    password: str | None,
) -> None:
    further = servers.processes if servers else []
    processes, streams, reconciliations, outcomes = (crew.processes for crew in crews)
    told = {
        "workers": len(processes),
        "processes": processes,
        "streams": streams,
        "reconciliations": reconciliations,
        "outcomes": outcomes,
        "servers": further,
        "console": console,
        "person": {"name": FIRST_PERSON, "password": password} if password else None,
    }
    _event(screen, "ready", url=url, key=secret, **told)
    if url:
        also = f", by {len(further) + 1} processes" if further else ""
        screen.line(f"listening: {url} (what it offers: {url}/openapi.json){also}")
    screen.line(f"workers: {len(processes)}")
    if streams:
        screen.line(f"streams: {len(streams)}; `interlock streams` shows how they stand")
    if reconciliations:
        screen.line(f"reconciliations: {len(reconciliations)}; `interlock reconcile rounds` shows what they do")
    if outcomes:
        screen.line("outcomes are pulled; `interlock outcomes feeds` shows how the feeds stand")
    if secret:
        screen.line(f'API key "{FIRST_KEY}", shown this once: {secret}', style="bold")
    if console:
        screen.line(f"console: {console}")
    if password:
        rows = (f"name      {FIRST_PERSON}", f"password  {password}")
        wide = max(map(len, rows))
        screen.line("Sign in with this password once and choose your own. It is shown this once:", style="bold")
        screen.lines([f"  +-{'-' * wide}-+", *(f"  | {row:<{wide}} |" for row in rows), f"  +-{'-' * wide}-+"])
    screen.line("Ready. Ctrl-C ends it.")


def _say_ended(screen: Screen, ended: WorkerEnded) -> None:
    _event(screen, "worker_ended", **msgspec.structs.asdict(ended))
    what = f"{ended.kind} {ended.stream or ended.worker}"
    screen.note(
        f"{what} (process {ended.process}) ended with {ended.status}; another one begins in {ended.again_in_s:g} s"
    )


def _event(screen: Screen, name: str, **facts: Any) -> None:
    if screen.as_json:
        screen.document({"event": name, **facts})
