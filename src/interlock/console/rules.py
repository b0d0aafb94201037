"""Rules: decision tables shown as tables, with the version in force, who published it, and what it would change."""

from __future__ import annotations

from pathlib import Path

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.components.component import ComponentRef
from interlock.components.component import Kind as ComponentKind
from interlock.components.faults import Faults
from interlock.components.rules_file import RulesFile, Table, read_rules_file
from interlock.console.render import render
from interlock.console.rules_changes import ROUTES as CHANGES_ROUTES
from interlock.console.visit import Visit, needs
from interlock.decisions.library import rules_reference
from interlock.errors import NotFound
from interlock.node import Node
from interlock.publications.publication import Kind, check_name
from interlock.publications.publish import content_of, find_published, list_published


class UsedRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that decision points name.

    Attributes:
        name: Their name.
        version: The version or line that is named.
        points: Where.
        roots: Folders in which their file may stand.
    """

    name: str
    version: str
    points: tuple[str, ...]
    roots: tuple[Path, ...]


@get("/console/rules", opt=needs("view"))
async def show_rules(request: Visit) -> Response[bytes]:
    """The rules that decision points name, and every published version."""
    node = request.node
    return render(
        request, "rules.html", used=used_rules(node),
        published=await list_published(node.database, request.tenant, Kind.RULES),
    )  # fmt: skip


@get("/console/rules/{name:str}", opt=needs("view"))
async def show_rule(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """One set of rules: the tables in force as tables, and the history of their publications."""
    node = request.node
    check_name(name, "name")
    published = await list_published(node.database, request.tenant, Kind.RULES, name)
    used = [one for one in used_rules(node) if one.name == name]
    if not published and not used:
        raise NotFound(f"there are no rules {name[:80]!r}", todo="see the list of rules")
    shown: list[tuple[str, str, RulesFile]] = []
    for standing in (one for one in published if one.in_force):
        content = await content_of(node.database, request.tenant, standing.id)
        if read := _read(content):
            shown.append((f"{name}@{standing.version}", f"published by {standing.author}: {standing.why}", read))
    lines = {one.line for one in published if one.in_force}
    shown += [
        (f"{name}@{one.version}", "from a file beside the workflow", read)
        for one in used
        if one.version.partition(".")[0] not in lines and (read := _of_file(one))
    ]
    points = [point for one in used for point in one.points]
    return render(request, "rule.html", name=name, shown=shown, published=published, points=points, is_table=_is_table)


@get("/console/rules/{name:str}/{version:str}", opt=needs("view"))
async def show_rules_version(request: Visit, name: FromPath[str], version: FromPath[str]) -> Response[bytes]:
    """One published version: its tables and its file."""
    node = request.node
    standing, content = await find_published(node.database, request.tenant, Kind.RULES, name, version)
    read = _read(content)
    return render(
        request, "published.html", standing=standing, content=content.decode("utf-8", "replace"), room="rules",
        tables=[(standing.reference, "", read)] if read else [], is_table=_is_table,
    )  # fmt: skip


def used_rules(node: Node) -> list[UsedRules]:
    """The rules that the decision points of a process name, by name."""
    found: dict[ComponentRef, tuple[list[str], tuple[Path, ...]]] = {}
    for entry in node.registry.all:
        for point in entry.declaration.decisions.values():
            named = [share.component for step in point.steps for share in step.shares]
            named += [one for one in (point.policy, point.data.component) if one is not None]
            for one in named:
                if one.kind is ComponentKind.RULES and rules_reference(one) is not None:
                    points, _ = found.setdefault(one, ([], entry.library.roots))
                    points.append(f"{entry.workflow.name}.{point.name}")
    return sorted(
        (
            UsedRules(name=one.name, version=one.version, points=tuple(dict.fromkeys(points)), roots=roots)
            for one, (points, roots) in found.items()
        ),
        key=lambda one: (one.name, one.version),
    )


def _of_file(used: UsedRules) -> RulesFile | None:
    for root in used.roots:
        path = root / "components" / f"{used.name}@{used.version}.rules.json"
        if path.is_file():
            return _read(path.read_bytes())
    return None


def _read(content: bytes) -> RulesFile | None:
    return read_rules_file(content, Faults("the file"))


def _is_table(step: object) -> bool:
    return isinstance(step, Table)


ROUTES = (show_rules, show_rule, show_rules_version, *CHANGES_ROUTES)
