"""The threshold algorithm finds what sorting everything finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.oversight.index import Pace, Worth
from interlock.oversight.threshold import Placed, Scale, Search, Shown, WorkClass, ranked

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLASSES = (
    WorkClass(exceptional=False, workflow="a", point="p", currency="EUR", priority=1),
    WorkClass(exceptional=False, workflow="a", point="p", currency="JPY", priority=1),
    WorkClass(exceptional=False, workflow="b", point="q", currency="", priority=1),
    WorkClass(exceptional=True, workflow="a", point="failed", currency="EUR", priority=1),
    WorkClass(exceptional=True, workflow="a", point="failed", currency="EUR", priority=0),
)
items = st.tuples(
    st.sampled_from(CLASSES),
    st.integers(0, 5) | st.integers(0, 10**7),
    st.none() | st.integers(-600, 60_000),
)


def searched(waiting: list[tuple[WorkClass, Shown]], wanted: int, scale: Scale, depth: int) -> tuple[list[Placed], int]:
    """The first of the order as the database would show it, and how many rows that took."""
    search, read = Search(CLASSES, wanted, scale, depth), 0
    far = datetime.max.replace(tzinfo=UTC)
    while classes := search.open():
        for of in classes:
            mine = [item for its, item in waiting if its == of]
            by_loss = sorted(mine, key=lambda item: (-item.urgency, item.id))[: search.depth]
            by_due = sorted(mine, key=lambda item: (item.due_at or far, item.id))[: search.depth]
            read += len(by_loss) + len(by_due)
            search.take(of, by_loss, by_due)
        search.deepen()
    return search.best(), read


@given(
    st.lists(items, max_size=120),
    st.integers(1, 60),
    st.integers(1, 10),
    st.floats(0.1, 60),
    st.integers(0, 5000),
    st.integers(1, 9),
)
def test_it_finds_what_sorting_everything_finds(
    made: list[tuple[WorkClass, int, int | None]], wanted: int, depth: int, mean: float, waiting: int, people: int
) -> None:
    scale = Scale(
        now=NOW,
        pace=Pace(mean_minutes=mean, waiting=waiting, people=people),
        worth=Worth(rates={"JPY": 0.006}),
        minutes={(False, "a", "p"): 1.5, (True, "a", "failed"): 12.0},
        default=3.0,
    )
    known = [
        (of, Shown(UUID(int=at), urgency, None if due is None else NOW + timedelta(minutes=due)))
        for at, (of, urgency, due) in enumerate(made)
    ]
    found, _ = searched(known, wanted, scale, depth)
    every = ranked(known, scale)[:wanted]
    # of equals any may be the last; what they are worth is the same
    assert [one[:2] for one in found] == [one[:2] for one in every]
    assert len({one.id for one in found}) == len(found)


def test_of_many_it_reads_few() -> None:
    scale = Scale(
        now=NOW, pace=Pace(mean_minutes=3.0, waiting=20_000, people=5), worth=Worth(), minutes={}, default=3.0
    )
    known = [
        (CLASSES[0], Shown(UUID(int=at), (at * 7919) % 100_003, NOW + timedelta(minutes=(at * 104_729) % 5000)))
        for at in range(20_000)
    ]
    found, read = searched(known, 50, scale, 8)
    assert [one.id for one in found] == [one.id for one in ranked(known, scale)[:50]]
    assert read < 5_000
