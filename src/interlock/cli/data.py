"""The levels of the data: how fresh and complete they are, as their contracts promise."""

from __future__ import annotations

import typer

from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.contracts.level import words
from interlock.levels.judge import Measured, measure_levels
from interlock.node import Node

app = commands()
group = commands("data", "The data that decisions rest on: how fresh and complete they are.")
app.add_typer(group)


@group.callback()
def data() -> None:
    """Hold the group together: with one command it would not be one."""


@group.command()
def levels(context: typer.Context, *, as_json: Json = False) -> None:
    """Show every service level of the contracts that the workflows of the settings rest on, measured now."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> list[Measured]:
        async with node.database.tenant(node.tenant) as connection:
            return await measure_levels(connection, node.registry.measured(node.tenant))

    found = with_node(context, read, workflows=True)
    if as_json:
        screen.document({"levels": [_document(one) for one in found]})
    screen.table(
        ("contract", "level", "state", "since", "now", "owner"),
        (
            (
                one.contract.reference,
                one.level.said,
                one.standing.state if one.standing else "kept",
                minute(one.standing.changed_at) if one.standing else "",
                one.breach or _now(one),
                one.contract.owner,
            )
            for one in found
        ),
        none="No contract of these workflows promises a level that is measured.",
    )


def _now(one: Measured) -> str:
    if one.level.age is not None:
        return f"{words(one.age)} old" if one.age is not None else "nothing came yet"
    return f"{one.seen.records:,} records, {one.seen.refused:,} refused"


def _document(one: Measured) -> dict[str, object]:
    return {
        "contract": one.contract.reference,
        "level": one.level.said,
        "state": one.standing.state if one.standing else "kept",
        "since": one.standing.changed_at if one.standing else None,
        "what": one.breach,
        "owner": one.contract.owner,
        "records": one.seen.records,
        "refused": one.seen.refused,
        "filled": one.seen.filled,
        "age_s": one.age.total_seconds() if one.age is not None else None,
    }
