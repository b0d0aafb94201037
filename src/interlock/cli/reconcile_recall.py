"""Taking a statement back on the command line: what rests on it is listed first, then undone, then decided anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any

import typer

from interlock.cli.options import As, Json, read_id, who_acts
from interlock.cli.reconcile_words import statement_document
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, require, with_node
from interlock.config import Settings
from interlock.errors import Refused
from interlock.node import Node
from interlock.packs.reconciliation.configured import settings_of, terms_of
from interlock.packs.reconciliation.in_force import find_statement
from interlock.packs.reconciliation.in_force import recall_statement as recall
from interlock.packs.reconciliation.rounds.open import open_rounds
from interlock.packs.reconciliation.rounds.recalling import TakenBack, affected, rest_on, take_back
from interlock.packs.reconciliation.rounds.round import Rounds
from interlock.packs.reconciliation.rounds.store import Resting
from interlock.packs.reconciliation.standing import amount_text
from interlock.packs.reconciliation.store import StatementRow

_MOST_SHOWN = 20
_STATES = {
    "pending": "pending, and stopped",
    "booked": "booked, and undone",
    "written_off": "written off, and undone",
    "accepted": "accepted, and open again",
    "withdrawing": "being taken back already",
}


def recall_statement(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="STATEMENT", help="The statement's id.")],
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only list what rests on it, and the money.")] = False,
    why: Annotated[str, typer.Option("--why", help="The reason, for whoever reads the ledger.")] = "",
    wait: Annotated[float, typer.Option(min=0, max=86400, help="Seconds to wait for workers at most.")] = 600.0,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Take a statement back: list what rests on it, recall it, undo what was booked, decide anew.

    Workers undo what was booked, so run it beside `interlock up`. Killed anywhere, the same command goes on.
    """
    screen, statement, name = Screen(as_json=as_json), read_id(identifier, "a statement"), who_acts(who)
    settings = load_settings(context)

    async def look(node: Node) -> tuple[StatementRow, Sequence[Resting]]:
        async with node.database.tenant(node.tenant) as connection:
            row = await find_statement(connection, statement)
        return row, await rest_on(node.database, node.tenant, statement)

    async def work(node: Node) -> tuple[StatementRow, TakenBack | None]:
        verdict = require(node, name, "recall")
        row, _ = await look(node)
        rounds = _rounds(node, settings, row.reconciliation, screen)
        if row.state != "recalled":  # else somebody began before us, and was killed perhaps
            row = await recall(node.database, node.tenant, statement, who=name, why=why, verdict=verdict)
        if rounds is None:
            return row, None
        return row, await take_back(node.database, node.tenant, statement, rounds, wait_s=wait, say=screen.note)

    before, resting = with_node(context, look)
    if not as_json:
        _show(screen, before, resting)
    if plan or not (why or before.state == "recalled"):
        _only_told(screen, before, resting, plan=plan)
        return
    row, done = with_node(context, work, workflows=True)
    if as_json:
        screen.document(_document(row, resting, done))
    screen.line(f"{statement} is recalled. {_ending(done)}")


def _only_told(screen: Screen, row: StatementRow, resting: Sequence[Resting], *, plan: bool) -> None:
    begin = f'interlock reconcile recall-statement {row.id} --why "..."'
    if not plan:
        raise Refused("no reason is given, so nothing is done", where="--why", todo=begin)
    if screen.as_json:
        screen.document(_document(row, resting, None))
    screen.line(f"Nothing is done yet: `{begin}`")


def _rounds(node: Node, settings: Settings, name: str, screen: Screen) -> Rounds | None:
    """Its rounds, if they can be gone through here: a wrong statement is taken back in any case."""
    try:
        return open_rounds(node, terms_of(settings_of(settings, name)))
    except Refused as cause:
        screen.note(f"no round can be gone through here: {cause.what}")
        return None


def _ending(done: TakenBack | None) -> str:
    if done is None:
        return "The next round undoes the matches that rest on it."
    if done.left:
        return (
            f"{len(done.left)} are being taken back still: workers do that (`interlock up`), and what waits for"
            " people is in `interlock exceptions`. The same command goes on with it."
        )
    if done.figures is None:
        return "All is taken back; another process is at the round that decides anew."
    proposed = done.figures.proposed
    return f"All is taken back. Decided anew: {proposed.automatic} by itself, {proposed.review} put to people."


def _show(screen: Screen, row: StatementRow, resting: Sequence[Resting]) -> None:
    days = f"{row.first_day or '...'} to {row.last_day or '...'}"
    screen.line(f"statement {row.number or row.id} of {row.account}, {days}, {row.state.replace('_', ' ')}")
    screen.table(
        ("what", "id", "state", "amount", "case"),
        (
            (one.kind, one.id, one.state.replace("_", " "), amount_text(Decimal(one.minor), one.currency), one.case_id)
            for one in resting[:_MOST_SHOWN]
        ),
        none="No match and no write-off rests on it.",
    )
    if len(resting) > _MOST_SHOWN:
        screen.line(f"and {len(resting) - _MOST_SHOWN} more: --json lists them")
    for one in affected(resting):
        words = _STATES.get(one.state, one.state)
        plural = {"match": "matches", "break": "breaks"}[one.kind]
        screen.line(f"{one.count} {plural}, {amount_text(Decimal(one.minor), one.currency)}: {words}")


def _document(row: StatementRow, resting: Sequence[Resting], done: TakenBack | None) -> dict[str, Any]:
    """What rested on it, and what became of that, as programs read it."""
    figures = None if done is None or done.figures is None else asdict(done.figures)
    return {
        **statement_document(row),
        "affected": [
            {"kind": one.kind, "state": one.state, "count": one.count,
             "amount": amount_text(Decimal(one.minor), one.currency)}
            for one in affected(resting)
        ],
        "resting": [
            {"kind": one.kind, "id": one.id, "case": one.case_id, "state": one.state,
             "amount": amount_text(Decimal(one.minor), one.currency)}
            for one in resting
        ],
        "done": done is not None and done.done,
        "left": None if done is None else len(done.left),
        "round": figures,
    }  # fmt: skip
