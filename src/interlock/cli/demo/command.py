"""``interlock demo``."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.demo.receipts import generated, real, vendors_beside
from interlock.cli.demo.run import run_demo
from interlock.cli.demo.show import show
from interlock.cli.demo.world import demo_world
from interlock.cli.options import Json, commands, flags_of
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings

app = commands()
BOOKS_DIFFER = 1


@app.command(name="demo")
def demo(
    context: typer.Context,
    *,
    receipts: Annotated[
        Path | None, typer.Option(help="A file of real receipts, JSON lines; else made-up ones.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=5000, help="How many receipts to make up.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the made-up receipts and of the provider's faults.")] = 7,
    as_json: Json = False,
) -> None:
    """Run the main job end to end: receipts in, decisions, reviews, payments out once, books balanced."""
    screen = Screen(as_json=as_json)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    data_dir = load_settings(context).data_dir
    now = datetime.now(UTC)
    handed = real(receipts) if receipts else generated(count, seed, now.date())
    vendors = vendors_beside(receipts) if receipts else []
    flags = {name: value for name, value in flags_of(context).items() if name in ("database_url", "log_level")}
    with demo_world(data_dir, seed=seed, now=now, flags=flags) as (settings, provider, folder):

        def tell(text: str) -> None:
            screen.err.print(text, style="dim")

        report, example = asyncio.run(
            run_demo(settings, provider, handed, seed=seed, vendors=vendors, folder=folder, tell=tell)
        )
    if as_json:
        screen.document(report)
    show(screen, report, folder=folder, example=example)
    if report.balance.differences:
        raise typer.Exit(BOOKS_DIFFER)
