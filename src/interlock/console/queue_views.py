"""The views of the queue: those that are shipped, and what people have saved; each a filter with a name and a count."""

from __future__ import annotations

import msgspec

from interlock.console.visit import Visit
from interlock.oversight.listing import count_work
from interlock.oversight.work import Bounded
from interlock.oversight.work_filter import read_filter

PATH = "/console/queue"
SHIPPED = (
    ("All", ""),
    ("Mine", "mine=yes"),
    ("My team's", "my_team=yes"),
    ("Urgent", "due_within=4h"),
    ("Awaits a second", "second=yes"),
    ("Snoozed", "state=snoozed"),
    ("Exceptions", "kind=exception"),
)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A view as a tab shows it.

    Attributes:
        name: What it is called.
        to: Its address.
        current: Whether it is the one that is looked at.
        count: How many it finds.
        shared: Whether somebody shared it.
    """

    name: str
    to: str
    current: bool
    count: Bounded | None
    shared: bool = False


async def views_of(visit: Visit, query: str) -> list[View]:
    """All views of a person, counted.

    Args:
        visit: Who asks.
        query: The filter that they look at, in its one form.
    """
    node = visit.node
    filters = [read_filter(asked) for _, asked in SHIPPED]
    counts = await count_work(node.database, visit.tenant, filters, visit.actor)
    return [
        View(name=name, to=f"{PATH}?{asked}" if asked else PATH, current=asked == query, count=count)
        for (name, asked), count in zip(SHIPPED, counts, strict=True)
    ]
