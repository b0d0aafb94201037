"""CloudEvents are read strictly: what the library writes is read to the same, and what is wrong is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import EventInvalid, MalformedJson
from interlock.streams.delivery import Broker, Delivery, read_event, unescape
from interlock.streams.event import MOST_EVENTS, Event, is_json, read_batch, read_binary, read_structured

EVENT: dict[str, Any] = {"specversion": "1.0", "id": "a", "source": "/s", "type": "t", "data": {"x": 1}}


def written(**changes: Any) -> bytes:
    """An event as it is sent."""
    return json.dumps({name: value for name, value in (EVENT | changes).items() if value is not ...}).encode()


def violations(cause: EventInvalid) -> set[str]:
    """Where it is wrong."""
    return {violation.where for violation in cause.violations}


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=30)
_DATA = st.dictionaries(_TEXT, st.integers(-1000, 1000) | _TEXT | st.booleans() | st.none(), max_size=5)


@given(id_=_TEXT, kind=_TEXT, subject=st.none() | _TEXT, data=_DATA)
def test_what_the_library_writes_is_read_to_the_same_in_both_modes(
    id_: str, kind: str, subject: str | None, data: dict[str, Any]
) -> None:
    attributes: dict[str, Any] = {"id": id_, "source": "/claims/desk", "type": kind, "specversion": "1.0"}
    attributes |= {"datacontenttype": "application/json"} | ({"subject": subject} if subject else {})
    made = CloudEvent(attributes, data)
    expected = (id_, "/claims/desk", kind, subject or "", data)
    structured = read_structured(binding.to_structured(made, JSONFormat()).body)
    assert (structured.id, structured.source, structured.type, structured.subject, structured.data) == expected
    sent = binding.to_binary(made, JSONFormat())
    headers = [
        (name.removeprefix("ce-"), unescape(value, where=name))
        for name, value in sent.headers.items()
        if name.startswith("ce-")
    ]
    binary = read_binary(headers, sent.headers["content-type"], sent.body or b"", prefix="ce-")
    assert (binary.id, binary.source, binary.type, binary.subject, binary.data) == expected
    assert binary.key == structured.key


@given(first=st.tuples(_TEXT, _TEXT), second=st.tuples(_TEXT, _TEXT))
def test_two_events_have_one_key_only_if_they_are_the_same(first: tuple[str, str], second: tuple[str, str]) -> None:
    made = [Event(id=id_, source=source.replace(" ", "%20"), type="t", data={}) for id_, source in (first, second)]
    same = (made[0].id, made[0].source) == (made[1].id, made[1].source)
    assert (made[0].key == made[1].key) is same
    assert all(0 < len(one.key) <= 200 for one in made)


def test_long_and_invisible_identities_have_a_key_too() -> None:
    assert Event(id="x" * 4000, source="/s", type="t", data={}).key.startswith("<sha256> ")
    assert Event(id="a\u2028b", source="/s", type="t", data={}).key.isprintable()
    assert Event(id="b", source="/s", type="t", data={}).key == "/s b"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"specversion": ...}, "/specversion"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"specversion": 1.0}, "/specversion"),
        ({"id": ...}, "/id"),
        ({"id": None}, "/id"),
        ({"id": ""}, "/id"),
        ({"id": 7}, "/id"),
        ({"id": "a\tb"}, "/id"),
        ({"id": "a\ufdd0"}, "/id"),
        ({"id": "x" * 5000}, "/id"),
        ({"source": "a b"}, "/source"),
        ({"source": "<sha256>"}, "/source"),
        ({"source": "%zz"}, "/source"),
        ({"source": "/s\n"}, "/source"),
        ({"type": ""}, "/type"),
        ({"time": "2026-13-01T00:00:00Z"}, "/time"),
        ({"time": "2026-01-01"}, "/time"),
        ({"time": "2026-01-01T00:00:00"}, "/time"),
        ({"subject": ""}, "/subject"),
        ({"dataschema": "no uri"}, "/dataschema"),
        ({"datacontenttype": "text/xml"}, "/datacontenttype"),
        ({"datacontenttype": "application/json;charset=latin1"}, "/datacontenttype"),
        ({"data": ...}, "/data"),
        ({"data": ..., "data_base64": "###"}, "/data_base64"),
        ({"data_base64": "e30="}, "/data_base64"),
        ({"Upper": "x"}, "/Upper"),
        ({"a_b": "x"}, "/a_b"),
        ({"ext": [1]}, "/ext"),
        ({"ext": 2**31}, "/ext"),
        ({"ext": 1.5}, "/ext"),
        ({"a/b~": "x"}, "/a~1b~0"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(EventInvalid) as raised:
        read_structured(written(**changes))
    assert where in violations(raised.value)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(EventInvalid) as raised:
        read_structured(b"{}")
    assert violations(raised.value) == {"/specversion", "/id", "/source", "/type", "/data"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"specversion":"1.0","id":"a","id":"b","source":"/s","type":"t","data":{}}',
        b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":NaN}',
        b"\xef\xbb\xbf{}",
        b"{} x",
        b"[" * 1000,
        written(data=..., data_base64="eyJ4IjogTmFOfQ=="),
    ],
)
def test_json_that_two_readers_could_take_for_two_things_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        read_structured(body)


def test_attributes_that_are_null_are_not_there_but_data_may_be() -> None:
    event = read_structured(written(subject=None, time=None, ext=None, data=None))
    assert (event.subject, event.time, dict(event.extensions), event.data) == ("", "", {}, None)


def test_extensions_keep_their_types() -> None:
    event = read_structured(written(number=-5, flag=True, word="x"))
    assert event.extensions == {"number": -5, "flag": True, "word": "x"}
    assert (event.text("word"), event.text("number"), event.text("none")) == ("x", "", "")


def test_amounts_keep_every_digit() -> None:
    assert read_structured(written(data={"total": "12345678901234567.89"})).data == {"total": "12345678901234567.89"}


def test_a_batch_has_a_size() -> None:
    with pytest.raises(EventInvalid, match="too long"):
        read_batch(b"[" + b",".join([b"1"] * (MOST_EVENTS + 1)) + b"]", max_bytes=10**6)
    found = read_batch(b"[" + written() + b", 1, " + written(id=...) + b"]", max_bytes=10**6)
    assert isinstance(found[0], Event)
    assert [violations(cast("EventInvalid", one)) for one in found[1:]] == [{"/1"}, {"/2/id"}]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "source", "data"]) | st.text(), inner),
    )
)
def test_no_json_does_anything_but_read_or_be_refused(value: Any) -> None:
    merged: Any = EVENT | cast("dict[str, Any]", value) if isinstance(value, dict) else value
    for document in cast("list[Any]", [value, merged]):
        with suppress(EventInvalid, MalformedJson):
            assert read_structured(json.dumps(document).encode()).id


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_read_or_be_refused(body: bytes) -> None:
    for headers in ([], [("ce-id", "a")], [("content-type", "application/cloudevents+json")]):
        with suppress(EventInvalid, MalformedJson):
            assert read_event(Delivery(identity="1", broker=Broker.NATS, headers=headers, body=body)).id


@pytest.mark.parametrize(
    ("broker", "headers"),
    [
        (Broker.NATS, [("ce-specversion", "1.0"), ("ce-id", "%E2%82%AC"), ("ce-source", "/s"), ("ce-type", "t")]),
        (Broker.KAFKA, [("ce_specversion", "1.0"), ("ce_id", "€"), ("ce_source", "/s"), ("ce_type", "t")]),
        (Broker.RABBITMQ, [("ce-specversion", "1.0"), ("ce-id", "€"), ("ce-source", "/s"), ("ce-type", "t")]),
        (
            Broker.RABBITMQ,
            [
                ("cloudevents:specversion", "1.0"),
                ("cloudevents:id", "€"),
                ("cloudevents:source", "/s"),
                ("cloudevents:type", "t"),
            ],
        ),
    ],
)
def test_each_broker_has_its_own_headers(broker: Broker, headers: list[tuple[str, str]]) -> None:
    sent = [*headers, ("content-type", "application/json"), ("other", "x")]
    event = read_event(Delivery(identity="1", broker=broker, headers=sent, body=b'{"x": 1}'))
    assert (event.id, event.data, dict(event.extensions)) == ("€", {"x": 1}, {})


def test_a_structured_message_needs_no_headers_and_is_not_fooled_by_others() -> None:
    for headers in ([], [("nats-msg-id", "7")], [("content-type", "application/cloudevents+json; charset=utf-8")]):
        delivery = Delivery(identity="1", broker=Broker.NATS, headers=headers, body=written())
        assert read_event(delivery).id == "a"


def test_which_types_are_json() -> None:
    assert all(map(is_json, ("application/json", "text/json", "application/vnd.x+json; v=1", "Application/JSON")))
    assert not any(map(is_json, ("", "json", "application/jsonx", "text/plain", "application/json; charset=utf-16")))
