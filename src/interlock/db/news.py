"""News: of which things of a tenant a commit wrote, as wakes that open pages listen to. Pure.

What a unit writes says by itself what it is news about, so that no verb can forget to tell. A wake of this kind is
``topic@tenant``, or ``topic@*`` where it concerns every tenant: whoever serves pages hands it to that tenant's alone.
It holds a topic or an item's id and nothing else; a page that hears of it asks, and is told what its person may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import UUID

from interlock.db.work import Unit

TOPICS: Mapping[str, str] = MappingProxyType(
    {
        "review": "reviews",
        "review_verdict": "reviews",
        "task_note": "reviews",
        "exception": "exceptions",
        "quarantine": "quarantine",
        "stop": "stops",
        "installation_stop": "stops",
        "dead_man": "stops",
        "cases": "cases",
        "action": "actions",
        "decision": "decisions",
        "recon_break": "breaks",
    }
)
"""What pages hear of, by the table that is written."""
_EVERYWHERE = frozenset({"installation_stop"})
_ITEMS = frozenset({"review", "exception"})
MOST_ITEMS = 20
"""Items that one batch names; of more it says only that there are many."""
MANY = "items"


def topic_of_item(item: UUID) -> str:
    """What a page about one review or exception listens to."""
    return f"item:{item}"


def news_of(units: Iterable[Unit]) -> list[str]:
    """The wakes of a batch that was written, each once."""
    told: dict[tuple[str, UUID | None], None] = {}
    items: dict[tuple[str, UUID | None], None] = {}
    for unit in units:
        for write in unit.writes:
            table = write.statement.table
            topic = TOPICS.get(table)
            if topic is None:
                continue
            told[topic, None if table in _EVERYWHERE else unit.tenant] = None
            item = getattr(write.row, "id", None)
            if table in _ITEMS and isinstance(item, UUID) and not write.statement.only_adds:
                items[topic_of_item(item), unit.tenant] = None
    if len(items) > MOST_ITEMS:
        items = {(MANY, tenant): None for _, tenant in items}
    return [f"{topic}@{tenant.hex if tenant else '*'}" for topic, tenant in (*told, *items)]


def read_news(wake: str) -> tuple[str, UUID | None] | None:
    """The topic and the tenant of a wake, None where it concerns all; None if it is another kind of wake."""
    topic, at, tenant = wake.rpartition("@")
    if not at or not topic:
        return None
    if tenant == "*":
        return topic, None
    try:
        return topic, UUID(hex=tenant)
    except ValueError:
        return None
