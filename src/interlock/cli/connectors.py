"""Connectors: how the outside systems stand, and their circuits opened and closed by hand."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Protocol
from uuid import UUID

import typer

from interlock.actions.circuit import Circuit
from interlock.actions.circuits import close_circuit, list_circuits, open_circuit
from interlock.actions.standing import ConnectorStanding, read_standings
from interlock.cli.options import As, Json, Why, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, with_node
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import NotFound
from interlock.node import Node
from interlock.spelling import meant

app = commands()
group = commands("circuit", "The circuit breaker of a connector: open and close it by hand.")
app.add_typer(group)

Name = Annotated[str, typer.Argument(metavar="CONNECTOR", help="The connector's name in the settings.")]


@app.command(name="connectors")
def list_connectors(context: typer.Context, *, as_json: Json = False) -> None:
    """List the connectors: circuit, failures, what is under way and what waits."""
    screen = Screen(as_json=as_json)
    settings = load_settings(context)

    async def read(node: Node) -> list[ConnectorStanding]:
        return await read_standings(node.database, node.tenant, settings.connectors)

    found = with_node(context, read)
    if as_json:
        screen.document({"connectors": [as_document(one) for one in found]})
    heads = (
        "connector",
        "circuit",
        "failures",
        "since",
        "again",
        "in flight",
        "in doubt",
        "waiting",
        "at once",
        "last",
    )
    screen.table(heads, (_row(one) for one in found), none="There is no connector in the settings.")


def _row(one: ConnectorStanding) -> tuple[object, ...]:
    circuit = (one.circuit, one.failures, minute(one.since), minute(one.retry_at))
    return (one.name, *circuit, one.in_flight, one.in_doubt, one.waiting, one.concurrency, one.what)


@group.command(name="open")
def open_one(context: typer.Context, connector: Name, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Open a circuit: no tenant's requests go through this connector until somebody closes it."""
    circuit = _turn(context, connector, open_circuit, who_acts(who), why)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.document(as_document(circuit))
    screen.line(f"The circuit of {connector} is {circuit.what}; until `interlock circuit close {connector}`.")


@group.command()
def close(context: typer.Context, connector: Name, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Close a circuit, whatever opened it: requests go again, at full pace."""
    name = who_acts(who)
    circuit = _turn(context, connector, close_circuit, name, why)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.document(as_document(circuit))
    screen.line(f"The circuit of {connector} is closed by {name}.")


class _Turn(Protocol):
    """Opens a circuit or closes it."""

    def __call__(
        self, database: Database, writer: Writer, tenant: UUID, connector: str, /, *, who: str, why: str
    ) -> Awaitable[Circuit]:
        """The circuit after it."""
        ...


def _turn(context: typer.Context, connector: str, turn: _Turn, who: str, why: str) -> Circuit:
    settings = load_settings(context)

    async def run(node: Node) -> Circuit:
        known = {*settings.connectors, *(one.connector for one in await list_circuits(node.database))}
        if connector not in known:
            raise NotFound(f"there is no connector {connector[:60]!r}", todo=meant(connector, known))
        return await turn(node.database, node.writer, node.tenant, connector, who=who, why=why)

    return with_node(context, run, who=who, act="connector.switch")
