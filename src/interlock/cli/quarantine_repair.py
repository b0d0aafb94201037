"""Mending many data of one cause alike, on the command line: looked at first, done with ``--yes``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from interlock.cases.mend import read_set
from interlock.cases.release import Release
from interlock.cases.repair import Cause, Looked, Mend, Repair, calling, patching, repair
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import require, with_node
from interlock.contracts import read_json
from interlock.durations import parse_duration
from interlock.errors import MalformedJson, Refused
from interlock.node import Node

group = commands()


@group.command(name="repair")
def repair_many(
    context: typer.Context,
    *,
    workflow: Annotated[str, typer.Option("--workflow", help="Only of this workflow.")] = "",
    point: Annotated[str, typer.Option("--point", help="Only of this decision point: WORKFLOW.POINT or POINT.")] = "",
    rule: Annotated[str, typer.Option("--rule", help="Only data that break this rule.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only data that came since then: 2h, 7d or a time.")] = "",
    put: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="/PATH=VALUE", help="Put a value there: JSON, or else text. May be repeated."),
    ] = None,
    patch: Annotated[str, typer.Option("--jsonpatch", metavar="JSON|@FILE", help="A JSON Patch (RFC 6902).")] = "",
    function: Annotated[
        str, typer.Option("--with", metavar="MODULE:FUNCTION", help="A function that gets the data and mends them.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most so many.")] = 10_000,
    yes: Annotated[bool, typer.Option("--yes", help="Release what fits; else nothing is changed.")] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Mend all that is held of one cause alike; shows what would change, and with --yes releases what then fits."""
    screen, name = Screen(as_json=as_json), who_acts(who)
    mend = read_mend(put or [], patch, function)

    async def work(node: Node) -> Repair:
        cause = read_cause(node.database.clock.now(), workflow=workflow, point=point, rule=rule, since=since)
        if cause == Cause():
            raise Refused("no cause is named", where="repair", todo="say --point, --rule, --workflow or --since")
        verdict = require(node, name, "quarantine.mend")
        letting = Release(node.tools.decider, node.writer, node.registry, node.tenant, name, verdict)
        return await repair(letting, cause, mend, most=limit, carry_out=yes)

    done = with_node(context, work, workflows=True)
    if as_json:
        screen.document(_document(done, carried_out=yes))
    for looked in done.first:
        _tell(screen, looked)
    _sum_up(screen, done, carried_out=yes)


def read_mend(put: list[str], patch: str, function: str) -> Mend:
    """What mends, of the three ways to say it.

    Raises:
        Refused: none is given, or more than one; or it is not of its form.
    """
    if [bool(put), bool(patch), bool(function)].count(True) != 1:
        raise Refused("say once how to mend", where="repair", todo="give --set, --jsonpatch or --with")
    if function:
        return calling(function)
    return patching(read_document(patch, "--jsonpatch").value if patch else [_operation(one) for one in put])


def read_cause(now: datetime, *, workflow: str, point: str, rule: str, since: str) -> Cause:
    """Which data are meant.

    Args:
        now: The time.
        workflow: A workflow's name.
        point: A decision point, with or without its workflow.
        rule: A rule.
        since: A length of time before now, or a time with its offset.

    Raises:
        Refused: two workflows are named, or ``since`` is neither.
    """
    of, _, name = point.rpartition(".")
    if of and workflow and of != workflow:
        raise Refused(f"{point} is no point of {workflow}", where="--point", todo="leave --workflow out")
    return Cause(
        workflow=workflow or of or None,
        point=name or None,
        rule=rule or None,
        since=_since(now, since) if since else None,
    )


def _since(now: datetime, text: str) -> datetime:
    try:
        return now - parse_duration(text)
    except Refused:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(f"{text[:60]!r} is no time", where="--since", todo="write 2h, 7d, or 2026-03-01T00:00:00Z")
    return moment


def _operation(text: str) -> dict[str, Any]:
    path, equals, written = text.partition("=")
    if not equals:
        raise Refused(f"{text[:60]!r} sets nothing", where="--set", todo="write /PATH=VALUE")
    try:
        return read_set(path, read_json(written.encode("utf-8", "surrogateescape")))
    except MalformedJson:
        return read_set(path, written)


def _tell(screen: Screen, looked: Looked) -> None:
    screen.line(f"{looked.id}")
    screen.lines(f"  {one.where or '/'}: {one.before} -> {one.after}" for one in looked.changes)
    screen.lines(f"  still broken: {violation}" for violation in looked.left)
    if looked.error:
        screen.line(f"  {looked.error}")


def _sum_up(screen: Screen, done: Repair, *, carried_out: bool) -> None:
    screen.line(f"{done.looked_at:,} looked at, {done.fit:,} fit once mended.")
    screen.lines(f"  {count:,} still break {rule}" for rule, count in done.left.items())
    if carried_out:
        screen.line(f"{done.released:,} released.")
        screen.lines(f"  {looked.id}: {looked.error}" for looked in done.failed)
    else:
        screen.line("Nothing was changed. --yes releases what fits.")


def _document(done: Repair, *, carried_out: bool) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(done)
    return {"carried_out": carried_out, **told}
