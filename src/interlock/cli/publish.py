"""Publishing what a pack holds in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cases.registry import import_workflow
from interlock.cli.options import As, Json, Why, commands, who_acts
from interlock.cli.publications import publish_files
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings
from interlock.errors import Refused

app = commands()


@app.command()
def publish(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Rules and contracts.")] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All that stands beside the workflows of the settings.")
    ] = False,
    why: Why,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Publish rules and contracts, contracts first; what is published already is passed over.

    Each file is a commit of its own: a file that is refused ends it, and those before it count.
    """
    chosen = list(files or [])
    if everything:
        folders = {import_workflow(one).folder for one in load_settings(context).workflows}
        for folder in sorted(folders):
            chosen += sorted([*folder.glob("contracts/*.odcs.yaml"), *folder.glob("components/*.rules.json")])
    if not chosen:
        raise Refused("there is nothing to publish", where="FILES", todo="name files, or give --all")
    publish_files(context, chosen, who=who_acts(who), why=why, screen=Screen(as_json=as_json))
