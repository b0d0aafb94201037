"""Statements on the command line: listed with what is noticed about them, shown, accepted, taken back; and files."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from interlock.cases.explain import when
from interlock.cli.options import As, Json, Limit, Why, read_id, who_acts
from interlock.cli.reconcile_run import Name
from interlock.cli.reconcile_take import HEADS
from interlock.cli.reconcile_words import balance_text, statement_document, statement_row
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, require, with_node
from interlock.money import Money
from interlock.node import Node
from interlock.packs.reconciliation.configured import settings_of
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.in_force import (
    accept_statement as accept,
)
from interlock.packs.reconciliation.in_force import (
    find_statement,
)
from interlock.packs.reconciliation.standing import Remark, decode_findings, remarks
from interlock.packs.reconciliation.store import (
    LIST_ENTRIES,
    LIST_FILES,
    LIST_STATEMENTS,
    SUMS_IN_FORCE,
    FileRow,
    StatementRow,
    SumInForce,
)

Identifier = Annotated[str, typer.Argument(metavar="STATEMENT", help="The statement's id.")]


class State(StrEnum):
    """Where a statement stands."""

    IN_FORCE = "in_force"
    HELD = "held"
    CORRECTED = "corrected"
    RECALLED = "recalled"


class FileState(StrEnum):
    """Where a file stands."""

    TAKEN = "taken"
    REFUSED = "refused"
    RECALLED = "recalled"


def statements(
    context: typer.Context,
    name: Name = "",
    *,
    state: Annotated[State | None, typer.Option(help="Only those in a state.")] = None,
    as_json: Json = False,
) -> None:
    """List statements by account and day, with what is unusual about them: gaps, and sizes that never were.

    What is noticed among statements holds nothing back; one whose own figures do not add up is held.
    """
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)

    async def read(node: Node) -> tuple[list[StatementRow], list[SumInForce]]:
        wanted = {"id": None, "reconciliation": mine.name, "state": None, "file": None, "most": None}
        async with node.database.tenant(node.tenant) as connection:
            rows = await LIST_STATEMENTS.all(connection, wanted)
            return rows, await SUMS_IN_FORCE.all(connection, {"reconciliation": mine.name})

    every, sums = with_node(context, read)
    noticed: dict[UUID, list[Remark]] = defaultdict(list)
    for one in remarks(every, sums):
        noticed[one.statement].append(one)
    found = [one for one in every if state is None or one.state == state]
    if as_json:
        screen.document({"statements": [statement_document(one, noticed[one.id]) for one in found]})
    rows = ((identifier, one.side, *rest) for one in found for identifier, *rest in [statement_row(one)])
    screen.table((HEADS[0], "side", *HEADS[1:]), rows, none="There is no statement.", stacked=True)
    for one in found:
        screen.lines(f"{one.id}: {finding.what}" for finding in decode_findings(one.findings))
        screen.lines(f"{one.id}: {remark.what}" for remark in noticed[one.id])


def statement(context: typer.Context, identifier: Identifier, *, as_json: Json = False) -> None:
    """Show a statement: what it states, whether it adds up, and why it is in force or not."""
    screen = Screen(as_json=as_json)
    statement_id = read_id(identifier, "a statement")

    async def read(node: Node) -> StatementRow:
        async with node.database.tenant(node.tenant) as connection:
            return await find_statement(connection, statement_id)

    found = with_node(context, read)
    if as_json:
        screen.document(statement_document(found))
    _show(screen, found)


def accept_statement(
    context: typer.Context, identifier: Identifier, *, why: Why, who: As = "", as_json: Json = False
) -> None:
    """Put a statement in force although its figures do not add up."""
    screen = Screen(as_json=as_json)
    statement_id, name = read_id(identifier, "a statement"), who_acts(who)

    async def work(node: Node) -> StatementRow:
        return await accept(
            node.database, node.tenant, statement_id, who=name, why=why, verdict=require(node, name, "close")
        )

    found = with_node(context, work)
    if as_json:
        screen.document(statement_document(found))
    screen.line(f"{statement_id} is {found.state.replace('_', ' ')}, accepted by {name}.")


def entries(
    context: typer.Context,
    name: Name = "",
    *,
    side: Annotated[Side | None, typer.Option(help="Only of this side.")] = None,
    of: Annotated[str, typer.Option("--statement", metavar="ID", help="Only those that it states.")] = "",
    after: Annotated[str, typer.Option("--after", metavar="ID", help="Go on after this one.")] = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List entries, whether they count or not."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)
    wanted: dict[str, Any] = {
        "reconciliation": mine.name,
        "side": side,
        "statement": read_id(of, "a statement") if of else None,
        "after": read_id(after, "an entry") if after else None,
        "most": limit,
    }

    async def read(node: Node) -> list[Any]:
        async with node.database.tenant(node.tenant) as connection:
            return list(await LIST_ENTRIES.all(connection, wanted))

    found = with_node(context, read)
    if as_json:
        told = [as_document(one) | {"amount": str(Money.of_minor(one.minor, one.currency))} for one in found]
        screen.document({"entries": told, "after": found[-1].id if len(found) == limit else None})
    rows = (
        (one.id, one.side, one.account, Money.of_minor(one.minor, one.currency), one.booked_on, one.counterparty,
         one.memo, "yes" if one.in_force else "no")
        for one in found
    )  # fmt: skip
    screen.table(("entry", "side", "account", "amount", "booked", "party", "memo", "counts"), rows, none="No entry.")
    if len(found) == limit:
        screen.line(f"There may be more: --after {found[-1].id}")


def files(
    context: typer.Context,
    name: Name = "",
    *,
    state: Annotated[FileState | None, typer.Option(help="Only those in a state.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the files that came in, the newest first, with why those that were refused were."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)

    async def read(node: Node) -> list[FileRow]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_FILES.all(connection, {"reconciliation": mine.name, "state": state, "most": limit})

    found = with_node(context, read)
    if as_json:
        screen.document({"files": [as_document(one) for one in found]})
    rows = (
        (one.name, one.source, one.state, one.statements, one.entries, one.broken, when(one.received_at), one.why)
        for one in found
    )
    heads = ("file", "source", "state", "statements", "entries", "broken", "received", "why")
    screen.table(heads, rows, none=f"No file is {state}." if state else "No file has come in.")


def _show(screen: Screen, found: StatementRow) -> None:
    days = f"{found.first_day or '...'} to {found.last_day or '...'}" if found.first_day or found.last_day else ""
    _, state, account, currency, number, count, broken, credit, debit, _ = statement_row(found)
    screen.facts(
        [
            ("statement", found.id),
            ("of", f"{found.reconciliation}, {found.side}, source {found.source}"),
            ("state", state),
            ("why", found.why),
            ("corrected by", found.corrected_by),
            ("account", account),
            ("currency", currency),
            ("number", number),
            ("made", when(found.made_at) if found.made_at else None),
            ("days", days),
            ("opening", balance_text(found.opening_minor, found.currency)),
            ("in", credit),
            ("out", debit),
            ("closing", balance_text(found.closing_minor, found.currency)),
            ("entries", count),
            ("broken", broken),
            ("received", when(found.received_at)),
        ]
    )
    screen.lines(f"{one.rule}: {one.what}; {one.todo}" for one in decode_findings(found.findings))
