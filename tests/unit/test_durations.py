from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.durations import format_duration, parse_duration
from interlock.errors import Refused


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("5us", timedelta(microseconds=5)),
        ("200ms", timedelta(milliseconds=200)),
        ("10s", timedelta(seconds=10)),
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_reading(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "10", "s", "1.5s", "-1s", "10 s", "10S", "1h30m", "1w", "१s", "10s\n", "9" * 17 + "s"]
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no length of time") as refused:
        parse_duration(text)
    assert "200ms" in refused.value.todo


def test_a_hundred_years_are_the_most() -> None:
    assert parse_duration("36500d").days == 36_500
    for text in ("36501d", "999999999999999d"):
        with pytest.raises(Refused, match="hundred years"):
            parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=24), "1d"),
        (timedelta(minutes=90), "90m"),
        (timedelta(milliseconds=1500), "1500ms"),
        (timedelta(0), "0s"),
    ],
)
def test_writing(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


def test_no_negative_length() -> None:
    with pytest.raises(Refused, match="no length of time"):
        format_duration(timedelta(seconds=-1))


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration
