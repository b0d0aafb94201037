"""Facts over HTTP: what the tables may say, and what an answer shows."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.actions.connector import Read, Unknown
from interlock.connectors.http.answer import Answer
from interlock.connectors.http.reads import judge_read, read_readings
from interlock.errors import ConfigInvalid

GOOD = {"path": "/vendors/{id}", "value": "/status"}


def readings_at(pointer: str, absent: int = 404) -> Any:
    return read_readings({"r": {**GOOD, "value": pointer, "absent": absent}}, "connectors.c")["r"]


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", {"a/b": [1, "2.50", None], "~": {"": True}}),
        ("/a~1b/0", 1),
        ("/a~1b/1", "2.50"),
        ("/a~1b/2", None),
        ("/~0/", True),
    ],
)
def test_the_value_stands_where_the_pointer_says_and_fractions_stay_digit_by_digit(pointer: str, value: Any) -> None:
    body = b'{"a/b": [1, 2.50, null], "~": {"": true}}'
    assert judge_read(readings_at(pointer), Answer(status=200, body=body)) == Read(value)


@pytest.mark.parametrize("pointer", ["/none", "/a/3", "/a/-", "/a/01", "/a/0/b"])
def test_nothing_at_its_place_is_not_known_and_never_none(pointer: str) -> None:
    found = judge_read(readings_at(pointer), Answer(status=200, body=b'{"a": [1, 2]}'))
    assert found == Unknown(f"its answer has nothing at {pointer}")


def test_only_the_declared_status_says_that_there_is_no_such_thing() -> None:
    assert judge_read(readings_at("/a"), Answer(status=404, body=b"")) == Read(None)
    assert judge_read(readings_at("/a", absent=410), Answer(status=404, body=b"")) == Unknown("it answered 404")


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b'{"a": 1}'), (201, b'{"a": 1}'), (301, b""), (200, b"<html>"), (200, b'{"a": 1, "a": 2}'), (200, b"")],
)
def test_anything_else_is_not_known(status: int, body: bytes) -> None:
    assert isinstance(judge_read(readings_at("/a"), Answer(status=status, body=body)), Unknown)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"value": "/a"}, "path: is missing"),
        ({"path": "/a"}, "value: is missing"),
        ({**GOOD, "path": "vendors"}, "is no path"),
        ({**GOOD, "path": "/v/{key}"}, "a fact has no idempotency key"),
        ({**GOOD, "path": "/v/{id"}, "is no look-up"),
        ({**GOOD, "value": "status"}, "is no JSON Pointer"),
        ({**GOOD, "value": "/a~2"}, "is no JSON Pointer"),
        ({**GOOD, "method": "POST"}, "may cause an effect"),
        ({**GOOD, "absent": 200}, "is no status that can say so"),
        ({**GOOD, "paths": "/v"}, "there is no such setting"),
        ("/v", "is no table"),
    ],
)
def test_what_is_wrong_with_a_reading_is_named(table: object, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said.replace("(", r"\(")) as refused:
        read_readings({"status": table}, "connectors.c")
    assert "connectors.c.reads.status" in str(refused.value)


def test_a_name_that_no_workflow_s_file_could_give_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="is no name"):
        read_readings({"Status": GOOD}, "connectors.c")
