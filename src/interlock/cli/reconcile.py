"""Reconciliation on the command line: the group; each command stands in a file of its own and is added here."""

from __future__ import annotations

from interlock.cli.options import commands
from interlock.cli.reconcile_balance import balance
from interlock.cli.reconcile_breaks import breaks, open_entries
from interlock.cli.reconcile_close import close_account, closes, report
from interlock.cli.reconcile_matches import confirm, match, matches, undo
from interlock.cli.reconcile_recall import recall_statement
from interlock.cli.reconcile_run import rounds, run
from interlock.cli.reconcile_statements import (
    accept_statement,
    entries,
    files,
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
group.command()(run)
group.command()(rounds)
group.command()(matches)
group.command()(match)
group.command()(undo)
group.command()(confirm)
group.command()(breaks)
group.command(name="open")(open_entries)
group.command()(balance)
group.command()(report)
group.command(name="close")(close_account)
group.command()(closes)
