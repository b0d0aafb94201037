"""What another model, rule table, threshold or certificate would have done with recorded decisions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from interlock.backtest.candidate import Candidate
from interlock.backtest.certified import standing_to_try
from interlock.backtest.costs import costs_of
from interlock.backtest.gather import Wanted
from interlock.backtest.note import note_begun, note_ended
from interlock.backtest.result import Backtest, Figure, How, Shown
from interlock.backtest.run import Backtester
from interlock.cases.registry import Registry, load_registry
from interlock.cases.sureness_file import read_sureness_file
from interlock.cli.options import As, commands, read_id, who_acts
from interlock.cli.publications import read_file
from interlock.cli.screen import Screen
from interlock.cli.session import require, with_node
from interlock.components.component import Component, ComponentRef, Kind
from interlock.components.rules import Rules, load_rules
from interlock.config import Settings
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.decisions.sureness import Sureness
from interlock.durations import parse_duration
from interlock.errors import NotFound, Refused
from interlock.money import Money
from interlock.node import Node
from interlock.replay.restore import Restoring
from interlock.replay.sample import EPOCH
from interlock.setting_forms import Mode
from interlock.spelling import meant

app = commands()
_YEAR = "365d"


@app.command()
def backtest(
    context: typer.Context,
    point: Annotated[str, typer.Argument(metavar="POINT", help="A decision point: WORKFLOW.POINT.")],
    *,
    component: Annotated[str, typer.Option(metavar="REF", help="Try a component: onnx:NAME@VERSION.")] = "",
    rules: Annotated[Path | None, typer.Option(metavar="FILE", help="Try a rule table.")] = None,
    sure_from: Annotated[float | None, typer.Option(min=0, max=1, help="Try one confidence for everything.")] = None,
    bands: Annotated[Path | None, typer.Option(metavar="FILE", help="Try bands: a file with sure_from.")] = None,
    certificate: Annotated[str, typer.Option(metavar="ID", help="Try a certificate.")] = "",
    threshold: Annotated[str, typer.Option(metavar="AMOUNT", help='Try another expected loss: "12.50 MYR".')] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="From how long ago on: 90d.")] = _YEAR,
    until: Annotated[str, typer.Option(metavar="TIME", help="Until how long ago; later ones are not due.")] = "0s",
    take: Annotated[int | None, typer.Option(min=1, help="At most so many, each with the same chance.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="What the choice depends on.")] = 0,
    review_cost: Annotated[str, typer.Option(metavar="AMOUNT", help="What a review costs, if not as stated.")] = "",
    ask_models: Annotated[bool, typer.Option("--ask-models", help="Ask language models; it may cost money.")] = False,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="For people, or for programs.")] = "table",
    acts: As = "",
) -> None:
    """Try another model, rules, threshold or certificate on decisions whose outcomes are known.

    Automation, losses, reviews and what all of it costs, beside what was, with 95 % intervals. Nothing is decided, and
    nothing written but that you did so.
    """
    screen = Screen(as_json=form == "json")
    who, workflow, name = who_acts(acts), *_parted(point)
    span, gap = parse_duration(since), parse_duration(until)
    table = load_rules(read_file(rules), rules.name) if rules else None
    sureness = _sureness(sure_from, bands)
    wanted_certificate = read_id(certificate, "a certificate") if certificate else None
    at, cost = (Money.parse(text) if text else None for text in (threshold, review_cost))

    async def run(node: Node) -> Backtest:
        require(node, who, "autonomy.see")
        async with _restoring(node, ask_models=ask_models) as restoring:
            declaration, library = await restoring.today(node.tenant, workflow)
            today = declaration.decisions.get(name)
            if today is None:
                raise NotFound(f"{workflow} has no decision point {name!r}", todo=meant(name, declaration.decisions))
            standing = None
            if wanted_certificate is not None or at is not None:
                standing = await standing_to_try(
                    node.database, node.tenant, workflow, today, certificate=wanted_certificate, threshold=at
                )
            candidate = Candidate(
                today=today,
                component=_component(library, component),
                rules=_named(today, table),
                sureness=sureness,
                standing=standing,
            )
            now = node.database.clock.now()
            wanted = _wanted(workflow, today, now, (now - min(span, now - EPOCH), now - min(gap, now - EPOCH)),
                             take=take, seed=seed)  # fmt: skip
            noted = await note_begun(node.writer, node.tenant, wanted, candidate.said, who=who)
            tester = Backtester(node.database, restoring, candidate, costs_of(today, cost, node.settings.rates),
                                vault=node.vault, ask_models=ask_models)  # fmt: skip
            found = await tester.run(node.tenant, wanted)
            await note_ended(node.writer, node.tenant, noted, found, who=who)
            return found

    _tell(screen, with_node(context, run))


def _parted(point: str) -> tuple[str, str]:
    workflow, _, name = point.rpartition(".")
    if not workflow or not name:
        raise Refused(f"{point[:60]!r} names no decision point", where="POINT", todo="write WORKFLOW.POINT")
    return workflow, name


def _sureness(sure_from: float | None, bands: Path | None) -> Sureness | None:
    if sure_from is not None and bands is not None:
        raise Refused("one confidence or bands?", where="--bands", todo="give one of --sure-from and --bands")
    if bands is not None:
        return read_sureness_file(read_file(bands), bands.name)
    return Sureness(sure_from) if sure_from is not None else None


def _component(library: Library, text: str) -> Component | None:
    if not text:
        return None
    reference = ComponentRef.parse(text)
    if reference.kind is Kind.PERSON:
        raise Refused("a person cannot be tried on what was", where="--component", todo="name a component")
    return library.component(reference)


def _named(point: DecisionPoint, table: Rules | None) -> Rules | None:
    """A rule table that the point asks by its name."""
    if table is None:
        return None
    steps = [share.component for step in point.steps for share in step.shares]
    asked = {str(one) for one in (*steps, *([point.policy] if point.policy else [])) if one.kind is Kind.RULES}
    if not any(one.startswith(f"rules:{table.ref.name}@") for one in asked):
        told = ", ".join(sorted(asked)) or "no rules"
        raise Refused(
            f"{point.name} asks no rules called {table.ref.name}; it asks {told}",
            where="--rules",
            todo="give a table of a name that it asks",
        )
    return table


def _wanted(
    workflow: str, point: DecisionPoint, now: datetime, span: tuple[datetime, datetime], *, take: int | None, seed: int
) -> Wanted:
    """Those of the span whose outcome is due: what became known early is not a fair part of the others."""
    terms = point.autonomy
    due = now - terms.outcome.after if terms else now
    return Wanted(
        workflow=workflow, point=point.name, since=span[0], until=min(span[1], due), take=take, seed=seed
    )  # fmt: skip


@asynccontextmanager
async def _restoring(node: Node, *, ask_models: bool) -> AsyncGenerator[Restoring]:
    providers = None
    if ask_models and node.settings.llm:
        from interlock.components.llm.provider import Providers  # noqa: PLC0415 - who asks none pays for none

        providers = Providers(node.settings.llm)
    try:
        restoring = Restoring(
            node.database, partial(_workflows, node.settings), now=node.database.clock.now, providers=providers
        )
        async with restoring:
            yield restoring
    finally:
        if providers is not None:
            await providers.close()


def _workflows(settings: Settings) -> Registry:
    return load_registry(settings.workflows, only_published=settings.mode is Mode.PRODUCTION, checked=False)


_TITLES = {
    "automation": "go by themselves",
    "wrong_alone": "wrong, nobody looked",
    "reviews": "go to a person",
    "loss": "loss",
    "review_cost": "cost of reviews",
    "needless": "loss of needless ones",
    "asking": "cost of asking",
    "total": "total cost",
}


def _tell(screen: Screen, found: Backtest) -> None:
    if screen.as_json:
        screen.document(msgspec.to_builtins(found))
    screen.line(f"{found.point}: {found.candidate}, tried on {found.decisions:,} decisions")
    screen.line(f"from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC: {found.sampling}")
    known = found.outcomes
    screen.line(f"{found.otherwise:,} come out otherwise; of {known.known:,} it is known whether both were right")
    screen.table(("each decision", "recorded", "candidate", "difference"), map(_row, found.figures), none="")
    screen.lines(f"note: {note}" for note in found.notes)
    screen.lines(f"not tried: {one.what} ({one.decisions:,}, as {one.one})" for one in found.not_run)


def _row(figure: Figure) -> tuple[str, ...]:
    title = _TITLES.get(figure.name, figure.name)
    return (title, *(_cell(one) for one in (figure.recorded, figure.candidate, figure.difference)))


def _cell(one: Shown) -> str:
    low, high = _said(one.low), _said(one.high)
    if one.how is How.BOUNDS:
        return f"{_said(one.least or 0.0)} to {_said(one.greatest or 0.0)} (bounds; {low} to {high})"
    return f"{_said(one.value or 0.0)} ({low} to {high})"


def _said(value: float | str) -> str:
    if isinstance(value, str):
        return value
    told = f"{100 * value:.2f}"
    return f"{told.lstrip('-') if float(told) == 0 else told} %"
