"""Rounds of a reconciliation on the command line: run one, or go on with them; list what they came to."""

from __future__ import annotations

import signal
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
import typer

from interlock.cases.explain import when
from interlock.cli.options import Json, Limit
from interlock.cli.reconcile_process import serve_reconciliation
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.serving import serve_in_terminal
from interlock.cli.session import begin_logging, load_settings, with_node
from interlock.node import Node
from interlock.packs.reconciliation.configured import settings_of, terms_of
from interlock.packs.reconciliation.rounds.open import open_rounds
from interlock.packs.reconciliation.rounds.round import Figures
from interlock.packs.reconciliation.rounds.store import LAST_ROUNDS, RoundRow

INTERRUPTED = 128 + signal.SIGINT
Name = Annotated[str, typer.Argument(metavar="[NAME]", help="The reconciliation, if the settings have several.")]


def run(
    context: typer.Context,
    name: Name = "",
    *,
    wait: Annotated[float, typer.Option(min=0, max=86400, help="Seconds to wait for workers to take back.")] = 0.0,
    watch: Annotated[bool, typer.Option("--watch", help="Take in what comes and go on, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Run a round: match what is in force, take back what better evidence breaks, have the rest decided.

    Workers book what is decided, so run it beside `interlock up`, which goes through rounds by itself. Killed anywhere,
    the next round goes on. What waits for a person is in `interlock reviews`.
    """
    screen = Screen(as_json=as_json)
    if watch:
        _watch(context, screen, name)
        return
    terms = terms_of(settings_of(load_settings(context), name))

    async def work(node: Node) -> Figures:
        return await open_rounds(node, terms).run(patience_s=wait)

    figures = with_node(context, work, workflows=True)
    if as_json:
        screen.document({"reconciliation": terms.name, "settled": figures.settled, **asdict(figures)})
    screen.facts(_told(figures))
    if figures.proposed.held or figures.proposed.failed:
        screen.note(f"not decided: {figures.proposed.why}")
    if figures.undoing:
        screen.note("workers take back what they booked; the next round matches what that gives free")


def _told(figures: Figures) -> list[tuple[str, object]]:
    proposed = figures.proposed
    return [
        ("entries", f"{figures.expected} expected, {figures.actual} actual"),
        ("matches", f"{figures.target}, of which {figures.kept} stand"),
        ("decided", f"{proposed.automatic} by itself, {proposed.review} put to people, {proposed.refused} refused"),
        ("not decided", proposed.held + proposed.failed or None),
        ("taken back", f"{figures.withdrawn}, {figures.undoing} under way" if figures.undoing else figures.withdrawn),
        ("waiting", f"{figures.waiting} until their entries are free" if figures.waiting else None),
        ("took", f"{figures.seconds:.1f} s, {figures.passes} passes"),
    ]


def _watch(context: typer.Context, screen: Screen, name: str) -> None:
    settings = load_settings(context)
    mine = settings_of(settings, name)
    begin_logging(settings)
    interrupted = serve_in_terminal(
        lambda ended: serve_reconciliation(settings, mine, ended, lambda: _say_ready(screen, mine.name))
    )
    screen.line("Stopped.")
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _say_ready(screen: Screen, name: str) -> None:
    if screen.as_json:
        screen.document({"event": "ready", "reconciliation": name})
    screen.line(f"reconciliation {name}. Ready. Ctrl-C ends it.")


def rounds(context: typer.Context, name: Name = "", *, limit: Limit = 20, as_json: Json = False) -> None:
    """List rounds, the newest first, with what they found and did."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)
    asked = {"reconciliation": mine.name, "most": limit}

    async def read(node: Node) -> list[RoundRow]:
        async with node.database.tenant(node.tenant) as connection:
            return await LAST_ROUNDS.all(connection, asked)

    found = with_node(context, read)
    if as_json:
        screen.document({"rounds": [as_document(one) for one in found]})
    heads = ("round", "began", "ended", "scorer", "matches", "kept", "by itself", "to people", "taken back")
    screen.table(heads, (_row(one) for one in found), none=f"There was no round of {mine.name} yet.")


def _row(one: RoundRow) -> tuple[object, ...]:
    figures: dict[str, Any] = msgspec.json.decode(one.figures)
    proposed: dict[str, Any] = figures.get("proposed", {})
    ended = when(one.ended_at) if one.ended_at else "no: it is at work, or was killed"
    counts = (figures.get("target"), figures.get("kept"), proposed.get("automatic"), proposed.get("review"))
    return (one.id, when(one.began_at), ended, one.scorer, *counts, figures.get("withdrawn"))
