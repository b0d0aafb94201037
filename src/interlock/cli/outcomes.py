"""Outcomes at the command line: what became of decisions, from a table or a query; what is missing; settling."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer

from interlock.authority.judge import everything
from interlock.autonomy.outcome import Standing, Word
from interlock.autonomy.outcomes.feeds import FeedStands, HeldLine, Pull, feeds_of, held_of
from interlock.autonomy.outcomes.plan import Became, Result
from interlock.autonomy.outcomes.read import (
    Due,
    OutcomesOf,
    due_without_outcome,
    outcomes_of,
    settle_outcome,
    to_settle,
    voices_settled,
)
from interlock.autonomy.outcomes.store import StoredOutcome, VoiceSettled
from interlock.autonomy.outcomes.words import outcome_lines, right_or_wrong
from interlock.cases.in_line import find_point
from interlock.cases.outcome_points import outcome_points
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.outcomes_added import Added, Feed, add_all, keep_adding
from interlock.cli.outcomes_pulled import pullers
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import operator, require, with_node
from interlock.decisions.decide import find_decision
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.money import Money
from interlock.node import Node

app = commands()
group = typer.Typer(no_args_is_help=True, help="What became of decisions: add, show, list what is missing, settle.")
app.add_typer(group, name="outcomes")
SOME_REFUSED = 3
"""The exit code where every line is settled, and some were refused or have no decision yet."""
MOST_TOLD = 100

FeedName = Annotated[str, typer.Argument(metavar="[FEED]", help="One of the settings' feeds.")]
Decision = Annotated[UUID, typer.Argument(help="The decision.")]


@group.command()
def add(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help=".csv, .tsv, .jsonl or .parquet, a folder, or sql: before a SELECT.")
    ],
    *,
    source: Annotated[str, typer.Option(help="Whose word it is, where a line does not say.")] = "",
    database_url_from: Annotated[
        str, typer.Option(metavar="VARIABLE", help="The environment variable with the URL of a query's database.")
    ] = "",
    every: Annotated[str, typer.Option(metavar="DURATION", help="Go on, and look again so often.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Put outcomes on record, many in one commit; what is on record already is known.

    Columns: source, decision (or point with asked or case), right, truth.FIELD, label, loss, became_at, replaces, key.
    A run that was cut is run again. Exit code 3: some lines were refused, or have no decision yet; up to a hundred are
    named.
    """
    screen, name = Screen(as_json=as_json), who_acts(who)
    feed = Feed(file, source, os.environ.get(database_url_from, "") if database_url_from else "")
    pause = parse_duration(every).total_seconds() if every else 0.0

    async def work(node: Node) -> Added:
        verdict = require(node, name, "outcome.record")
        added = await add_all(node, feed, who=name, verdict=verdict)
        if pause:
            _told_added(screen, added, as_json=as_json)
            await keep_adding(node, feed, pause, who=name, verdict=verdict)
        return added

    added = with_node(context, work, workflows=True)
    _told_added(screen, added, as_json=as_json)
    if added.bad:
        raise typer.Exit(SOME_REFUSED)


@group.command()
def pull(context: typer.Context, feed: FeedName = "", *, as_json: Json = False) -> None:
    """Pull the feeds of the settings once, or the one that is named; `interlock up` does it all the time.

    Exit code 3: some lines are not on record; `interlock outcomes feeds` names them.
    """
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> list[tuple[str, Pull | None]]:
        return [(name, await one.pull()) for name, one in pullers(node, os.environ, feed).items()]

    pulled = with_node(context, work, workflows=True)
    if as_json:
        each = [(name, one) for name, one in pulled if one]
        told = [{"feed": name, "read": x.lines, "new": x.new_lines, "held": len(x.held) + x.beyond} for name, x in each]
        screen.document({"feeds": told, "busy": [name for name, one in pulled if one is None]})
    for name, one in pulled:
        held = len(one.held) + one.beyond if one else 0
        busy = f"{name}: another process pulls it just now."
        screen.line(f"{name}: {one.lines:,} read, {one.new_lines:,} new, {held:,} held." if one else busy)
    if any(one and (one.held or one.beyond) for _, one in pulled):
        raise typer.Exit(SOME_REFUSED)


@group.command()
def feeds(context: typer.Context, feed: FeedName = "", *, as_json: Json = False) -> None:
    """Show how the feeds of the settings stand, and which of their lines are not on record, and why."""
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> tuple[list[FeedStands], list[HeldLine]]:
        stands = [one for one in await feeds_of(node.database, node.tenant) if feed in ("", one.feed)]
        held = await held_of(node.database, node.tenant, [one.feed for one in stands], most=1000)
        return stands, held

    stands, held = with_node(context, work)
    if as_json:
        screen.document({"feeds": [as_document(one) for one in stands], "held": [as_document(one) for one in held]})
    screen.table(
        ("feed", "pulled", "read", "new", "asks since", "trouble"),
        ((x.feed, x.pulled_at, x.lines, x.new_lines, x.since or "the beginning", x.trouble) for x in stands),
        none="No feed was pulled yet.",
    )
    screen.table(
        ("feed", "line", "became", "why", "since"),
        ((one.feed, one.place, one.became, one.what, one.first_at) for one in held),
        none="Nothing is held.",
    )


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
    """List decisions whose sources contradict one another: the worse counts until somebody settles it.

    And the voices against which something was settled: of one that is doubtful, more than a fifth of its words.
    """
    screen = Screen(as_json=as_json)

    async def work(node: Node) -> tuple[list[StoredOutcome], list[VoiceSettled]]:
        found = await to_settle(node.database, node.tenant, most=1000)
        return found, await voices_settled(node.database, node.tenant)

    found, voices = with_node(context, work)
    if as_json:
        told = [{**as_document(one), "is_doubtful": one.is_doubtful} for one in voices]
        screen.document({"decisions": [_document(one) for one in found], "voices": told})
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
    if voices:
        screen.table(
            ("source", "said by", "settled", "against it", ""),
            ((one.source, one.said_by, one.settled, one.against, "doubtful" * one.is_doubtful) for one in voices),
            none="",
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
        counts = _document(found.counts) if found.counts else None
        screen.document({"counts": counts, "words": words, "shown": found.shown})
    screen.lines(outcome_lines(found))
    if found.counts and found.counts.standing is Standing.CONTRADICTORY:
        screen.line(
            f"To settle it: interlock outcomes settle {decision} --right|--wrong --why ... --shown {found.shown}"
        )


@group.command()
def settle(
    context: typer.Context,
    decision: Decision,
    *,
    right: Annotated[bool, typer.Option("--right/--wrong", help="Whether what was proposed was right.")],
    why: Annotated[str, typer.Option(help="Why so.")],
    shown: Annotated[str, typer.Option(help="What was shown of it, as `interlock outcomes show` says.")],
    loss: Annotated[str, typer.Option(help='What was lost, as "12.30 EUR".')] = "",
    who: As = "",
) -> None:
    """Say which of the words that contradict one another holds; it counts until a source says otherwise again."""
    screen, name = Screen(as_json=False), who_acts(who)

    async def work(node: Node) -> UUID:
        verdict = node.authority.require(operator(node, name), "outcome.settle", everything(node.tenant))
        return await settle_outcome(
            node.database, node.writer, node.tenant, decision, outcome_points(node.registry, node.tenant),
            right=right, loss=Money.parse(loss) if loss else None, who=name, why=why, shown=shown,
            verdict=verdict,
        )  # fmt: skip

    with_node(context, work, workflows=True)
    screen.line(f"It is settled: the proposal was {right_or_wrong(right=right)}.")


def _document(one: StoredOutcome | Word) -> dict[str, Any]:
    document = as_document(one)
    document.pop("loss_minor", None)
    return {**document, "loss": str(one.loss) if one.loss else None}


def _why_not(bad: list[tuple[str, Result]]) -> Iterator[str]:
    """Why lines are not on record, what many share once."""
    alike = dict[str, list[str]]()
    for place, one in bad:
        alike.setdefault(str(one.refused), []).append(place)
    for why, places in alike.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        yield f"{places[0]}{more}: {why}"


def _told_added(screen: Screen, added: Added, *, as_json: bool) -> None:
    counts, read = added.counts, added.counts.total()
    if as_json:
        why = [{"line": place, "became": one.became, "what": str(one.refused)} for place, one in added.bad]
        each = {one.value: counts[one] for one in Became}
        screen.document({"read": read, **each, "contradictory": added.contradictory, "why": why})
    screen.line(
        f"{counts[Became.RECORDED]:,} of {read:,} are on record, {counts[Became.CORRECTED]:,} correct an earlier "
        f"word, {counts[Became.KNOWN]:,} were known."
    )
    screen.lines(_why_not(added.bad))
    if added.bad:
        screen.line(f"{counts[Became.UNKNOWN]:,} have no decision yet, {counts[Became.REFUSED]:,} were refused.")
