"""`interlock ledger audit`: the whole tree computed again, and each record held against the entries that tell of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from interlock.cli.options import Json
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.decisions.record_audit import audit_every_record
from interlock.ledger.audit import Audited, audit_tree
from interlock.ledger.publish import Outside
from interlock.ledger.terms import ledger_terms
from interlock.node import Node

BROKEN = 9


def audit(
    context: typer.Context,
    *,
    records: Annotated[bool, typer.Option(help="Also hold every record against the entries that tell of it.")] = True,
    as_json: Json = False,
) -> None:
    """Compute the whole tree again and compare all that is stored, signed and published of it.

    Exits with 9 if anything is not what it was; the first bad entry is named.
    """
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> Audited:
        async with node.database.installation() as connection:
            terms = await ledger_terms(node.settings, connection)
            with _progress(screen) as bar:
                task = bar.add_task("entries", total=None)

                def told(done: int, size: int) -> None:
                    bar.update(task, completed=done, total=size)

                published = Outside(terms.folder).all()
                found = await audit_tree(connection, terms.keys, published=published, progress=told)
        if records:
            await audit_every_record(node.database, found)
        return found

    found = with_node(context, work)
    if as_json:
        screen.document(
            {
                "entries": found.size,
                "root": found.root,
                "checkpoints": found.checkpoints,
                "records": found.records,
                "facts": found.facts,
                "faults": [msgspec.to_builtins(fault) for fault in found.faults],
                "count": found.count,
                "first": msgspec.to_builtins(found.first) if found.first else None,
            }
        )
    screen.line(f"{found.size} entries, root {found.root}")
    screen.line(f"{found.checkpoints} signed checkpoints compared, {found.records} decisions held against their leaves")
    if found.facts:
        screen.line(f"{found.facts} entries held against the rows that they tell of")
    if found.first is None:
        screen.line("Everything is what it was.", style="green")
        return
    screen.line(f"{found.count} faults. The first: {found.first.what}", style="red")
    screen.lines(f"  {fault.what}" for fault in found.faults if fault is not found.first)
    raise typer.Exit(BROKEN)


def _progress(screen: Screen) -> Progress:
    return Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), disable=not screen.live,
        transient=True,
    )  # fmt: skip
