"""`interlock ledger reconcile`: whether everything that happened is in the ledger, and everything in it happened."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from interlock.cli.ledger_audit import BROKEN
from interlock.cli.options import As, Json, read_id, who_acts
from interlock.cli.screen import Screen, minute
from interlock.cli.session import require, with_node
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.ledger.reconcile import Reconciled, accept_gap
from interlock.ledger.reconcile import reconcile as compare
from interlock.ledger.reconcile_store import OpenGap
from interlock.node import Node


def reconcile(
    context: typer.Context,
    *,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 24h, 30d; by default everything.")] = "",
    accept: Annotated[str, typer.Option(metavar="ID", help="Accept a gap that cannot be mended; needs --why.")] = "",
    why: Annotated[str, typer.Option(help="Why it is accepted.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Hold the ledger against every table, now: what is in one and not in the other is named.

    Exits with 9 if there is a gap that nobody has accepted.
    """
    screen = Screen(as_json=as_json)
    if accept:
        _accept(context, screen, accept, who, why, as_json=as_json)
        return
    if why:
        raise Refused("a reason alone accepts nothing", where="--why", todo="name the gap with --accept")
    span = parse_duration(since) if since else None

    async def work(node: Node) -> Reconciled:
        from_then = node.database.clock.now() - span if span else None
        return await compare(node.database, node.writer, since=from_then)

    found = with_node(context, work)
    if as_json:
        screen.document(msgspec.to_builtins(found))
    screen.table(
        ("table", "rows", "first entries"),
        ((one.relation, str(one.rows), str(one.entries)) for one in found.counts),
        none="",
    )
    screen.table(
        ("gap", "found", "tenant", "what"),
        ((str(gap.id), minute(gap.found_at), str(gap.tenant), gap.what) for gap in found.gaps),
        none="The ledger and the tables say the same.",
    )
    if found.closed:
        screen.line(f"{found.closed} earlier gaps are no more.")
    if found.accepted:
        screen.line(f"{found.accepted} gaps were accepted.")
    if found.gaps:
        raise typer.Exit(BROKEN)


def _accept(context: typer.Context, screen: Screen, gap: str, who: str, why: str, *, as_json: bool) -> None:
    wanted, name = read_id(gap, "a gap"), who_acts(who)

    async def work(node: Node) -> OpenGap:
        return await accept_gap(
            node.database, node.writer, wanted, who=name, why=why, verdict=require(node, name, "ledger.accept")
        )

    accepted = with_node(context, work)
    if as_json:
        screen.document({"gap": str(accepted.id), "what": accepted.what, "who": name, "why": why})
    screen.line(f"Accepted by {name}: {accepted.what}. It stays in the ledger.")
