"""``interlock demo``."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from enum import StrEnum
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
from interlock.errors import ConfigInvalid

app = commands()
BOOKS_DIFFER = 1


class Demo(StrEnum):
    """Which workflow is shown."""

    RECEIPTS = "receipts"
    RECONCILIATION = "reconciliation"


@app.command(name="demo")
def demo(
    context: typer.Context,
    which: Annotated[Demo, typer.Argument(help="The workflow that is shown.")] = Demo.RECEIPTS,
    *,
    receipts: Annotated[
        Path | None, typer.Option(help="A file of real receipts, JSON lines; else made-up ones.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="For reconciliation, a folder of real payments; else a made-up month.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="How many receipts (200) or entries (1000) to make up.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is made up, and of the other side's faults.")] = 7,
    as_json: Json = False,
) -> None:
    """Run a workflow end to end: receipts paid once, or a month reconciled; the books of both sides must agree."""
    screen = Screen(as_json=as_json)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    data_dir = load_settings(context).data_dir
    wrong = {"--receipts": receipts} if which is Demo.RECONCILIATION else {"--data": data}
    for name, value in wrong.items():
        if value is not None:
            raise ConfigInvalid(f"the demo of {which} has no {name}", where=name, todo="see `interlock demo --help`")
    if which is Demo.RECONCILIATION:
        # who shows receipts needs nothing of this, and it takes a second to import
        from interlock.cli.demo.reconciling.show import show_reconciliation  # noqa: PLC0415

        show_reconciliation(context, screen, data_dir, data=data, count=count or 1000, seed=seed)
        return
    _show_receipts(context, screen, data_dir, receipts=receipts, count=count or 200, seed=seed)


def _show_receipts(
    context: typer.Context, screen: Screen, data_dir: Path, *, receipts: Path | None, count: int, seed: int
) -> None:
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
    if screen.as_json:
        screen.document(report)
    show(screen, report, folder=folder, example=example)
    if report.balance.differences:
        raise typer.Exit(BOOKS_DIFFER)
