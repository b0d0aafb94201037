"""Finding decisions by their fields, versions, people, amounts and times."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cases.finding import Finder, Search, searchable_points
from interlock.cli.options import As, Json, Limit, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.errors import Refused
from interlock.node import Node
from interlock.search.find import Page, read_cursor
from interlock.search.reindex import Progress, reindex
from interlock.search.where import Condition, checked, read_condition, read_where
from interlock.spelling import meant

app = commands()
_PATIENCE_S = 30.0


@app.command(name="find")
def find(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[POINT] [NAME=VALUE]...", help="Where, and what must hold; see the reference."),
    ] = None,
    *,
    where: Annotated[str, typer.Option(help="More conditions, in one text.")] = "",
    cursor: Annotated[str | None, typer.Option(help="Go on after an earlier page: its `next`.")] = None,
    again: Annotated[bool, typer.Option("--reindex", help="Make older decisions of the point findable.")] = False,
    limit: Limit = 50,
    purpose: Annotated[str, typer.Option(help="For what personal values are looked for; it is on the ledger.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Find decisions by field, version, person, amount and time; all conditions must hold.

    interlock find receipts.approve 'total>=100' 'vendor=ACME SDN' since=7d
    """
    screen = Screen(as_json=as_json)
    place, conditions = _read(words or [], where)
    if again:
        _reindex(context, screen, place, conditions, cursor)
        return
    search = Search(conditions, place, cursor, limit, purpose or None)
    name = who_acts(who)

    async def look(node: Node) -> Page:
        finder = Finder(node.database, node.writer, node.registry, node.vault)
        return await finder.find(node.tenant, search, who=name, longest_s=_PATIENCE_S)

    page = with_node(context, look, workflows=True)
    if as_json:
        screen.document({"decisions": [as_document(one) for one in page.decisions], "next": page.next})
    screen.table(
        ("id", "decided", "point", "key", "route", "component", "confidence", "exposure", "case"),
        (
            (
                one.id, minute(one.decided_at), f"{one.workflow}.{one.point}", one.key, one.route, one.component,
                one.confidence, one.exposure, one.case_id,
            )
            for one in page.decisions
        ),
        none="There is no such decision." if page.complete else "None so far.",
    )  # fmt: skip
    if page.next and not as_json:
        screen.line(f"There may be more: go on with --cursor {page.next}")


def _read(words: list[str], where: str) -> tuple[str | None, tuple[Condition, ...]]:
    """Where to look, if the first word says it, and the conditions."""
    place = words[0] if words and not any(sign in words[0] for sign in "=<>") else None
    conditions = [read_condition(word) for word in words[1 if place else 0 :]]
    return place, checked([*conditions, *read_where(where)])


def _reindex(
    context: typer.Context, screen: Screen, place: str | None, conditions: tuple[Condition, ...], cursor: str | None
) -> None:
    if place is None or conditions:
        raise Refused("--reindex takes one decision point and no conditions", todo="interlock find POINT --reindex")
    before = read_cursor(cursor)

    async def run(node: Node) -> Progress:
        points = searchable_points(node.registry, node.tenant)
        if not points.get(place):
            what = f"{place[:100]} is no decision point with searchable fields"
            raise Refused(what, todo=meant(place, [name for name, fields in points.items() if fields]))
        done = Progress(0, 0, before)
        async for done in reindex(node.database, node.tenant, place, points[place], before=before):
            if screen.live:
                screen.note(f"{done.looked} looked at, {done.written} written, go on with --cursor {done.cursor}")
        return done

    done = with_node(context, run, workflows=True)
    if screen.as_json:
        screen.document({"looked": done.looked, "written": done.written, "cursor": done.cursor})
    screen.line(f"{done.looked} decisions were looked at, {done.written} made findable.")
