"""Recalling what was decided by something wrong: planned, started, carried out, shown."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from interlock.cases.explain import when
from interlock.cli.options import As, Json, Limit, Why, commands, read_id, read_moment, who_acts
from interlock.cli.screen import Screen, minute
from interlock.cli.session import require, with_node
from interlock.components.component import ComponentRef
from interlock.components.component import Kind as ComponentKind
from interlock.errors import Refused
from interlock.node import Node
from interlock.recall.begin import find_recall, plan_recall, start_recall
from interlock.recall.begin import list_recalls as recalls_of
from interlock.recall.duty import turn_alone
from interlock.recall.figures import Figures, list_members, read_figures
from interlock.recall.record import Recall, RecallState, Wishes
from interlock.recall.selector import Selector

app = commands()
group = commands(
    "recall", "Recall what was decided by something wrong: list it, stop it, take it back, decide it anew."
)
app.add_typer(group)

_WAIT_S = 0.2
_STUCK_S = 3.0
"""How long nothing may happen before the rest is left to those that run: an undo takes about that long."""

Component = Annotated[str, typer.Option(help="Whose answers: rules:NAME@VERSION, onnx:NAME@VERSION, ...")]
Digest = Annotated[str, typer.Option(help="The first digits of that component's SHA-256: one content of it.")]
Contract = Annotated[str, typer.Option(help="What kept this contract: NAME@MAJOR, or NAME@VERSION.")]
Source = Annotated[str, typer.Option(help="What came from a source, as `interlock lineage --of` names it.")]
Job = Annotated[str, typer.Option(help="What a run over a table decided.")]
Workflow = Annotated[str, typer.Option(help="Of this workflow.")]
Point = Annotated[str, typer.Option(help="Of this decision point: WORKFLOW.POINT.")]
Since = Annotated[str, typer.Option(help="Decided then or later: a time in UTC, or how far back, as in 7d.")]
Until = Annotated[str, typer.Option(help="Decided before then.")]
Stop = Annotated[bool, typer.Option("--stop", help="First stop the component, the point or the workflow.")]
Restore = Annotated[bool, typer.Option("--restore", help="Let the published version before it count again.")]
Anew = Annotated[bool, typer.Option("--anew", help="Decide anew what was taken back.")]


@group.command()
def plan(
    context: typer.Context,
    *,
    component: Component = "",
    digest: Digest = "",
    contract: Contract = "",
    source: Source = "",
    job: Job = "",
    workflow: Workflow = "",
    point: Point = "",
    since: Since = "",
    until: Until = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """List what would be recalled and the money in it; nothing is stopped or taken back."""
    selector = _selector(component, digest, contract, source, job, workflow, point, since, until)
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def look(node: Node) -> tuple[Recall, Figures]:
        made = await plan_recall(
            node.database,
            node.writer,
            node.registry,
            node.tenant,
            selector,
            who=name,
            verdict=require(node, name, "recall"),
        )
        return await _carry(node, made, screen)

    _tell(screen, *with_node(context, look, workflows=True))


@group.command()
def start(
    context: typer.Context,
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="A recall that was planned.")] = None,
    *,
    why: Why,
    component: Component = "",
    digest: Digest = "",
    contract: Contract = "",
    source: Source = "",
    job: Job = "",
    workflow: Workflow = "",
    point: Point = "",
    since: Since = "",
    until: Until = "",
    stop: Stop = False,
    restore: Restore = False,
    anew: Anew = False,
    background: Annotated[
        bool, typer.Option("--background", help="Leave it to `interlock up`, and come back at once.")
    ] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Recall: stop what is pending, take back what is done, decide anew. A worker undoes what was done."""
    said = (component, digest, contract, source, job, workflow, point, since, until)
    if identifier is not None and any(said):
        raise Refused("a planned recall says what is recalled", where="ID", todo="leave the conditions out")
    what = read_id(identifier, "a recall") if identifier else _selector(*said)
    wishes = Wishes(stop=stop, restore=restore, anew=anew)
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def begin(node: Node) -> tuple[Recall, Figures]:
        made = await start_recall(
            node.database, node.writer, node.registry, node.tenant, what, wishes, who=name, why=why,
            verdict=require(node, name, "recall"),
        )  # fmt: skip
        if background:
            return await _read(node, made)
        screen.note(f"recall {made}: if this is killed, `interlock up` goes on, or `interlock recall resume {made}`")
        return await _carry(node, made, screen)

    _tell(screen, *with_node(context, begin, workflows=True))


@group.command()
def resume(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The recall.")],
    *,
    as_json: Json = False,
) -> None:
    """Go on with a recall that was interrupted, or that waited for people, in this process."""
    screen, recall = Screen(as_json=as_json), read_id(identifier, "a recall")
    _tell(screen, *with_node(context, lambda node: _carry(node, recall, screen), workflows=True))


@group.command()
def show(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The recall.")],
    *,
    members: Annotated[bool, typer.Option("--members", help="List its cases and decisions, too.")] = False,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Go on after this member.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Show how far a recall is, and the money in it."""
    screen, recall = Screen(as_json=as_json), read_id(identifier, "a recall")
    beyond = read_id(after, "a member") if after else None

    async def read(node: Node) -> tuple[Recall, Figures, list[Any]]:
        listed = await list_members(node.database, node.tenant, recall, after=beyond, most=limit) if members else []
        return *await _read(node, recall), listed

    found, figures, listed = with_node(context, read, workflows=True)
    if as_json:
        screen.document({**_document(found, figures), **({"listed": listed} if members else {})})
        return
    _tell(screen, found, figures)
    if members:
        screen.table(
            ("member", "what", "state", "anew", "why"),
            ((one.member, "case" if one.is_case else "decision", one.state, one.anew, one.why) for one in listed),
            none="Nothing rests on it.",
        )


@group.command(name="list")
def list_recalls(
    context: typer.Context,
    *,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Go on where a list ended.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List recalls, the newest first."""
    screen, below = Screen(as_json=as_json), read_id(before, "a recall") if before else None

    async def read(node: Node) -> list[Recall]:
        return await recalls_of(node.database, node.tenant, before=below, most=limit)

    found = with_node(context, read)
    if as_json:
        screen.document({"recalls": [_row(one) for one in found]})
    screen.table(
        ("id", "state", "what", "decisions", "by", "since", "why"),
        (
            (one.id, one.state, one.wanted.words(), one.decisions, one.who, minute(one.created_at), one.why)
            for one in found
        ),
        none="Nothing was recalled.",
    )


# --------------------------------------------------------------------- carrying it out


async def _carry(node: Node, recall: UUID, screen: Screen) -> tuple[Recall, Figures]:
    """Carry a recall out here, as far as it goes without workers and people."""
    await find_recall(node.database, node.tenant, recall)
    waited, said = 0.0, ""
    while True:
        turn = await turn_alone(node.database, node.recall_means, node.tenant, recall)
        if turn is not None and turn.moved:
            waited = 0.0
        elif (turn is not None and turn.state is not RecallState.RUNNING) or waited > _STUCK_S:
            break
        else:
            await asyncio.sleep(_WAIT_S)
            waited += _WAIT_S
        if screen.live and (now := await _progress(node, recall)) != said:
            screen.note(said := now)
    return await _read(node, recall)


async def _progress(node: Node, recall: UUID) -> str:
    found = await find_recall(node.database, node.tenant, recall)
    return f"{found.decisions} decisions found" if not found.gathered else f"{found.decisions} decisions, at work"


async def _read(node: Node, recall: UUID) -> tuple[Recall, Figures]:
    found = await find_recall(node.database, node.tenant, recall)
    return found, await read_figures(node.database, node.registry, node.tenant, recall)


# ------------------------------------------------------------------------ what is said


def _selector(  # noqa: PLR0917 - one for each option
    component: str,
    digest: str,
    contract: str,
    source: str,
    job: str,
    workflow: str,
    point: str,
    since: str,
    until: str,
) -> Selector:
    if source and job:
        raise Refused("a job is a source", where="--job", todo="name the job or another source")
    now = datetime.now(UTC)
    return Selector(
        component=component,
        digest=digest,
        contract=contract,
        source=f"job:{job}" if job else source,
        workflow=workflow,
        point=point,
        since=read_moment(since, now, "--since"),
        until=read_moment(until, now, "--until"),
    )


def _row(recall: Recall) -> dict[str, Any]:
    return {
        "id": recall.id,
        "state": recall.state,
        "what": recall.wanted,
        "who": recall.who,
        "why": recall.why,
        "decisions": recall.decisions,
        "stopped": recall.stopped,
        "restored": recall.restored,
        "anew": recall.anew,
        "created_at": recall.created_at,
        "ended_at": recall.ended_at,
    }


def _document(recall: Recall, figures: Figures) -> dict[str, Any]:
    return {**_row(recall), "figures": figures}


def _nothing(wanted: Selector) -> str:
    """What is said where nothing is found; of a file that was loaded, that statements are recalled elsewhere."""
    if not wanted.source:
        return "Nothing rests on it."
    return (
        "No decision that lineage knows rests on this source. Matches of statements are not found so: "
        "`interlock reconcile recall-statement ID --plan` lists what rests on a statement."
    )


def _tell(screen: Screen, recall: Recall, figures: Figures) -> None:
    if screen.as_json:
        screen.document(_document(recall, figures))
        return
    members = figures.members
    screen.facts(
        (
            ("recall", recall.id),
            ("what", recall.wanted.words()),
            ("state", f"{recall.state}, {figures.exceptions} for people" if figures.exceptions else recall.state),
            ("by", f"{recall.who}: {recall.why}"),
            ("since", when(recall.created_at)),
            ("stopped", recall.stopped and f"{recall.wanted.scope}: `interlock resume {recall.stopped}` lifts it"),
            ("restored", recall.restored),
            ("decisions", recall.decisions),
            ("members", ", ".join(f"{count} {state}" for state, count in members.items() if count)),
        )
    )
    screen.table(
        ("workflow", "state", "cases", "at stake"),
        ((one.workflow, one.state, one.count, ", ".join(one.at_stake)) for one in figures.cases),
        none=_nothing(recall.wanted),
    )
    for one in figures.money:
        screen.line(
            f"money: pending {one.pending} in {one.actions_pending} actions, standing {one.standing} by "
            f"{one.actions_standing}, taken back {one.taken_back} by {one.actions_taken_back}, "
            f"kept {one.kept} by {one.actions_kept}"
        )
    for kept in figures.kept:
        screen.line(f"stays: {kept.count} {kept.action}, {kept.amount}: {kept.why}", style="yellow")
    if recall.state is RecallState.PLANNED:
        screen.line(f'Nothing is done yet: `interlock recall start {recall.id} --why "..."`')
    elif recall.state is RecallState.RUNNING:
        screen.line(f"It goes on in `interlock up`: workers undo what was done. `interlock recall show {recall.id}`")
    elif recall.state is RecallState.OPEN:
        screen.line("The rest waits for people: `interlock exceptions`", style="yellow")
    screen.lines(_next(recall))


def _next(recall: Recall) -> list[str]:
    """What is left to the one who recalls a component that a workflow's file names: nothing brings another one back."""
    reference = recall.wanted.component
    if not reference or ComponentRef.parse(reference).kind is ComponentKind.RULES:
        return []
    other = "name another version of it under `components:` in the workflow's file, and start `interlock up` anew"
    if recall.stopped:
        return [f"people decide what {reference} decided, until you {other}. Nothing need be resumed for that."]
    decides = f"{reference} goes on deciding, also what is decided anew"
    stop = "`--stop` of `start`" if recall.state is RecallState.PLANNED else f"`interlock stop component:{reference}`"
    return [f"{decides}: {stop} has people decide instead; for good, {other}."]
