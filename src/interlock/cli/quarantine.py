"""Quarantine: data that broke their contract, listed, shown, mended, released, discarded."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interlock.authority.judge import Verdict
from interlock.cases.explain import when
from interlock.cases.release import Release
from interlock.cases.repair import list_held
from interlock.cases.store import Quarantined
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, Limit, Why, commands, read_id, who_acts
from interlock.cli.personal import Purpose, opened
from interlock.cli.quarantine_repair import group as repairs
from interlock.cli.quarantine_repair import read_cause
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import require, with_node
from interlock.contracts import read_json
from interlock.contracts.shown import shown
from interlock.errors import MalformedJson
from interlock.node import Node
from interlock.privacy.vault import sealed_token

app = commands()
group = commands("quarantine", "Data that broke their contract: list, show, mend, release, discard them.")
app.add_typer(group)
group.add_typer(repairs)
QuarantineId = Annotated[str, typer.Argument(metavar="ID", help="The quarantine's id.")]


@group.command(name="list")
def list_quarantined(
    context: typer.Context,
    *,
    workflow: Annotated[str, typer.Option("--workflow", help="Only of this workflow.")] = "",
    point: Annotated[str, typer.Option("--point", help="Only of this decision point: WORKFLOW.POINT or POINT.")] = "",
    rule: Annotated[str, typer.Option("--rule", help="Only data that break this rule.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only data that came since then: 2h, 7d or a time.")] = "",
    after: Annotated[str, typer.Option("--after", metavar="ID", help="Go on after this one.")] = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List what is held, the oldest first."""
    screen = Screen(as_json=as_json)
    last = read_id(after, "a quarantine") if after else None

    async def read(node: Node) -> list[Quarantined]:
        cause = read_cause(node.database.clock.now(), workflow=workflow, point=point, rule=rule, since=since)
        return await list_held(release_of(node), cause, most=limit, after=last)

    found = with_node(context, read)
    if as_json:
        screen.document({"quarantined": [as_document(one) for one in found]})
    screen.table(
        ("id", "contract", "violations", "workflow", "point", "since"),
        ((q.id, q.contract, _first_of(q), q.workflow, q.point, minute(q.created_at)) for q in found),
        none="Nothing is held in quarantine.",
    )
    if len(found) == limit:
        screen.line(f"There may be more: --after {found[-1].id}")


@group.command()
def show(context: typer.Context, identifier: QuarantineId, *, purpose: Purpose = "", as_json: Json = False) -> None:
    """Show what is held, with every violation beside the value that breaks it."""
    screen = Screen(as_json=as_json)
    quarantine_id = read_id(identifier, "a quarantine")

    async def read(node: Node) -> tuple[Quarantined, bytes | None]:
        held = await release_of(node).find(quarantine_id)
        return held, await opened(node, as_document(held), purpose, quarantine_id) if purpose else None

    found, shown = with_node(context, read)
    if shown is not None:
        screen.encoded(shown)
        return
    if as_json:
        screen.document(as_document(found))
        return
    screen.facts(
        [
            ("quarantine", found.id),
            ("case", found.case_id),
            ("workflow", found.workflow),
            ("point", found.point),
            ("contract", found.contract),
            ("key", found.key),
            ("asked by", found.caller),
            ("at stake", found.exposure),
            ("state", found.state),
            ("since", when(found.created_at)),
            ("resolved by", found.resolved_by),
            ("decision", found.decision_id),
            ("why", found.why),
        ]
    )
    screen.line()
    screen.table(
        ("where", "found", "what", "to do"),
        ((one.where or "/", _found_at(found, one.where), one.what, one.todo) for one in found.broken),
        none="",
    )
    screen.line()
    screen.line(found.data.decode("utf-8", "backslashreplace"))


@group.command()
def release(
    context: typer.Context,
    identifier: QuarantineId,
    *,
    mended: Annotated[str, typer.Option("--input", metavar="JSON|@FILE", help="The whole input, mended.")],
    who: As = "",
    as_json: Json = False,
) -> None:
    """Let a quarantined case go on with mended input; a question without a case is decided now, under its key."""
    screen = Screen(as_json=as_json)
    quarantine_id, name = read_id(identifier, "a quarantine"), who_acts(who)
    value = read_document(mended, "--input").value

    async def let_go(node: Node) -> dict[str, Any]:
        letting = release_of(node, name, require(node, name, "quarantine.mend"))
        released = await letting.mended(await letting.find(quarantine_id), value)
        decision = released.decision
        return {
            "quarantine": quarantine_id,
            "case": released.case,
            "decision": decision.id if decision else None,
            "route": decision.route if decision else None,
            "who": name,
        }

    done = with_node(context, let_go, workflows=True)
    if as_json:
        screen.document(done)
    went = f"The decision {done['decision']} was taken: {done['route']}." if done["decision"] else ""
    goes_on = f"The case {done['case']} goes on." if done["case"] else ""
    screen.line(" ".join(part for part in (f"{quarantine_id} is released by {name}.", went, goes_on) if part))


@group.command()
def discard(context: typer.Context, identifier: QuarantineId, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Give up on what is held: it stays, marked, with who and why."""
    screen = Screen(as_json=as_json)
    quarantine_id, name = read_id(identifier, "a quarantine"), who_acts(who)

    async def give_up(node: Node) -> None:
        letting = release_of(node, name, require(node, name, "quarantine.mend"))
        await letting.discard(await letting.find(quarantine_id), why)

    with_node(context, give_up)
    if as_json:
        screen.document({"quarantine": quarantine_id, "state": "discarded", "who": name, "why": why})
    screen.line(f"{quarantine_id} is discarded by {name}. It is kept, and shows why.")


def release_of(node: Node, who: str = "", verdict: Verdict | None = None) -> Release:
    """What lets data out, in the node's tenant."""
    return Release(node.tools.decider, node.writer, node.registry, node.tenant, who, verdict)


def _found_at(held: Quarantined, where: str) -> str:
    """The value that a violation points at, cut; nothing where none stands there, or where it is personal."""
    if sealed_token(held.data) is not None:
        return ""
    try:
        value = read_json(held.data)
    except MalformedJson:
        return ""
    for step in where.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]  # pyright: ignore[reportUnknownVariableType] - JSON
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):  # pyright: ignore[reportUnknownArgumentType] - JSON
            value = value[int(name)]  # pyright: ignore[reportUnknownVariableType] - JSON
        else:
            return ""
    return shown(value)  # pyright: ignore[reportUnknownArgumentType] - JSON


def _first_of(held: Quarantined) -> str:
    broken = held.broken
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return f"{broken[0]}{more}" if broken else ""
