"""Breaks of a reconciliation on the command line: what is open, how old, why, and the money that it holds up."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import typer

from interlock.cli.options import Json, Limit
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, with_node
from interlock.node import Node
from interlock.packs.reconciliation.breaks.cause import Cause
from interlock.packs.reconciliation.breaks.store import (
    COUNT_BREAKS,
    LIST_BREAKS,
    LIST_OPEN,
    BreakCount,
    BreakRow,
    OpenRow,
)
from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.configured import settings_of

Name = Annotated[str, typer.Argument(metavar="[NAME]", help="The reconciliation, if the settings have several.")]


class State(StrEnum):
    """Where a break stands."""

    OPEN = "open"
    WRITTEN_OFF = "written_off"
    ACCEPTED = "accepted"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


def breaks(
    context: typer.Context,
    name: Name = "",
    *,
    due: Annotated[bool, typer.Option("--due", help="Only those that somebody was reminded of, or is asked.")] = False,
    cause: Annotated[Cause | None, typer.Option(help="Only those of a cause.")] = None,
    state: Annotated[
        State | None, typer.Option(help="Only those in a state; by default all but withdrawn ones.")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only those of an account.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List breaks, the oldest first, and count them by cause with the money that they hold up."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)
    asked = {
        "reconciliation": mine.name, "due": due, "cause": cause, "state": state, "account": account, "most": limit,
    }  # fmt: skip

    async def read(node: Node) -> tuple[list[BreakRow], list[BreakCount]]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_BREAKS.all(connection, asked), await COUNT_BREAKS.all(connection, asked)

    found, counts = with_node(context, read)
    if as_json:
        screen.document({"breaks": [document(one) for one in found], "counts": [count_document(one) for one in counts]})
    screen.table(
        ("break", "cause", "state", "amount", "side", "account", "of", "party", "waits for", "reminded", "exception"),
        (
            (b.id, b.cause, b.state, amount_text(b.minor, b.currency), b.side, b.account, b.value_on, b.counterparty,
             b.waiting_for.split("\n")[0][:80], minute(b.reminded_at), b.exception or "")
            for b in found
        ),
        none=f"{mine.name} has no such breaks.",
        stacked=True,
    )  # fmt: skip
    screen.lines(
        f"{one.state}, {one.cause}: {one.breaks} break{'s' if one.breaks != 1 else ''}, "
        f"{amount_text(int(one.minor), one.currency)}, "
        f"the oldest of {one.oldest}"
        for one in counts
    )


def open_entries(
    context: typer.Context,
    name: Name = "",
    *,
    account: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only those of an account.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List every entry that is not settled, the oldest first, with its age, its money, and why; breaks or not."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)
    asked = {"reconciliation": mine.name, "account": account, "most": limit}

    async def read(node: Node) -> tuple[list[OpenRow], date]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_OPEN.all(connection, asked), node.database.clock.now().date()

    found, today = with_node(context, read)
    if as_json:
        screen.document({"open": [_open_document(one, today) for one in found]})
    screen.table(
        ("entry", "why", "amount", "of", "days", "side", "account", "party", "other side known until"),
        (
            (one.entry, one.why, amount_text(one.minor, one.currency), one.value_on, (today - one.value_on).days,
             one.side, one.account, one.counterparty, one.known_until or "never")
            for one in found
        ),
        none=f"Nothing of {mine.name} is open.",
        stacked=True,
    )  # fmt: skip


def _open_document(one: OpenRow, today: date) -> dict[str, Any]:
    return {
        **{name: value for name, value in as_document(one).items() if name not in ("minor", "currency")},
        "amount": amount_text(one.minor, one.currency),
        "days": (today - one.value_on).days,
    }


def document(one: BreakRow) -> dict[str, Any]:
    """A break as programs read it."""
    return {
        "id": one.id,
        "entry": one.entry,
        "key": one.key,
        "cause": one.cause,
        "state": one.state,
        "amount": amount_text(one.minor, one.currency),
        "side": one.side,
        "account": one.account,
        "value_on": one.value_on,
        "counterparty": one.counterparty,
        "reference": one.reference,
        "case": one.case_id,
        "case_state": one.case_state,
        "waiting_for": one.waiting_for,
        "wake_at": one.wake_at,
        "reminded_at": one.reminded_at,
        "exception": one.exception,
        "opened_at": one.opened_at,
        "why": one.why,
    }


def count_document(one: BreakCount) -> dict[str, Any]:
    """Breaks of one state, cause and currency as programs read them."""
    return {
        "state": one.state,
        "cause": one.cause,
        "breaks": one.breaks,
        "held_up": amount_text(int(one.minor), one.currency),
        "oldest": one.oldest,
    }
