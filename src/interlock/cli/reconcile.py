"""Reconciliation on the command line: the group; each command stands in a file of its own and is added here."""

from __future__ import annotations

from interlock.cli.options import commands

app = commands()
group = commands(
    "reconcile", "Reconciliation: take statements in, match them, explain what is open, close to the cent."
)
app.add_typer(group)


@group.callback()
def reconcile() -> None:
    """Reconciliation: take statements in, match them, explain what is open, close to the cent."""
