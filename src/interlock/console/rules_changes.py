"""What another version of rules changes: row by row, and by recorded decisions that both are run over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.cases.rules_tried import points_using, try_rules
from interlock.components.faults import Faults
from interlock.components.rules_changes import TableChanges, changes_of
from interlock.components.rules_file import read_rules_file
from interlock.console.asking import asked_of
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.decisions.point import DecisionPoint
from interlock.decisions.rules_diff import Diff, Recorded
from interlock.errors import NotFound
from interlock.publications.publication import Kind
from interlock.publications.publish import find_published
from interlock.publications.reading import load_published_rules

SPAN = timedelta(days=30)
MOST = 500
"""Of each point so many recorded decisions are looked at on a page; the command line looks at all."""


class ChangesAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether both versions are run over recorded decisions, too."""

    tried: Literal["", "yes"] = ""


class TriedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What both versions said at a point; without a result it was not looked at, since it decides on personal data."""

    name: str
    result: Diff | None


@get("/console/rules/{name:str}/{version:str}/against/{old:str}", opt=needs("view"))
async def show_changes(
    request: Visit, name: FromPath[str], version: FromPath[str], old: FromPath[str]
) -> Response[bytes]:
    """What a published version changes against another one."""
    asked, node = asked_of(request, ChangesAsked), request.node
    before, old_content = await find_published(node.database, request.tenant, Kind.RULES, name, old, exactly=True)
    after, new_content = await find_published(node.database, request.tenant, Kind.RULES, name, version, exactly=True)
    changes = await asyncio.to_thread(_changes, old_content, new_content)
    if changes is None:
        raise NotFound(f"one of the two versions of {name[:80]!r} cannot be read any more", todo="see its file")
    tried: list[TriedPoint] = []
    if asked.tried:
        versions = (
            await asyncio.to_thread(load_published_rules, before, old_content),
            await asyncio.to_thread(load_published_rules, after, new_content),
        )
        for one in points_using(node.registry, versions):
            found = None if one.point.purpose else await try_rules(
                node.database, request.tenant, one, versions, span=SPAN, limit=MOST, opened=_never
            )  # fmt: skip
            tried.append(TriedPoint(name=one.name, result=found))
    return render(
        request, "rules_changes.html", before=before, after=after, changes=changes,
        asked=bool(asked.tried), tried=tried, most=MOST, days=SPAN.days,
    )  # fmt: skip


def _changes(old: bytes, new: bytes) -> tuple[TableChanges, ...] | None:
    """Row by row; None: one of the two cannot be read."""
    files = [read_rules_file(content, Faults("the file")) for content in (old, new)]
    return None if files[0] is None or files[1] is None else changes_of(files[0], files[1])


async def _never(point: DecisionPoint, recorded: Recorded) -> Recorded | None:
    """Personal decisions are opened by nobody here."""
    del point, recorded


ROUTES = (show_changes,)
