"""Service levels: which promises are measured, what breaks them, and which cannot be measured as they are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from interlock.contracts import Contract, Party, compatible
from interlock.contracts.level import Kind, Level, Seen, words
from interlock.errors import ContractInvalid

Describe = Callable[..., Contract]
FIELDS = """\
- {name: at, logicalType: timestamp}
- {name: day, logicalType: date}
- {name: note, logicalType: string}
- {name: part, logicalType: object, properties: [{name: seen, logicalType: timestamp}]}
- {name: list, logicalType: array, items: {logicalType: date}}
"""


def promise(describe: Describe, *levels: str) -> tuple[Level, ...]:
    return describe(FIELDS, extra="slaProperties:\n" + "".join(f"  - {{{one}}}\n" for one in levels)).levels


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("property: latency, value: 4, unit: d, element: thing.at", "latency of /at at most 4 d"),
        ("property: freshness, value: 90, unit: min, element: day", "latency of /day at most 1 h 30 min"),
        ("property: latency, value: 0.5, unit: h, element: thing.part.seen", "latency of /part/seen at most 30 min"),
        ("property: frequency, value: 1, valueExt: 1, unit: d, element: thing.at", "frequency at most 1 d"),
        (
            "property: completeness, value: 99.5, unit: percent, element: note",
            "completeness of /note at least 99.5 % over 1 h",
        ),
        ("property: errorRate, value: 2, unit: percent, valueExt: 15m", "errorRate at most 2 % over 15 min"),
        ("property: throughput, value: 100, unit: records, valueExt: 1d", "throughput at least 100 records in 1 d"),
    ],
)
def test_a_promise_is_measured(describe: Describe, written: str, said: str) -> None:
    assert [level.said for level in promise(describe, written)] == [said]


def test_several_elements_are_several_levels(describe: Describe) -> None:
    levels = promise(describe, 'property: completeness, value: 90, unit: percent, element: "thing.note, thing.at"')
    assert [level.element for level in levels] == [("note",), ("at",)]
    assert [level.fewest for level in levels] == [20, 20]


@pytest.mark.parametrize(
    "written",
    [
        "property: latency, value: 24, unit: h",
        "property: retention, value: 3, unit: y, element: thing.at",
        'property: timeOfAvailability, value: "09:00-08:00"',
        'property: generalAvailability, value: "2022-05-12T09:30:10-08:00"',
    ],
)
def test_what_no_look_at_records_can_measure_is_kept_as_written(describe: Describe, written: str) -> None:
    contract = describe(FIELDS, extra=f"slaProperties: [{{{written}}}]\n")
    assert contract.levels == ()
    assert len(contract.service_levels) == 1


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("property: latency, value: 4, unit: d, element: thing.note", "is string, and no moment"),
        ("property: latency, value: 4, unit: d, element: other.at", "is no field"),
        ("property: latency, value: 4, unit: d, element: thing.list", "is array"),
        ("property: latency, value: 4, unit: d, element: 'thing.list.*'", "is no field"),
        ("property: latency, value: 4, unit: m, element: at", "no unit of time"),
        ("property: latency, value: 4, element: at", "no unit of time"),
        ("property: latency, value: 0, unit: d, element: at", "no length of time"),
        ("property: latency, value: -4, unit: d, element: at", "no number that can be promised"),
        ("property: latency, value: NaN, unit: d, element: at", "no number that can be promised"),
        ("property: latency, value: 1e300, unit: d, element: at", "no number that can be promised"),
        ("property: latency, value: true, unit: d, element: at", "no number that can be promised"),
        ("property: latency, value: 99999999999, unit: y, element: at", "no length of time"),
        ("property: completeness, value: 101, unit: percent, element: note", "no share"),
        ("property: completeness, value: 99, element: note", "no share"),
        ("property: completeness, value: 99, unit: percent", "is no field"),
        ("property: errorRate, value: 1, unit: percent, valueExt: 1s", "is no window"),
        ("property: errorRate, value: 1, unit: percent, valueExt: 90d", "is no window"),
        ("property: errorRate, value: 1, unit: percent, valueExt: soon", "no length of time"),
        ("property: throughput, value: 1, unit: h", "counts no records"),
        (
            "property: errorRate, value: 1, unit: percent, customProperties: [{property: sample, value: 0}]",
            "no number of records",
        ),
    ],
)
def test_a_promise_that_cannot_be_measured_as_written_is_refused(describe: Describe, written: str, what: str) -> None:
    with pytest.raises(ContractInvalid) as caught:
        promise(describe, written)
    (violation,) = caught.value.violations
    assert what in violation.what
    assert violation.where == "thing.odcs.yaml:12"


def test_the_same_promise_twice_is_refused(describe: Describe) -> None:
    one = "property: frequency, value: 1, unit: d"
    with pytest.raises(ContractInvalid, match="stands twice"):
        promise(describe, one, "property: frequency, value: 24, unit: h")
    assert promise(describe, one)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("written", "seen", "breach"),
    [
        ("property: latency, value: 1, unit: h, element: at", Seen(moment_age=HOUR), ""),
        (
            "property: latency, value: 1, unit: h, element: at",
            Seen(moment_age=HOUR + timedelta(seconds=1), arrival_age=timedelta()),
            "the newest moment is 1 h 1 s old",
        ),
        ("property: latency, value: 1, unit: h, element: at", Seen(arrival_age=9 * HOUR), ""),
        ("property: frequency, value: 1, unit: h", Seen(arrival_age=2 * HOUR), "the last record is 2 h old"),
        ("property: frequency, value: 1, unit: h", Seen(), ""),
        ("property: throughput, value: 5, unit: records", Seen(records=4, whole_window=True), "4 records came in 1 h"),
        ("property: throughput, value: 5, unit: records", Seen(records=4), ""),
        ("property: throughput, value: 5, unit: records", Seen(records=5, whole_window=True), ""),
        ("property: completeness, value: 90, unit: percent, element: at", Seen(records=20, filled=18), ""),
        (
            "property: completeness, value: 90, unit: percent, element: at",
            Seen(records=20, filled=17, refused=100),
            "17 of 20 records have it (85.00 %)",
        ),
        ("property: completeness, value: 90, unit: percent, element: at", Seen(records=19), ""),
        ("property: errorRate, value: 10, unit: percent", Seen(records=18, refused=2), ""),
        (
            "property: errorRate, value: 10, unit: percent",
            Seen(records=17, refused=3),
            "3 of 20 records are refused (15.00 %)",
        ),
        (
            "property: errorRate, value: 10, unit: percent, customProperties: [{property: sample, value: 1}]",
            Seen(refused=1),
            "1 of 1 records are refused (100.00 %)",
        ),
    ],
)
def test_a_level_is_broken_by_what_was_seen(describe: Describe, written: str, seen: Seen, breach: str) -> None:
    (level,) = promise(describe, written)
    assert level.breach(seen) == breach


def test_a_promise_less_breaks_consumers_and_one_more_producers(describe: Describe) -> None:
    extra = "slaProperties: [{{property: frequency, value: {0}, unit: d}}]\n"
    day, week = describe(FIELDS, extra=extra.format(1)), describe(FIELDS, extra=extra.format(7))
    assert [one.breaks for one in compatible(day, week)] == [Party.PRODUCERS, Party.CONSUMERS]
    assert [one.breaks for one in compatible(day, describe(FIELDS))] == [Party.CONSUMERS]


def test_lengths_of_time_in_words() -> None:
    assert words(timedelta(days=4)) == "4 d"
    assert words(timedelta(seconds=3661)) == "1 h 1 min"
    assert words(timedelta(seconds=-5)) == "0 s"
    assert words(None) == "0 s"
    assert Kind.LATENCY == "latency"
