"""Cases: listed, shown, counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from interlock.actions.action import Action
from interlock.cases.ages import DECISION_AGES, DecisionAge
from interlock.cases.explain import when
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.store import COUNT_CASES, LIST_CASES, CaseCount, CaseRow, CaseState
from interlock.cases.stranded import STRANDED_TODO
from interlock.cli.cancelling import cancel, migrate, take_back
from interlock.cli.events import event
from interlock.cli.options import Json, Limit, commands, read_id
from interlock.cli.personal import Purpose, opened
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.money import Money
from interlock.node import Node

app = commands()
group = typer.Typer(name="cases", invoke_without_command=True, rich_markup_mode=None, add_completion=False)
app.add_typer(group)
group.command(name="event")(event)
group.command(name="cancel")(cancel)
group.command(name="take-back")(take_back)
group.command(name="migrate")(migrate)


@group.callback()
def list_cases(
    context: typer.Context,
    *,
    workflow: Annotated[str | None, typer.Option(help="Only those of a workflow.")] = None,
    state: Annotated[CaseState | None, typer.Option(help="Only those in a state.")] = None,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only those older than this case.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List cases, the newest first."""
    if context.invoked_subcommand is not None:
        return
    screen = Screen(as_json=as_json)
    earlier = read_id(before, "a case") if before else None
    asked = {"workflow": workflow, "state": state, "before": earlier, "most": limit}

    async def read(node: Node) -> list[CaseRow]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_CASES.all(connection, asked)

    rows = with_node(context, read)
    if as_json:
        further = rows[-1].id if len(rows) == limit else None
        screen.document({"cases": [as_document(row) for row in rows], "before": further})
    screen.table(
        ("id", "key", "state", "exposure", "workflow", "since", "waiting for"),
        (
            (row.id, row.key, _state(row), row.exposure, row.workflow, minute(row.changed_at), row.waiting_for)
            for row in rows
        ),
        none="There is no such case.",
    )


@app.command(name="case")
def show_case(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    *,
    purpose: Purpose = "",
    as_json: Json = False,
) -> None:
    """Show one case with everything that is recorded of it."""
    screen = Screen(as_json=as_json)
    case_id = read_id(identifier, "a case")

    async def read(node: Node) -> tuple[CaseRecord, bytes | None]:
        record = await read_record(node.database, node.tenant, case_id)
        return record, await opened(node, record_document(record), purpose, case_id) if purpose else None

    record, shown = with_node(context, read)
    if shown is not None:
        screen.encoded(shown)
    elif as_json:
        screen.document(record_document(record))
    else:
        _show_record(screen, record)


@app.command()
def summary(
    context: typer.Context,
    *,
    workflow: Annotated[str | None, typer.Option(help="Only those of a workflow.")] = None,
    as_json: Json = False,
) -> None:
    """Count cases by workflow, state and conclusion, with the money in them."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> tuple[list[CaseCount], list[DecisionAge]]:
        async with node.database.tenant(node.tenant) as connection:
            mine = {"workflow": workflow}
            return await COUNT_CASES.all(connection, mine), await DECISION_AGES.all(connection, mine)

    counts, ages = with_node(context, read)
    if as_json:
        told = {"counts": [as_document(count) for count in counts], "ages": [_age(age) for age in ages]}
        screen.document({**told, "cases": sum(count.cases for count in counts)})
    screen.table(
        ("workflow", "state", "conclusion", "cases", "exposure"),
        ((c.workflow, c.state, c.conclusion, c.cases, _money(c)) for c in counts),
        none="There is no case yet.",
    )
    _part(
        screen,
        "Age of decisions when their actions took effect",
        ("workflow", "action", "decision", "actions", "p50", "p95", "greatest", "stale", "money x days"),
        (
            (a.workflow, a.action, a.point, a.actions, *map(_span, (a.p50_ms, a.p95_ms, a.max_ms)), a.stale, a.held)
            for a in ages
        ),
    )


def record_document(record: CaseRecord) -> dict[str, Any]:
    """Everything that is recorded of a case, as a JSON document."""
    return {
        "case": as_document(record.case) | {"carried": record.carried},
        "steps": [as_document(step) for step in record.steps],
        "decisions": [as_document(decision) for decision in record.decisions],
        "reviews": [as_document(review) for review in record.reviews],
        "actions": [
            as_document(action) | {"attempts": [as_document(attempt) for attempt in record.attempts[action.id]]}
            for action in record.actions
        ],
        "exceptions": [as_document(exception) for exception in record.exceptions],
        "quarantines": [as_document(quarantined) for quarantined in record.quarantines],
        "events": [as_document(came) for came in record.events],
        "entries": [as_document(entry) for entry in record.entries],
    }


def _show_record(screen: Screen, record: CaseRecord) -> None:
    case = record.case
    screen.facts(
        [
            ("case", case.id),
            ("workflow", f"{case.workflow} {case.version}"),
            ("key", case.key),
            ("submitted by", case.caller),
            ("state", _state(case)),
            ("to be cancelled", f"by {case.cancel_by}: {case.cancel_why}" if case.cancel_at else None),
            ("stranded", None if record.carried else f"no living worker carries its code; {STRANDED_TODO}"),
            ("waits for", case.waiting_for),
            ("wakes at", when(case.wake_at) if case.wake_at else None),
            ("exposure", case.exposure),
            ("received", when(case.created_at)),
            ("changed", when(case.changed_at)),
        ]
    )
    steps = (
        (f"{step.place}", step.kind, step.name, step.state, when(step.started_at), step.ref) for step in record.steps
    )
    _part(screen, "Steps", ("place", "kind", "name", "state", "at", "made"), steps)
    decisions = ((d.id, d.point, d.route, d.component, d.confidence, d.exposure) for d in record.decisions)
    _part(screen, "Decisions", ("id", "point", "route", "component", "confidence", "exposure"), decisions)
    reviews = ((r.id, r.point, r.state, r.resolution, r.resolved_by or r.claimed_by) for r in record.reviews)
    _part(screen, "Reviews", ("id", "point", "state", "resolution", "who"), reviews)
    actions = (
        (a.id, a.name, a.state, a.connector, a.exposure, a.attempt, _moment(a.not_before), _begins_by(a), a.error)
        for a in record.actions
    )
    heads = ("id", "name", "state", "connector", "exposure", "attempts", "next at", "begins by", "error")
    _part(screen, "Actions", heads, actions)
    exceptions = ((e.id, e.kind, e.state, e.what) for e in record.exceptions)
    _part(screen, "Exceptions", ("id", "kind", "state", "what"), exceptions)
    held = ((q.id, q.contract, q.state, f"{len(q.broken)} violations") for q in record.quarantines)
    came = (
        (e.id, e.name, e.sender, when(e.received_at), when(e.taken_at) if e.taken_at else "") for e in record.events
    )
    _part(screen, "Events", ("id", "name", "sender", "received", "taken"), came)
    _part(screen, "Quarantine", ("id", "contract", "state", "why"), held)


def _part(screen: Screen, title: str, heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    found = list(rows)
    if found:
        screen.line()
        screen.line(title, style="bold")
        screen.table(heads, found, none="")


def _age(age: DecisionAge) -> dict[str, Any]:
    document = as_document(age)
    del document["held_minor_days"]
    return {**document, "held_days": str(age.held) if age.held else None}


def _span(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f} s"


def _moment(moment: datetime | None) -> str | None:
    return when(moment) if moment else None


def _begins_by(action: Action) -> str | None:
    return when(action.deadline) if action.ended_at is None else None


def _state(case: CaseRow) -> str:
    return f"{case.state}: {case.conclusion}" if case.conclusion else str(case.state)


def _money(count: CaseCount) -> Money | None:
    return Money.of_columns(count.exposure_minor, count.currency)
