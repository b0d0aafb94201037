"""``interlock demo reconciliation``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from interlock.cli.demo.reconciling.payments import SETTINGS, read_payments
from interlock.cli.demo.reconciling.report import show
from interlock.cli.demo.reconciling.run import run_month, run_payments
from interlock.cli.demo.reconciling.world import demo_world, fault_plan, month_settings
from interlock.cli.options import flags_of
from interlock.cli.screen import Screen
from interlock.cli.session import run_loop

BOOKS_DIFFER = 1


def show_reconciliation(
    context: typer.Context, screen: Screen, data_dir: Path, *, data: Path | None, count: int, seed: int
) -> None:
    """Run the demo and print its report; exits with 1 where the books and our rows disagree.

    Args:
        context: The command's.
        screen: Where it is printed.
        data_dir: Below it the demo's folder is made.
        data: A folder of real payments; None: a made-up month.
        count: How many entries are expected in the made-up month.
        seed: Of every chance.
    """
    now = datetime.now(UTC)
    payments = read_payments(data.resolve()) if data else None
    flags = {name: value for name, value in flags_of(context).items() if name == "database_url"}
    reconciliation = SETTINGS if payments else month_settings()

    def tell(text: str) -> None:
        screen.err.print(text, style="dim")

    with demo_world(
        data_dir, reconciliation, faults=fault_plan(seed, few=payments is not None), now=now, flags=flags
    ) as (
        settings,
        books,
        folder,
    ):
        if payments:
            report = run_loop(lambda: run_payments(settings, books, payments, seed=seed, tell=tell))
        else:
            report = run_loop(lambda: run_month(settings, books, count=count, seed=seed, today=now.date(), tell=tell))
    if screen.as_json:
        screen.document(report)
    show(screen, report, folder)
    if report.balance.differences:
        raise typer.Exit(BOOKS_DIFFER)
