"""The summary on a screen."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from interlock.cli.demo.report import Report
from interlock.cli.screen import Screen
from interlock.percentages import percent


def show(screen: Screen, report: Report, *, folder: Path, example: str) -> None:
    """Print the summary and what to try next."""
    screen.line()
    screen.line(f"{report.receipts} receipts in {report.seconds} s", style="bold")
    screen.table(
        ("where the cases are", "cases", "money in them"),
        [(group.name, group.cases, group.money) for group in report.outcomes],
        none="no cases",
    )
    screen.table(
        ("how the decisions went", "decisions", "money in them"),
        [(group.name, group.cases, group.money) for group in report.routes],
        none="no decisions",
    )
    screen.table(
        ("caught, so that a person or a rule stopped it", "times"),
        list(report.caught.items()),
        none="nothing was caught",
    )
    screen.table(
        ("what the provider did wrong on purpose", "times"),
        list(report.faults.items()),
        none="the provider did no wrong",
    )
    wrong = report.wrong_automatic
    screen.facts(
        [
            ("below 100, automatic", percent(report.automatic_of_small)),
            ("100 and more without a person", report.large_without_a_person),
            ("wrong payments without a person", len(wrong)),
            ("requests for the payments", report.attempts),
            (
                "cost per decision",
                f"{report.cost_per_decision:f} USD outside, {report.compute_ms_per_decision} ms compute",
            ),
            ("reading a receipt, many at once", f"p50 {report.reading.p50} ms, p99 {report.reading.p99} ms"),
            ("from receipt to payment, no person", f"p50 {report.paying.p50} ms, p99 {report.paying.p99} ms"),
            ("handed in a second time", f"{report.second_time[0]} new cases, {report.second_time[1]} more paid"),
            ("our books", f"{report.balance.ours[0]} payments, {report.balance.ours[1]}"),
            ("the provider's book", f"{report.balance.theirs[0]} payments, {report.balance.theirs[1]}"),
        ]
    )
    screen.lines(f"  wrong: {one}" for one in wrong)
    if report.balance.differences:
        screen.line("THE BOOKS DO NOT BALANCE:", style="bold red")
        screen.lines(f"  {difference}" for difference in report.balance.differences)
    else:
        screen.line("The books balance to the cent.", style="bold green")
    command = "interlock" if shutil.which("interlock") else str(Path(sys.argv[0]).resolve())
    screen.line()
    screen.line("Try next, in the demo's folder:", style="bold")
    screen.lines(
        [
            f"  cd {folder}",
            f"  {command} explain {example}",
            f"  {command} summary",
            f"  {command} reviews",
            f"  {command} cases --state quarantined",
            f"  {command} doctor",
        ]
    )
    screen.line(
        "And decide what waits there, in the console. This prints its address, a name and a password:", style="bold"
    )
    screen.lines([f"  cd {folder} && {command} up"])
