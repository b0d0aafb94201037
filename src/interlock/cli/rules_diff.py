"""Comparing two versions of rules over recorded decisions, and the money in what would change."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from interlock.cases.registry import Registry
from interlock.cases.rules_tried import PointOfRules, points_known, points_using, try_rules
from interlock.cli.options import Json
from interlock.cli.publications import read_file
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.components.rules import Rules, load_rules
from interlock.decisions.point import DecisionPoint
from interlock.decisions.rules_diff import Diff, Outcome, Recorded
from interlock.decisions.store import canonical
from interlock.durations import parse_duration
from interlock.errors import NotFound, PersonalErased
from interlock.node import Node
from interlock.publications.publication import Kind, split_reference
from interlock.publications.publish import find_published
from interlock.publications.reading import RULES_SUFFIX, load_published_rules


def diff(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A file, or a published NAME@VERSION.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same.")],
    *,
    point: Annotated[str | None, typer.Option(metavar="WORKFLOW.POINT", help="Only decisions of this point.")] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 30d, 12h.")] = "30d",
    limit: Annotated[int, typer.Option(min=1, help="The most decisions of each point, the newest first.")] = (
        sys.maxsize
    ),
    as_json: Json = False,
) -> None:
    """Run two versions over recorded decisions: which would change, and the money in them.

    Nothing is changed by it. Memory does not grow with the number of decisions.
    """
    screen = Screen(as_json=as_json)
    span, versions = parse_duration(since), (_given(old), _given(new))

    async def compare(node: Node) -> tuple[Rules, Rules, list[tuple[PointOfRules, Diff]]]:
        before, after = await _load(node, versions[0]), await _load(node, versions[1])
        done = [
            (
                one,
                await try_rules(
                    node.database, node.tenant, one, (before, after), span=span, limit=limit,
                    opened=functools.partial(_opened, node),
                ),
            )
            for one in _points(node.registry, (before, after), point)
        ]  # fmt: skip
        return before, after, done

    before, after, done = with_node(context, compare, workflows=True, publishes=True)
    if as_json:
        points = [{"point": one.name, **_document(result)} for one, result in done]
        screen.document({"old": str(before.ref), "new": str(after.ref), "since": since, "points": points})
    for one, result in done:
        _tell(screen, one, result, before, after)


async def _opened(node: Node, point: DecisionPoint, recorded: Recorded) -> Recorded | None:
    """A recorded decision as its components saw it, for the purpose of its point; None: its person is erased."""
    kept = [msgspec.json.decode(one or b"null") for one in (recorded.input, recorded.output, recorded.evidence)]
    try:
        given, answered, evidence = await node.vault.open(node.tenant, kept, point.purpose)
    except PersonalErased:
        return None
    return msgspec.structs.replace(
        recorded,
        input=canonical.encode(given),
        output=canonical.encode(answered) if recorded.output is not None else None,
        evidence=canonical.encode(evidence),
    )


async def _load(node: Node, given: Rules | str) -> Rules:
    if isinstance(given, Rules):
        return given
    wanted = split_reference(given, Kind.RULES)
    standing, content = await find_published(node.database, node.tenant, Kind.RULES, wanted.name, wanted.version)
    return load_published_rules(standing, content)


def _given(text: str) -> Rules | str:
    """A file where there is one of that name; else the name of a published version."""
    if text.endswith(RULES_SUFFIX) or Path(text).is_file():
        return load_rules(read_file(Path(text)), text)
    return text


def _points(registry: Registry, versions: tuple[Rules, Rules], named: str | None) -> list[PointOfRules]:
    """The points to look at: the one that is named, or all that name the line of one of the versions.

    Raises:
        NotFound: there is none.
    """
    known = points_known(registry)
    chosen = [one for one in known if one.name == named] if named else points_using(registry, versions)
    if not chosen:
        what = f"there is no decision point {named}" if named else "no workflow of the settings names these rules"
        raise NotFound(what, where="--point", todo=f"known: {', '.join(one.name for one in known) or 'none'}")
    return chosen


def _tell(screen: Screen, one: PointOfRules, result: Diff, before: Rules, after: Rules) -> None:
    screen.line(f"{one.name}: {before.ref} -> {after.ref}", style="bold")
    screen.line(
        f"{result.compared} decisions compared, with {_sum(result.money_compared)} at stake; "
        f"{result.changed} would change, with {_sum(result.money)} in them"
        + (f" ({result.without_amount} of them without a known amount)" if result.without_amount else "")
    )
    if result.unlike_record:
        screen.line(
            f"{result.unlike_record} of them are on record otherwise than {before.ref} decides them now: they rest on "
            "what the record does not hold",
            style="yellow",
        )
    screen.table(
        ("what", "from", "to", "decisions", "money"),
        ((tally.field, tally.before, tally.after, tally.decisions, _sum(tally.money)) for tally in result.tallies),
        none="Nothing would change.",
    )
    if result.examples:
        screen.line("Some of them, the newest first:")
    screen.table(
        ("decision", "at stake", "by the old", "by the new"),
        (
            (example.decision, example.exposure or "unknown", _said(example.old), _said(example.new))
            for example in result.examples
        ),
        none="",
    )


def _said(outcome: Outcome) -> str:
    said = outcome.fails if outcome.output is None else msgspec.json.encode(outcome.output).decode()
    return f"{outcome.route}: {said}{''.join(f'; {row}' for row in outcome.rows)}"


def _sum(money: tuple[str, ...]) -> str:
    return ", ".join(money) or "no known amount"


def _document(result: Diff) -> dict[str, Any]:
    def outcome(one: Outcome) -> dict[str, Any]:
        exposure = str(one.exposure) if one.exposure else None
        return {**msgspec.structs.asdict(one), "exposure": exposure}

    def examples() -> Iterator[dict[str, Any]]:
        for one in result.examples:
            exposure = str(one.exposure) if one.exposure else None
            yield {"decision": one.decision, "exposure": exposure, "old": outcome(one.old), "new": outcome(one.new)}

    tallies = [msgspec.structs.asdict(tally) for tally in result.tallies]
    return {**msgspec.structs.asdict(result), "tallies": tallies, "examples": list(examples())}
