"""Streams: how each of them stands."""

from __future__ import annotations

import typer

from interlock.cli.options import Json, commands
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, with_node
from interlock.node import Node
from interlock.streams.store import StreamStanding, StreamState, list_standings

app = commands()
HEADS = (
    "stream",
    "state",
    "lag",
    "unacknowledged",
    "under way",
    "waiting",
    "per s",
    "decided",
    "cases",
    "quarantined",
    "again",
    "of",
    "why",
)


@app.command(name="streams")
def list_streams(context: typer.Context, *, as_json: Json = False) -> None:
    """Show how the streams stand: lag, under way, rate, quarantined, and what they wait for.

    A row for each process, as it wrote of itself within the last second; one that is silent is dead or cut off, and
    its lag is of the time when it was last heard of.
    """
    screen = Screen(as_json=as_json)
    configured = load_settings(context).streams

    async def read(node: Node) -> list[StreamStanding]:
        return await list_standings(node.database, node.tenant)

    found = with_node(context, read)
    heard = {one.stream for one in found if not one.silent and one.state is not StreamState.ENDED}
    idle = sorted(set(configured) - heard)
    if as_json:
        screen.document({"streams": [as_document(one) | {"silent": one.silent} for one in found], "not_running": idle})
    screen.table(HEADS, (_row(one) for one in found), none="No process of a stream was heard of within the hour.")
    for name in idle:
        screen.note(f"nobody runs the stream {name} of the settings: `interlock up`, or `interlock stream {name}`")


def _row(one: StreamStanding) -> tuple[object, ...]:
    state = f"silent for {one.age:.0f} s" if one.silent else one.state
    lag = "?" if one.pending is None else one.pending
    counts = (one.under_way, one.waiting, f"{one.per_second:g}", one.decided, one.submitted, one.quarantined, one.again)
    return (one.stream, state, lag, one.unacknowledged, *counts, one.concurrency, one.why)
