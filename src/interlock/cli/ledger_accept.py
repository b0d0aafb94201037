"""`interlock ledger accept`: going on with a ledger that is not the one that was published."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cli.options import As, Json, Why, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import require, with_node
from interlock.errors import LedgerBroken, Refused, StateConflict
from interlock.ledger.accept import accept_as_it_is
from interlock.ledger.seal import compare_outside
from interlock.ledger.succession import NotContinued
from interlock.ledger.terms import ledger_terms
from interlock.node import Node


def accept(
    context: typer.Context,
    *,
    why: Why,
    who: As = "",
    loses: Annotated[
        bool, typer.Option("--entries-are-lost", help="Say that entries which were published are lost or changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on although the ledger is not the one that was published: a restored back-up, a lost key, a copy.

    What was published is put aside, not deleted, and an entry of the ledger says who accepted that, why, and which
    checkpoint is no longer kept.
    """
    screen = Screen(as_json=as_json)
    name = who_acts(who)
    if not why.strip():
        raise Refused("a reason is needed", where="--why", todo="say what happened to the database")

    async def work(node: Node) -> str:
        verdict = require(node, name, "ledger.accept")
        async with node.database.installation() as connection:
            terms = await ledger_terms(node.settings, connection)
            try:
                await compare_outside(connection, terms)
            except LedgerBroken as cause:
                if not loses and not isinstance(cause, NotContinued):
                    raise Refused(
                        cause.what, where="--entries-are-lost", todo="add that option once it is known what is lost"
                    ) from cause
                broken = cause.what
            else:
                raise StateConflict("the ledger is the one that was published: there is nothing to accept")
        aside = await accept_as_it_is(
            node.database, node.writer, terms, who=name, why=why, broken=broken, now=node.database.clock.now(),
            verdict=verdict,
        )  # fmt: skip
        return str(aside) if aside else ""

    aside = with_node(context, work)
    if as_json:
        screen.document({"aside": aside, "who": name, "why": why})
    was = f"What was published is in {aside}; the" if aside else "The"
    screen.line(f"Accepted by {name}. {was} next start publishes the ledger as it is.")
