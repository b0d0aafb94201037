"""How much may be decided without a person: what counts at each point, and what it rests on."""

from __future__ import annotations

import typer

from interlock.cli.autonomy_certificates import certificates, certify, show, verify, withdraw
from interlock.cli.autonomy_sample import sample
from interlock.cli.options import commands

app = commands()
group = typer.Typer(no_args_is_help=True, help="How much may be decided without a person, and what that rests on.")
app.add_typer(group, name="autonomy")
for command in (show, certify, withdraw, certificates, verify, sample):
    group.command()(command)
