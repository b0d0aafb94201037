"""What the ledger has of a thing: its entries, each at its leaf under the newest checkpoint, the proof, the lineage."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.api.call import encode_stored
from interlock.cases.explanation.reading import find_subject
from interlock.console.case import as_file
from interlock.console.render import render
from interlock.console.store import ENTRIES_BY_ID
from interlock.console.visit import Visit, needs
from interlock.db.database import Database
from interlock.decisions.proof import prove
from interlock.ledger.ledger import ReadEntry
from interlock.ledger.store import ENTRIES_ABOUT, LEAVES_OF_ENTRIES, NEWEST_CHECKPOINT, KeptCheckpoint
from interlock.lineage.graph import Graph
from interlock.lineage.read import read_lineage

MOST_ENTRIES = 200


class PlacedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with its place.

    Attributes:
        entry: The entry.
        index: Its leaf; None: it is not sealed yet.
        leaf: The leaf's hash, in hex.
        covered: Whether the newest signed checkpoint covers it.
    """

    entry: ReadEntry
    index: int | None
    leaf: str
    covered: bool


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Entries with their places, the newest first, and the newest signed checkpoint."""

    entries: tuple[PlacedEntry, ...]
    checkpoint: KeptCheckpoint | None

    @property
    def is_proven(self) -> bool:
        """Whether every one of them is under the checkpoint."""
        return bool(self.entries) and all(one.covered for one in self.entries)


async def read_places(database: Database, tenant: UUID, ids: list[UUID]) -> Placed:
    """Entries of a tenant with their places.

    Args:
        database: Where.
        tenant: Whose: an entry of another one is not among them.
        ids: Of the entries.
    """
    async with database.tenant(tenant) as connection:
        kept = await NEWEST_CHECKPOINT.one(connection)
        if not ids:
            return Placed(entries=(), checkpoint=kept)
        entries = await ENTRIES_BY_ID.all(connection, {"ids": ids})
        wanted = {"entries": ids, "least": min(ids), "greatest": max(ids)}
        leaves = {leaf.entry: leaf for leaf in await LEAVES_OF_ENTRIES.all(connection, wanted)}
    size = kept.size if kept else 0
    placed: list[PlacedEntry] = []
    for one in entries:
        leaf = leaves.get(one.id)
        index, text = (leaf.index, leaf.hash.hex()) if leaf else (None, "")
        placed.append(PlacedEntry(entry=one, index=index, leaf=text, covered=index is not None and index < size))
    return Placed(entries=tuple(placed), checkpoint=kept)


async def places_about(database: Database, tenant: UUID, about: UUID) -> Placed:
    """What the ledger tells of a thing, with the places."""
    async with database.tenant(tenant) as connection:
        ids = await ENTRIES_ABOUT.all(connection, {"id": about, "most": MOST_ENTRIES})
    return await read_places(database, tenant, ids)


@get("/console/proofs/{about:uuid}", opt=needs("view"))
async def download_proof(request: Visit, about: FromPath[UUID]) -> Response[bytes]:
    """The proof of all that the ledger tells of a thing, for `interlock-verify`; personal data stay tokens.

    Who may not read the ledger gets that of a case, a decision and what belongs to them, and no other entry.
    """
    if not request.may("ledger.read"):
        await find_subject(request.node.database, request.tenant, about)
    bundle = await prove(request.node.database, request.tenant, about)
    return as_file(encode_stored(bundle), f"proof-{about}.json")


@get("/console/lineage/{about:uuid}", opt=needs("view"))
async def show_lineage(request: Visit, about: FromPath[UUID]) -> Response[bytes]:
    """Every source behind a case, a decision or an action, and what came of it."""
    graph = await read_lineage(request.node.database, request.tenant, about)
    nodes = {one.id: one for one in graph.nodes}
    return render(request, "lineage.html", about=about, graph=graph, nodes=nodes, order=by_depth(graph))


def by_depth(graph: Graph) -> list[list[str]]:
    """The nodes in columns: each after all that it rests on; what is in a ring stands together at the end. Pure."""
    behind: dict[str, set[str]] = {one.id: set() for one in graph.nodes}
    for edge in graph.edges:
        behind[edge.target].add(edge.source)
    columns: list[list[str]] = []
    placed: set[str] = set()
    while ready := [one for one, needed in behind.items() if one not in placed and needed <= placed]:
        columns.append(ready)
        placed.update(ready)
    rest = [one for one in behind if one not in placed]
    return [*columns, rest] if rest else columns


ROUTES = (download_proof, show_lineage)
