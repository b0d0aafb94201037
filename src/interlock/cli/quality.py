"""Quality of oversight: put known cases among the others, see one's own figures, and others' once they may be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from interlock.authority.judge import everything
from interlock.cases.known_cases import KnownCase, put_known_case
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import operator, with_node
from interlock.errors import InterlockError, Refused
from interlock.node import Node
from interlock.oversight.quality.figures import Figures
from interlock.oversight.quality.read import MOST_ANSWERS, Others, read_others

app = commands()
group = typer.Typer(
    no_args_is_help=True, help="Quality of oversight: known cases, and the figures of those who decide."
)
app.add_typer(group, name="quality")
MOST = 1000
_LARGEST = 10_000_000


@group.command()
def seed(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON lines: point, input, proposal, confidence, right, explanation.")],
    *,
    who: As = "",
) -> None:
    """Put known cases among the others: nothing follows from them, and nobody can tell before they are answered."""
    screen, name = Screen(as_json=False), who_acts(who)
    cases = read_known_cases(file)

    async def put(node: Node) -> int:
        done = 0
        for number, known in enumerate(cases, 1):
            try:
                await put_known_case(node.database, node.tools.decider, node.registry, node.tenant, known, who=name)
            except InterlockError as cause:
                screen.note(f"line {number}: {cause}")
            else:
                done += 1
        return done

    done = with_node(context, put, workflows=True, who=name, act="queue.lead")
    screen.line(f"{done} of {len(cases)} are among the others.")
    if done < len(cases):
        raise typer.Exit(1)


@group.command()
def show(context: typer.Context, *, who: As = "", as_json: Json = False) -> None:
    """Show everybody's figures together, and each person's who has seen theirs, or could for a week."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def read(node: Node) -> Others:
        node.authority.require(operator(node, name), "quality.see", everything(node.tenant))
        return await read_others(node.database, node.tenant, node.database.clock.now())

    found = with_node(context, read)
    if as_json:
        screen.document(as_document(found))
    people = ([found.everybody] if found.everybody else []) + list(found.people)
    screen.table(
        ("who", "answers", "median", "too fast", "known cases right", "second looks agree", "signs"),
        (_row(one) for one in people),
        none="There is nothing to show of enough people yet.",
    )
    if found.cut:
        screen.line(f"Of the newest {MOST_ANSWERS:,} answers alone: there are more in this time.")
    if found.withheld:
        screen.line(f"{found.withheld} have not seen their own figures yet, or answered too few.")


def read_known_cases(file: Path) -> list[KnownCase]:
    """The known cases of a file of JSON lines.

    Raises:
        Refused: it is too large, or a line is none.
    """
    try:
        data = file.read_bytes()
    except OSError as cause:
        raise Refused(f"{file} cannot be read: {cause}") from cause
    lines = [line for line in data.splitlines() if line.strip()]
    if len(data) > _LARGEST or len(lines) > MOST:
        raise Refused(f"{file} holds more than {MOST} known cases or {_LARGEST} bytes", todo="split it")
    found: list[KnownCase] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=KnownCase))
        except (msgspec.DecodeError, msgspec.ValidationError) as cause:
            raise Refused(f"line {number} of {file} is no known case: {cause}") from cause
    return found


def _row(one: Figures) -> tuple[object, ...]:
    median = f"{one.median_s:.0f} s" if one.median_s is not None else None
    signs = "; ".join(sign.rule for sign in one.signs)
    return (one.who, one.answers, median, one.fast.said, one.known.said, one.second.said, signs)
