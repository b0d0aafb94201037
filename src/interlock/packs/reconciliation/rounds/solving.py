"""From the entries in force to the target: the solver's whole, as rounds compare it with what stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from interlock.decisions.point import DecisionPoint
from interlock.node import Node
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.rounds.target import TARGET_SCHEMA, Target, members_digest
from interlock.packs.reconciliation.store import entries_in_force
from interlock.packs.reconciliation.terms import ReconciliationTerms

Members = tuple[frozenset[str], frozenset[str]]
"""The identities of the expected and of the actual entries of a match."""
_NO, _YES, _STANDS = "no", "yes", "stands"


@dataclass(frozen=True, slots=True)
class Words:
    """What people said of matches, and which ones of several stand.

    Attributes:
        confirmed: Matches that stand because a person said so, the newest first.
        refused: Entries that are never to be matched with one another, each as a whole.
        standing: Matches of several that stand and of which nobody said anything. INVARIANT: they matter only where a
            bound ends a solver's search before it comes to them; else the target would depend on what stands.
    """

    confirmed: tuple[Members, ...] = ()
    refused: frozenset[Members] = frozenset()
    standing: frozenset[Members] = frozenset()

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Words:
        """From the rows of the statement ``words``: ``match``, ``entry``, ``side``, ``word``; newest matches first."""
        found: dict[str, list[Members]] = {_YES: [], _NO: [], _STANDS: []}
        for (_, word), part in rows.group_by("match", "word", maintain_order=True):
            sides = (part.filter(pl.col("side") == side)["entry"].to_list() for side in (Side.EXPECTED, Side.ACTUAL))
            expected, actual = (frozenset(one) for one in sides)
            found[str(word)].append((expected, actual))
        return cls(tuple(found[_YES]), frozenset(found[_NO]), frozenset(found[_STANDS]))

    def in_force(self, expected: set[str], actual: set[str]) -> Words:
        """The same without the confirmed matches that cannot stand now; when they can again, they do.

        One cannot where an entry of it is not in force, where the same was refused since, or where a newer one holds an
        entry of it.

        Args:
            expected: The identities of all entries in force of the expected side.
            actual: Those of the actual side.
        """
        kept: list[Members] = []
        free = set(expected), set(actual)
        for one in self.confirmed:
            if one not in self.refused and one[0] <= free[0] and one[1] <= free[1]:
                kept.append(one)
                free[0].difference_update(one[0])
                free[1].difference_update(one[1])
        return Words(tuple(kept), self.refused, self.standing)


@dataclass(frozen=True, slots=True)
class Solved:
    """What a solver found.

    Attributes:
        matches: The columns of ``TARGET_SCHEMA`` but ``members`` and ``sure``; sides are lists of identities. A solver
            that knows of no words may leave ``contradicts`` out.
        figures: What it says of its work.
        solution: All that it found, for breaks; whatever it is.
    """

    matches: pl.DataFrame
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    solution: object = None


Solve = Callable[[pl.DataFrame, pl.DataFrame, ReconciliationTerms, Words], Solved]
"""A pure function of entries of both sides, terms, and people's words."""


async def find_target(
    node: Node, point: DecisionPoint, terms: ReconciliationTerms, rows: pl.DataFrame, solve: Solve
) -> Target:
    """Read what is in force and solve it, in a thread: connections and their locks stay alive meanwhile.

    Args:
        node: Where the entries are.
        point: The decision point: how sure a match must be to go by itself.
        terms: Of the reconciliation.
        rows: What people said: see ``Words.of``.
        solve: The solver.
    """
    async with node.database.tenant(node.tenant) as connection:
        expected = await entries_in_force(connection, terms.name, Side.EXPECTED)
        actual = await entries_in_force(connection, terms.name, Side.ACTUAL)
    return await asyncio.to_thread(target_of, expected, actual, terms, point, rows, solve)


def target_of(
    expected: pl.DataFrame,
    actual: pl.DataFrame,
    terms: ReconciliationTerms,
    point: DecisionPoint,
    rows: pl.DataFrame,
    solve: Solve,
) -> Target:
    """The target of entries and words. Pure, as the solver is."""
    words = Words.of(rows)
    if words.confirmed:
        words = words.in_force(set(expected["identity"].to_list()), set(actual["identity"].to_list()))
    solved = solve(expected, actual, terms, words)
    ids = {"expected": _ids(expected), "actual": _ids(actual)}
    digests = [
        str(members_digest(terms.name, list(mine), list(theirs)))
        for mine, theirs in solved.matches.select("expected", "actual").iter_rows()
    ]
    told = solved.matches
    if "contradicts" not in told.columns:
        told = told.with_columns(contradicts=pl.lit(value=False))
    matches = told.with_columns(
        pl.Series("members", digests, dtype=pl.String()),
        beyond=beyond(terms),
        sure=_sure(point) & ~beyond(terms) & ~pl.col("contradicts"),
        **{side: pl.col(side).list.eval(pl.element().replace_strict(known)) for side, known in ids.items()},
    )
    return Target(
        matches=matches.select(pl.col(name).cast(kind) for name, kind in TARGET_SCHEMA.items()).sort("members"),
        expected=expected,
        actual=actual,
        solution=solved.solution,
        figures=solved.figures,
    )


def _ids(entries: pl.DataFrame) -> dict[str, str]:
    return dict(entries.select("identity", "id").iter_rows())


def beyond(terms: ReconciliationTerms) -> pl.Expr:
    """Whether more is given up by a match than is booked without a person: neither a declared fee nor a rounding."""
    if terms.differences is None:
        return pl.lit(value=False)
    most = {one.currency: one.minor for one in terms.differences}
    allowed = pl.col("currency").replace_strict(most, default=0, return_dtype=pl.Int64)
    given_up = (pl.col("expected_minor") - pl.col("actual_minor")).abs()
    return (pl.col("explained") == "tolerance") & (given_up > allowed)


def _sure(point: DecisionPoint) -> pl.Expr:
    """Whether the point lets a match of this probability go by itself; bands are of one currency, as it reads them."""
    if not point.bands:
        return pl.col("probability") >= point.sure_from
    exposure = pl.max_horizontal(pl.col("expected_minor").abs(), pl.col("actual_minor").abs())
    needed = pl.lit(float("inf"))
    for band in reversed(point.bands):
        needed = pl.when(exposure < band.below.minor).then(band.confidence).otherwise(needed)
    return (pl.col("probability") >= needed) & (pl.col("currency") == point.bands[0].below.currency)
