"""Views of the queue: filters under a name, those that are shipped, one's own, and those that all share."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from interlock.authority.actor import Actor
from interlock.authority.judge import Authority, everything
from interlock.db.database import Database
from interlock.errors import NotFound, Refused
from interlock.oversight.listing import COUNTED, count_work
from interlock.oversight.work import Bounded, WorkFilter
from interlock.oversight.work_filter import query_of, read_filter
from interlock.oversight.work_scale import NO_TERMS, WorkTerms
from interlock.oversight.work_store import FORGET_VIEW, SAVE_VIEW, SAVED_VIEWS

LONGEST_NAME = 60
MOST_VIEWS = 50
"""Of one's own, and of those that all share."""


class WorkView(msgspec.Struct, frozen=True, kw_only=True):
    """A filter under a name.

    Attributes:
        name: How it is called.
        query: The filter, as the query of an address.
        id: Of a saved one; None: it is shipped.
        shared: Whether everybody has it.
        created_by: Who saved it.
    """

    name: str
    query: str
    id: UUID | None = None
    shared: bool = True
    created_by: str = ""

    @property
    def asked(self) -> WorkFilter:
        """Its filter. One that no longer can be read asks nothing: what it was saved with is not there any more."""
        try:
            return read_filter(self.query)
        except Refused:
            return WorkFilter()


def shipped_views(base: str = "EUR") -> tuple[WorkView, ...]:
    """The views that everybody has from the beginning.

    Args:
        base: The currency of "High value".
    """
    return (
        WorkView(name="Mine", query="mine=yes"),
        WorkView(name="My team", query="my_team=yes"),
        WorkView(name="Urgent", query="due_within=4h"),
        WorkView(name="High value", query=f"exposure_from=1000+{base}"),
        WorkView(name="Awaits a second", query="second=yes"),
        WorkView(name="Snoozed", query="state=snoozed"),
        WorkView(name="Exceptions", query="kind=exception"),
        WorkView(name="All", query=""),
    )


async def list_views(
    database: Database, tenant: UUID, actor: Actor, *, terms: WorkTerms = NO_TERMS
) -> tuple[WorkView, ...]:
    """The views that somebody has: shipped ones, shared ones, then their own."""
    async with database.tenant(tenant) as connection:
        rows = await SAVED_VIEWS.all(connection, {"who": actor.name})
    saved = (
        WorkView(name=row.name, query=row.query, id=row.id, shared=row.owner is None, created_by=row.created_by)
        for row in rows
    )
    return (*shipped_views(terms.worth.base), *saved)


async def count_views(
    database: Database,
    tenant: UUID,
    views: Sequence[WorkView],
    actor: Actor,
    *,
    terms: WorkTerms = NO_TERMS,
    bound: int = COUNTED,
) -> tuple[tuple[WorkView, Bounded], ...]:
    """How much each view holds: exact up to a bound, "1,000+" above it."""
    counts = await count_work(database, tenant, [view.asked for view in views], actor, terms=terms, bound=bound)
    return tuple(zip(views, counts, strict=True))


async def save_view(
    database: Database, authority: Authority, by: Actor, name: str, asked: WorkFilter, *, shared: bool = False
) -> WorkView:
    """Save a filter under a name; one's own of that name is replaced, and of shared ones the shared one.

    Raises:
        Forbidden: it is to be shared, and they may not.
        Refused: no name, a name of a shipped view, or too many views.
    """
    authority.require(by, "view.share" if shared else "view", everything(by.tenant))
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(
            f"{name[:70]!r} is no name of a view", where="name", todo=f"write 1 to {LONGEST_NAME} printable characters"
        )
    if name.casefold() in {view.name.casefold() for view in shipped_views()}:
        raise Refused(f"{name} is a view that is always there", where="name", todo="choose another name")
    owner = None if shared else by.name
    known = [view for view in await list_views(database, by.tenant, by) if view.id and view.shared == shared]
    if len(known) >= MOST_VIEWS and name not in {view.name for view in known}:
        raise Refused(f"there are {len(known)} views already", where="name", todo="take one away first")
    told = {
        "id": database.clock.new_id(),
        "name": name,
        "owner": owner,
        "query": query_of(asked),
        "who": by.name,
        "at": database.clock.now(),
    }
    async with database.tenant(by.tenant) as connection:
        await SAVE_VIEW.run(connection, told)
    found = await list_views(database, by.tenant, by)
    return next(view for view in found if view.id and view.name == name and view.shared == shared)


async def forget_view(database: Database, authority: Authority, by: Actor, view: UUID) -> None:
    """Take away a view of one's own, or a shared one if one may share.

    Raises:
        NotFound: there is none of that id that they may take away.
    """
    may_share = authority.judge(by, "view.share", everything(by.tenant)).allowed
    async with database.tenant(by.tenant) as connection:
        gone = await FORGET_VIEW.run(connection, {"id": view, "who": by.name, "shared": may_share})
    if not gone:
        raise NotFound(f"there is no view {view} that you may take away", todo="shared ones need a lead")
