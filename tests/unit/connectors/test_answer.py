from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interlock.actions.connector import Absent, Done, Found, InDoubt, Pending, Permanent, Request, Transient, Unknown
from interlock.connectors.http.answer import LONGEST_WAIT, Answer, judge, judge_look_up, wait_of
from interlock.connectors.http.operation import LookUp
from interlock.connectors.http.tables import read_operations

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STATES = {"pending": {"field": "state", "is": "pending"}, "done": {"field": "state", "is": ["settled", "refunded"]}}
LOOK_UP = {"path": "/p?key={key}", "match": {"to": "to", "amount": "amount"}, **STATES}
PAY = {
    "method": "POST",
    "path": "/p",
    "body": {"to": "{to}", "amount": "{amount.amount}"},
    "not_executed": [502],
    "refused": [409],
    "look_up": LOOK_UP,
}
OPERATION = read_operations({"pay": PAY}, "connectors.p", can_look_up=True)["pay"]
ASKED = Request(operation="pay", key="k", payload={"to": "ana", "amount": {"amount": "12.30"}}, deadline=NOW)


def look_up() -> LookUp:
    assert OPERATION.look_up is not None
    return OPERATION.look_up


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        ("999999", LONGEST_WAIT),
        ("Sun, 01 Mar 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 12:00:30 -0000", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 01 Mar 2099 11:00:00 GMT", LONGEST_WAIT),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_and_bounded(text: str, wait: timedelta | None) -> None:
    assert wait_of(text, NOW) == wait


@pytest.mark.parametrize(
    ("status", "retry_after", "kind"),
    [
        (425, "", Transient),
        (429, "", Transient),
        (503, "1", Transient),
        (503, "", InDoubt),
        (503, "soon", InDoubt),
        (502, "", Transient),
        (409, "", Permanent),
        (408, "", InDoubt),
        (451, "", Permanent),
        (499, "", InDoubt),
        (500, "1", InDoubt),
        (599, "", InDoubt),
        (302, "", InDoubt),
        (202, "", InDoubt),
    ],
)
def test_a_status_means_no_more_than_it_proves(status: int, retry_after: str, kind: type[object]) -> None:
    answer = Answer(status=status, body=b'{"state":"settled"}', retry_after=retry_after)
    assert isinstance(judge(OPERATION, answer, NOW), kind)


@pytest.mark.parametrize("state", ["settled", "refunded"])
def test_done_is_what_is_declared_as_done(state: str) -> None:
    body = b'{"state":"%s"}' % state.encode()
    assert judge(OPERATION, Answer(status=201, body=body), NOW) == Done({"state": state})


@pytest.mark.parametrize(
    "body", [b'{"state":"pending"}', b'{"state":"failed"}', b'{"state":null}', b"{}", b'{"state":{}}']
)
def test_a_success_in_another_state_is_in_doubt(body: bytes) -> None:
    assert isinstance(judge(OPERATION, Answer(status=201, body=body), NOW), InDoubt)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"state":"settled","to":"ana","amount":"12.3"}', True),
        (200, b'{"state":"settled","to":"ana","amount":12.30}', True),
        (200, b'{"state":"settled","to":"ana","amount":12}', False),
        (200, b'{"state":"settled","to":"ben","amount":"12.30"}', False),
        (200, b'{"state":"settled","amount":"12.30"}', False),
        (200, b'{"state":"settled","to":"ana"}', False),
        (200, b'{"state":"settled","to":"ana","amount":"1230e-2"}', False),
        (200, b'{"state":"pending","to":"ana","amount":"12.30"}', Pending),
        (200, b'{"state":"failed","to":"ana","amount":"12.30"}', Unknown),
        (200, b'{"to":"ana","amount":"12.30"}', Unknown),
        (200, b"[]", Unknown),
        (404, b"", Absent),
        (410, b"", Unknown),
        (500, b"", Unknown),
    ],
)
def test_what_a_look_up_says(status: int, body: bytes, expected: bool | type[object]) -> None:  # noqa: FBT001 - a table
    looked = judge_look_up(look_up(), Answer(status=status, body=body), ASKED)
    if isinstance(expected, bool):
        assert isinstance(looked, Found)
        assert looked.matches is expected
    else:
        assert isinstance(looked, expected)


def test_digits_that_are_no_amount_are_compared_as_text() -> None:
    asked = Request(operation="pay", key="k", payload={"to": "7", "amount": {"amount": "1.00"}}, deadline=NOW)
    body = b'{"state":"settled","to":"007","amount":"1.00"}'
    looked = judge_look_up(look_up(), Answer(status=200, body=body), asked)
    assert isinstance(looked, Found)
    assert not looked.matches


def test_a_match_whose_payload_is_incomplete_is_unknown() -> None:
    asked = Request(operation="pay", key="k", payload={"to": "ana"}, deadline=NOW)
    looked = judge_look_up(look_up(), Answer(status=200, body=b'{"state":"settled","to":"ana"}'), asked)
    assert looked == Unknown("what was asked for is not known: the payload has no amount.amount")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"title":"Bad","detail":"no such\\n\\tpayee"}', ": Bad; no such payee"),
        (b'{"error":"no"}', ": no"),
        (b'{"error":{"code":1}}', ""),
        (b"<html>", ""),
        (b'{"detail":"\\u001b[31mred"}', ": [31mred"),
    ],
)
def test_what_was_said_is_one_plain_line(body: bytes, said: str) -> None:
    sent = judge(OPERATION, Answer(status=400, body=body), NOW)
    assert sent == Permanent(f"it answered 400 Bad Request{said}")
