"""Costs: what decisions cost, by point, component, workflow or day."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, with_node
from interlock.decisions.cost_report import Prices, shown
from interlock.decisions.costs import By, Costs, read_costs
from interlock.durations import parse_duration
from interlock.node import Node

app = commands()


@app.command(name="costs")
def show_costs(
    context: typer.Context,
    *,
    since: Annotated[str, typer.Option(help="How far back: a length of time up to 366d.")] = "7d",
    by: Annotated[By, typer.Option(help="What each line adds up.")] = By.POINT,
    as_json: Json = False,
) -> None:
    """Show what decisions cost: money, tokens, processor time and the time of people.

    Sums are exact. What a component cost counts whether or not its answer was used.
    """
    screen = Screen(as_json=as_json)
    span = parse_duration(since)

    async def read(node: Node) -> Costs:
        return await read_costs(node.database, node.tenant, since=span, by=by)

    settings = load_settings(context)
    prices = Prices(settings.prices_processor_hour, settings.prices_person_hour)
    report = shown(with_node(context, read), prices)
    if as_json:
        screen.document(report)
    total = report.total
    people = f"{total.human_minutes} minutes for {total.timed_reviews} of {total.reviews} reviews"
    screen.facts(
        (
            ("from", f"{minute(report.since)} to {minute(report.until)}"),
            ("decisions", total.decisions),
            ("cost", f"{total.cost}, {total.cost_per_decision} a decision"),
            ("processor", f"{total.processor_ms} ms{_priced(total.processor_cost)}"),
            ("people", f"{people}{_priced(total.human_cost)}"),
        )
    )
    screen.table(
        (by.value, "decisions", "cost", "a decision", "share", "cpu ms", "tokens in", "of them cached", "tokens out",
         "of them reasoning", "requests", "reviews", "minutes"),
        (
            (one.name, one.decisions, one.cost, one.cost_per_decision, one.share, one.processor_ms, one.input_tokens,
             one.cached_input_tokens, one.output_tokens, one.reasoning_tokens, one.requests, one.reviews,
             one.human_minutes)
            for one in report.lines
        ),
        none="Nothing was decided in that time.",
    )  # fmt: skip


def _priced(cost: str | None) -> str:
    return f", {cost}" if cost else ""
