"""Measuring packs against labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen
from interlock.packs.receipts.evaluate import evaluate as evaluate_receipts
from interlock.packs.receipts.evaluate import shown
from interlock.packs.receipts.models import FOLDER

app = commands()
group = commands("evaluate", "Measure a pack against labelled data.")
app.add_typer(group)


@group.callback()
def pack() -> None:
    """Measure a pack against labelled data."""


@group.command()
def receipts(
    *,
    data: Annotated[Path, typer.Option(help="JSON lines: receipts with their truth.")],
    model: Annotated[Path, typer.Option(help="A component's folder.")] = FOLDER,
    as_json: Json = False,
) -> None:
    """How well receipts are read, and what routing by confidence would let through."""
    screen = Screen(as_json=as_json)
    result = evaluate_receipts(data, model)
    if as_json:
        screen.document(result)
    screen.line(shown(result))
