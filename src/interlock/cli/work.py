"""Work: what needs a person's decision, in its order, and the next item on demand."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.api.work import work_document
from interlock.authority.actor import Actor, ActorKind
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.node import Node
from interlock.oversight.listing import list_work
from interlock.oversight.pulling import pull_next
from interlock.oversight.work import WorkItem, WorkPage
from interlock.oversight.work_filter import read_filter

app = commands()
Asked = Annotated[
    str, typer.Option("--where", help="A filter, as the console's address has it: queue=finance&due_within=4h.")
]


@app.command()
def work(
    context: typer.Context,
    following: Annotated[str, typer.Argument(metavar="[next]", help="next: take the next item.")] = "",
    *,
    where: Asked = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="The most that are listed.")] = 50,
    after: Annotated[str, typer.Option(help="From the page before.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """List what needs a person's decision in its order, or take the next of it."""
    screen, name, asked = Screen(as_json=as_json), who_acts(who), read_filter(where)
    if following not in ("", "next"):
        raise typer.BadParameter(f"{following!r} is nothing to do with work; write next, or leave it out")

    async def listed(node: Node) -> WorkPage:
        return await list_work(
            node.database, node.tenant, asked, _acting(node, name), most=limit, after=after or None,
            terms=node.work_terms,
        )  # fmt: skip

    async def taken(node: Node) -> WorkItem | None:
        return await pull_next(node.desk, _acting(node, name), asked, terms=node.work_terms)

    if following:
        item = with_node(context, taken)
        if as_json:
            screen.document({"item": as_document(work_document(item)) if item else None})
        until = f", {name}, until {minute(item.claimed_until)}" if item else ""
        screen.line(f"{item.id} is yours{until}: {item.title}: {item.why}" if item else "Nothing that you may decide.")
        return
    page = with_node(context, listed)
    if as_json:
        shown = [as_document(work_document(item)) for item in page.items]
        screen.document({"work": shown, "total": str(page.total), "after": page.after})
    screen.table(
        ("id", "what", "why", "exposure", "expected loss", "due", "state"),
        ((i.id, i.title, i.why[:60], i.exposure, i.loss, minute(i.due_at), i.state) for i in page.items),
        none="Nothing needs a decision.",
    )
    if page.after:
        screen.line(f"{page.total} in all; the next page: --after {page.after}")


def _acting(node: Node, name: str) -> Actor:
    return Actor(kind=ActorKind.OPERATOR, name=name, tenant=node.tenant)
