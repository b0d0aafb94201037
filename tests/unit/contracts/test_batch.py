"""Many records together: uniqueness, counts and shares, in one pass and in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interlock.contracts import BatchCheck, Contract, check_batch
from interlock.contracts.keys import Keys

Describe = Callable[..., Contract]
KEYED = "- {name: id, logicalType: string, required: true, unique: true}\n- {name: note, logicalType: string}"


def rows(*ids: object) -> list[dict[str, Any]]:
    return [{"id": one} for one in ids]


def test_the_later_of_two_with_one_key_is_refused(describe: Describe) -> None:
    verdict = check_batch(describe(KEYED), rows("a", "b", "a", "c", "a"))
    assert (verdict.records, verdict.refused, verdict.kept) == (5, 2, False)
    assert {place: [one.rule for one in found] for place, found in verdict.by_record.items()} == {
        2: ["unique"],
        4: ["unique"],
    }
    assert verdict.by_record[2][0].what == "record 3 has the same /id as record 1"
    assert verdict.violations == ()


def test_a_record_that_is_refused_takes_no_key(describe: Describe) -> None:
    contract = describe(
        "- {name: id, logicalType: string, unique: true}\n- {name: also, logicalType: string, unique: true}"
    )
    verdict = check_batch(
        contract,
        [
            {"id": "a", "also": "x"},
            {"id": "b", "also": "x"},  # repeats also, so that b stays free
            {"id": "b", "also": 7},  # breaks the contract by itself, so that b stays free
            {"id": "b", "also": "y"},
        ],
    )
    assert sorted(verdict.by_record) == [1, 2]
    assert verdict.by_record[1][0].what == "record 2 has the same /also as record 1"


@pytest.mark.parametrize(
    ("field", "one", "other", "repeated"),
    [
        ("logicalType: number, physicalType: 'decimal(38,4)'", "9.50", "9.5", 1),
        ("logicalType: number, physicalType: 'decimal(38,4)'", "1000", "1000.0000", 1),
        ("logicalType: number, physicalType: 'decimal(38,0)'", "1" * 37 + "1", "1" * 37 + "2", 0),
        ("logicalType: number, physicalType: 'decimal(38,2)'", "0.00", "0", 1),
        ("logicalType: number", 1, 1.0, 1),
        ("logicalType: timestamp", "2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", 1),
        ("logicalType: time", "09:30:00", "09:30:00.000", 1),
        ("logicalType: date", "2026-01-01", "2026-01-02", 0),
        ("logicalType: string", "A", "a", 0),
        ("logicalType: string", "", "", 1),
        ("logicalType: string", "咖\ud7ff", "咖\ud7ff", 1),
        ("logicalType: boolean", True, True, 1),
        ("logicalType: string", None, None, 0),
    ],
)
def test_values_are_the_same_when_they_mean_the_same(
    describe: Describe, field: str, one: object, other: object, repeated: int
) -> None:
    verdict = check_batch(describe(f"- {{name: id, {field}, unique: true}}"), rows(one, other))
    assert verdict.refused == repeated, verdict


def test_a_key_of_several_fields_is_compared_as_a_whole(describe: Describe) -> None:
    contract = describe(
        "- {name: a, logicalType: string, primaryKey: true}\n- {name: b, logicalType: string, primaryKey: true}"
    )
    records = [{"a": "1", "b": "23"}, {"a": "12", "b": "3"}, {"a": "1", "b": None}, {"a": "1"}, {"a": "1", "b": "23"}]
    verdict = check_batch(contract, records)
    assert sorted(verdict.by_record) == [4]
    assert verdict.by_record[4][0].rule == "primaryKey"


def test_counts_and_shares_are_of_the_records_that_are_taken(describe: Describe) -> None:
    contract = describe(
        """\
- name: a
  logicalType: string
  quality:
    - {name: given, metric: nullValues, mustBeLessThan: 25, unit: percent}
    - {name: known, metric: missingValues, mustBeLessOrEqualTo: 1, arguments: {missingValues: [N/A, '']}}
    - {name: usual, metric: invalidValues, mustBeLessThan: 2, arguments: {pattern: '^[a-z]*$'}}
    - {name: rare, metric: invalidValues, mustBeGreaterThan: 50, unit: percent, arguments: {validValues: [x]}}
    - {name: varied, metric: duplicateValues, mustBeLessThan: 30, unit: percent}
""",
        quality="- {name: enough, metric: rowCount, mustBeGreaterOrEqualTo: 4}",
    )
    good = [{"a": "p"}, {"a": "q"}, {"a": "r"}, {"a": "s"}, {"a": None}]
    assert check_batch(contract, good).kept
    bad = [{"a": "N/A"}, {}, {"a": ""}, {"a": 5}]
    broken = check_batch(contract, bad)
    assert [(one.rule, one.where) for one in broken.violations] == [
        ("given", "/a"),
        ("known", "/a"),
        ("enough", ""),
    ]
    assert broken.violations[0].what == "nullValues is 1 of 3 records (33.33 %), not less than 25 %"
    assert broken.refused == 1
    repeated = check_batch(contract, [{"a": "x"}] * 4)
    assert [one.rule for one in repeated.violations] == ["rare", "varied"]
    assert [one.rule for one in check_batch(contract, []).violations] == ["enough"]


def test_a_value_inside_of_an_object_is_counted(describe: Describe) -> None:
    contract = describe(
        "- name: o\n  logicalType: object\n  properties:\n    - name: a\n      logicalType: integer\n"
        "      quality: [{metric: nullValues, mustBe: 1}]\n    - {name: b, logicalType: integer, unique: true}"
    )
    assert check_batch(contract, [{"o": None}, {"o": {"a": 1, "b": 2}}]).kept
    assert check_batch(contract, [{"o": None}, {"o": {"a": 1, "b": 2}}, {"o": {"a": 1, "b": 2}}]).refused == 1


def test_record_by_record_is_the_same(describe: Describe) -> None:
    batch = BatchCheck(describe(KEYED))
    assert not batch.idle
    assert batch.add({"id": "a"}) == ()
    assert [one.rule for one in batch.add({"id": 1})] == ["type"]
    batch.refuse()
    assert [one.what for one in batch.note({"id": "a"})] == ["record 4 has the same /id as record 1"]
    assert batch.end() == ()
    batch.close()
    assert BatchCheck(describe("- {name: id, logicalType: string}")).idle


def test_many_keys_leave_memory_for_a_file_and_none_is_lost() -> None:
    keys = Keys(most=100)
    digests = [number.to_bytes(16, "big") for number in range(1000)]
    for place, digest in enumerate(digests):
        assert keys.first(digest) is None
        keys.put(digest, place)
    for place, digest in enumerate(digests):
        assert keys.first(digest) == place
    keys.close()


def test_memory_does_not_grow_with_the_number_of_records(describe: Describe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.contracts.keys.MOST_IN_MEMORY", 500)
    contract = describe(KEYED)

    def stream(count: int) -> Iterator[dict[str, Any]]:
        for number in range(count):
            yield {"id": str(number)}

    peaks: list[int] = []
    for count in (2_000, 20_000):
        tracemalloc.start()
        verdict = check_batch(contract, stream(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert verdict.kept
    assert peaks[1] < 1.3 * peaks[0], peaks
