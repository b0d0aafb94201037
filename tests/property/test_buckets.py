"""What an action draws on, and the pace that it keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.guards.bucket import draws_of, next_arrival, pace_of, refused_outright
from interlock.guards.limits import Limits, Rate
from interlock.money import Money

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 20),
    st.sampled_from([1, 5, 60]),
    st.lists(st.integers(0, 3_000_000), min_size=1, max_size=150),
)
def test_no_window_holds_more_than_its_rate_and_one_burst(count: int, seconds: int, gaps: list[int]) -> None:
    rate = Rate(count, timedelta(seconds=seconds))
    used, now = 0, T0
    admitted: list[datetime] = []
    for gap in gaps:
        now += timedelta(microseconds=gap)
        used, again = next_arrival(used, rate, now)
        if again is None:
            admitted.append(now)
        else:
            assert again > now
    for start in range(len(admitted)):
        for end in range(start, len(admitted)):
            window = admitted[end] - admitted[start]
            assert end - start + 1 <= count + window / rate.per * count + 1e-9


@settings(deadline=None)
@given(st.integers(1, 50), st.sampled_from([1, 7, 60]))
def test_a_fresh_rate_lets_its_count_through_at_once_and_says_when_to_come_again(count: int, seconds: int) -> None:
    rate = Rate(count, timedelta(seconds=seconds))
    used, passed = 0, 0
    again = None
    while again is None:
        used, again = next_arrival(used, rate, T0)
        passed += again is None
    assert count - 1 <= passed <= count  # the interval is rounded up, against the caller
    held, refused = next_arrival(used, rate, again - timedelta(microseconds=1))
    assert refused
    assert held == used
    assert next_arrival(used, rate, again)[1] is None


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-03-01T23:59:59.999999+00:00", "2026-03-01"),
        ("Europe/Lisbon", "2026-03-29T00:30:00+00:00", "2026-03-29"),
        ("Asia/Kuala_Lumpur", "2026-03-01T15:59:59+00:00", "2026-03-01"),
        ("Asia/Kuala_Lumpur", "2026-03-01T16:00:00+00:00", "2026-03-02"),
        ("America/New_York", "2026-03-08T04:59:59+00:00", "2026-03-07"),
    ],
)
def test_the_calendar_day_is_that_of_its_time_zone(zone: str, moment: str, day: str) -> None:
    limits = Limits(per_day=eur("10"), time_zone=zone)
    (draw,) = draws_of(limits, guard="w.pay", case_id="c", amount=eur("1"), now=datetime.fromisoformat(moment))
    assert (draw.bucket.guard, draw.bucket.currency, draw.bucket.slot) == ("w.pay.per_day", "EUR", day)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.sampled_from(["Europe/Lisbon", "Asia/Kolkata"]))  # noqa: DTZ001 - made aware below
def test_a_day_never_goes_back_as_time_goes_on(moment: datetime, zone: str) -> None:
    limits = Limits(per_day=eur("10"), time_zone=zone)
    slots = [
        draws_of(limits, guard="w", case_id="c", amount=eur("1"), now=moment.replace(tzinfo=UTC) + later)[0].bucket.slot
        for later in (timedelta(0), timedelta(minutes=50), timedelta(hours=25))
    ]
    assert slots == sorted(slots)
    assert slots[0] != slots[2]
    assert slots[0] == moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def test_draws_name_the_case_the_day_and_the_amount_in_minor_units() -> None:
    limits = Limits(each=eur("5"), per_case=eur("7"), per_day=eur("9"), rate=Rate(3, timedelta(seconds=1)))
    draws = draws_of(limits, guard="w.pay", case_id="c-1", amount=eur("1.23"), now=T0)
    assert [(d.bucket.guard, d.bucket.slot, d.amount_minor, d.most_minor) for d in draws] == [
        ("w.pay.per_case", "c-1", 123, 700),
        ("w.pay.per_day", "2026-03-01", 123, 900),
    ]
    assert draws_of(limits, guard="w.pay", case_id="c-1", amount=None, now=T0) == ()
    pace = pace_of(limits, guard="w.pay")
    assert pace
    assert (pace.bucket.guard, pace.bucket.currency, pace.bucket.slot) == ("w.pay.rate", "", "")
    assert pace_of(Limits(each=eur("5")), guard="w.pay") is None


@pytest.mark.parametrize(
    ("limits", "amount", "said"),
    [
        (Limits(each=eur("5")), eur("5"), ""),
        (Limits(each=eur("5")), eur("5.01"), "5.01 EUR is over the limit each of 5.00 EUR"),
        (Limits(per_case=eur("5")), eur("6"), "over the limit per case"),
        (Limits(per_day=eur("5")), eur("6"), "over the limit per day"),
        (Limits(each=eur("5")), Money("1", "MYR"), "is not in EUR"),
        (Limits(each=eur("5")), eur("-1"), "negative"),
        (Limits(each=eur("5")), None, "unknown amount"),
        (Limits(rate=Rate(1, timedelta(seconds=1))), None, ""),
    ],
)
def test_what_limits_can_never_let_go_is_refused_in_words(limits: Limits, amount: Money | None, said: str) -> None:
    found = refused_outright(limits, amount)
    assert said in found
    assert bool(said) == bool(found)
