"""Ending a case before it is done, taking one back, and moving cases to the code that is installed here."""

from __future__ import annotations

from typing import Annotated, Protocol
from uuid import UUID

import typer

from interlock.authority.judge import Verdict, everything
from interlock.cases.cancel import Cancelling, cancel_case, recall_case
from interlock.cases.explain import when
from interlock.cases.migrate import Move, Moved, check_target, migrate_cases
from interlock.cli.options import As, Json, Why, read_id, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import operator, with_node
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import StateConflict
from interlock.node import Node


def cancel(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The case's id.")],
    *,
    why: Why,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Cancel a case: nothing new begins in it, what it did is taken back, then it ends."""
    _end(context, Screen(as_json=as_json), cancel_case, identifier, why=why, who=who, act="case.cancel")


def take_back(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The case's id.")],
    *,
    why: Why,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Take a case back, even one that is done: what it did is undone in reverse order, then it is cancelled."""
    _end(context, Screen(as_json=as_json), recall_case, identifier, why=why, who=who, act="recall")


class _Ends(Protocol):
    """Cancelling or recalling."""

    async def __call__(
        self,
        database: Database,
        writer: Writer,
        tenant: UUID,
        case_id: UUID,
        /,
        *,
        who: str,
        why: str,
        verdict: Verdict | None,
    ) -> Cancelling: ...


def _end(context: typer.Context, screen: Screen, ends: _Ends, identifier: str, *, why: str, who: str, act: str) -> None:
    case_id, name = read_id(identifier, "a case"), who_acts(who)

    async def end(node: Node) -> Cancelling:
        verdict = node.authority.require(operator(node, name), act, everything(node.tenant))
        return await ends(node.database, node.writer, node.tenant, case_id, who=name, why=why, verdict=verdict)

    said = with_node(context, end)
    if screen.as_json:
        screen.document(
            {"case": said.case_id, "cancel_at": said.at, "cancel_by": said.who, "cancel_why": said.why, "new": said.new}
        )
    earlier = "" if said.new else " already"
    screen.line(f"{case_id} is being cancelled{earlier}, by {said.who} at {when(said.at)}: {said.why}")
    screen.line(f"What it did is taken back first: `interlock case {case_id}` shows how far that is.")


def migrate(
    context: typer.Context,
    *,
    workflow: Annotated[str, typer.Option(help="The workflow.")],
    origin: Annotated[str, typer.Option("--from", help="The version, or the code's hash, that its cases began on.")],
    target: Annotated[str, typer.Option("--to", help="The version that is installed here.")],
    why: Why,
    case: Annotated[str | None, typer.Option(metavar="ID", help="Only this case.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look only: move nothing.")] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Move cases that are not running to the code that is installed here, where they can go on with it."""
    screen = Screen(as_json=as_json)
    only, name = read_id(case, "a case") if case else None, who_acts(who)

    async def look_and_move(node: Node) -> list[Moved]:
        registered = node.registry.named(workflow)
        check_target(registered, target)
        move = Move(tenant=node.tenant, registered=registered, origin=origin, who=name, why=why, only=only, dry=dry_run)
        return [moved async for moved in migrate_cases(node.tools, move)]

    found = with_node(context, look_and_move, workflows=True, who=name, act="" if dry_run else "publish")
    staying = [one for one in found if one.stays]
    if as_json:
        told = [
            {"case": one.case_id, "key": one.key, "state": one.state, "from": one.version, "stays": one.stays or None}
            for one in found
        ]
        screen.document({"cases": told, "moved": 0 if dry_run else len(found) - len(staying), "to": target})
    screen.table(
        ("id", "key", "state", "from", "why it stays"),
        ((one.case_id, one.key, one.state, one.version, one.stays) for one in staying),
        none="",
    )
    verb = "can be moved" if dry_run else "are moved"
    screen.line(f"{len(found) - len(staying)} of {len(found)} cases of {workflow} {verb} to {target}.")
    if staying:
        raise StateConflict(
            f"{len(staying)} of {len(found)} cases stay on the code that they began on",
            todo="drain them with a worker that carries it, or cancel them",
        )
