"""Contracts: what data must look like, who answers for it, who relies on it, and whether its promises are kept."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.cases.contracts_shown import contracts_in_force
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.contracts import Contract, Field
from interlock.contracts.contract import Shape
from interlock.errors import InterlockError, NotFound
from interlock.node import Node
from interlock.publications.publication import Kind, Standing, check_name
from interlock.publications.publish import find_published, list_published

_DEEPEST = 12


class ShownField(msgspec.Struct, frozen=True, kw_only=True):
    """One field as a row.

    Attributes:
        path: Its path, with ``[]`` for each item of an array.
        type: What it is.
        required: Whether it must be there.
        bounds: What its value must keep to, in words.
        marks: What else is said of it: personal, searchable, ...
        description: What it means.
    """

    path: str
    type: str
    required: bool
    bounds: tuple[str, ...]
    marks: tuple[str, ...]
    description: str


@get("/console/contracts", opt=needs("view"))
async def show_contracts(request: Visit) -> Response[bytes]:
    """The contracts that the workflows here rest on, and every published version."""
    node = request.node
    return render(
        request, "contracts.html",
        in_force=await contracts_in_force(node.database, request.tenant, node.registry),
        published=await list_published(node.database, request.tenant, Kind.CONTRACT),
    )  # fmt: skip


@get("/console/contracts/{name:str}", opt=needs("view"))
async def show_contract(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """One contract: the versions in force here with their fields, and every published version of its name."""
    node = request.node
    check_name(name, "name")
    here = contracts_named(node, request.tenant, name)
    published = await list_published(node.database, request.tenant, Kind.CONTRACT, name)
    if not here and not published:
        raise NotFound(f"there is no contract {name[:80]!r}", todo="see the list of contracts")
    shown = {one.contract: one for one in await contracts_in_force(node.database, request.tenant, node.registry)}
    return render(
        request, "contract.html", name=name, published=published,
        here=[(one, shown.get(one.reference), list(fields_of(one.record))) for one in here],
    )  # fmt: skip


@get("/console/contracts/{name:str}/{version:str}", opt=needs("view"))
async def show_contract_file(request: Visit, name: FromPath[str], version: FromPath[str]) -> Response[bytes]:
    """The file of a published version."""
    standing, content = await find_published(request.node.database, request.tenant, Kind.CONTRACT, name, version)
    return show_file(request, standing, content, "contracts")


def show_file(visit: Visit, standing: Standing, content: bytes, room: str) -> Response[bytes]:
    """The page of a published file."""
    return render(visit, "published.html", standing=standing, content=content.decode("utf-8", "replace"), room=room)


def contracts_named(node: Node, tenant: UUID, name: str) -> list[Contract]:
    """The contracts of a name that the workflows of a process rest on, as they count in a tenant now."""
    found: dict[str, Contract] = {}
    for entry in node.registry.all:
        library = entry.library.for_tenant(tenant)
        for reference in (one for one in entry.references if one.kind is Kind.CONTRACT and one.name == name):
            try:
                contract = library.contract(str(reference))
            except InterlockError:
                continue
            found[contract.reference] = contract
    return list(found.values())


def fields_of(record: Field, path: str = "", depth: int = 0) -> Iterator[ShownField]:
    """The fields of a record as rows, each before those within it. Pure."""
    for field in record.fields:
        here = f"{path}{field.name}"
        yield _row(field, here)
        within = field
        while within.item is not None and depth < _DEEPEST:
            here, within, depth = f"{here}[]", within.item, depth + 1
        if depth < _DEEPEST:
            yield from fields_of(within, f"{here}.", depth + 1)


def _row(field: Field, path: str) -> ShownField:
    item = f" of {field.item.shape}s" if field.shape is Shape.ARRAY and field.item else ""
    return ShownField(
        path=path,
        type=f"{field.shape}{item}",
        required=field.required,
        bounds=tuple(_bounds(field)),
        marks=tuple(_marks(field)),
        description=field.description,
    )


def _bounds(field: Field) -> Iterator[str]:
    if field.low is not None:
        yield f"{'more than' if field.low.exclusive else 'at least'} {field.low.value}"
    if field.high is not None:
        yield f"{'less than' if field.high.exclusive else 'at most'} {field.high.value}"
    yield from _numbered(field.min_length, field.max_length, "characters")
    yield from _numbered(field.min_items, field.max_items, "items")
    if field.choices:
        yield f"one of {', '.join(map(str, field.choices))}"
    said = {
        f"{field.decimals} decimals": field.decimals is not None,
        f"a multiple of {field.multiple_of}": field.multiple_of is not None,
        f"like {field.pattern}": bool(field.pattern),
        field.text_format or "": bool(field.text_format),
        "no item twice": field.unique_items,
    }
    yield from (text for text, holds in said.items() if holds)


def _numbered(least: int | None, most: int | None, what: str) -> Iterator[str]:
    if least is not None or most is not None:
        yield f"{least or 0} to {most if most is not None else 'any number of'} {what}"


def _marks(field: Field) -> Iterator[str]:
    mark = field.mark
    if mark.personal:
        yield f"personal, read for {', '.join(mark.purposes) or 'nothing'}"
    if mark.subject:
        yield "says whose data they are"
    if mark.searchable:
        yield "searchable"
    if field.classification:
        yield field.classification


ROUTES = (show_contracts, show_contract, show_contract_file)
