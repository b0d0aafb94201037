"""Gathering what rests on what is recalled: by index, page by page, each page and how far it goes in one commit.

Killed anywhere, gathering goes on after the last page that was committed; what is found twice is a member once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.cases.journal import encode
from interlock.cases.registry import Registry
from interlock.clock import first_id
from interlock.components.component import ComponentRef
from interlock.components.component import Kind as ComponentKind
from interlock.contracts import ContractRef
from interlock.db.database import READ_CLOCK, Database
from interlock.errors import InterlockError, Refused
from interlock.ledger.store import seal_once
from interlock.lineage.influence import LAST_LEAF, catch_up, influenced_page
from interlock.lineage.source import Source
from interlock.publications.publication import Kind, line_of
from interlock.publications.publish import list_published
from interlock.recall.record import Names, Recall
from interlock.recall.selector import Selector
from interlock.recall.store import (
    ADD_MEMBERS,
    CASES_MEETING,
    LOOK_AGAIN,
    MEETING,
    MOVE_GATHERING,
    PAGE_BY_COMPONENT,
    PAGE_BY_CONTRACT,
    PAGE_BY_POINT,
    PAGE_BY_TIME,
    SET_SPAN,
    Found,
    NewMember,
)

PAGE = 2000
"""Decisions that are looked at in one transaction."""
NIL = UUID(int=0)
_LATE = timedelta(minutes=1)
"""How much is looked at a second time, once: longer than any process tries to commit what it has decided."""
_CATCH_UP_S = 300.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def names_of(database: Database, tenant: UUID, registry: Registry, selector: Selector) -> Names:
    """The names, as decisions have them on record, that a selector means.

    A line, ``rules:approve@1``, means itself and every version that is published of it; of a contract also what stands
    in files here.

    Raises:
        Refused: no version of the contract's line is known here.
    """
    return Names(
        components=tuple(await components_of(database, tenant, selector)) if selector.component else (),
        contracts=tuple(await contracts_of(database, tenant, registry, selector)) if selector.contract else (),
    )


async def components_of(database: Database, tenant: UUID, selector: Selector) -> list[str]:
    """The components that a selector's may stand for on record."""
    reference = ComponentRef.parse(selector.component)
    found = {selector.component: None}
    if reference.kind is ComponentKind.RULES and "." not in reference.version:
        for one in await list_published(database, tenant, Kind.RULES, reference.name):
            if line_of(one.version) == reference.version:
                found[f"rules:{one.name}@{one.version}"] = None
    return list(found)


async def contracts_of(database: Database, tenant: UUID, registry: Registry, selector: Selector) -> list[str]:
    """The contracts, by their whole versions, that a selector's stands for.

    Raises:
        Refused: no version of that line is known here.
    """
    reference = ContractRef.parse(selector.contract)
    if reference.exact is not None:
        return [selector.contract]
    name, line = reference.name, str(reference.major)
    published = await list_published(database, tenant, Kind.CONTRACT, name)
    versions = {one.version for one in published if line_of(one.version) == line}
    versions |= {str(one.version) for one in registry.contract_files(name) if one.version.major == reference.major}
    if not versions:
        raise Refused(
            f"no version of {selector.contract} is known here",
            where="contract",
            todo="name a whole version, as in receipt@1.2.0: a decision's record shows it",
        )
    return [f"{name}@{version}" for version in sorted(versions)]


def first_of(selector: Selector) -> UUID:
    """After which id its decisions are looked for."""
    if selector.source:
        return UUID(int=LAST_LEAF)  # a source is followed through the leaves of the ledger, the newest first
    return _since(selector)


def _since(selector: Selector) -> UUID:
    """The least id of its span; no id is from before 1970."""
    return first_id(selector.since) if selector.since and selector.since > _EPOCH else NIL


async def set_span(database: Database, registry: Registry, tenant: UUID, recall: Recall) -> None:
    """Set what is gathered, as it begins: until when, and then by which names.

    In this order, so that a version that was published since the recall was planned or started is among them.
    """
    async with database.tenant(tenant) as connection:
        beyond = await _beyond(connection, recall.wanted)
    before = recall.named
    try:
        now = await names_of(database, tenant, registry, recall.wanted)
    except Refused:
        now = before  # this process knows less of the contract than the one in which the recall was planned or started
    names = Names(
        components=tuple(dict.fromkeys([*before.components, *now.components])),
        contracts=tuple(dict.fromkeys([*before.contracts, *now.contracts])),
    )
    async with database.tenant(tenant) as connection:
        kept = {"beyond": beyond, "names": encode(msgspec.to_builtins(names))}
        await SET_SPAN.run(connection, {"id": recall.id, "state": recall.state, **kept})


async def gather(database: Database, tenant: UUID, recall: Recall) -> bool:
    """Gather a page; whether that was the last.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    selector = recall.wanted
    if selector.source and recall.after == first_of(selector):
        await _count_all(database)
    async with database.tenant(tenant) as connection:
        beyond = recall.beyond
        if beyond is None:
            raise AssertionError("the span is set before anything is gathered")
        source = selector.where
        if source is not None:
            return await _by_source(connection, tenant, recall, source, beyond)
        found = await _look(connection, recall, recall.named.strands[recall.strand], after=recall.after, beyond=beyond)
        whole = len(found) < PAGE
        strand = recall.strand + whole
        last = whole and strand >= len(recall.named.strands)
        begins = _late(selector, beyond) if recall.combed else first_of(selector)
        after = begins if whole and not last else found[-1].id if found else recall.after
        new = await _keep(connection, tenant, recall, found)
        moved = {"strand": strand, "after": after, "beyond": beyond, "gathered": last}
        return await _go_on(connection, recall, new, moved)


async def look_again(database: Database, tenant: UUID, recall: Recall) -> bool:
    """Begin the one second look, at what was in a commit when gathering came by; whether it began.

    It begins when no transaction is open any more that might hold a decision from before the recall. Of a source it is
    all that it influenced, in the order of the ledger; else the last minute before the end.
    """
    if recall.beyond is None:
        raise AssertionError("what is gathered has an end")
    first = first_of(recall.wanted) if recall.wanted.source else _late(recall.wanted, recall.beyond)
    async with database.tenant(tenant) as connection:
        return bool(await LOOK_AGAIN.one(connection, {"id": recall.id, "first": first}))


def _late(selector: Selector, beyond: UUID) -> UUID:
    """After which id the second look begins."""
    return max(first_of(selector), UUID(int=max(beyond.int - _id_span(_LATE), 0)))


def _id_span(span: timedelta) -> int:
    """A span of time as a difference between two UUIDv7."""
    return int(span / timedelta(milliseconds=1)) << 80


async def _count_all(database: Database) -> None:
    """Have lineage count all that is in the ledger; where nothing runs that seals it, that is sealed here."""
    async with database.installation() as connection:
        while (sealed := await seal_once(connection)) and sealed.more:
            pass
    if behind := await catch_up(database, _CATCH_UP_S):
        raise InterlockError(
            f"{behind} entries of the ledger are not counted yet, so not all that the source influenced is known",
            todo="it goes on by itself once they are: `interlock up` counts",
        )


async def _go_on(connection: AsyncConnection[Any], recall: Recall, found: int, moved: Mapping[str, Any]) -> bool:
    """Record how far it is gathered; whether that was the last page. Where it is elsewhere by now, nothing is moved."""
    began = {"id": recall.id, "state": recall.state, "was_strand": recall.strand, "was_after": recall.after}
    return bool(await MOVE_GATHERING.run(connection, {**began, "found": found, **moved})) and moved["gathered"]


async def _beyond(connection: AsyncConnection[Any], selector: Selector) -> UUID:
    """The id before which decisions are recalled: what is decided from now on is not, as what is decided anew."""
    now = await READ_CLOCK.one(connection)
    if now is None:
        raise AssertionError("the database has a clock")
    return first_id(max(min(now, selector.until), _EPOCH) if selector.until else now)


async def _look(
    connection: AsyncConnection[Any], recall: Recall, name: str, *, after: UUID, beyond: UUID
) -> list[Found]:
    """A page of what has a name on record, or is of a point, or of a span of time."""
    selector, named = recall.wanted, recall.named
    where = {**_conditions(selector), "name": name, "after": after, "beyond": beyond, "most": PAGE}
    if named.components:
        return await PAGE_BY_COMPONENT.all(connection, {**where, "contracts": list(named.contracts) or None})
    if named.contracts:
        return await PAGE_BY_CONTRACT.all(connection, where)
    return await (PAGE_BY_POINT if selector.point else PAGE_BY_TIME).all(connection, where)


def _conditions(selector: Selector) -> dict[str, str]:
    workflow, _, point = selector.point.rpartition(".")
    return {"digest": selector.digest, "workflow": workflow or selector.workflow, "point": point}


async def _by_source(
    connection: AsyncConnection[Any], tenant: UUID, recall: Recall, source: Source, beyond: UUID
) -> bool:
    """Gather a page of what a source influenced; ``after`` is the leaf to go on below."""
    rows, below = await influenced_page(connection, tenant, source, before=recall.after.int, most=PAGE)
    selector = recall.wanted
    since = _since(selector)
    where = {**_conditions(selector), "after": since, "beyond": beyond}
    named = {"components": list(recall.named.components) or None, "contracts": list(recall.named.contracts) or None}
    decided = [row.subject for row in rows if row.kind == "decision.taken"]
    found = await MEETING.all(connection, {**where, **named, "ids": decided})
    brought = [row.subject for row in rows if row.kind != "decision.taken"]
    cases: list[Found] = []
    if selector.only_cases and brought:
        asked = {"ids": brought, "after": since, "beyond": beyond, "workflow": selector.workflow}
        cases = await CASES_MEETING.all(connection, asked)
    new = await _keep(connection, tenant, recall, [*found, *cases], count=found)
    after = UUID(int=below) if below is not None else NIL
    moved = {"strand": 0, "after": after, "beyond": beyond, "gathered": below is None}
    return await _go_on(connection, recall, new, moved)


async def _keep(
    connection: AsyncConnection[Any],
    tenant: UUID,
    recall: Recall,
    found: Sequence[Found],
    *,
    count: Sequence[Found] | None = None,
) -> int:
    """Keep what is found as members; how many decisions there are among them, in the second look how many members."""
    members = {one.case_id or one.id: one.case_id is not None for one in found if one.meets}
    rows = [
        NewMember(recall=recall.id, member=member, tenant=tenant, is_case=is_case)
        for member, is_case in members.items()
    ]
    added = await ADD_MEMBERS.run(connection, rows) if rows else 0
    return added if recall.combed else sum(1 for one in (found if count is None else count) if one.meets)
