"""A graph from sources to effects, ready to be drawn. Pure.

An edge leads from what came first to what rests on it, so what stands behind a node is its sources and what lies beyond
it is what it led to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing.

    Attributes:
        id: Tells it from every other one of the graph: ``action:UUID``, ``contract:receipt@1.2.0``.
        kind: What it is: a kind of source, or case, decision, review, action, quarantine, event_for_case.
        label: What to show for it.
        link: Where the API has more of it; empty: nowhere.
        influence: What to ask for everything that it influenced, as in ``contract:receipt@1``; empty: nothing to ask.
        at: When it happened, or since when it holds, UTC.
        money: What is at stake or moved, as in ``12.30 MYR``.
        state: Where it stands.
        facts: More that is known of it: hashes, versions, names.
    """

    id: str
    kind: str
    label: str
    link: str = ""
    influence: str = ""
    at: datetime | None = None
    money: str | None = None
    state: str = ""
    facts: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class Edge(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One step from a source to what rests on it.

    Attributes:
        source: The id of what came first.
        target: The id of what rests on it.
        kind: How: ``brought``, ``held against``, ``was asked``, ``rests on``, ...
    """

    source: str
    target: str
    kind: str


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """The money of one currency in a graph, exact.

    Attributes:
        currency: ISO 4217.
        decided: What was at stake in its decisions, each counted by itself.
        acted: What actions moved and was not taken back.
        pending: What actions that have not ended may move.
    """

    currency: str
    decided: str
    acted: str
    pending: str


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes and edges around one thing.

    Attributes:
        of: The id of the node that was asked for.
        nodes: In order of their ids' first use.
        edges: In order.
        money: By currency.
    """

    of: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    money: tuple[Flow, ...] = ()


class Growing:
    """A graph on its way: each node and edge once."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[Edge, None] = {}

    def node(self, node: Node) -> str:
        """Put a node in, unless it is there; its id."""
        self.nodes.setdefault(node.id, node)
        return node.id

    def edge(self, source: str, target: str, kind: str) -> None:
        """Put an edge in."""
        self.edges[Edge(source=source, target=target, kind=kind)] = None

    def graph(self, of: str) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        """What is behind and beyond one node, with the node itself."""
        kept = reached(of, self.edges, backward=True) | reached(of, self.edges, backward=False)
        nodes = tuple(node for node in self.nodes.values() if node.id in kept)
        return nodes, tuple(edge for edge in self.edges if edge.source in kept and edge.target in kept)


def reached(start: str, edges: Iterable[Edge], *, backward: bool) -> set[str]:
    """The ids of all that is reached from one node in one direction, and its own."""
    steps: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        here, there = (edge.target, edge.source) if backward else (edge.source, edge.target)
        steps[here].append(there)
    return _closure(start, steps)


def _closure(start: str, steps: Mapping[str, list[str]]) -> set[str]:
    found, left = {start}, [start]
    while left:
        for there in steps.get(left.pop(), ()):
            if there not in found:
                found.add(there)
                left.append(there)
    return found
