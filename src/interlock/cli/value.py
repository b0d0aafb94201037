"""Value: what a workflow's cases are worth, cost and lose, against what was before; the decisions behind a figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from interlock.api.value import OF_AUDITORS, OF_PEOPLE, BehindDocument, behind_document
from interlock.business.compared import Compared, Difference
from interlock.business.figures import Figure, Look
from interlock.business.read import read_behind, read_whole
from interlock.business.report import Against, Report
from interlock.business.terms import BusinessTerms, business_terms
from interlock.cases.declaration import Declaration
from interlock.cases.stoppable import read_declarations
from interlock.cli.options import Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, require, with_node
from interlock.durations import parse_duration
from interlock.errors import NotFound, Refused
from interlock.node import Node

app = commands()


@app.command(name="value")
def show_value(
    context: typer.Context,
    workflow: Annotated[str | None, typer.Argument(help="Only this workflow.")] = None,
    *,
    behind: Annotated[Look | None, typer.Option(help="The decisions behind a figure, with a workflow.")] = None,
    since: Annotated[str, typer.Option(help="How far back: a length of time up to 366d.")] = "30d",
    take: Annotated[int, typer.Option(help="How many of them, at most 200.")] = 20,
    as_json: Json = False,
) -> None:
    """Show what a workflow's work is worth, costs and loses, against what was before.

    With ``--behind`` the decisions behind a figure. Only the workflows' files are read, no component is loaded.
    """
    screen, span = Screen(as_json=as_json), parse_duration(since)
    declarations, wrong = read_declarations(load_settings(context).workflows)
    for one in wrong:
        screen.note(f"warning: {one}")
    chosen = [one for one in declarations if workflow in (None, one.workflow)]
    if workflow is not None and not chosen:
        names = ", ".join(one.workflow for one in declarations) or "none"
        raise NotFound(f"there is no workflow {workflow!r}", todo=f"the settings list {names} under workflows")
    if behind is not None:
        if workflow is None:
            raise Refused("decisions are behind figures of one workflow", todo="interlock value WORKFLOW --behind LOOK")
        _show_behind(context, screen, chosen[0], behind, span, take)
        return

    async def read(node: Node) -> list[Report]:
        require(node, who_acts(""), "view")
        return [await read_whole(node.database, node.tenant, _terms(node, one), span) for one in chosen]

    reports = with_node(context, read)
    if as_json:
        screen.document({"workflows": [as_document(one) for one in reports]})
    for report in reports:
        _show(screen, report)
    if not reports:
        screen.line("The settings name no workflow.")


def _show(screen: Screen, report: Report) -> None:
    ends = ", ".join(f"{one.name} {one.cases:,}" for one in report.conclusions)
    screen.facts(
        (
            ("workflow", report.workflow),
            ("from", f"{minute(report.since)} to {minute(report.until)}, whole hours, as far as it is counted"),
            ("cases", f"{report.cases:,} ended{f': {ends}' if ends else ''}; {report.cancelled:,} cancelled"),
            ("decisions", f"{report.decisions:,}"),
            ("rates", report.rates),
        )
    )
    screen.table(
        ("figure", "value", "each", "95 %", "behind it", "of what"),
        (
            (one.title, one.value or "not known", one.each, _interval(one), one.behind, one.note)
            for one in report.figures
        ),
        none="",
    )
    for one in report.baselines:
        screen.facts(
            (
                ("measure", one.measure),
                ("before", one.then),
                ("now", one.now or "not known"),
                (
                    "change",
                    f"{one.change}{f', 95 %: {_interval(one)}' if _interval(one) else ''}" if one.change else None,
                ),
                ("target", one.target),
                ("note", one.note),
            )
        )
    screen.line(report.warning)
    if report.control is not None:
        tell_compared(screen, report.control)


def tell_compared(screen: Screen, found: Compared) -> None:
    """The control group beside the other cases, for people."""
    steps = f", in {found.steps} steps" if found.steps > 1 else ""
    screen.facts(
        (
            ("control group", f"{found.control:,} of {found.control + found.treated:,} cases drawn{steps}"),
            ("began", f"{minute(found.since)} to {minute(found.until)}"),
            ("under way", f"{found.under_way[1]:,} of them, {found.under_way[0]:,} of the others"),
            ("note", found.note),
        )
    )
    screen.table(
        ("figure of a case", "as the workflow does", "control group", "difference", "95 %", "cases", "note"),
        (
            (one.title, one.treated, one.control, one.change, _interval(one), f"{one.cases[0]:,} and {one.cases[1]:,}",
             one.note)
            for one in found.differences
        ),
        none="",
    )  # fmt: skip
    screen.line(found.says)


def _interval(one: Figure | Against | Difference) -> str:
    return f"{one.low or 'open'} to {one.high or 'open'}" if one.low or one.high else ""


def _show_behind(
    context: typer.Context, screen: Screen, declared: Declaration, look: Look, span: timedelta, take: int
) -> None:
    async def read(node: Node) -> Sequence[BehindDocument]:
        act = "ledger.read" if look in OF_AUDITORS else "quality.see" if look in OF_PEOPLE else "view"
        require(node, who_acts(""), act)
        found = await read_behind(node.database, node.tenant, _terms(node, declared), look, span, take)
        return [behind_document(one) for one in found]

    rows = with_node(context, read)
    if screen.as_json:
        screen.document({"behind": look, "rows": [as_document(one) for one in rows]})
    screen.table(
        ("decision", "case", "point", "at", "what", "at stake", "lost", "cost"),
        ((r.decision, r.case, r.point, minute(r.at), r.what, r.exposure, r.loss, r.cost) for r in rows),
        none="Nothing is behind it in that time.",
        stacked=True,
    )


def _terms(node: Node, declared: Declaration) -> BusinessTerms:
    settings = node.settings
    return business_terms(declared, settings.prices_processor_hour, settings.prices_person_hour, settings.rates)
