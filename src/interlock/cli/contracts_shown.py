"""The contracts in force, or those of one decision, on the command line."""

from __future__ import annotations

import typer

from interlock.cases.contracts_shown import ShownContract, contracts_in_force, contracts_of
from interlock.cases.explanation.reading import find_subject
from interlock.cli.options import read_id
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.decisions.store import FIND_DECISION
from interlock.errors import NotFound
from interlock.node import Node


def show_in_force(context: typer.Context, screen: Screen) -> None:
    """Show every contract that the workflows of the settings rest on now."""

    async def read(node: Node) -> list[ShownContract]:
        return await contracts_in_force(node.database, node.tenant, node.registry)

    _show(screen, with_node(context, read, workflows=True, publishes=True), "These workflows rest on no contract.")


def show_of_decision(context: typer.Context, identifier: str, screen: Screen) -> None:
    """Show the contracts that a decision rested on."""
    given = read_id(identifier, "a decision")

    async def read(node: Node) -> list[ShownContract]:
        found = await find_subject(node.database, node.tenant, given)
        async with node.database.tenant(node.tenant) as connection:
            decision = await FIND_DECISION.one(connection, {"id": found.decision or given})
        if decision is None:
            raise NotFound(f"{given} is a {found.kind}, no decision", todo=f"`interlock case {given}` lists decisions")
        return await contracts_of(node.database, node.tenant, decision)

    _show(screen, with_node(context, read), "That decision rested on no contract.")


def _show(screen: Screen, found: list[ShownContract], none: str) -> None:
    if screen.as_json:
        screen.document({"contracts": found})
    if not found:
        screen.line(none)
    for place, one in enumerate(found):
        if place:
            screen.line()
        since = f", counts since {minute(one.since)}" if one.since else ""
        published = f"{minute(one.published_at)} by {one.published_by}: {one.why}" if one.published_at else ""
        screen.facts(
            [
                ("contract", f"{one.contract} ({one.status})"),
                ("sha-256", one.digest),
                ("owner", one.owner),
                ("purpose", one.purpose),
                ("used by", ", ".join(one.used_by)),
                ("published", f"{published}{since}" if published else "no: it is a file's" if one.digest else ""),
                ("fields", one.fields or ""),
                ("promises", "\n".join(one.promises)),
                ("levels now", "\n".join(f"{level.said}: {level.state} ({level.now})" for level in one.levels)),
                ("not enforced", "\n".join(one.not_enforced)),
            ]
        )
