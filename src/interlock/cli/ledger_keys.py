"""The keys that sign the ledger's checkpoints: made, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import Json
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.errors import Refused
from interlock.ledger.keys import make_key, write_key
from interlock.ledger.terms import ledger_terms
from interlock.node import Node


def keygen(
    file: Annotated[Path, typer.Argument(help="A new file for the key; it is a secret.")],
    *,
    origin: Annotated[
        str, typer.Option("--origin", metavar="NAME", help="The log's name, as ledger.example.com/prod.")
    ],
    as_json: Json = False,
) -> None:
    """Make a key that signs checkpoints, and print the public half, by which anybody checks them."""
    key = make_key(origin)
    try:
        write_key(file, key)
    except FileExistsError as cause:
        raise Refused(
            "there is a file already", where=str(file), todo="name a new one: no key is written over"
        ) from cause
    except OSError as cause:
        raise Refused(f"the key cannot be kept there: {cause.strerror}", where=str(file)) from cause
    screen = Screen(as_json=as_json)
    if as_json:
        screen.document({"file": str(file), "verifier": str(key.verifier)})
    screen.line(key.verifier)
    screen.note(
        f'The key is in {file}: set ledger_key = "file:{file}". Give the line above to whoever checks the ledger.'
    )


def keys(context: typer.Context, *, as_json: Json = False) -> None:
    """Print the public halves of the keys that sign here."""
    screen = Screen(as_json=as_json)

    async def look(node: Node) -> list[str]:
        async with node.database.installation() as connection:
            terms = await ledger_terms(node.settings, connection)
        return [str(key) for key in terms.keys]

    found = with_node(context, look)
    if as_json:
        screen.document({"keys": found})
    screen.lines(found)
    if not found:
        screen.note("no key is set: nothing is signed. `interlock ledger keygen` makes one")
