"""Lineage: from an action to every source, from a source to everything that it influenced, and both for others."""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from interlock.cli.options import Json, Limit, commands, read_id
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, with_node
from interlock.durations import parse_duration
from interlock.errors import InterlockError, Refused
from interlock.ledger.store import seal_once
from interlock.lineage.export import export_span
from interlock.lineage.graph import Graph, Node
from interlock.lineage.influence import LAST_LEAF, Influence, read_influence
from interlock.lineage.read import read_lineage
from interlock.lineage.sink import SinkUnreachable, make_sink
from interlock.lineage.source import read_source
from interlock.node import Node as Process

app = commands()
EXPORT = "export"
_DEEPEST = 12
_SHOWN = frozenset({"at", "source", "resolved_by", "author"})


@app.command(name="lineage")
def show_lineage(
    context: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="ID|export", help="An action, a decision or a case; or export.")
    ] = None,
    *,
    of: Annotated[str | None, typer.Option("--of", help="A source, as in contract:receipt@1 or row:JOB/17.")] = None,
    before: Annotated[int | None, typer.Option(min=0, max=LAST_LEAF, help="Go on where a page said so.")] = None,
    limit: Limit = 50,
    since: Annotated[str, typer.Option(help="export: from when: a time in UTC, or how far back, as in 7d.")] = "7d",
    until: Annotated[str, typer.Option(help="export: until when; by default now.")] = "",
    to: Annotated[str, typer.Option(help="export: a file, a folder, or an OpenLineage server's URL.")] = "",
    as_json: Json = False,
) -> None:
    """Trace an action to its sources, a source to all that it influenced; export both as OpenLineage events."""
    screen = Screen(as_json=as_json)
    if (what is None) == (of is None):
        raise Refused("name an id, or a source with --of", where="ID", todo="`interlock lineage --help` shows both")
    if of is not None:
        source = read_source(of)

        async def influence(node: Process) -> Influence:
            async with node.database.installation() as connection:  # where nothing runs nobody else seals
                while (sealed := await seal_once(connection)) and sealed.more:
                    pass
            return await read_influence(node.database, node.tenant, source, before=before, most=limit)

        _tell_influence(screen, with_node(context, influence))
    elif what == EXPORT:
        _export(context, screen, since=since, until=until, to=to)
    else:
        identifier = read_id(what or "", "an action, a decision or a case")

        async def trace(node: Process) -> Graph:
            return await read_lineage(node.database, node.tenant, identifier)

        _tell_graph(screen, with_node(context, trace))


def _tell_graph(screen: Screen, graph: Graph) -> None:
    if screen.as_json:
        screen.document(graph)
    nodes = {node.id: node for node in graph.nodes}
    behind: dict[str, list[tuple[str, str]]] = defaultdict(list)
    beyond: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in graph.edges:
        behind[edge.target].append((edge.kind, edge.source))
        beyond[edge.source].append((edge.kind, edge.target))
    screen.line(_line(nodes[graph.of]))
    for title, steps in (("rests on", behind), ("led to", beyond)):
        if steps[graph.of]:
            screen.line(title)
            _tree(screen, nodes, steps, graph.of, shown={graph.of})
    for flow in graph.money:
        screen.line(f"money: decided {flow.decided}, acted {flow.acted}, pending {flow.pending}")


def _tree(
    screen: Screen,
    nodes: dict[str, Node],
    steps: dict[str, list[tuple[str, str]]],
    of: str,
    *,
    shown: set[str],
    depth: int = 1,
) -> None:
    """Each node under what it is a step to; what was shown above is named and not unfolded again."""
    for kind, there in steps[of]:
        again = there in shown
        screen.line(f"{'  ' * depth}{_line(nodes[there])}  ({kind}{', see above' if again and steps[there] else ''})")
        if not again and depth < _DEEPEST:
            shown.add(there)
            _tree(screen, nodes, steps, there, shown=shown, depth=depth + 1)


def _line(node: Node) -> str:
    told = [f"{node.kind} {node.label}"]
    if node.link:
        told.append(node.id.partition(":")[2])
    told += [text for text in (node.state, node.money or "", minute(node.at)) if text]
    told += [f"{name} {value}" for name, value in node.facts.items() if name in _SHOWN]
    return "  ".join(told)


def _tell_influence(screen: Screen, found: Influence) -> None:
    if screen.as_json:
        screen.document(found)
    screen.line(f"{found.of}: {found.decisions} decisions, {found.cases} cases")
    for one in found.money:
        screen.line(
            f"money: decided {one.decided}, acted {one.acted} by {one.actions} actions, pending {one.pending} in "
            f"{one.actions_pending}, taken back {one.undone} by {one.actions_undone}, failed {one.actions_failed}"
        )
    screen.table(
        ("id", "what", "when", "route", "money", "component", "case"),
        (
            (one.id, one.name or one.kind, minute(one.at), one.route, one.money, one.component, one.case)
            for one in found.items
        ),
        none="It influenced nothing.",
    )
    if found.next is not None:
        screen.line(f"more: --before {found.next}")
    if found.behind:
        screen.note(f"{found.behind} entries of the ledger are not counted yet: ask again")


def _export(context: typer.Context, screen: Screen, *, since: str, until: str, to: str) -> None:
    now = datetime.now(UTC)
    begin, end = _moment(since, now, "--since"), _moment(until, now, "--until") if until else now
    settings = load_settings(context)
    key = settings.lineage_key.resolve(os.environ) if settings.lineage_key else ""

    sink = make_sink(to, key=key)

    async def send(node: Process) -> int:
        try:
            return await export_span(
                node.database, node.tenant, node.settings.tenant, sink, since=begin, until=end,
                fields=node.contract_fields,
            )  # fmt: skip
        except SinkUnreachable as cause:
            todo = "send it again: events that were sent before have the same run ids"
            raise InterlockError(f"the other side takes nothing: {cause}", where="--to", todo=todo) from cause
        finally:
            await sink.close()

    sent = with_node(context, send, workflows=True)
    if screen.as_json:
        screen.document({"events": sent, "since": begin, "until": end, "to": to})
    screen.line(f"{sent} events of {minute(begin)} to {minute(end)} were sent to {to}")


def _moment(text: str, now: datetime, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now - parse_duration(text)
    if moment.tzinfo is None:
        raise Refused(f"{text!r} says no offset from UTC", where=where, todo="write 2026-01-31T12:00:00Z, or 7d")
    return moment.astimezone(UTC)
