"""Matches of a reconciliation on the command line: listed, shown, refused and confirmed by a person."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from interlock.cases.explain import when
from interlock.cli.options import As, Json, Limit, Why, read_id, who_acts
from interlock.cli.reconcile_run import Name
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, require, with_node
from interlock.money import exponent
from interlock.node import Node
from interlock.packs.reconciliation.configured import settings_of
from interlock.packs.reconciliation.rounds.store import (
    COUNT_MATCHES,
    LIST_MATCHES,
    MEMBERS_OF_MATCH,
    Match,
    MatchCount,
    MatchEntry,
)
from interlock.packs.reconciliation.rounds.withdraw import confirm_match, find_match, refuse_match

Identifier = Annotated[str, typer.Argument(metavar="MATCH", help="The match's id.")]


class State(StrEnum):
    """Where a match stands."""

    ASKED = "asked"
    BOOKED = "booked"
    REFUSED = "refused"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


def matches(
    context: typer.Context,
    name: Name = "",
    *,
    state: Annotated[State | None, typer.Option(help="Only those in a state.")] = None,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only those older than this match.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List matches, the newest first, and count them by state."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)
    earlier = read_id(before, "a match") if before else None
    asked = {"reconciliation": mine.name, "state": state, "before": earlier, "most": limit}

    async def read(node: Node) -> tuple[list[Match], list[MatchCount]]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_MATCHES.all(connection, asked), await COUNT_MATCHES.all(connection, asked)

    found, counts = with_node(context, read)
    if as_json:
        further = found[-1].id if len(found) == limit else None
        told = [
            {"state": one.state, "matches": one.matches, "money": _money(one.minor, one.currency)} for one in counts
        ]
        screen.document({"matches": [document(one) for one in found], "counts": told, "before": further})
    rows = (
        (one.id, one.state, one.form, _money(one.expected_minor, one.currency), _money(one.actual_minor, one.currency),
         f"{one.probability:.3f}", one.by_person, when(one.proposed_at))
        for one in found
    )  # fmt: skip
    heads = ("match", "state", "form", "expected", "actual", "probability", "by", "proposed")
    screen.table(heads, rows, none=f"{mine.name} has no such matches.", stacked=True)
    screen.lines(f"{one.state}: {one.matches} matches, {_money(one.minor, one.currency)}" for one in counts)


def match(context: typer.Context, identifier: Identifier, *, as_json: Json = False) -> None:
    """Show a match: its entries of both sides, why it was proposed, and where it stands."""
    screen = Screen(as_json=as_json)
    match_id = read_id(identifier, "a match")

    async def read(node: Node) -> tuple[Match, list[MatchEntry]]:
        found = await find_match(node.database, node.tenant, match_id)
        async with node.database.tenant(node.tenant) as connection:
            return found, await MEMBERS_OF_MATCH.all(connection, {"match": match_id})

    found, entries = with_node(context, read)
    if as_json:
        told = [
            {"id": one.entry, "side": one.side, "account": one.account, "amount": _money(one.minor, one.currency),
             "booked_on": one.booked_on, "value_on": one.value_on, "memo": one.memo, "counterparty": one.counterparty,
             "reference": one.reference}
            for one in entries
        ]  # fmt: skip
        screen.document({**document(found), "entries": told})
    difference = found.expected_minor - found.actual_minor
    screen.facts(
        [
            ("match", found.id), ("state", found.state), ("why", found.why), ("form", found.form),
            ("difference", _money(difference, found.currency)), ("probability", f"{found.probability:.4f}"),
            ("margin", f"{found.margin:.2f}"), ("said", f"{found.word}, by {found.by_person}" if found.word else ""),
            ("decision", f"{found.decision} (`interlock explain {found.decision}`)"), ("case", found.case_id),
            ("proposed", when(found.proposed_at)), ("changed", when(found.changed_at)),
        ]
    )  # fmt: skip
    rows = (
        (one.side, _money(one.minor, one.currency), one.value_on, one.memo, one.counterparty, one.reference, one.entry)
        for one in entries
    )
    screen.table(("side", "amount", "value day", "memo", "counterparty", "reference", "entry"), rows, none="")


def undo(context: typer.Context, identifier: Identifier, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Say that a match is wrong: its booking is taken back, and its entries are never proposed together again."""
    match_id, name, screen = read_id(identifier, "a match"), who_acts(who), Screen(as_json=as_json)

    async def say(node: Node) -> Match:
        return await refuse_match(
            node.database, node.writer, node.tenant, match_id, who=name, why=why, verdict=require(node, name, "close")
        )

    found = with_node(context, say)
    if as_json:
        screen.document({"match": match_id, "case": found.case_id, "was": found.state, "word": "no"})
    screen.line(
        f"{match_id} is refused by {name}. A worker takes back what it booked; the next round goes on from there."
    )


def confirm(context: typer.Context, identifier: Identifier, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Say that a booked match is right: every later round keeps it, for as long as its entries are in force."""
    match_id, name, screen = read_id(identifier, "a match"), who_acts(who), Screen(as_json=as_json)

    async def say(node: Node) -> Match:
        return await confirm_match(
            node.database, node.writer, node.tenant, match_id, who=name, why=why, verdict=require(node, name, "close")
        )

    with_node(context, say)
    if as_json:
        screen.document({"match": match_id, "word": "yes"})
    screen.line(f"{match_id} is confirmed by {name}.")


def document(one: Match) -> dict[str, Any]:
    """A match as programs read it."""
    return {
        "id": one.id, "reconciliation": one.reconciliation, "round": one.round, "state": one.state, "form": one.form,
        "expected": _money(one.expected_minor, one.currency), "actual": _money(one.actual_minor, one.currency),
        "probability": one.probability, "margin": one.margin, "decision": one.decision, "case": one.case_id,
        "word": one.word, "by_person": one.by_person, "why": one.why, "key": one.key,
        "proposed_at": one.proposed_at, "changed_at": one.changed_at,
    }  # fmt: skip


def _money(minor: int | Decimal, currency: str) -> str:
    """An amount for showing; a sum may be more than one amount can be."""
    return f"{Decimal(minor).scaleb(-exponent(currency)):f} {currency}"
