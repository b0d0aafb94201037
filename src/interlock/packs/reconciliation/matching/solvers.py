"""The one place here that knows scipy, which has no types: assignments, integer programs, components. Pure."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_optimize: Any = importlib.import_module("scipy.optimize")
_sparse: Any = importlib.import_module("scipy.sparse")
_graph: Any = importlib.import_module("scipy.sparse.csgraph")

_DENSE = 4_000_000
"""Cells of a matrix up to which an assignment is solved densely, 32 MB."""


def components(one: Ints, other: Ints, nodes: int) -> Ints:
    """The number of the connected component of each node, given edges between nodes."""
    graph = _sparse.coo_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=(nodes, nodes))
    return np.asarray(_graph.connected_components(graph, directed=False)[1], dtype=np.int64)


def assign(row: Ints, column: Ints, gain: Ints) -> Ints:
    """The edges of greatest total gain that share no row and no column; staying free gains nothing.

    The shortest augmenting paths of Jonker and Volgenant (1987), exact. Gains are whole numbers, so that no rounding
    decides.

    Args:
        row: Of each edge, numbered from 0.
        column: Of each edge, numbered from 0.
        gain: Of each edge, above 0, far below 2^50.

    Returns:
        Positions of the chosen edges, ascending.
    """
    rows, columns = int(row.max()) + 1, int(column.max()) + 1
    if rows * columns <= _DENSE:
        matrix = np.zeros((rows, columns))
        np.maximum.at(matrix, (row, column), gain.astype(np.float64))
        found = _optimize.linear_sum_assignment(matrix, maximize=True)
        partner = np.full(rows, -1, dtype=np.int64)
        partner[np.asarray(found[0], dtype=np.int64)] = np.asarray(found[1], dtype=np.int64)
    else:
        partner = _assign_sparsely(row, column, gain, rows, columns)
    chosen = np.nonzero(partner[row] == column)[0]
    best: dict[int, int] = {}
    for at in chosen.tolist():  # parallel edges: the one that gains most, the first of equals
        if int(row[at]) not in best or gain[at] > gain[best[int(row[at])]]:
            best[int(row[at])] = at
    return np.array(sorted(best.values()), dtype=np.int64)


def _assign_sparsely(row: Ints, column: Ints, gain: Ints, rows: int, columns: int) -> Ints:
    """The same without a matrix of all cells: every row may also take a column of its own that gains nothing."""
    most = int(gain.max()) + 1
    order = np.lexsort((gain, column, row))
    row, column, gain = row[order], column[order], gain[order]
    last = np.ones(len(row), dtype=np.bool_)
    last[:-1] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    own = np.arange(rows)
    costs = np.concatenate([(most - gain[last]), np.full(rows, most)]).astype(np.float64)
    at = (np.concatenate([row[last], own]), np.concatenate([column[last], columns + own]))
    graph = _sparse.csr_matrix((costs, at), shape=(rows, columns + rows))
    found = _graph.min_weight_full_bipartite_matching(graph)
    partner = np.full(rows, -1, dtype=np.int64)
    partner[np.asarray(found[0], dtype=np.int64)] = np.asarray(found[1], dtype=np.int64)
    return partner


def pack(match: Ints, entry: Ints, gain: Ints, nodes: int) -> tuple[Ints, bool]:
    """The matches of greatest total gain that share no entry, as an integer program (HiGHS).

    Args:
        match: Of each membership, numbered from 0.
        entry: Of each membership, numbered from 0.
        gain: Of each match, above 0.
        nodes: After so many nodes of the search it ends with the best that it has.

    Returns:
        The chosen matches, ascending, and whether they are proved the best.
    """
    shape = (int(entry.max()) + 1, len(gain))
    matrix = _sparse.csr_matrix((np.ones(len(match)), (entry, match)), shape=shape)
    found = _optimize.milp(
        -gain.astype(np.float64),
        integrality=np.ones(len(gain)),
        bounds=_optimize.Bounds(0, 1),
        constraints=_optimize.LinearConstraint(matrix, -np.inf, 1),
        options={"node_limit": nodes, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        return greedy(match, entry, gain), False
    values = np.asarray(found.x, dtype=np.float64)
    return np.nonzero(values > 0.5)[0].astype(np.int64), int(found.status) == 0  # noqa: PLR2004 - it is 0 or 1


def greedy(match: Ints, entry: Ints, gain: Ints) -> Ints:
    """Matches taken by gain, the first of equals first, each if its entries are free: fast, and not the best."""
    members: dict[int, list[int]] = {}
    for at, of in zip(match.tolist(), entry.tolist(), strict=True):
        members.setdefault(at, []).append(of)
    taken: set[int] = set()
    chosen: list[int] = []
    for at in np.lexsort((np.arange(len(gain)), -gain)).tolist():
        if taken.isdisjoint(members[at]):
            taken.update(members[at])
            chosen.append(at)
    return np.array(sorted(chosen), dtype=np.int64)
