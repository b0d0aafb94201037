"""What was decided before: of the same counterparty, and of cases that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.console.item.form import label_of
from interlock.console.item.store import LIKE_REVIEWED, TERMS_OF_DECISION, TOLD_DECISIONS, LikeCase
from interlock.decisions.decision import Decision
from interlock.oversight.review import Review
from interlock.search.entry import OUTPUT, SearchField
from interlock.search.store import BY_ORDER_OF_INDEXES, IDS_OF_TERMS
from interlock.search.term import KEY_BYTES, Kind
from interlock.search.wanted import LAST_ID

MOST_ALIKE = 6
AMONG = 200
"""Alike is looked for among so many of the newest that went to a person at the same point."""
MOST_OF_ONE = 8
"""Decisions of one counterparty that are shown."""
_MOST_FIELDS = 2
"""Of the fields that may name a counterparty: texts. A personal one is looked for under a purpose alone."""


class SameValue(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier decisions with the same value in one field.

    Attributes:
        label: The field, for people.
        more: Whether there are more than are shown.
        decisions: The newest first.
    """

    label: str
    more: bool
    decisions: tuple[LikeCase, ...]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided before.

    Attributes:
        same: Of the same counterparty, by field; empty: the point declares no searchable field, or has no value in it.
        alike: What people decided at the same point, the nearest amounts first.
        searchable: Whether the point declares a field by which a counterparty could be found.
    """

    same: tuple[SameValue, ...]
    alike: tuple[LikeCase, ...]
    searchable: bool


async def read_history(
    connection: AsyncConnection[Any], review: Review, decision: Decision | None, fields: Sequence[SearchField]
) -> History:
    """What was decided before, in bounded time.

    Args:
        connection: Of the tenant.
        review: The review.
        decision: Its decision; None: the workflow asked, and nothing is known to be like it.
        fields: By what decisions of its point are found.
    """
    if decision is None:
        return History(same=(), alike=(), searchable=False)
    alike = await LIKE_REVIEWED.all(
        connection,
        {
            "workflow": review.workflow,
            "point": review.point,
            "before": LAST_ID,
            "among": AMONG,
            "review": review.id,
            "currency": review.currency,
            "exposure": review.exposure_minor,
            "most": MOST_ALIKE,
        },
    )
    named = [one for one in fields if one.kind is Kind.TEXT][:_MOST_FIELDS]
    same = await _same(connection, decision, named) if named else ()
    return History(same=same, alike=tuple(alike), searchable=bool(named))


async def _same(
    connection: AsyncConnection[Any], decision: Decision, fields: Sequence[SearchField]
) -> tuple[SameValue, ...]:
    mine = await TERMS_OF_DECISION.one(connection, {"id": decision.id})
    if mine is None:
        return ()
    await BY_ORDER_OF_INDEXES.all(connection)
    by_key = {term[:KEY_BYTES]: term for term in mine.all}
    found: list[SameValue] = []
    for field in fields:
        term = by_key.get(field.key)
        if term is None:
            continue
        ids = await IDS_OF_TERMS.all(
            connection, {"terms": [term], "since": UUID(int=0), "before": decision.id, "most": MOST_OF_ONE + 1}
        )
        told = await _told(connection, ids[:MOST_OF_ONE])
        label = label_of(field.name.removeprefix(OUTPUT).rpartition(".")[2])
        found.append(SameValue(label=label, more=len(ids) > MOST_OF_ONE, decisions=told))
    return tuple(found)


async def _told(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> tuple[LikeCase, ...]:
    if not ids:
        return ()
    return tuple(await TOLD_DECISIONS.all(connection, {"ids": list(ids), "least": min(ids), "greatest": max(ids)}))
