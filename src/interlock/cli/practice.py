"""Practice: who may decide by it, and what is practised on. People practise in the console."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.authority.judge import everything
from interlock.cases.practice_asked import practice_demands
from interlock.cli.options import As, Json, Why, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import operator, with_node
from interlock.errors import Refused
from interlock.node import Node
from interlock.oversight.practice.giving import declare_lesson, give, take, withdraw_lesson
from interlock.oversight.practice.read import Everybody, read_everybody

app = commands()
group = typer.Typer(no_args_is_help=True, help="Practice: who may decide by it, and what is practised on.")
app.add_typer(group, name="practice")
Person = Annotated[str, typer.Argument(metavar="WHO", help="Their name.")]
At = Annotated[str, typer.Argument(metavar="WORKFLOW.POINT", help="The decision point.")]


@group.command()
def show(context: typer.Context, *, who: As = "", as_json: Json = False) -> None:
    """Show who may decide where practice is asked for, and the lessons."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def read(node: Node) -> Everybody:
        node.authority.require(operator(node, name), "quality.see", everything(node.tenant))
        return await read_everybody(node.database, node.tenant)

    found = with_node(context, read)
    if as_json:
        screen.document(as_document(found))
    screen.table(
        ("who", "where", "until", "by"),
        (
            (one.person, f"{one.workflow}.{one.point}", one.until, f"{one.given_by or 'practice'}: {one.why}")
            for one in found.qualified
        ),
        none="Nobody is qualified.",
    )
    screen.table(
        ("lesson", "where", "decided by", "declared by", "why it is so"),
        (
            (one.id, f"{one.workflow}.{one.point}", one.taught_by, one.declared_by, one.explanation)
            for one in found.lessons
        ),
        none="No review is a lesson.",
    )


@group.command("give")
def give_right(context: typer.Context, person: Person, at: At, *, why: Why = "", who: As = "") -> None:
    """Let somebody decide without practice, for as long as practice would last."""
    workflow, point = _point(at)
    name = who_acts(who)

    async def run(node: Node) -> None:
        asked = practice_demands(node.registry)(workflow, point, "") or {}
        await give(node.desk, operator(node, name), person, workflow, asked, why)

    with_node(context, run, workflows=True, who=name, act="queue.lead")
    Screen(as_json=False).line(f"{person} may decide at {at}.")


@group.command("take")
def take_right(context: typer.Context, person: Person, at: At, *, why: Why = "", who: As = "") -> None:
    """Let somebody decide at a point no more."""
    workflow, point = _point(at)
    name = who_acts(who)
    with_node(
        context,
        lambda node: take(node.desk, operator(node, name), person, workflow, point, why),
        who=name,
        act="queue.lead",
    )
    Screen(as_json=False).line(f"{person} may decide at {at} no more.")


@group.command()
def lesson(
    context: typer.Context,
    review: Annotated[str, typer.Argument(metavar="REVIEW", help="The id of a decided review.")],
    *,
    why: Why = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Practise on it no more.")] = False,
    who: As = "",
) -> None:
    """Let people practise on a decided review, or no more."""
    name, review_id = who_acts(who), read_id(review, "review")

    async def run(node: Node) -> None:
        by = operator(node, name)
        await (withdraw_lesson(node.desk, by, review_id) if withdraw else declare_lesson(node.desk, by, review_id, why))

    with_node(context, run, who=name, act="queue.lead")
    Screen(as_json=False).line("It is a lesson no more." if withdraw else "It is a lesson.")


def _point(at: str) -> tuple[str, str]:
    workflow, dot, point = at.partition(".")
    if not (workflow and dot and point):
        raise Refused(f"{at[:60]!r} is no decision point", todo="write workflow.point")
    return workflow, point
