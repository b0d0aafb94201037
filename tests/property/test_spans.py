"""Calendar days and months, and stretches of time: every moment lies in one period, and no stretch is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guards.span import LEAST_SPAN, Span, Whose, per_case, per_day, per_month, sliding

ZONES = [
    "UTC",
    "Asia/Kuala_Lumpur",
    "Europe/Lisbon",
    "America/New_York",
    "Asia/Beirut",  # puts its clocks forward at midnight
    "America/Havana",  # puts them back at one, and forward at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",
]
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
zones = st.sampled_from(ZONES)
calendars = st.one_of(zones.map(per_day), zones.map(per_month), zones.map(lambda zone: per_day(zone, Whose.CALLER)))
lengths = st.timedeltas(LEAST_SPAN, timedelta(days=400))
_TICK = timedelta(microseconds=1)


@given(calendars, moments)
def test_a_calendar_period_holds_its_moment_and_ends_where_the_next_begins(span: Span, moment: datetime) -> None:
    period = span.period(moment)
    end = span.ends(period)
    assert moment < end
    assert span.period(end - _TICK) == period
    assert span.period(end) > period
    assert span.first_period(moment) == period


@given(zones, moments)
def test_a_day_lasts_from_23_to_25_hours_and_a_month_is_its_days(zone: str, moment: datetime) -> None:
    day, month = per_day(zone), per_month(zone)
    first = day.ends(day.period(moment))
    second = day.ends(day.period(first))
    assert timedelta(hours=23) <= second - first <= timedelta(hours=25)
    assert day.period(moment).startswith(month.period(moment))
    assert month.period(moment) == f"{moment.astimezone(ZoneInfo(zone)):%Y-%m}"


@pytest.mark.parametrize(
    ("span", "moment", "period", "ends"),
    [
        (per_day("UTC"), "2026-02-28T23:59:59.999999+00:00", "2026-02-28", "2026-03-01T00:00:00+00:00"),
        (per_day("Asia/Kuala_Lumpur"), "2026-03-01T15:59:59+00:00", "2026-03-01", "2026-03-01T16:00:00+00:00"),
        (per_day("Asia/Kuala_Lumpur"), "2026-03-01T16:00:00+00:00", "2026-03-02", "2026-03-02T16:00:00+00:00"),
        (per_day("America/New_York"), "2026-03-08T05:00:00+00:00", "2026-03-08", "2026-03-09T04:00:00+00:00"),  # 23 h
        (per_day("America/New_York"), "2026-11-01T04:00:00+00:00", "2026-11-01", "2026-11-02T05:00:00+00:00"),  # 25 h
        (per_day("Asia/Beirut"), "2026-03-28T21:59:59+00:00", "2026-03-28", "2026-03-28T22:00:00+00:00"),
        (per_month("UTC"), "2028-02-29T12:00:00+00:00", "2028-02", "2028-03-01T00:00:00+00:00"),
        (per_month("UTC"), "2026-12-31T23:59:59+00:00", "2026-12", "2027-01-01T00:00:00+00:00"),
        (per_month("Asia/Kuala_Lumpur"), "2026-01-31T16:00:00+00:00", "2026-02", "2026-02-28T16:00:00+00:00"),
        (sliding(timedelta(hours=1)), "2026-03-01T10:05:59+00:00", "2026-03-01T10:05:00Z", "2026-03-01T11:06:00+00:00"),
        (sliding(timedelta(minutes=1)), "2026-03-01T10:05:59.9+00:00", "2026-03-01T10:05:59Z", "2026-03-01T10:07:00Z"),
    ],
)
def test_periods_are_named_and_end_as_calendars_say(span: Span, moment: str, period: str, ends: str) -> None:
    assert span.period(datetime.fromisoformat(moment)) == period
    assert span.ends(period) == datetime.fromisoformat(ends)


@given(lengths, moments, st.floats(0, 1))
def test_whatever_happened_within_the_length_counts_and_what_is_longer_ago_soon_does_not(
    length: timedelta, now: datetime, part: float
) -> None:
    span = sliding(length)
    then = now - part * length
    assert span.period(then) >= span.first_period(now)  # counted, by its name alone
    assert span.ends(span.period(then)) >= now
    gone = now - length - span.width
    assert span.period(gone) < span.first_period(now)
    assert span.width <= length / 60 + timedelta(seconds=1)


@given(lengths, moments)
def test_a_stretch_is_held_in_sixty_one_periods_at_most_and_room_comes_exactly_when_one_leaves(
    length: timedelta, now: datetime
) -> None:
    span = sliding(length)
    begun = datetime.fromisoformat(span.first_period(now))
    count = (datetime.fromisoformat(span.period(now)) - begun) // span.width + 1
    assert 1 < count <= 62
    end = span.ends(span.first_period(now))
    assert end > now
    assert span.first_period(end - _TICK) == span.first_period(now)
    assert span.first_period(end) > span.first_period(now)


@given(moments, moments, st.one_of(calendars, lengths.map(sliding)))
def test_names_sort_as_times_do(one: datetime, other: datetime, span: Span) -> None:
    early, late = sorted([one, other])
    assert span.period(early) <= span.period(late)
    assert len(span.period(early)) == len(span.period(late))


def test_what_lasts_for_ever_has_no_period_and_names_tell_spans_apart() -> None:
    assert per_case().period(datetime(2026, 1, 1, tzinfo=UTC)) == ""
    spans = [per_case(), per_day("UTC"), per_day("UTC", Whose.CALLER), per_month("UTC"), sliding(timedelta(hours=1))]
    names = [span.name for span in [*spans, sliding(timedelta(days=7)), sliding(timedelta(minutes=90))]]
    assert names == ["per_case", "per_day", "per_caller", "per_month", "per_hour", "7d", "90m"]
