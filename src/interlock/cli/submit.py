"""Submitting many cases from a file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import typer

from interlock.cli.offers import Keying, Line, read_inputs, read_lines
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.screen import Screen
from interlock.cli.sending import Report, send
from interlock.cli.session import with_node
from interlock.cli.waiting import wait_for
from interlock.durations import parse_duration
from interlock.errors import NotFound, Refused
from interlock.node import Node

app = commands()
MOST_SHOWN = 20


class Source(NamedTuple):
    """A file that is open: its name, its bytes, and how many they are, if that is known."""

    name: str
    stream: BinaryIO
    size: int | None
    is_document: bool


@app.command()
def submit(
    context: typer.Context,
    workflow: Annotated[str, typer.Argument(help="The workflow's name.")],
    file: Annotated[str, typer.Argument(help="JSON lines; or .json: one document; or - for standard input.")],
    *,
    key_from: Annotated[str, typer.Option(metavar="FIELD", help="The field that is the key, as a.b.")] = "",
    key: Annotated[str, typer.Option(help="The key, for a file with one input.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all are done or wait for a person.")] = False,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="The longest to wait, as 5m.")] = "1h",
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 if any is quarantined or refused.")] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Submit many cases from a file of JSON or JSON lines.

    A line is {"key": ..., "input": {...}}, or a bare input whose key is --key-from, or else a digest of its content.
    The same line twice is one case. What breaks the contract is quarantined, and the rest goes on.
    """
    screen, caller = Screen(as_json=as_json), who_acts(who)
    if key and key_from:
        raise Refused("--key and --key-from are given both", todo="give one of them")
    most = parse_duration(timeout)

    with _open(file) as source:
        keying = Keying(file=source.name, field=key_from, key=key)

        async def run(node: Node) -> tuple[Report, dict[str, int] | None]:
            registered = node.registry.named(workflow)
            report = await send(node, registered, _lines(source, key), keying, screen, source.size, caller=caller)
            states = await wait_for(node, registered, report, screen, most) if wait else None
            return report, states

        report, states = with_node(context, run, workflows=True, who=caller, act="case.submit")
    _tell(screen, workflow, report, states)
    if strict and (report.quarantined or report.refused or report.known_broken):
        raise typer.Exit(Refused.exit_code)


@contextlib.contextmanager
def _open(file: str) -> Generator[Source]:
    if file == "-":
        yield Source("stdin", sys.stdin.buffer, None, is_document=False)
        return
    path = Path(file)
    try:
        opened = path.open("rb")
    except OSError as cause:
        raise NotFound(
            f"the file cannot be read: {cause.strerror or cause}", where=file, todo="check its name and its rights"
        ) from cause
    with opened:
        size = path.stat().st_size if path.is_file() else None
        yield Source(path.name, opened, size, is_document=path.suffix == ".json")


def _lines(source: Source, key: str) -> Iterator[Line]:
    lines = read_inputs(source.stream.read()) if source.is_document else read_lines(source.stream)
    if not key:
        yield from lines
        return
    first = next(lines, None)
    if first is not None:
        if next(lines, None) is not None:
            raise Refused("--key is given, and the file has more than one input", todo="use --key-from, or one input")
        yield first


def _tell(screen: Screen, workflow: str, report: Report, states: dict[str, int] | None) -> None:
    if screen.as_json:
        document: dict[str, Any] = {"workflow": workflow, **report.document()}
        screen.document(document if states is None else {**document, "states": states})
        return
    screen.line(
        f"{report.lines} inputs: {report.new} new, {report.known} known before, "
        f"{len(report.quarantined)} quarantined, {len(report.refused)} refused."
    )
    for held in report.quarantined[:MOST_SHOWN]:
        screen.line(f"line {held.line} ({held.key}) is in quarantine as case {held.case}:", style="yellow")
        screen.lines(f"  - {violation}" for violation in held.violations)
    for bad in report.refused[:MOST_SHOWN]:
        screen.line(f"line {bad.line} ({bad.key or 'no key'}) is refused: {bad.what}", style="red")
        if bad.todo:
            screen.line(f"  to do: {bad.todo}")
    hidden = max(len(report.quarantined) - MOST_SHOWN, 0) + max(len(report.refused) - MOST_SHOWN, 0)
    if hidden:
        screen.line(f"... and {hidden} more; --json shows all")
    if states is not None:
        screen.table(("state", "cases"), sorted(states.items()), none="No case to wait for.")
