"""What makes an item urgent is what it counts for in the order of work."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from interlock.notices.notice import Fact, notices_of
from interlock.notify_settings import ChannelKind, Event, NotifySettings
from interlock.oversight.index import Worth

CHANNEL = NotifySettings(name="chat", kind=ChannelKind.CHAT, url="http://x", above=Decimal(1000))
WORTH = Worth(rates={"JPY": 0.006, "KWD": 3.0})


@pytest.mark.parametrize(
    ("urgency", "currency", "told"),
    [
        (100_000, "EUR", True),
        (99_999, "EUR", False),
        (1_000_000, None, False),  # certain to be wrong, of what nobody knows: the floor
        (100_000, "JPY", False),  # 600.00 EUR
        (200_000, "JPY", True),
        (400_000, "KWD", True),  # 400 dinars are 1200.00 EUR
    ],
)
def test_an_item_is_urgent_by_what_it_counts_for_in_the_order(urgency: int, currency: str | None, told: bool) -> None:  # noqa: FBT001 - what is expected
    fact = Fact(
        kind=Event.URGENT, subject=UUID(int=1), stage="", item="review", person=None, team=None, queue=None,
        workflow="w", what="p", exposure_minor=None, currency=currency, urgency=urgency,
    )  # fmt: skip
    found = list(notices_of(UUID(int=2), CHANNEL, [fact], [], {}, datetime(2026, 1, 1, tzinfo=UTC), WORTH))
    assert bool(found) is told
