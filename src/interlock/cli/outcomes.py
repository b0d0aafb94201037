"""Outcomes at the command line: what became of decisions, from a table or a query; what is missing; settling."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, cast
from uuid import UUID

import typer

from interlock.authority.judge import everything
from interlock.autonomy.outcome import Word
from interlock.autonomy.outcomes.line import OutcomeLine, read_line
from interlock.autonomy.outcomes.plan import Became, Result
from interlock.autonomy.outcomes.read import (
    Due,
    OutcomesOf,
    due_without_outcome,
    outcomes_of,
    settle_outcome,
    to_settle,
)
from interlock.autonomy.outcomes.record import MOST_AT_ONCE, record_outcomes
from interlock.autonomy.outcomes.store import StoredOutcome
from interlock.autonomy.outcomes.table import row_line
from interlock.autonomy.outcomes.words import outcome_lines, right_or_wrong
from interlock.batch.open import SQL, open_table
from interlock.batch.rows import Reading
from interlock.batch.table import Place, Table
from interlock.cases.in_line import find_point
from interlock.cases.outcome_points import outcome_points
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import operator, require, with_node
from interlock.decisions.decide import find_decision
from interlock.errors import Refused
from interlock.money import Money
from interlock.node import Node

app = commands()
group = typer.Typer(no_args_is_help=True, help="What became of decisions: add, show, list what is missing, settle.")
app.add_typer(group, name="outcomes")
SOME_REFUSED = 3
"""The exit code where every line is settled, and some were refused or have no decision yet."""
MOST_TOLD = 100

Decision = Annotated[UUID, typer.Argument(help="The decision.")]


@group.command()
def add(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help=".csv, .tsv, .jsonl or .parquet; or sql: before a SELECT.")
    ],
    *,
    source: Annotated[str, typer.Option(help="Whose word it is, where a line does not say.")] = "",
    database_url_from: Annotated[
        str, typer.Option(metavar="VARIABLE", help="The environment variable with the URL of a query's database.")
    ] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Put outcomes on record, many in one commit; what is on record already is known.

    Columns: source, decision (or point with asked or case), right, truth.FIELD, label, loss, became_at, replaces, key.
    A run that was cut is run again. Exit code 3: some lines were refused, or have no decision yet; up to a hundred are
    named.
    """
    screen, name = Screen(as_json=as_json), who_acts(who)
    url = os.environ.get(database_url_from, "") if database_url_from else ""
    table = open_table(file, Reading(contract=None, key="key" if file.startswith(SQL) else ""), url=url)

    added = _Added()

    async def work(node: Node) -> None:
        verdict = require(node, name, "outcome.record")
        points = outcome_points(node.registry, node.tenant)
        for part in _parts(_lines(table, source)):
            lines = [line for _, line in part]
            results = await record_outcomes(
                node.database, node.writer, node.tenant, lines, points, who=name, verdict=verdict
            )
            for (number, _), result in zip(part, results, strict=True):
                added.note(number, result)

    with_node(context, work, workflows=True)
    _told_added(screen, added, as_json=as_json)


@group.command()
def missing(
    context: typer.Context,
    point: Annotated[str, typer.Argument(metavar="WORKFLOW.POINT", help="The decision point.")],
    *,
    most: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many are listed.")] = 100,
    as_json: Json = False,
) -> None:
    """List decisions whose outcome is due and missing. None of them ever counts as good."""
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> Due:
        named = find_point(node.registry, point, where="POINT")
        if named.point.autonomy is None:
            what = f"{point} declares no autonomy, so that nothing says when an outcome is due"
            raise Refused(what, where="POINT", todo="declare autonomy.outcome in the workflow's file")
        return await due_without_outcome(
            node.database, node.tenant, named.registered.workflow.name, named.point.name, named.point.autonomy,
            now=node.database.clock.now(), most=most,
        )  # fmt: skip

    found = with_node(context, work, workflows=True)
    tally = found.tally
    if as_json:
        screen.document({**as_document(tally), "decisions": [as_document(one) for one in found.missing]})
    screen.line(
        f"{tally.due:,} outcomes are due: {tally.recorded:,} recorded ({tally.wrong:,} wrong), "
        f"{tally.reviewed:,} told by reviews, {tally.missing:,} missing, which count as wrong."
    )
    if tally.contradictory:
        screen.line(f"{tally.contradictory:,} contradict one another: `interlock outcomes contradictory`.")
    screen.table(
        ("decision", "case", "went", "at stake", "decided", "due since"),
        ((one.decision, one.case_id, one.route, one.exposure, one.decided_at, one.due_at) for one in found.missing),
        none="None is missing.",
    )


@group.command()
def contradictory(context: typer.Context, *, as_json: Json = False) -> None:
    """List decisions whose sources contradict one another: the worse counts until somebody settles it."""
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> list[StoredOutcome]:
        return await to_settle(node.database, node.tenant, most=1000)

    found = with_node(context, work)
    if as_json:
        screen.document({"decisions": [_document(one) for one in found]})
    screen.table(
        ("decision", "point", "counts as", "lost", "words", "since"),
        (
            (
                one.decision,
                f"{one.workflow}.{one.point}",
                right_or_wrong(right=one.is_right),
                one.loss,
                one.words,
                one.changed_at,
            )
            for one in found
        ),
        none="Nothing contradicts anything.",
    )


@group.command()
def show(context: typer.Context, decision: Decision, *, as_json: Json = False) -> None:
    """Show what became of a decision: what counts, and every word with whose it is."""
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> OutcomesOf:
        await find_decision(node.database, node.tenant, decision)
        return await outcomes_of(node.database, node.tenant, decision)

    found = with_node(context, work)
    if as_json:
        words = [{**_document(one), "counts": one.id in found.voices} for one in found.words]
        screen.document({"counts": _document(found.counts) if found.counts else None, "words": words})
    screen.lines(outcome_lines(found))


@group.command()
def settle(
    context: typer.Context,
    decision: Decision,
    *,
    right: Annotated[bool, typer.Option("--right/--wrong", help="Whether what was proposed was right.")],
    why: Annotated[str, typer.Option(help="Why so.")],
    loss: Annotated[str, typer.Option(help='What was lost, as "12.30 EUR".')] = "",
    who: As = "",
) -> None:
    """Say which of the words that contradict one another holds; it counts until a source says otherwise again."""
    screen, name = Screen(as_json=False), who_acts(who)

    async def work(node: Node) -> UUID:
        verdict = node.authority.require(operator(node, name), "outcome.settle", everything(node.tenant))
        return await settle_outcome(
            node.database, node.writer, node.tenant, decision, outcome_points(node.registry, node.tenant),
            right=right, loss=Money.parse(loss) if loss else None, who=name, why=why, verdict=verdict,
        )  # fmt: skip

    with_node(context, work, workflows=True)
    screen.line(f"It is settled: the proposal was {right_or_wrong(right=right)}.")


def _document(one: StoredOutcome | Word) -> dict[str, Any]:
    document = as_document(one)
    document.pop("loss_minor", None)
    return {**document, "loss": str(one.loss) if one.loss else None}


_Numbered = tuple[int, OutcomeLine | Refused]


@dataclass(slots=True)
class _Added:
    """What became of lines: counts, and some of those that are not on record."""

    counts: Counter[Became] = field(default_factory=Counter[Became])
    contradictory: int = 0
    bad: list[tuple[int, Result]] = field(default_factory=list[tuple[int, Result]])

    def note(self, number: int, result: Result) -> None:
        self.counts[result.became] += 1
        self.contradictory += result.contradictory
        if result.refused is not None and len(self.bad) < MOST_TOLD:
            self.bad.append((number, result))


def _parts(lines: Iterable[_Numbered]) -> Generator[list[_Numbered]]:
    """As many at a time as are one commit."""
    part: list[_Numbered] = []
    for line in lines:
        part.append(line)
        if len(part) == MOST_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _lines(table: Table, source: str) -> Generator[_Numbered]:
    for rows in table.chunks(Place()):
        for row in rows:
            try:
                if isinstance(row.wrong, Refused):
                    raise row.wrong
                value: Any = row.value
                if isinstance(value, dict):
                    cells = cast("dict[str, Any]", value)
                    value = row_line({**cells, "key": row.key} if table.reading.key else cells)
                yield row.number, read_line(value, source=source, cells=True)
            except Refused as cause:
                yield row.number, cause
    table.check_unchanged()


def _told_added(screen: Screen, added: _Added, *, as_json: bool) -> None:
    counts, read = added.counts, added.counts.total()
    if as_json:
        why = [{"line": number, "became": one.became, "what": str(one.refused)} for number, one in added.bad]
        each = {one.value: counts[one] for one in Became}
        screen.document({"read": read, **each, "contradictory": added.contradictory, "why": why})
    screen.line(
        f"{counts[Became.RECORDED]:,} of {read:,} are on record, {counts[Became.CORRECTED]:,} correct an earlier "
        f"word, {counts[Became.KNOWN]:,} were known."
    )
    screen.lines(f"line {number}: {one.refused}" for number, one in added.bad)
    if added.bad:
        screen.line(f"{counts[Became.UNKNOWN]:,} have no decision yet, {counts[Became.REFUSED]:,} were refused.")
        raise typer.Exit(SOME_REFUSED)
