"""The outside books held against our rows, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import typer

from interlock.actions.connector import FactReader, Unknown
from interlock.cases.in_line import find_point
from interlock.cli.ledger_audit import BROKEN
from interlock.cli.options import Json
from interlock.cli.reconcile_run import Name
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, with_node
from interlock.config import Settings
from interlock.connectors.registry import make_connector
from interlock.errors import NotFound, StateConflict
from interlock.node import Node
from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.closing.outside import FACT, Held, accounts_of, hold_against
from interlock.packs.reconciliation.closing.store import ON_THEIR_WAY, POSTED
from interlock.packs.reconciliation.closing.sums import Posted
from interlock.packs.reconciliation.configured import settings_of, terms_of
from interlock.packs.reconciliation.rounds.round import POINT
from interlock.packs.reconciliation.terms import ReconciliationTerms

_WITHIN = timedelta(seconds=30)
_BOOK = "book"


def balance(context: typer.Context, name: Name = "", *, as_json: Json = False) -> None:
    """Hold the books against what is booked and written off here, account by account, to the minor unit.

    The connector that books says its balances by the reading `accounts`. Exits with 9 where the two differ.
    """
    screen = Screen(as_json=as_json)
    settings = load_settings(context)
    mine = terms_of(settings_of(settings, name))
    every = [terms_of(one) for one in settings.reconciliation.values()]

    async def work(node: Node) -> tuple[tuple[Held, ...], int]:
        together = [one for one in every if _books(node, one) == _books(node, mine)]
        before, _ = await _ours(node, together)
        theirs = await _theirs(node, settings, _books(node, mine))
        after, moving = await _ours(node, together)
        if before != after:
            raise StateConflict("something was booked or taken back while the books were read", todo="ask again")
        return hold_against(after, theirs, accounts_of(mine).values()), moving

    found, moving = with_node(context, work, workflows=True)
    differ = [one for one in found if one.ours != one.theirs]
    if as_json:
        told = [
            {"account": one.account, "currency": one.currency, "ours": amount_text(one.ours, one.currency),
             "theirs": amount_text(one.theirs, one.currency), "agrees": one.ours == one.theirs}
            for one in found
        ]  # fmt: skip
        screen.document({"accounts": told, "agrees": not differ, "on_their_way": moving})
    screen.table(
        ("account", "ours", "theirs", "apart"),
        (
            (one.account, amount_text(one.ours, one.currency), amount_text(one.theirs, one.currency),
             amount_text(one.theirs - one.ours, one.currency) if one in differ else "")
            for one in found
        ),
        none="Nothing is booked, here or there.",
        stacked=True,
    )  # fmt: skip
    if moving:
        screen.line(f"{moving} matches and breaks are being booked or taken back: they may stand on one side alone.")
    screen.line(f"{len(differ)} accounts differ." if differ else "The books and our rows agree.")
    if differ:
        raise typer.Exit(BROKEN)


def _books(node: Node, terms: ReconciliationTerms) -> str:
    """The connector that books for a reconciliation."""
    registered = find_point(node.registry, f"{terms.workflow}.{POINT}", where="workflow").registered
    return registered.declaration.actions[_BOOK].connector


async def _ours(
    node: Node, every: Sequence[ReconciliationTerms]
) -> tuple[list[tuple[ReconciliationTerms, list[Posted]]], int]:
    found: list[tuple[ReconciliationTerms, list[Posted]]] = []
    moving = 0
    async with node.database.tenant(node.tenant) as connection:
        for terms in every:
            asked = {"reconciliation": terms.name}
            found.append((terms, await POSTED.all(connection, asked)))
            moving += await ON_THEIR_WAY.one(connection, asked) or 0
    return found, moving


async def _theirs(node: Node, settings: Settings, name: str) -> object:
    """The balances as the books say them; nothing is sent but this reading."""
    where = f"connectors.{name}.reads.{FACT}"
    if name not in settings.connectors:
        raise NotFound(f"the settings have no connector {name!r}", where=f"connectors.{name}", todo="declare it")
    now = node.database.clock.now
    connector = make_connector(name, settings.connectors[name], now=now)
    try:
        if not isinstance(connector, FactReader):
            raise NotFound(f"connectors.{name} can bring no facts", where=where, todo="book through one that can")
        read = await connector.read_fact(FACT, {}, now() + _WITHIN)
    finally:
        await connector.close()
    if isinstance(read, Unknown):
        todo = 'say where the books tell their balances, such as path = "/accounts", value = ""'
        raise NotFound(f"the books do not say their balances: {read.what}", where=where, todo=todo)
    return read.value
