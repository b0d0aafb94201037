"""Reconciliation on the command line: the group; each command stands in a file of its own and is added here."""

from __future__ import annotations

from interlock.cli.options import commands
from interlock.cli.reconcile_statements import (
    accept_statement,
    entries,
    files,
    recall_statement,
    statement,
    statements,
)
from interlock.cli.reconcile_take import take

app = commands()
group = commands(
    "reconcile", "Reconciliation: take statements in, match them, explain what is open, close to the cent."
)
app.add_typer(group)


@group.callback()
def reconcile() -> None:
    """Reconciliation: take statements in, match them, explain what is open, close to the cent."""


group.command()(take)
group.command()(statements)
group.command()(statement)
group.command()(entries)
group.command()(files)
group.command()(accept_statement)
group.command()(recall_statement)
